//! Which processes are in a cgroup.

use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::errno::Errno;

use super::{Cgroup, tree};
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
    let mut pids = parse(&own_pids(dir)?);
    if files::has_subdirs(dir)? {
        // Children come and go while we look.
        let enter = |below: BorrowedFd<'_>| match pids_below(below) {
            Ok(text) => {
                pids.extend(parse(&text));
                Ok(())
            }
            Err(e) if e.is_gone() => Ok(()),
            Err(e) => Err(e),
        };
        tree::walk(dir, enter, |_, _| Ok(()))?;
    }
    Ok(pids)
}

/// A threaded cgroup has no list of processes.
const LISTS: [&str; 2] = ["cgroup.procs", "cgroup.threads"];

fn own_pids(dir: &Path) -> Result<String> {
    match files::read_path(&dir.join(LISTS[0])) {
        Err(e) if e.errno() == Some(Errno::EOPNOTSUPP) => files::read_path(&dir.join(LISTS[1])),
        other => other,
    }
}

fn pids_below(dir: BorrowedFd<'_>) -> Result<String> {
    match files::read_at(dir, LISTS[0]) {
        Err(e) if e.errno() == Some(Errno::EOPNOTSUPP) => files::read_at(dir, LISTS[1]),
        other => other,
    }
}

/// 0 stands for a process that our pid namespace does not know, and must never reach kill(2).
fn parse(text: &str) -> Vec<i32> {
    text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect()
}
