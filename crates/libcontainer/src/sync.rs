//! The talk between the runtime (parent) and the process that becomes the container (child).
//!
//! One `SOCK_SEQPACKET` pair, one datagram a message: a tag byte and what belongs to it.
//!
//! ```text
//!   parent                                    child
//!     | clone3 ------------------------------> |
//!     | id maps, v1 cgroups                    | waits, if it must
//!     | Go ----------------------------------> |
//!     | limits, filter, files of state         | rootfs, mounts, devices
//!     | <--------- MapIds(mount, tree, answer) | for each id-mapped mount; the answer has a pipe of its own
//!     |                                        |
//!     | <------------------------------- Hooks | only with prestart or createRuntime hooks
//!     | runs them                              |
//!     | Go ----------------------------------> | createContainer hooks, pivot_root,
//!     |                                        | masks, terminal
//!     | <------------------ Console(pty) ----- | only with a terminal
//!     | Go ----------------------------------> | limits are in force: user, capabilities
//!     | <------------------ Listener(number) - | only with a notifying filter
//!     | Go ----------------------------------> |
//!     | <------------------ Ready(rlimits) --- | the executable is found
//!     | rlimits that the child could not set   |
//!     | state, pid file                        |
//!     | Go ----------------------------------> | belongs to nobody now; waits for start
//! ```
//!
//! At any point the child may send `Failed(text)` and exit, at the very end `NotRun(text)`. Success after the last `Go` is
//! silent: execve(2) closes the socket (`run`, `exec`) or the status FIFO (`create`, `start`).
//! The end of the connection tells each side that the other is gone.
//!
//! Once a filter is loaded the child uses read(2) and write(2) alone, which every profile that
//! lets a program live must allow.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use crate::error::{Error, Result};

/// Largest message; longer error texts are cut.
const MAX_MESSAGE: usize = 4096;

/// What the child says.
#[derive(Debug)]
pub(crate) enum Report {
    /// The detached mount `tree` of mount number `mount` needs its mappings.
    MapIds {
        /// Index in the plan's mounts.
        mount: usize,
        /// The mount.
        tree: OwnedFd,
        /// Where the child reads how it went.
        answer: Answer,
    },
    /// Mounts are done: time for the hooks of the runtime namespace.
    Hooks,
    /// The pseudo-terminal's master side.
    Console(OwnedFd),
    /// pidfd of a process that a relay made.
    Handle(OwnedFd),
    /// Number of the seccomp notification descriptor in the child.
    Listener(i32),
    /// All is set up but the rlimits whose bits (by kernel number) are set.
    Ready(u32),
    /// Set-up failed; the text says why.
    Failed(String),
    /// All was set up, but execve(2) failed.
    NotRun(String),
    /// The connection ended.
    Gone,
}

const MAP_IDS: u8 = b'i';
const HOOKS: u8 = b'h';
const CONSOLE: u8 = b'c';
const HANDLE: u8 = b'p';
const LISTENER: u8 = b'l';
const READY: u8 = b'r';
const FAILED: u8 = b'f';
const NOT_RUN: u8 = b'x';
const GO: u8 = b'g';

/// The two ends: the parent's and the child's.
pub(crate) fn pair() -> Result<(ParentEnd, ChildEnd)> {
    let (parent, child) =
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(|errno| Error::os("socketpair", "", errno))?;
    Ok((ParentEnd(parent), ChildEnd(child)))
}

/// What the runtime holds.
#[derive(Debug)]
pub(crate) struct ParentEnd(OwnedFd);

impl ParentEnd {
    /// Lets the child go on.
    ///
    /// # Errors
    /// `EPIPE` when it is gone.
    pub(crate) fn go(&self) -> nix::Result<()> {
        sys::socket::send(self.0.as_fd(), &[GO], &[])
    }

    /// Waits for the child's next word, at most `patience` where that is limited.
    ///
    /// # Errors
    /// When the child says nothing in time: it may hang in the kernel, on a dead network file
    /// system for example.
    pub(crate) fn receive(&self, patience: Option<Duration>) -> Result<Report> {
        if let Some(patience) = patience {
            let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, timeout) == Ok(0) {
                return Err(Error::message(format!(
                    "the container process did not answer within {} s",
                    patience.as_secs()
                )));
            }
        }
        let mut buffer = [0_u8; MAX_MESSAGE];
        let mut received = sys::socket::receive(self.0.as_fd(), &mut buffer);
        // A child that ended with words of ours unread is told of first, its last words after.
        if received.as_ref().is_err_and(|errno| *errno == Errno::ECONNRESET) {
            received = sys::socket::receive(self.0.as_fd(), &mut buffer);
        }
        let (length, mut fds) =
            received.map_err(|errno| Error::os("receive from container process", "", errno))?;
        let Some((tag, rest)) = buffer[..length].split_first() else { return Ok(Report::Gone) };
        let number = rest.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
        match (*tag, number, fds.pop()) {
            (MAP_IDS, Some(mount), Some(answer)) => match fds.pop() {
                Some(tree) => {
                    Ok(Report::MapIds { mount: mount as usize, tree, answer: Answer(answer) })
                }
                None => Err(Error::message("the container process sent no mount")),
            },
            (HOOKS, ..) => Ok(Report::Hooks),
            (CONSOLE, _, Some(master)) => Ok(Report::Console(master)),
            (HANDLE, _, Some(pidfd)) => Ok(Report::Handle(pidfd)),
            (LISTENER, Some(fd), _) => Ok(Report::Listener(fd.cast_signed())),
            (READY, Some(rlimits), _) => Ok(Report::Ready(rlimits)),
            (FAILED, ..) => Ok(Report::Failed(String::from_utf8_lossy(rest).into_owned())),
            (NOT_RUN, ..) => Ok(Report::NotRun(String::from_utf8_lossy(rest).into_owned())),
            _ => Err(Error::message("the container process sent a message nobody knows")),
        }
    }
}

