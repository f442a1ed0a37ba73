//! Taking the directories away.

use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::{Cgroup, clean, procs, tree};
use crate::error::{Error, Result};
use crate::files;

/// How long processes that were killed a moment ago may take to leave.
const DEADLINE: Duration = Duration::from_secs(1);
const FIRST_WAIT: Duration = Duration::from_micros(250);
const LONGEST_WAIT: Duration = Duration::from_millis(64);

impl Cgroup {
    /// Removes the cgroup's own directories and those below them, in every hierarchy; parents stay. If systemd made
    /// the cgroup, it stops the unit first; when systemd does not answer within 3 s, the directory that it watches is
    /// left to it. What is not there is no error. It kills nobody: with processes inside it waits up to a second in all
    /// for them to leave, on v2 no longer than they take.
    ///
    /// # Errors
    /// The first directory that stayed, with `EBUSY` when there are still processes in it. A unit with processes in it
    /// stays as it is.
    pub fn remove(&self) -> Result<()> {
        let left = self.stop_unit(DEADLINE)?;
        let deadline = Instant::now() + DEADLINE;
        let mut first_error = None;
        for dir in self.dirs().filter(|dir| left != Some(*dir)) {
            // What came from a file on disk is checked before anything is removed by it.
            let result = match clean(&dir.path) {
                Ok(path) if !path.is_empty() => {
                    remove_tree(&self.top(dir).dir(), dir.controllers.is_empty(), deadline)
                }
                Ok(_) => Err(Error::message("remove cgroup: it is the root of the hierarchy")),
                Err(e) => Err(e),
            };
            if let Err(e) = result {
                first_error.get_or_insert(e);
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Takes back what [`Cgroup::create`] or [`Cgroup::start_unit`] made: as [`Cgroup::remove`], and with it the parents
    /// that did not exist before, unless somebody else is in them by now.
    ///
    /// # Errors
    /// As [`Cgroup::remove`].
    pub fn undo(&mut self) -> Result<()> {
        self.remove()?;
        for path in std::mem::take(&mut self.made).iter().rev() {
            let _ = rmdir(path);
        }
        Ok(())
    }
}

fn rmdir(path: &Path) -> std::result::Result<(), Errno> {
    loop {
        match std::fs::remove_dir(path).map_err(|e| e.raw_os_error().map(Errno::from_raw)) {
            Ok(()) | Err(Some(Errno::ENOENT)) => return Ok(()),
            Err(Some(Errno::EINTR)) => {}
            Err(errno) => return Err(errno.unwrap_or(Errno::EIO)),
        }
    }
}

fn remove_tree(path: &Path, v2: bool, deadline: Instant) -> Result<()> {
    let mut wait = FIRST_WAIT;
    loop {
        let Err(errno) = rmdir(path) else {
            return Ok(());
        };
        // A read-only file system refuses before it looks whether there is something to remove.
        let had_children = match files::has_subdirs(path) {
            Err(e) if e.is_gone() => return Ok(()),
            other => other?,
        };
        if errno != Errno::EBUSY {
            return Err(Error::os("remove cgroup", path, errno));
        }
        // Those below count as well, so nobody has to be waited for there.
        let empty = v2 && wait_empty(path, deadline)?;
        if had_children {
            remove_below(path)?;
        }
        if (had_children || empty) && rmdir(path).is_ok() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Error::os("remove cgroup", path, errno));
        }
        // v1 tells nobody when the last process has left.
        std::thread::sleep(wait);
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Removes what can be removed below a directory: not where there are still processes.
fn remove_below(top: &Path) -> Result<()> {
    let leave = |parent: BorrowedFd<'_>, name: &OsStr| match unlinkat(
        parent,
        name,
        UnlinkatFlags::RemoveDir,
    ) {
        Ok(()) | Err(Errno::ENOENT | Errno::EBUSY | Errno::EINTR) => Ok(()),
        Err(errno) => Err(Error::os("remove a cgroup below", top, errno)),
    };
    match tree::walk(top, |_| Ok(()), leave) {
        Err(e) if e.is_gone() => Ok(()),
        other => other,
    }
}

/// As [`wait_empty`], for a directory of either version.
pub(super) fn wait_vacant(path: &Path, v2: bool, deadline: Instant) -> Result<bool> {
    if v2 {
        return wait_empty(path, deadline);
    }
    let mut wait = FIRST_WAIT;
    loop {
        match procs::all_pids(path) {
            Err(e) if e.is_gone() => return Ok(true),
            Ok(pids) if pids.is_empty() => return Ok(true),
            Ok(_) if Instant::now() >= deadline => return Ok(false),
            other => drop(other?),
        }
        std::thread::sleep(wait);
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Waits until there is no process in the v2 cgroup and those below it.
fn wait_empty(path: &Path, deadline: Instant) -> Result<bool> {
    match files::wait_for_line(&path.join("cgroup.events"), "populated 0", deadline) {
        Err(e) if e.is_gone() => Ok(true),
        other => other,
    }
}
