//! Putting a process in.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::{Cgroup, Dir};
use crate::error::{Error, Result};
use crate::files;

const PROCS: &str = "cgroup.procs";
const TASKS: &str = "tasks";
/// A process that was cloned a moment ago may be refused with `EINVAL`.
const NEW_TASK_TRIES: u32 = 10;

/// A file by which a process joins one v1 hierarchy, see [`Cgroup::join_files`].
#[derive(Debug)]
pub struct JoinFile {
    /// Open for writing, close-on-exec.
    pub fd: OwnedFd,
    /// For messages.
    pub path: PathBuf,
}

impl Cgroup {
    /// For a process that joins by itself: the `tasks` files of all v1 hierarchies, into each of which it writes
    /// [`JoinFile::SELF`] while it has one thread, before it makes its cgroup namespace. The v2 tree is not
    /// among them: be cloned into [`Cgroup::v2_dir_fd`].
    ///
    /// The same as [`Cgroup::join`], but a thread that moves only itself (Linux 5.14) need not keep every process
    /// of the machine from forking meanwhile: that lock waits for an RCU grace period, 10 ms and more in all
    /// against 0.1 ms.
    ///
    /// # Errors
    /// When one cannot be opened, except as [`Cgroup::rootless`] says.
    pub fn join_files(&self) -> Result<Vec<JoinFile>> {
        let mut files = Vec::with_capacity(self.v1.len());
        for dir in &self.v1 {
            let path = dir.dir().join(TASKS);
            match files::open_file(&path, OFlag::O_WRONLY) {
                Ok(fd) => files.push(JoinFile { fd, path }),
                Err(e) if self.excuses_for(dir, &e) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(files)
    }

    /// Moves process `pid` into every v1 hierarchy, and into the v2 tree unless it is there already (cloned into
    /// [`Cgroup::v2_dir_fd`]).
    ///
    /// # Errors
    /// When one refuses, except as [`Cgroup::rootless`] says. `EBUSY` on v2: the cgroup has children with
    /// controllers and takes no processes itself, see [`Cgroup::beside`].
    pub fn join(&self, pid: i32, already_in_v2: bool) -> Result<()> {
        self.v1.iter().try_for_each(|dir| self.join_one(dir, pid))?;
        if already_in_v2 { Ok(()) } else { self.join_v2(pid) }
    }

    /// Moves process `pid` into the v2 tree alone: what a process that used [`Cgroup::join_files`] and was not
    /// cloned into the tree still lacks.
    ///
    /// A user's systemd is asked where the kernel does not let this process: a login session, for example, is outside
    /// of the part of the tree that is the user's own.
    ///
    /// # Errors
    /// As [`Cgroup::join`].
    pub fn join_v2(&self, pid: i32) -> Result<()> {
        let Some(dir) = &self.v2 else { return Ok(()) };
        match (self.join_one(dir, pid), self.unit()) {
            (Err(e), Some(unit)) if e.is_permission() => self.attach(dir, unit, pid),
            (joined, _) => joined,
        }
    }

    pub(super) fn join_one(&self, dir: &Dir, pid: i32) -> Result<()> {
        match join_dir(&dir.dir(), pid) {
            Err(e) if self.excuses_for(dir, &e) => Ok(()),
            other => other,
        }
    }

    /// The same cgroup, but in the v2 tree the one below it where process `pid` is (an init that has moved into a
    /// child, as systemd does).
    ///
    /// # Errors
    /// When the process is gone, or is outside this cgroup.
    pub fn beside(&self, pid: i32) -> Result<Self> {
        let Some(v2) = &self.v2 else {
            return Ok(self.clone());
        };
        let path = format!("/proc/{pid}/cgroup");
        let text = files::read_path(Path::new(&path))?;
        let theirs = text.lines().find_map(|line| line.strip_prefix("0::"));
        let below = theirs.and_then(|theirs| theirs.strip_prefix(v2.in_hierarchy().as_str()));
        match below {
            Some(below) if below.is_empty() || below.starts_with('/') => {
                let dir = Dir { path: format!("{}{below}", v2.path), ..v2.clone() };
                Ok(Self { v2: Some(dir), ..self.clone() })
            }
            _ => Err(Error::message(format!(
                "find cgroup of process {pid}: {:?} is not below {:?}",
                theirs.unwrap_or_default(),
                v2.in_hierarchy()
            ))),
        }
    }
}

impl JoinFile {
    /// What to write, in one write(2): "the thread that writes".
    pub const SELF: &[u8] = b"0";
}

fn join_dir(dir: &Path, pid: i32) -> Result<()> {
    let pid = pid.to_string();
    let mut wait = Duration::from_millis(1);
    for _ in 1..NEW_TASK_TRIES {
        match files::write(dir, PROCS, &pid) {
            Err(e) if e.errno() == Some(Errno::EINVAL) => {
                std::thread::sleep(wait);
                wait *= 2;
            }
            other => return other,
        }
    }
    files::write(dir, PROCS, &pid)
}
