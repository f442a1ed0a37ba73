//! Which processes are in a cgroup.

use std::path::Path;

use nix::errno::Errno;

use super::Cgroup;
use crate::error::{Error, Result};
use crate::files;

impl Cgroup {
    /// The processes in the cgroup and in those below it, in no order; those of other pid namespaces are left out.
    ///
    /// # Errors
    /// When the cgroup is not there (`ENOENT`) or cannot be read.
    pub fn pids(&self) -> Result<Vec<i32>> {
        match self.main_dir() {
            Some(dir) => all_pids(&dir.dir()),
            None => Err(Error::message("list processes: the container has no cgroup")),
        }
    }
}

/// The processes in `dir` and below.
pub(super) fn all_pids(dir: &Path) -> Result<Vec<i32>> {
    let mut pids = own_pids(dir)?;
    let mut waiting = files::subdirs(dir)?;
    while let Some(sub) = waiting.pop() {
        // Children come and go while we look.
        match own_pids(&sub).and_then(|found| Ok((found, files::subdirs(&sub)?))) {
            Ok((found, below)) => {
                pids.extend(found);
                waiting.extend(below);
            }
            Err(e) if e.is_gone() => {}
            Err(e) => return Err(e),
        }
    }
    Ok(pids)
}

fn own_pids(dir: &Path) -> Result<Vec<i32>> {
    let text = match files::read_path(&dir.join("cgroup.procs")) {
        // A threaded cgroup has no list of processes.
        Err(e) if e.errno() == Some(Errno::EOPNOTSUPP) => {
            files::read_path(&dir.join("cgroup.threads"))?
        }
        other => other?,
    };
    // 0 stands for a process that our pid namespace does not know, and must never reach kill(2).
    Ok(text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect())
}
