//! Mappings of id-mapped mounts, which the runtime gives to them: the container process, in its own user
//! namespace, would have no right to.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use sys::clone::{Cloned, clone3, exit_now};
use sys::mount::{MountAttr, set_attributes};

use super::id_maps::write_id_maps;
use super::namespaces::open;
use crate::error::{Error, Result};
use crate::plan::{IdMap, Mount, MountKind, MountMaps};

/// Maps the ids of detached mounts. The kernel takes mappings in the shape of a user namespace: that of
/// the container, or one that is made for them, once for equal ones.
pub(crate) struct MountIdMapper<'a> {
    /// The container's first process.
    pid: i32,
    namespaces: Vec<(&'a MountMaps, OwnedFd)>,
}

impl<'a> MountIdMapper<'a> {
    /// For mounts of the container with first process `pid`.
    pub(crate) fn new(pid: i32) -> Self {
        Self { pid, namespaces: Vec::new() }
    }

    /// Gives `tree`, the detached mount of `entry`, the mappings of the entry, if it has any.
    ///
    /// # Errors
    /// When the file system or the kernel cannot do that, or the mappings are refused.
    pub(crate) fn apply(&mut self, entry: &'a Mount, tree: BorrowedFd<'_>) -> Result<()> {
        let (Some(ids), MountKind::Bind { source, .. }) = (&entry.ids, &entry.kind) else {
            return Ok(());
        };
        let index = match self.namespaces.iter().position(|(maps, _)| **maps == ids.maps) {
            Some(index) => index,
            None => {
                self.namespaces.push((&ids.maps, self.namespace(&ids.maps)?));
                self.namespaces.len() - 1
            }
        };
        let attr = MountAttr::id_map(&self.namespaces[index].1);
        set_attributes(tree, attr, ids.recursive).map_err(|errno| complain(source, errno))
    }

    fn namespace(&self, maps: &MountMaps) -> Result<OwnedFd> {
        match maps {
            MountMaps::Container => open(Path::new(&format!("/proc/{}/ns/user", self.pid))),
            MountMaps::Own { uid, gid } => make_namespace(uid, gid)
                .map_err(|error| error.context("failed to create userns for id-mapping")),
        }
    }
}

/// A user namespace with these mappings. The process that it takes does nothing and ends: as long as
/// nobody has waited for it, its files in /proc are there.
fn make_namespace(uid: &[IdMap], gid: &[IdMap]) -> Result<OwnedFd> {
    let pid = match clone3(CloneFlags::CLONE_NEWUSER, None) {
        Ok(Cloned::Child) => exit_now(0),
        Ok(Cloned::Parent { pid, .. }) => pid,
        Err(errno) => return Err(Error::os("clone", "", errno)),
    };
    let made = write_id_maps(pid, uid, gid)
        .and_then(|()| open(Path::new(&format!("/proc/{pid}/ns/user"))));
    let _ = waitpid(Pid::from_raw(pid), None);
    made
}

/// What is the matter, beginning with runc's words.
fn complain(source: &Path, errno: Errno) -> Error {
    let hint = match errno {
        Errno::EINVAL => {
            " (maybe the filesystem used doesn't support idmap mounts on this kernel?)"
        }
        Errno::EPERM => {
            " (it is id-mapped already, or its file system belongs to a user namespace)"
        }
        Errno::ENOSYS => " (this needs mount_setattr(2): Linux 5.12)",
        _ => "",
    };
    let error = Error::os("failed to set MOUNT_ATTR_IDMAP on", source, errno);
    Error::message(format!("{error}{hint}"))
}
