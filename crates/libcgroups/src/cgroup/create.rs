//! Making the directories.

use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::Mode as Bits;

use super::{Cgroup, Dir, freezer, procs, steps_down};
use crate::error::{Error, Result};
use crate::files;

/// How often the parents of a cgroup are made, where others take them away.
const PARENT_TRIES: u32 = 10;

/// Directories made so far, to be taken away again when a later one fails.
#[derive(Default)]
pub(super) struct Made(pub(super) Vec<PathBuf>);

impl Made {
    /// Whether the directory is new.
    fn mkdir(&mut self, path: &Path) -> std::result::Result<bool, Errno> {
        match nix::unistd::mkdir(path, Bits::from_bits_truncate(0o755)) {
            Ok(()) => {
                self.0.push(path.to_owned());
                Ok(true)
            }
            Err(Errno::EEXIST) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Makes the directory and those above it.
    fn mkdir_all(&mut self, dir: &Dir) -> Result<()> {
        let steps = steps_down(&dir.mount_point, &dir.path);
        for attempt in 1.. {
            let failed = steps.iter().find_map(|step| Some((step, self.mkdir(step).err()?)));
            match failed {
                None => return Ok(()),
                // Somebody has taken a parent away that was theirs, and nobody's else until now.
                Some((_, Errno::ENOENT)) if attempt < PARENT_TRIES => {}
                Some((step, errno)) => return Err(Error::os("create cgroup", step, errno)),
            }
        }
        Ok(())
    }

    fn undo_to(&mut self, mark: usize) {
        for path in self.0.drain(mark..).rev() {
            // Somebody else may be in a parent by now; then it is theirs.
            let _ = std::fs::remove_dir(path);
        }
    }
}

impl Cgroup {
    /// Makes the directories: enables controllers on the way down in the v2 tree as far as that is possible, and
    /// gives new v1 cpuset groups the CPUs and memory nodes of their parents.
    ///
    /// Directories that may not be made are dropped from `self` where [`Cgroup::rootless`] or the hierarchy's
    /// harmlessness (no controllers) allows it; save `self` again after this.
    ///
    /// # Errors
    /// When a directory cannot be made, or is there already with processes in it or frozen, or below a frozen
    /// one. Then nothing that was made is left.
    pub fn create(&mut self) -> Result<()> {
        if self.unit().is_some() {
            // systemd makes it once there is a process to put in.
            self.check_vacant()?;
            return self.frozen_parent().map_or(Ok(()), |parent| Err(frozen_with(Some(&parent))));
        }
        let mut made = Made::default();
        let mut dropped = Vec::new();
        for dir in self.dirs() {
            let mark = made.0.len();
            match create_dir(dir, &mut made) {
                Ok(()) => {}
                Err(e) if self.excuses_for(dir, &e) => {
                    made.undo_to(mark);
                    dropped.push(dir.mount_point.clone());
                }
                Err(e) => {
                    made.undo_to(0);
                    return Err(e);
                }
            }
        }
        self.v1.retain(|d| !dropped.contains(&d.mount_point));
        self.v2.take_if(|d| dropped.contains(&d.mount_point));
        if let Err(e) = self.refuse_frozen_parent() {
            made.undo_to(0);
            return Err(e);
        }
        self.made = made.0;
        Ok(())
    }

    /// Below a frozen cgroup the first process would never get to run, nor say so.
    fn refuse_frozen_parent(&self) -> Result<()> {
        match self.freezer_dir() {
            Ok((dir, _)) if freezer::is_still(dir)? => {}
            _ => return Ok(()),
        }
        Err(frozen_with(self.frozen_parent().as_deref()))
    }

    /// Refuses a cgroup that somebody uses, as [`Cgroup::create`] does; for asking before anything is recorded.
    ///
    /// # Errors
    /// When there are processes in it, or it is frozen.
    pub fn check_vacant(&self) -> Result<()> {
        self.main_dir().map_or(Ok(()), check_vacant)
    }
}

fn frozen_with(parent: Option<&Path>) -> Error {
    let parent = parent.map(|path| path.display().to_string());
    Error::message(format!(
        "container's cgroup is frozen with its parent {:?}",
        parent.as_deref().unwrap_or("(out of sight)")
    ))
}

fn create_dir(dir: &Dir, made: &mut Made) -> Result<()> {
    let leaf = dir.dir();
    // Most often the parents are there: one call instead of one a level.
    match made.mkdir(&leaf) {
        Ok(true) => {}
        Ok(false) => check_vacant(dir)?,
        Err(Errno::ENOENT) => made.mkdir_all(dir)?,
        Err(errno) => return Err(Error::os("create cgroup", leaf, errno)),
    }
    finish_dir(dir, &leaf)
}

/// Makes what systemd has left out; directories that are there are its own, or were just made beside it.
pub(super) fn take_over(dir: &Dir, made: &mut Made) -> Result<()> {
    made.mkdir_all(dir)?;
    finish_dir(dir, &dir.dir())
}

/// The same without controllers: a v2 cgroup with processes in it would have those below be threaded.
pub(super) fn make_missing(dir: &Dir, made: &mut Made) -> Result<()> {
    made.mkdir_all(dir)
}

/// What a new directory needs before it can be used.
pub(super) fn finish_dir(dir: &Dir, leaf: &Path) -> Result<()> {
    if dir.controllers.is_empty() {
        enable_controllers(dir, leaf)
    } else if dir.has("cpuset") {
        inherit_cpuset(dir)
    } else {
        Ok(())
    }
}

fn check_vacant(dir: &Dir) -> Result<()> {
    let path = dir.dir();
    let pids = match procs::all_pids(&path) {
        Err(e) if e.is_gone() => return Ok(()),
        other => other?,
    };
    if !pids.is_empty() {
        return Err(Error::message(format!(
            "container's cgroup is not empty: {} process(es) found in {:?}",
            pids.len(),
            path.display().to_string()
        )));
    }
    let can_freeze = dir.controllers.is_empty() || dir.has("freezer");
    if can_freeze && freezer::reads_frozen(dir)? {
        return Err(Error::message(format!(
            "container's cgroup unexpectedly frozen: {:?}",
            path.display().to_string()
        )));
    }
    Ok(())
}

/// Gives the cgroup every controller that its hierarchy's root has, as far as the levels between let it.
///
/// What could not be enabled shows up, with its name, when a limit of that controller is set.
fn enable_controllers(dir: &Dir, leaf: &Path) -> Result<()> {
    const AVAILABLE: &str = "cgroup.controllers";
    const ENABLE: &str = "cgroup.subtree_control";
    let offered = files::read_value(&dir.mount_point, AVAILABLE)?;
    if offered.is_empty() || files::read_value(leaf, AVAILABLE)? == offered {
        return Ok(());
    }
    let steps = steps_down(&dir.mount_point, &dir.path);
    let parents = steps.split_last().map_or(&[][..], |(_, parents)| parents);
    for parent in std::iter::once(&dir.mount_point).chain(parents) {
        let all: Vec<String> = offered.split_whitespace().map(|c| format!("+{c}")).collect();
        if files::write(parent, ENABLE, &all.join(" ")).is_err() {
            for one in &all {
                let _ = files::write(parent, ENABLE, one);
            }
        }
    }
    leave_invalid_domain(leaf);
    Ok(())
}

/// A child of a threaded cgroup can hold processes only when it is threaded itself, and then can have no memory or
/// io limits; setting one says so.
fn leave_invalid_domain(leaf: &Path) {
    if files::read_value(leaf, "cgroup.type").is_ok_and(|kind| kind == "domain invalid") {
        let _ = files::write(leaf, "cgroup.type", "threaded");
    }
}

/// A v1 cpuset without CPUs or memory nodes takes no processes, and new ones have none.
fn inherit_cpuset(dir: &Dir) -> Result<()> {
    let steps = steps_down(&dir.mount_point, &dir.path);
    for file in ["cpuset.cpus", "cpuset.mems"] {
        // From the leaf up to the first that has a value, then down again.
        let mut empty = Vec::new();
        let mut value = String::new();
        for step in steps.iter().rev().chain(std::iter::once(&dir.mount_point)) {
            value = files::read_value(step, file)?;
            if !value.is_empty() {
                break;
            }
            empty.push(step);
        }
        for step in empty.into_iter().rev() {
            match files::write(step, file, &value) {
                // A sibling that keeps its CPUs for itself; the caller's own list will do, or joining says no.
                Err(e) if e.errno() == Some(Errno::EINVAL) && steps.last() == Some(step) => {}
                other => other?,
            }
        }
    }
    Ok(())
}
