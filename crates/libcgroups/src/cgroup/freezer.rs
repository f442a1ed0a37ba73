//! Freezing and thawing.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Cgroup, Dir, steps_down};
use crate::error::{Error, Result};
use crate::files;

/// How long freezing may take before it is given up and undone.
const DEADLINE: Duration = Duration::from_secs(10);
pub(super) const V1_FILE: &str = "freezer.state";
const V2_FILE: &str = "cgroup.freeze";
const EVENTS: &str = "cgroup.events";
const FROZEN: &str = "frozen 1";

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

    /// Whether the cgroup was told to freeze, itself or with a parent; `false` when there is none.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn is_frozen(&self) -> Result<bool> {
        self.freezer_dir().map_or(Ok(false), |(dir, _)| reads_frozen(dir))
    }

    /// The nearest parent that was told to freeze, as its directory: [`Cgroup::thaw`] has no effect before that is
    /// thawed, and on v1 its processes do not even die. `None` too when it is outside of what we see.
    pub fn frozen_parent(&self) -> Option<PathBuf> {
        let (dir, v2) = self.freezer_dir().ok()?;
        let (file, frozen) = if v2 { (V2_FILE, "1") } else { ("freezer.self_freezing", "1") };
        let steps = steps_down(&dir.mount_point, &dir.path);
        let parents = steps.iter().rev().skip(1).chain(std::iter::once(&dir.mount_point));
        let mut parents = parents.filter(|p| files::read_value(p, file).is_ok_and(|v| v == frozen));
        parents.next().cloned()
    }

    /// Whether SIGKILL does not end frozen processes: the v1 freezer holds them until they are thawed.
    pub fn freezer_holds_the_dead(&self) -> bool {
        self.freezer_dir().is_ok_and(|(_, v2)| !v2)
    }

    /// The directory that has or would have the frozen state, and whether it is a v2 one.
    pub(super) fn freezer_dir(&self) -> Result<(&Dir, bool)> {
        self.controller_dir("freezer").ok_or_else(|| Error::NoController {
            controller: "freezer".into(),
            resource: "frozen state".into(),
        })
    }
}

/// Whether the directory, of the v2 tree or the v1 freezer, says that it is frozen or about to be, itself or with a
/// parent.
pub(super) fn reads_frozen(dir: &Dir) -> Result<bool> {
    // On v2 the order alone, which takes a while to be followed.
    let told =
        dir.controllers.is_empty() && present(files::read_value(&dir.dir(), V2_FILE))? == "1";
    Ok(told || is_still(dir)?)
}

/// Whether the directory says that nobody in it runs, because it or a parent is frozen; a new one below a frozen parent
/// says so at once.
pub(super) fn is_still(dir: &Dir) -> Result<bool> {
    let path = dir.dir();
    if dir.controllers.is_empty() {
        let events = present(files::read_value(&path, EVENTS))?;
        return Ok(events.lines().any(|line| line == FROZEN));
    }
    let state = present(files::read_value(&path, V1_FILE))?;
    Ok(!matches!(state.as_str(), "" | "THAWED"))
}

/// Nothing when there is no such cgroup, or the kernel cannot freeze.
fn present(value: Result<String>) -> Result<String> {
    match value {
        Err(e) if e.is_gone() => Ok(String::new()),
        other => other,
    }
}

fn freeze_v2(dir: &Path) -> Result<()> {
    files::write(dir, V2_FILE, "1")?;
    let done = files::wait_for_line(&dir.join(EVENTS), FROZEN, Instant::now() + DEADLINE)?;
    if done { Ok(()) } else { Err(timed_out(dir)) }
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
