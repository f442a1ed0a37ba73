//! Terminals: the receiving end of `--console-socket`, and a pseudo-terminal to run in.
#![allow(unsafe_code)]

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use std::fs::File;
use std::io::{IoSliceMut, Read};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A listening socket as engines make it for `--console-socket`, `--pidfd-socket` and
/// seccomp's `listenerPath`.
pub struct ConsoleSocket {
    path: PathBuf,
    listener: UnixListener,
}

impl ConsoleSocket {
    /// Listens at `NAME` in the directory. The path must be shorter than 108 bytes.
    pub fn new(dir: &Path, name: &str) -> Self {
        let path = dir.join(name);
        let listener = UnixListener::bind(&path)
            .unwrap_or_else(|e| panic!("listen at {}: {e}", path.display()));
        Self { path, listener }
    }

    /// Listens at `@NAME`, in the abstract namespace.
    pub fn in_abstract(name: &str) -> Self {
        let listener = SocketAddr::from_abstract_name(name)
            .and_then(|address| UnixListener::bind_addr(&address))
            .unwrap_or_else(|e| panic!("listen at @{name}: {e}"));
        Self { path: format!("@{name}").into(), listener }
    }

    /// The path to give to the runtime.
    pub fn path(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Accepts one connection and takes one message: its bytes and its descriptors.
    /// Panics after ten seconds.
    #[track_caller]
    pub fn receive(&self) -> (Vec<u8>, Vec<OwnedFd>) {
        message(&self.accept())
    }

    /// As [`Self::receive`], but everything until the other side closes. Panics when descriptors come with another
    /// message than the first.
    #[track_caller]
    pub fn receive_all(&self) -> (Vec<u8>, Vec<OwnedFd>) {
        let stream = self.accept();
        let (mut bytes, fds) = message(&stream);
        loop {
            let (more, none) = message(&stream);
            assert!(none.is_empty(), "descriptors with a later message");
            if more.is_empty() {
                return (bytes, fds);
            }
            bytes.extend(more);
        }
    }

    #[track_caller]
    fn accept(&self) -> UnixStream {
        wait_readable(self.listener.as_fd(), Duration::from_secs(10), "a connection to the socket");
        self.listener.accept().unwrap_or_else(|e| panic!("accept: {e}")).0
    }

    /// The master side of a terminal, from a message that must hold exactly one descriptor.
    #[track_caller]
    pub fn master(&self) -> File {
        let (_, mut fds) = self.receive();
        assert_eq!(fds.len(), 1, "expected one descriptor");
        fds.pop().map(File::from).unwrap_or_else(|| panic!("no descriptor"))
    }
}

#[track_caller]
fn message(stream: &UnixStream) -> (Vec<u8>, Vec<OwnedFd>) {
    wait_readable(stream.as_fd(), Duration::from_secs(10), "a message on the socket");
    let mut bytes = vec![0_u8; 1 << 16];
    let mut space = nix::cmsg_space!([i32; 8]);
    let (count, fds) = {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let message = recvmsg::<()>(
            stream.as_raw_fd(),
            &mut parts,
            Some(&mut space),
            MsgFlags::MSG_CMSG_CLOEXEC,
        );
        let message = message.unwrap_or_else(|e| panic!("recvmsg: {e}"));
        let mut fds = Vec::new();
        for control in message.cmsgs().into_iter().flatten() {
            if let ControlMessageOwned::ScmRights(list) = control {
                // SAFETY: the kernel has just made these descriptors for us alone.
                fds.extend(list.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            }
        }
        (message.bytes, fds)
    };
    bytes.truncate(count);
    (bytes, fds)
}

#[track_caller]
fn wait_readable(fd: std::os::fd::BorrowedFd<'_>, time: Duration, what: &str) {
    let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
    let ready = poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout);
    assert!(matches!(ready, Ok(n) if n > 0), "waited {time:?} for {what}");
}

/// A pseudo-terminal pair whose slave becomes a child's controlling terminal.
pub struct Pty {
    /// What the person at the terminal holds.
    pub master: File,
    slave: OwnedFd,
}

impl Pty {
    /// A terminal of this many rows and columns.
    pub fn new(rows: u16, columns: u16) -> Self {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } =
            openpty(&size, None).unwrap_or_else(|e| panic!("openpty: {e}"));
        Self { master: master.into(), slave }
    }

    /// Starts the command in a new session on this terminal.
    pub fn spawn(&self, command: &mut Command) -> Child {
        let side = || Stdio::from(self.slave.try_clone().unwrap_or_else(|e| panic!("dup: {e}")));
        command.stdin(side()).stdout(side()).stderr(side());
        let prepare = || {
            nix::unistd::setsid()?;
            // SAFETY: an ioctl without memory, on the terminal that is now fd 0.
            let done = unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) };
            if done < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
        };
        // SAFETY: only two async-signal-safe calls between fork and exec.
        unsafe { command.pre_exec(prepare) };
        command.spawn().unwrap_or_else(|e| panic!("start {command:?}: {e}"))
    }
}

/// Reads what comes until the text is seen, the other side is closed, or the time is over.
pub fn read_for(mut file: &File, until: &str, time: Duration) -> String {
    let end = Instant::now() + time;
    let mut bytes = Vec::new();
    let mut chunk = [0_u8; 4096];
    loop {
        let left = PollTimeout::try_from(end.saturating_duration_since(Instant::now()))
            .unwrap_or(PollTimeout::ZERO);
        let ready = poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLIN)], left);
        if !matches!(ready, Ok(n) if n > 0) {
            break;
        }
        // EIO says that the last slave is closed.
        match file.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
        if !until.is_empty() && String::from_utf8_lossy(&bytes).contains(until) {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
