//! Word of the kernel's out-of-memory killer, without a timer.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::poll::{PollFd, PollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd::{AccessFlags, faccessat};

use super::Cgroup;
use crate::error::{Error, Result};
use crate::files;

const V1_FILE: &str = "memory.oom_control";
const V1_REGISTER: &str = "cgroup.event_control";
const V2_FILE: &str = "memory.events";

/// Watches a cgroup for processes that run out of memory.
#[derive(Debug)]
pub struct OomWatch(Source);

#[derive(Debug)]
enum Source {
    /// Counted up by the kernel with each event, and once when the cgroup goes.
    V1 { eventfd: EventFd, dir: OwnedFd },
    /// `oom_kill` of memory.events, and how much it was last.
    V2 { events: File, path: PathBuf, kills: u64 },
}

impl Cgroup {
    /// Begins to watch. What happened before is not told.
    ///
    /// # Errors
    /// Without a memory controller, or a kernel that tells (v1 with `PREEMPT_RT`); `EACCES` where the caller
    /// may not write to the v1 cgroup.
    pub fn watch_oom(&self) -> Result<OomWatch> {
        let source = match self.controller_dir("memory") {
            Some((dir, false)) => watch_v1(&dir.dir()),
            Some((dir, true)) => watch_v2(&dir.dir()),
            None => return Err(unavailable()),
        };
        source.map(OomWatch).map_err(|e| if e.is_gone() { unavailable() } else { e })
    }
}

fn unavailable() -> Error {
    Error::message("watch for lack of memory: cgroup controller \"memory\" is not available here")
}

/// cgroup-v1/memory.rst, "OOM Control": the registration holds as long as the eventfd is open.
fn watch_v1(dir: &Path) -> Result<Source> {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let eventfd =
        EventFd::from_value_and_flags(0, flags).map_err(|e| Error::os("eventfd for", dir, e))?;
    let control = files::open_file(&dir.join(V1_FILE), OFlag::O_RDONLY)?;
    let line = format!("{} {}", eventfd.as_fd().as_raw_fd(), control.as_raw_fd());
    files::write(dir, V1_REGISTER, &line)?;
    let dir = files::open_file(dir, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
    Ok(Source::V1 { eventfd, dir })
}

/// A reading makes poll(2) wait for the change after it.
fn watch_v2(dir: &Path) -> Result<Source> {
    let path = dir.join(V2_FILE);
    let events = File::from(files::open_file(&path, OFlag::O_RDONLY)?);
    let kills = read_kills(&events, &path)?;
    Ok(Source::V2 { events, path, kills })
}

impl OomWatch {
    /// What to wait for with poll(2) before [`OomWatch::happened`] is asked.
    pub fn interest(&self) -> PollFd<'_> {
        match &self.0 {
            Source::V1 { eventfd, .. } => PollFd::new(eventfd.as_fd(), PollFlags::POLLIN),
            Source::V2 { events, .. } => PollFd::new(events.as_fd(), PollFlags::POLLPRI),
        }
    }

    /// Whether memory ran out since this was last asked; never waits.
    ///
    /// # Errors
    /// When the kernel's counter cannot be read; `ENODEV` when a v2 cgroup is gone. That a v1 cgroup goes wakes
    /// who waits, too, but here it shows only as `false`.
    pub fn happened(&mut self) -> Result<bool> {
        match &mut self.0 {
            Source::V1 { eventfd, dir } => {
                let count = match eventfd.read() {
                    Ok(count) => count,
                    Err(Errno::EAGAIN | Errno::EINTR) => 0,
                    Err(errno) => return Err(Error::os("read eventfd for", V1_FILE, errno)),
                };
                let gone =
                    faccessat(dir, V1_REGISTER, AccessFlags::F_OK, AtFlags::empty()).is_err();
                Ok(count > u64::from(gone))
            }
            Source::V2 { events, path, kills } => {
                let before = std::mem::replace(kills, read_kills(events, path)?);
                Ok(*kills > before)
            }
        }
    }
}

/// `oom_kill`: processes of this cgroup, and of those below, that were killed for lack of memory.
fn read_kills(events: &File, path: &Path) -> Result<u64> {
    let mut buffer = [0_u8; 1024];
    let length = loop {
        match events.read_at(&mut buffer, 0) {
            Ok(length) => break length,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io("read", path, &e)),
        }
    };
    let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
    Ok(oom_kill(&text))
}

fn oom_kill(text: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    value.and_then(|value| value.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::oom_kill;

    #[test]
    fn kills_and_not_near_misses() {
        let text = "low 0\nhigh 4\nmax 7\noom 3\noom_kill 2\noom_group_kill 9\n";
        assert_eq!(oom_kill(text), 2);
        assert_eq!(oom_kill("oom_kill x\n"), 0);
        assert_eq!(oom_kill(""), 0);
    }
}
