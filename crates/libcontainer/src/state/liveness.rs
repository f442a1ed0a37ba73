//! Whether a process is still the one that was remembered.

use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use nix::errno::Errno;
use procfs::FromRead;
use procfs::process::Stat;

/// A process, told from a later one with the same number by when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InitProcess {
    /// As the runtime's pid namespace numbers it.
    pub pid: i32,
    /// Clock ticks after boot; field 22 of /proc/PID/stat, proc_pid_stat(5).
    pub start_time: u64,
}

/// What has become of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Liveness {
    /// It runs.
    Alive,
    /// It is a zombie, or gone.
    Dead,
}

impl InitProcess {
    /// The process that has number `pid` now.
    ///
    /// # Errors
    /// `ESRCH` when there is none.
    pub(crate) fn of(pid: i32) -> nix::Result<Self> {
        let (_, start_time) = stat(pid)?;
        Ok(Self { pid, start_time })
    }

    /// Whether it is the same process still, and no zombie.
    pub(crate) fn liveness(&self) -> Liveness {
        match stat(self.pid) {
            Ok((state, start_time))
                if start_time == self.start_time && !matches!(state, 'Z' | 'X' | 'x') =>
            {
                Liveness::Alive
            }
            _ => Liveness::Dead,
        }
    }

    /// A pidfd of this very process.
    ///
    /// # Errors
    /// `ESRCH` when it is gone or a zombie.
    pub(crate) fn pidfd(&self) -> nix::Result<OwnedFd> {
        let pidfd = sys::pidfd::open(self.pid)?;
        // Looked at after the pidfd was opened: now the number cannot pass to another process.
        match self.liveness() {
            Liveness::Alive => Ok(pidfd),
            Liveness::Dead => Err(Errno::ESRCH),
        }
    }
}

/// The status of a zombie, as wait(2) will give it to its parent; field 52 of /proc/PID/stat. It is 0 for
/// those who may not trace the process.
pub(super) fn zombie_status(process: InitProcess) -> Option<i32> {
    let file = std::fs::File::open(format!("/proc/{}/stat", process.pid)).ok()?;
    let stat = Stat::from_read(file).ok()?;
    (stat.starttime == process.start_time && stat.state == 'Z').then_some(stat.exit_code).flatten()
}

/// State letter and start time of /proc/PID/stat.
fn stat(pid: i32) -> nix::Result<(char, u64)> {
    let file = std::fs::File::open(format!("/proc/{pid}/stat")).map_err(|_| Errno::ESRCH)?;
    let stat = Stat::from_read(file).map_err(|_| Errno::ESRCH)?;
    Ok((stat.state, stat.starttime))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive() {
        let me = InitProcess::of(std::process::id().cast_signed()).expect("own stat");
        assert_eq!(me.liveness(), Liveness::Alive);
        let other = InitProcess { start_time: me.start_time + 1, ..me };
        assert_eq!(other.liveness(), Liveness::Dead);
        assert!(other.pidfd().is_err());
    }
}
