//! Handing the v2 directory to the container's user.

use std::os::fd::AsFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::unistd::{Uid, fchown, fchownat};

use super::create::{Made, finish_dir, make_missing};
use super::{Cgroup, Dir, clean};
use crate::error::{Error, Result};
use crate::files;
use crate::layout::Mode;

/// What the kernel says may be handed over (Linux 4.15).
const LIST: &str = "/sys/kernel/cgroup/delegate";
/// The same where it does not say.
const USUAL: &str = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";
const USUAL_V1: &str = "cgroup.procs\ntasks\n";

impl Cgroup {
    /// Gives the v2 directory, and those of its files that are for it, to host user `uid`, so that a container with its
    /// own cgroup namespace and a writable cgroup mount can make cgroups below (runtime-spec, "Cgroup ownership"). The
    /// files with limits stay ours. Nothing happens but on a v2 host: v1 hierarchies are no safe thing to hand over.
    ///
    /// # Errors
    /// When the owner cannot be changed; a listed file that this kernel does not have is passed over.
    pub fn delegate(&self, uid: u32) -> Result<()> {
        let v2 = self.v2().filter(|_| self.mode == Mode::V2);
        v2.map_or(Ok(()), |dir| {
            let list = files::read_path(Path::new(LIST)).unwrap_or_else(|_| USUAL.to_owned());
            give(&dir.dir(), uid, &list)?;
            // One without controllers, which limits nothing.
            self.v1.iter().try_for_each(|dir| give(&dir.dir(), uid, USUAL_V1))
        })
    }

    /// Makes the cgroup `path` below this one, moves process `pid` there, and hands out all controllers of this one to
    /// those below, so that whoever is there can go on with them. Limits stay where they are.
    ///
    /// # Errors
    /// [`Error::Message`] but on a v2 host: v1 hierarchies are no safe thing to hand over. When one of the steps fails.
    pub fn move_below(&self, path: &str, pid: i32) -> Result<Self> {
        let Some(dir) = self.v2().filter(|_| self.mode == Mode::V2) else {
            return Err(Error::message("cgroups are delegated on cgroup v2 only"));
        };
        let below = Dir { path: format!("{}{}", dir.path, clean(path)?), ..dir.clone() };
        make_missing(&below, &mut Made::default())?;
        let below = Self { v1: Vec::new(), v2: Some(below), ..self.clone() };
        below.join_v2(pid)?;
        // A cgroup hands out controllers only once there is nobody in it any more.
        below.dirs().try_for_each(|dir| finish_dir(dir, &dir.dir()))?;
        Ok(below)
    }
}

/// Gives a directory, and its files of the list, to host user `uid`.
fn give(dir: &Path, uid: u32, list: &str) -> Result<()> {
    // Everything below the one directory that was opened, whatever its name leads to meanwhile.
    let fd = files::open_dir(dir)?;
    let failed = |path: &Path, errno| Error::os("change owner of", path, errno);
    let owner = Some(Uid::from_raw(uid));
    fchown(&fd, owner, None).map_err(|errno| failed(dir, errno))?;
    for name in list.lines().filter(|name| !name.is_empty() && !name.contains('/')) {
        match fchownat(fd.as_fd(), name, owner, None, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(failed(&dir.join(name), errno)),
        }
    }
    Ok(())
}
