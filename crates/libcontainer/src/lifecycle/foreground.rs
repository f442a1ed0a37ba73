//! Staying with a process: signals go to it, a terminal is copied, its status is waited for.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, read, write};

use super::notify::Proxy;
use crate::error::{Error, Result};
use crate::launch::Launched;

/// Signals that are this process's own business.
const KEPT: [Signal; 4] = [Signal::SIGCHLD, Signal::SIGPIPE, Signal::SIGURG, Signal::SIGWINCH];
/// As much as is copied at once; what a pipe that can be written to always takes (PIPE_BUF).
const CHUNK: usize = 4096;

/// Takes this process's signals, so that none is lost until the child has them.
pub(super) struct Foreground {
    signals: SignalFd,
}

impl Foreground {
    pub(super) fn new() -> Result<Self> {
        let fail = |errno| Error::os("signalfd", "", errno);
        let all = SigSet::all();
        all.thread_block().map_err(fail)?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        SignalFd::with_flags(&all, flags).map(|signals| Self { signals }).map_err(fail)
    }

    /// Waits for the end of a process; its exit status, or 128 + N for signal N. Meanwhile it passes on
    /// through `proxy` that the container is ready; this process stays the one to watch, for it gives the
    /// status.
    pub(super) fn wait(&mut self, launched: Launched, mut proxy: Option<Proxy>) -> Result<i32> {
        let me = std::process::id().cast_signed();
        let Launched { pid, pidfd, console, .. } = launched;
        let mut terminal = console.map(Terminal::new).transpose()?;
        let mut status = None;
        loop {
            let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            if status.is_none() {
                fds.push(PollFd::new(pidfd.as_fd(), PollFlags::POLLIN));
            }
            let message = fds.len();
            fds.extend(proxy.as_ref().map(Proxy::interest));
            let first = fds.len();
            let (roles, wishes): (Vec<Role>, Vec<PollFd<'_>>) =
                terminal.iter().flat_map(Terminal::interests).unzip();
            fds.extend(wishes);
            // What the program said last is still to be read, but not waited for.
            let unsaid = terminal.as_ref().is_some_and(|terminal| !terminal.output.is_empty());
            let over = status.is_some() && !unsaid;
            let timeout = if over { PollTimeout::ZERO } else { PollTimeout::NONE };
            let ready = match poll(&mut fds, timeout) {
                Err(Errno::EINTR) => continue,
                other => other.map_err(|errno| Error::os("poll", "", errno))?,
            };
            let answers: Vec<PollFlags> =
                fds.iter().map(|fd| fd.revents().unwrap_or(PollFlags::empty())).collect();
            drop(fds);
            if let Some(status) = status.filter(|_| ready == 0) {
                return Ok(status);
            }
            if message < first && !answers[message].is_empty() {
                proxy = proxy.filter(|proxy| !proxy.hear(me, false));
            }
            let signalled = !answers[0].is_empty() && self.forward(&pidfd, terminal.as_ref());
            if let Some(status) = status.filter(|_| signalled) {
                // Nobody takes the program's last words.
                return Ok(status);
            }
            for (role, answer) in roles.into_iter().zip(&answers[first..]) {
                if let Some(terminal) = terminal.as_mut().filter(|_| !answer.is_empty()) {
                    terminal.copy(role, *answer)?;
                }
            }
            if status.is_none() {
                status = reap(pid)?;
            } else if terminal.as_ref().is_none_or(Terminal::is_done) {
                return Ok(status.unwrap_or_default());
            }
        }
    }

    /// Passes signals on; whether there were any for the program.
    fn forward(&self, pidfd: &OwnedFd, terminal: Option<&Terminal>) -> bool {
        let mut any = false;
        while let Ok(Some(info)) = self.signals.read_signal() {
            let number = info.ssi_signo.cast_signed();
            match Signal::try_from(number) {
                Ok(Signal::SIGWINCH) => {
                    if let Some(terminal) = terminal {
                        terminal.copy_size();
                    }
                }
                Ok(signal) if KEPT.contains(&signal) => {}
                // Real-time signals have no name here but go on all the same. A process that is
                // gone needs none.
                _ => {
                    any = true;
                    let _ = sys::pidfd::send_signal(pidfd.as_fd(), number);
                }
            }
        }
        any
    }
}

/// Reaps every child that has ended, adopted ones too; the status of `pid` if it is among them.
fn reap(pid: i32) -> Result<Option<i32>> {
    let mut found = None;
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(child, status)) if child.as_raw() == pid => found = Some(status),
            Ok(WaitStatus::Signaled(child, signal, _)) if child.as_raw() == pid => {
                found = Some(128 + signal as i32);
            }
            Ok(WaitStatus::StillAlive) => return Ok(found),
            Err(Errno::ECHILD) if found.is_some() => return Ok(found),
            Err(Errno::EINTR) | Ok(_) => {}
            Err(errno) => return Err(Error::os("wait for", "container process", errno)),
        }
    }
}

/// An end of the copying.
#[derive(Debug, Clone, Copy)]
enum Role {
    Master,
    Stdin,
    Stdout,
}

