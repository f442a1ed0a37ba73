//! Freezing and thawing.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Cgroup, Dir};
use crate::error::{Error, Result};
use crate::files;

/// How long freezing may take before it is given up and undone.
const DEADLINE: Duration = Duration::from_secs(10);
pub(super) const V1_FILE: &str = "freezer.state";
const V2_FILE: &str = "cgroup.freeze";

impl Cgroup {
    /// Stops all processes of the cgroup and waits until they are; after 10 s they go on and it is an error.
    ///
    /// # Errors
    /// Without a freezer (v1) or before Linux 5.2 (v2), when the cgroup is gone, and when the time is up.
    pub fn freeze(&self) -> Result<()> {
        let (dir, v2) = self.freezer_dir()?;
        let result = if v2 { freeze_v2(&dir.dir()) } else { freeze_v1(&dir.dir()) };
        if result.is_err() {
            // Half frozen is worse than not frozen.
            let _ = self.thaw();
        }
        result
    }

    /// Lets the processes go on.
    ///
    /// # Errors
    /// As [`Cgroup::freeze`], but for the time.
    pub fn thaw(&self) -> Result<()> {
        let (dir, v2) = self.freezer_dir()?;
        let (file, value) = if v2 { (V2_FILE, "0") } else { (V1_FILE, "THAWED") };
        files::write(&dir.dir(), file, value)
    }

    /// Whether the cgroup was told to freeze, itself or (v1) with a parent; `false` when there is none.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn is_frozen(&self) -> Result<bool> {
        self.freezer_dir().map_or(Ok(false), |(dir, _)| reads_frozen(dir))
    }

    pub(super) fn freezer_dir(&self) -> Result<(&Dir, bool)> {
        self.controller_dir("freezer").ok_or_else(|| Error::NoController {
            controller: "freezer".into(),
            resource: "frozen state".into(),
        })
    }
}

/// Whether the directory, of the v2 tree or the v1 freezer, says that it is frozen or about to be.
pub(super) fn reads_frozen(dir: &Dir) -> Result<bool> {
    let (file, thawed) =
        if dir.controllers.is_empty() { (V2_FILE, "0") } else { (V1_FILE, "THAWED") };
    match files::read_value(&dir.dir(), file) {
        Ok(state) => Ok(state != thawed),
        // No such cgroup, or a kernel that cannot freeze.
        Err(e) if e.is_gone() => Ok(false),
        Err(e) => Err(e),
    }
}

/// `cgroup.events` tells of changes by poll(2).
fn freeze_v2(dir: &Path) -> Result<()> {
    files::write(dir, V2_FILE, "1")?;
    let path = dir.join("cgroup.events");
    let deadline = Instant::now() + DEADLINE;
    loop {
        // Opened anew each time: poll then reports every change after this reading.
        let events = files::open_file(&path, OFlag::O_RDONLY)?;
        if files::read_fd(&events, &path)?.lines().any(|line| line == "frozen 1") {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(timed_out(dir));
        }
        let mut fds = [PollFd::new(events.as_fd(), PollFlags::POLLPRI)];
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        // Whatever poll says, the file is what counts.
        let _ = poll(&mut fds, timeout);
    }
}

/// The v1 freezer misses processes that are born while it works: it has to be told again, and now and then to be
/// thawed, until it says that it is done.
fn freeze_v1(dir: &Path) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    let mut tries = 0_u32;
    loop {
        files::write(dir, V1_FILE, "FROZEN")?;
        if files::read_value(dir, V1_FILE)? == "FROZEN" {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(timed_out(dir));
        }
        tries += 1;
        if tries.is_multiple_of(50) {
            files::write(dir, V1_FILE, "THAWED")?;
            std::thread::sleep(Duration::from_millis(10));
        } else if tries.is_multiple_of(10) {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

fn timed_out(dir: &Path) -> Error {
    Error::message(format!(
        "freeze {:?}: not all processes stopped within {} s",
        dir.display().to_string(),
        DEADLINE.as_secs()
    ))
}
