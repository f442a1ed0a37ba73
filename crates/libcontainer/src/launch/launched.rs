//! A process that the runtime has made and not yet let go of.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::net_devices::MovedDevices;
use crate::error::{Error, Result};
use crate::sync::{ParentEnd, Report};

/// How long a killed process may take to be gone.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// A container process that is all set up and waits for the last word.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    /// Whether it is the container's first process.
    is_first: bool,
    pub(super) channel: ParentEnd,
    /// The terminal, unless it went to a console socket.
    pub(crate) console: Option<OwnedFd>,
    /// Network devices that go back if it fails.
    pub(super) devices: Option<MovedDevices>,
}

impl Launched {
    pub(super) fn new(pid: i32, pidfd: OwnedFd, is_first: bool, channel: ParentEnd) -> Self {
        Self { pid, pidfd, is_first, channel, console: None, devices: None }
    }

    /// Lets the process go. It is handed over: this runtime has no more part in it.
    pub(crate) fn release(&self) -> Result<()> {
        self.go()
    }

    /// Lets the process go on; if it has failed meanwhile, the error is its own.
    pub(super) fn go(&self) -> Result<()> {
        let Err(_) = self.channel.go() else { return Ok(()) };
        match self.channel.receive(Some(KILL_PATIENCE)) {
            Ok(Report::Failed(text)) => Err(self.failure(&text)),
            _ => Err(self.death()),
        }
    }

    /// Waits until the process has become the user's program, at most `patience` where that is
    /// limited.
    ///
    /// # Errors
    /// Why it could not.
    pub(crate) fn wait_started(&self, patience: Option<Duration>) -> Result<()> {
        match self.channel.receive(patience)? {
            Report::Failed(text) => {
                self.reap();
                Err(Error::message(text))
            }
            Report::NotRun(text) => {
                self.reap();
                Err(Error::Program(text))
            }
            _ => Ok(()),
        }
    }

    /// Ends the process, if it still runs, takes it off the process table, and its network devices back.
    pub(crate) fn kill(&mut self) {
        let _ = sys::pidfd::send_signal(self.pidfd.as_fd(), Signal::SIGKILL as i32);
        self.reap();
        self.devices.take().into_iter().for_each(MovedDevices::bring_back);
    }

    /// Leaves its network devices to it, whatever comes: nothing of the runtime keeps their namespace any more.
    pub(crate) fn leave_devices(&mut self) {
        self.devices = None;
    }

    /// Not for ever: one that hangs in the kernel is left to whoever adopts it.
    pub(super) fn reap(&self) {
        let mut fds = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, PollTimeout::try_from(KILL_PATIENCE).unwrap_or(PollTimeout::MAX));
        let _ = waitpid(Pid::from_raw(self.pid), Some(WaitPidFlag::WNOHANG));
    }

    /// A failure of the process itself, in the words of runc, which scripts look for.
    pub(super) fn failure(&self, text: &str) -> Error {
        let init = if self.is_first { "error during container init: " } else { "" };
        Error::message(format!("unable to start container process: {init}{text}"))
    }

    /// How the process died that should not have.
    pub(super) fn death(&self) -> Error {
        match waitpid(Pid::from_raw(self.pid), None) {
            Ok(WaitStatus::Signaled(_, signal, _)) => Error::message(format!(
                "container process was killed by signal {signal} while it was set up{}",
                if signal == Signal::SIGKILL { " (is the memory limit too low?)" } else { "" }
            )),
            Ok(WaitStatus::Exited(_, status)) => Error::message(format!(
                "container process exited with status {status} while it was set up"
            )),
            _ => Error::message("container process died while it was set up"),
        }
    }
}