impl AsFd for ParentEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The runtime's end of a pipe by which it answers one question. The child may have words of the runtime
/// unread by then, such as that limits are in force, so they go apart.
#[derive(Debug)]
pub(crate) struct Answer(OwnedFd);

impl Answer {
    /// Tells how it went.
    pub(crate) fn give(self, result: Result<()>) {
        let text = result.map_or_else(|error| error.to_string(), |()| String::new());
        let mut message = vec![GO];
        message.extend_from_slice(text.as_bytes());
        message.truncate(MAX_MESSAGE);
        // A child that is gone is told of by its channel.
        let _ = nix::unistd::write(&self.0, &message);
    }
}

/// What the container process holds until execve(2).
#[derive(Debug)]
pub(crate) struct ChildEnd(OwnedFd);

impl ChildEnd {
    fn tell(&self, tag: u8, payload: &[u8]) -> Result<()> {
        let mut message = Vec::with_capacity(1 + payload.len());
        message.push(tag);
        message.extend_from_slice(payload);
        message.truncate(MAX_MESSAGE);
        nix::unistd::write(&self.0, &message)
            .map(drop)
            .map_err(|errno| Error::os("send to runtime", "", errno))
    }

    /// Waits for `Go`. A runtime that has died ends this process: nothing may go on without it.
    pub(crate) fn wait_go(&self) -> Result<()> {
        let mut buffer = [0_u8; 1];
        loop {
            match nix::unistd::read(&self.0, &mut buffer) {
                Ok(1) => return Ok(()),
                Err(Errno::EINTR) => {}
                _ => sys::clone::exit_now(1),
            }
        }
    }

    /// Has the runtime give the detached mount `tree`, number `mount` of the plan, its mappings.
    pub(crate) fn map_ids(&self, mount: usize, tree: BorrowedFd<'_>) -> Result<()> {
        let (read, write) =
            nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(|errno| Error::os("pipe2", "", errno))?;
        let mut message = vec![MAP_IDS];
        message.extend_from_slice(&u32::try_from(mount).unwrap_or(u32::MAX).to_ne_bytes());
        sys::socket::send(self.0.as_fd(), &message, &[tree, write.as_fd()])
            .map_err(|errno| Error::os("send descriptor to runtime", "", errno))?;
        drop(write);
        let mut buffer = [0_u8; MAX_MESSAGE];
        let length = loop {
            match nix::unistd::read(&read, &mut buffer) {
                Err(Errno::EINTR) => {}
                other => break other.unwrap_or(0),
            }
        };
        match buffer[..length].split_first() {
            Some((_, [])) => Ok(()),
            Some((_, text)) => Err(Error::message(String::from_utf8_lossy(text))),
            // As in `wait_go`.
            None => sys::clone::exit_now(1),
        }
    }

    /// Asks for the hooks of the runtime namespace and waits for their end.
    pub(crate) fn hooks(&self) -> Result<()> {
        self.tell(HOOKS, &[])?;
        self.wait_go()
    }

    /// Hands over the master side of the terminal.
    pub(crate) fn console(&self, master: BorrowedFd<'_>) -> Result<()> {
        self.pass(CONSOLE, master)
    }

    /// A relay hands over the process that it made.
    pub(crate) fn hand_over(&self, pidfd: BorrowedFd<'_>) -> Result<()> {
        self.pass(HANDLE, pidfd)
    }

    fn pass(&self, tag: u8, fd: BorrowedFd<'_>) -> Result<()> {
        sys::socket::send(self.0.as_fd(), &[tag], &[fd])
            .map_err(|errno| Error::os("send descriptor to runtime", "", errno))
    }

    /// Tells the number of the notification descriptor, which the runtime then copies.
    pub(crate) fn listener(&self, fd: BorrowedFd<'_>) -> Result<()> {
        self.tell(LISTENER, &fd.as_raw_fd().to_ne_bytes())?;
        self.wait_go()
    }

    /// Reports that all is set up, and waits to be released.
    pub(crate) fn ready(&self, pending_rlimits: u32) -> Result<()> {
        self.tell(READY, &pending_rlimits.to_ne_bytes())?;
        self.wait_go()
    }

    /// Reports the failure that ends this process.
    pub(crate) fn failed(&self, error: &Error) {
        // Nobody is left to hear of a failure to report a failure.
        let tag = if matches!(error, Error::Program(_)) { NOT_RUN } else { FAILED };
        let _ = self.tell(tag, error.to_string().as_bytes());
    }
}

impl AsFd for ChildEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