/// The container's terminal, shown on ours. Nothing is ever written that would have to be waited
/// for: what does not go out yet is kept, and no more is read meanwhile.
struct Terminal {
    master: OwnedFd,
    stdin: Option<BorrowedFd<'static>>,
    stdout: Option<BorrowedFd<'static>>,
    /// Settings of our terminal to go back to.
    before: Option<Termios>,
    /// On its way to the program.
    input: Vec<u8>,
    /// On its way to our standard output.
    output: Vec<u8>,
    /// Whether somebody still has the other side open.
    open: bool,
}

impl Terminal {
    fn new(master: OwnedFd) -> Result<Self> {
        let fail = |errno| Error::os("set up", "terminal", errno);
        let stdin = sys::fd::standard(0);
        // Standard input may be no terminal, in a pipe for example.
        let before = stdin.and_then(|stdin| tcgetattr(stdin).ok());
        if let (Some(before), Some(stdin)) = (&before, stdin) {
            let mut raw = before.clone();
            cfmakeraw(&mut raw);
            tcsetattr(stdin, SetArg::TCSANOW, &raw).map_err(fail)?;
        }
        let flags = OFlag::from_bits_retain(fcntl(&master, FcntlArg::F_GETFL).map_err(fail)?);
        fcntl(&master, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map_err(fail)?;
        let terminal = Self {
            master,
            stdin,
            stdout: sys::fd::standard(1),
            before,
            input: Vec::new(),
            output: Vec::new(),
            open: true,
        };
        terminal.copy_size();
        Ok(terminal)
    }

    fn copy_size(&self) {
        if let Some(Ok(size)) = self.stdin.map(sys::tty::size) {
            let _ = sys::tty::set_size(self.master.as_fd(), size);
        }
    }

    /// Whether all that the program said has gone out.
    fn is_done(&self) -> bool {
        !self.open && self.output.is_empty()
    }

    /// What to wait for.
    fn interests(&self) -> Vec<(Role, PollFd<'_>)> {
        let mut all = Vec::with_capacity(3);
        if self.open {
            let mut master = PollFlags::empty();
            master.set(PollFlags::POLLIN, self.output.is_empty());
            master.set(PollFlags::POLLOUT, !self.input.is_empty());
            // With no wish at all a hang-up would still end every wait at once.
            if !master.is_empty() {
                all.push((Role::Master, PollFd::new(self.master.as_fd(), master)));
            }
            if let Some(stdin) = self.stdin.filter(|_| self.input.is_empty()) {
                all.push((Role::Stdin, PollFd::new(stdin, PollFlags::POLLIN)));
            }
        }
        if let Some(stdout) = self.stdout.filter(|_| !self.output.is_empty()) {
            all.push((Role::Stdout, PollFd::new(stdout, PollFlags::POLLOUT)));
        }
        all
    }

    /// Copies what one of them is ready for.
    fn copy(&mut self, role: Role, answer: PollFlags) -> Result<()> {
        match role {
            Role::Master => {
                if !self.input.is_empty() && answer.contains(PollFlags::POLLOUT) {
                    write_some(self.master.as_fd(), &mut self.input)?;
                }
                if self.output.is_empty() && answer != PollFlags::POLLOUT {
                    self.open = read_some(self.master.as_fd(), &mut self.output);
                }
                if !self.open {
                    self.input.clear();
                }
                if self.stdout.is_none() {
                    self.output.clear();
                }
            }
            Role::Stdin => {
                let more = self.stdin.is_some_and(|stdin| read_some(stdin, &mut self.input));
                if !more {
                    // End of our input is end-of-file for the program: ^D.
                    self.stdin = None;
                    self.input.push(4);
                }
            }
            Role::Stdout => {
                if let Some(stdout) = self.stdout {
                    write_some(stdout, &mut self.output)?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let (Some(before), Some(stdin)) = (&self.before, sys::fd::standard(0)) {
            let _ = tcsetattr(stdin, SetArg::TCSANOW, before);
        }
    }
}

/// Reads what is there; `false` at the end, which for a terminal is `EIO`: nobody has it open.
fn read_some(fd: BorrowedFd<'_>, into: &mut Vec<u8>) -> bool {
    let mut buffer = [0_u8; CHUNK];
    match read(fd, &mut buffer) {
        Ok(0) => false,
        Ok(length) => {
            into.extend_from_slice(&buffer[..length]);
            true
        }
        Err(errno) => matches!(errno, Errno::EAGAIN | Errno::EINTR),
    }
}

/// Writes what goes without waiting; what nobody takes any more is dropped.
fn write_some(fd: BorrowedFd<'_>, from: &mut Vec<u8>) -> Result<()> {
    match write(fd, from) {
        Ok(length) => drop(from.drain(..length)),
        Err(Errno::EAGAIN | Errno::EINTR) => {}
        Err(Errno::EPIPE | Errno::EIO) => from.clear(),
        Err(errno) => return Err(Error::os("write", "terminal", errno)),
    }
    Ok(())
}
