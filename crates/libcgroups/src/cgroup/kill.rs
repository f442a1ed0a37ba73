//! A signal to everybody.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::SIGKILL;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Cgroup, procs};
use crate::error::{Error, Result};
use crate::files;

/// Without a freezer a process may be born between listing and killing; each round gets the later ones.
const ROUNDS: u32 = 100;
const BETWEEN_ROUNDS: Duration = Duration::from_millis(2);

impl Cgroup {
    /// Sends `signal` to every process of the cgroup and those below it. SIGKILL also reaches frozen ones; after
    /// another signal a frozen cgroup stays frozen.
    ///
    /// # Errors
    /// When a process may not be signalled. A cgroup that is gone has no processes.
    pub fn kill_all(&self, signal: i32) -> Result<()> {
        if signal != SIGKILL {
            return self.signal_once(signal);
        }
        let by_file = self.v2.as_ref().map(|d| files::write(&d.dir(), "cgroup.kill", "1"));
        match by_file {
            Some(Ok(())) if self.v1.is_empty() => Ok(()),
            Some(Ok(())) => {
                // On hybrid hosts the freezer is a v1 one, which SIGKILL does not overcome, and a process may be
                // in the v1 hierarchies alone.
                let _ = self.thaw();
                self.signal_listed(SIGKILL).map(drop)
            }
            // No such file before Linux 5.14; and a cgroup may go away between opening and writing.
            Some(Err(e)) if !e.is_gone() => Err(e),
            _ => self.kill_rounds(),
        }
    }

    fn kill_rounds(&self) -> Result<()> {
        for _ in 0..ROUNDS {
            let frozen = self.freeze().is_ok();
            let result = self.signal_listed(SIGKILL);
            if frozen {
                // Frozen processes die only when they run again.
                self.thaw()?;
            }
            // Nobody is born while all are frozen: the list was complete.
            if result? == 0 || frozen {
                return Ok(());
            }
            std::thread::sleep(BETWEEN_ROUNDS);
        }
        Err(Error::message(format!(
            "kill all processes: new ones keep appearing in {:?}",
            self.main_dir().map(|d| d.dir().display().to_string()).unwrap_or_default()
        )))
    }

    fn signal_once(&self, signal: i32) -> Result<()> {
        let was_frozen = self.is_frozen()?;
        let frozen = was_frozen || self.freeze().is_ok();
        let result = self.signal_listed(signal);
        if frozen && !was_frozen {
            self.thaw()?;
        }
        result.map(drop)
    }

    /// How many processes there were.
    fn signal_listed(&self, signal: i32) -> Result<usize> {
        let dir = self
            .main_dir()
            .ok_or_else(|| Error::message("kill all processes: the container has no cgroup"))?;
        let pids = match procs::all_pids(&dir.dir()) {
            // Nobody can be in a cgroup that is gone.
            Err(e) if e.is_gone() => return Ok(0),
            other => other?,
        };
        for pid in &pids {
            match send(*pid, signal) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => {
                    return Err(Error::os(
                        format!("send signal {signal} to"),
                        pid.to_string(),
                        errno,
                    ));
                }
            }
        }
        Ok(pids.len())
    }
}

fn send(pid: i32, signal: i32) -> std::result::Result<(), Errno> {
    match Signal::try_from(signal) {
        Ok(signal) => kill(Pid::from_raw(pid), signal),
        // nix has no names for real-time signals.
        Err(_) => sys::pidfd::send_signal(sys::pidfd::open(pid)?.as_fd(), signal),
    }
}
