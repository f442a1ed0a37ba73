//! How a process ended that need not be this process's child.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::readlink;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::InitProcess;
use super::liveness::zombie_status;
use crate::error::{Error, Result};

/// Watches for the end of a process. Whose child it is does not matter.
#[derive(Debug)]
pub(crate) struct ExitWatch {
    process: InitProcess,
    pidfd: OwnedFd,
}

impl ExitWatch {
    /// Begins to watch `process`, which may be a zombie by now.
    ///
    /// # Errors
    /// `ESRCH` when nothing of it is left.
    pub(crate) fn begin(process: InitProcess) -> nix::Result<Self> {
        let pidfd = sys::pidfd::open(process.pid)?;
        // Looked at after the pidfd was opened: now the number cannot pass to another process.
        if InitProcess::of(process.pid)? != process {
            return Err(Errno::ESRCH);
        }
        Ok(Self { process, pidfd })
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&self) -> Result<()> {
        self.poll(PollFlags::POLLIN)
    }

    fn poll(&self, what: PollFlags) -> Result<()> {
        let mut fds = [PollFd::new(self.pidfd.as_fd(), what)];
        loop {
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::os("poll", "", errno)),
            }
        }
    }

    /// The exit status of the process that has ended, 128 + N for signal N; `None` when the kernel does
    /// not tell.
    ///
    /// A zombie's stands in /proc, for those who may trace it. The kernel keeps the status of a process
    /// that its parent has waited for since Linux 6.15.
    pub(crate) fn status(&self) -> Result<Option<i32>> {
        loop {
            let kept = sys::pidfd::exit_status(self.pidfd.as_fd());
            if let Ok(Some(status)) = kept {
                return Ok(Some(decode(status)));
            }
            if let Some(status) = self.zombie_status() {
                return Ok(Some(decode(status)));
            }
            match kept {
                // Still a zombie, or no more just now. Its parent will see to it.
                Ok(None) => self.poll(PollFlags::empty())?,
                _ => return Ok(None),
            }
        }
    }

    fn zombie_status(&self) -> Option<i32> {
        // The status shows as 0 to those who may not see it, and the rule for this link is the same.
        readlink(format!("/proc/{}/ns/user", self.process.pid).as_str()).ok()?;
        zombie_status(self.process)
    }
}

impl AsFd for ExitWatch {
    /// Readable once the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// What wait(2) gives, as a shell shows it.
fn decode(status: i32) -> i32 {
    match status & 0x7f {
        0 => status >> 8 & 0xff,
        signal => 128 + signal,
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// What is found of a shell that ends in this way, while it is a zombie and after.
    fn found(script: &str) -> (Option<i32>, Option<i32>) {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("read x; {script}")]).stdin(Stdio::piped());
        let mut child = command.spawn().expect("start sh");
        let process = InitProcess::of(child.id().cast_signed()).expect("its stat");
        let watch = ExitWatch::begin(process).expect("watch");
        drop(child.stdin.take());
        watch.wait().expect("wait");
        let zombie = watch.status().expect("status");
        child.wait().expect("reap");
        let after = watch.status().expect("status");
        assert_eq!(ExitWatch::begin(process).map(drop), Err(Errno::ESRCH));
        (zombie, after)
    }

    #[test]
    fn statuses() {
        for (script, status) in [("exit 0", 0), ("exit 42", 42), ("kill -9 $$", 137)] {
            let (zombie, after) = found(script);
            assert_eq!(zombie, Some(status), "{script}");
            // A kernel before 6.15 has forgotten.
            assert!(after.is_none_or(|after| after == status), "{script}: {after:?}");
        }
    }

    #[test]
    fn another_process_of_that_number_is_not_watched() {
        let me = InitProcess::of(std::process::id().cast_signed()).expect("own stat");
        let other = InitProcess { start_time: me.start_time + 1, ..me };
        assert_eq!(ExitWatch::begin(other).map(drop), Err(Errno::ESRCH));
    }
}
