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

use crate::error::{Error, Result};

/// Signals that are this process's own business.
const KEPT: [Signal; 4] = [Signal::SIGCHLD, Signal::SIGPIPE, Signal::SIGURG, Signal::SIGWINCH];

/// Takes this process's signals, from before the child is made.
pub(super) struct Foreground {
    signals: SignalFd,
    stdin: BorrowedFd<'static>,
}

impl Foreground {
    pub(super) fn new() -> Result<Self> {
        let fail = |errno| Error::os("signalfd", "", errno);
        let all = SigSet::all();
        all.thread_block().map_err(fail)?;
        let signals = SignalFd::with_flags(&all, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .map_err(fail)?;
        let stdin =
            sys::fd::standard(0).ok_or_else(|| Error::message("standard input is closed"))?;
        Ok(Self { signals, stdin })
    }

    /// Waits for the end of child `pid`; its exit status, or 128 + N for signal N.
    pub(super) fn wait(&mut self, pid: i32, console: Option<OwnedFd>) -> Result<i32> {
        let mut terminal = console.map(|master| Terminal::new(master, self.stdin)).transpose()?;
        if let Some(terminal) = &terminal {
            terminal.copy_size(self.stdin);
        }
        // It may have ended before its SIGCHLD could be seen by this loop.
        let mut status = reap(pid)?;
        while status.is_none() {
            let fds = Ready::poll(self, terminal.as_ref())?;
            if fds.signals {
                status = self.forward(pid, terminal.as_ref())?;
            }
            if let Some(terminal) = &mut terminal {
                terminal.copy(fds, self.stdin)?;
            }
        }
        if let Some(terminal) = &mut terminal {
            terminal.drain();
        }
        Ok(status.unwrap_or_default())
    }

    /// Passes signals on; the status, if the child has ended.
    fn forward(&self, pid: i32, terminal: Option<&Terminal>) -> Result<Option<i32>> {
        let mut ended = false;
        while let Ok(Some(info)) = self.signals.read_signal() {
            let number = info.ssi_signo.cast_signed();
            match Signal::try_from(number) {
                Ok(Signal::SIGCHLD) => ended = true,
                Ok(Signal::SIGWINCH) => {
                    if let Some(terminal) = terminal {
                        terminal.copy_size(self.stdin);
                    }
                }
                Ok(signal) if KEPT.contains(&signal) => {}
                // Real-time signals have no name here but go on all the same.
                _ => {
                    if let Ok(pidfd) = sys::pidfd::open(pid) {
                        let _ = sys::pidfd::send_signal(pidfd.as_fd(), number);
                    }
                }
            }
        }
        if ended { reap(pid) } else { Ok(None) }
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

/// What poll(2) found.
#[derive(Clone, Copy, Default)]
struct Ready {
    signals: bool,
    input: bool,
    output: bool,
}

impl Ready {
    fn poll(foreground: &Foreground, terminal: Option<&Terminal>) -> Result<Self> {
        let mut fds = vec![PollFd::new(foreground.signals.as_fd(), PollFlags::POLLIN)];
        if let Some(terminal) = terminal.filter(|terminal| terminal.output_open) {
            fds.push(PollFd::new(terminal.master.as_fd(), PollFlags::POLLIN));
            if terminal.input_open {
                fds.push(PollFd::new(foreground.stdin, PollFlags::POLLIN));
            }
        }
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => return Ok(Self::default()),
            other => other.map_err(|errno| Error::os("poll", "", errno))?,
        };
        let ready = |index: usize| fds.get(index).and_then(PollFd::any).unwrap_or(false);
        Ok(Self { signals: ready(0), output: ready(1), input: ready(2) })
    }
}

/// The container's terminal, shown on ours.
struct Terminal {
    master: OwnedFd,
    /// Settings of our terminal to go back to.
    before: Option<Termios>,
    input_open: bool,
    output_open: bool,
}

impl Terminal {
    fn new(master: OwnedFd, stdin: BorrowedFd<'static>) -> Result<Self> {
        let fail = |errno| Error::os("set up", "terminal", errno);
        // Standard input may be no terminal, in a pipe for example.
        let before = tcgetattr(stdin).ok();
        if let Some(before) = &before {
            let mut raw = before.clone();
            cfmakeraw(&mut raw);
            tcsetattr(stdin, SetArg::TCSANOW, &raw).map_err(fail)?;
        }
        let flags = OFlag::from_bits_retain(fcntl(&master, FcntlArg::F_GETFL).map_err(fail)?);
        fcntl(&master, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map_err(fail)?;
        Ok(Self { master, before, input_open: true, output_open: true })
    }

    fn copy_size(&self, stdin: BorrowedFd<'_>) {
        if let Ok(size) = sys::tty::size(stdin) {
            let _ = sys::tty::set_size(self.master.as_fd(), size);
        }
    }

    fn copy(&mut self, ready: Ready, stdin: BorrowedFd<'_>) -> Result<()> {
        let mut buffer = [0_u8; 4096];
        if ready.output {
            match read(&self.master, &mut buffer) {
                Ok(length) if length > 0 => write_out(&buffer[..length])?,
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                // EIO: nobody has the other side open any more.
                _ => self.output_open = false,
            }
        }
        if ready.input {
            match read(stdin, &mut buffer) {
                Ok(length) if length > 0 => write_all(self.master.as_fd(), &buffer[..length])?,
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                _ => {
                    // End of our input is end-of-file for the container: ^D.
                    self.input_open = false;
                    write_all(self.master.as_fd(), &[4])?;
                }
            }
        }
        Ok(())
    }

    /// What the program said last.
    fn drain(&mut self) {
        let mut buffer = [0_u8; 4096];
        while let Ok(length) = read(&self.master, &mut buffer) {
            if length == 0 || write_out(&buffer[..length]).is_err() {
                return;
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let (Some(before), Some(stdin)) = (&self.before, sys::fd::standard(0)) {
            let _ = tcsetattr(stdin, SetArg::TCSANOW, before);
        }
    }
}

fn write_out(bytes: &[u8]) -> Result<()> {
    match sys::fd::standard(1) {
        Some(stdout) => write_all(stdout, bytes),
        None => Ok(()),
    }
}

fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match write(fd, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::EAGAIN) => {
                let mut fds = [PollFd::new(fd, PollFlags::POLLOUT)];
                let _ = poll(&mut fds, PollTimeout::NONE);
            }
            Err(Errno::EINTR) => {}
            // The reader is gone, or the terminal is.
            Err(Errno::EPIPE | Errno::EIO) => return Ok(()),
            Err(errno) => return Err(Error::os("write", "terminal", errno)),
        }
    }
    Ok(())
}
