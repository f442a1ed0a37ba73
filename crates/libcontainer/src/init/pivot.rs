//! Making the root file system the root.

use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, chroot, fchdir, pivot_root};
use sys::mount::{self, MountAttr};
use sys::{Proc, Root};

use super::bare;
use super::prepared::building_propagation;
use super::rootfs::owns_mount_namespace;
use crate::error::{Error, Result};
use crate::plan::{Plan, Propagation};

/// Leaves the host's file systems behind and finishes the root mount itself.
pub(super) fn enter(root: &Root, proc: &Proc, plan: &Plan, no_pivot: bool) -> Result<()> {
    let rootfs = &plan.rootfs;
    let fail = |op: &str| {
        let op = op.to_owned();
        move |errno| Error::os(op, &rootfs.path, errno)
    };
    fchdir(root).map_err(fail("chdir to rootfs"))?;
    if rootfs.readonly {
        let attr = MountAttr::attributes(mount::ATTR_RDONLY, 0);
        mount::set_attributes_attached(root.as_fd(), attr, false)
            .map_err(fail("make read-only"))?;
    }
    if !owns_mount_namespace(plan) {
        chroot(".").map_err(fail("chroot to rootfs"))?;
    } else if no_pivot {
        bare::hide(proc, &rootfs.path)?;
        let old = open_old_root()?;
        mount::attach(root.as_fd(), old.as_fd()).map_err(fail("move to / rootfs"))?;
        chroot(".").map_err(fail("chroot to rootfs"))?;
    } else {
        // The new root is put over the old one, and the old one taken from below it: no directory
        // for it is needed in the container.
        pivot_root(".", ".").map_err(fail("pivot_root to"))?;
        umount2(".", MntFlags::MNT_DETACH).map_err(fail("unmount old root of"))?;
    }
    chdir("/").map_err(fail("chdir to / of"))?;
    // Mounts that were made since have private and slave of the root by themselves.
    let unbindable = |wanted: Propagation| wanted.kind == nix::libc::MS_UNBINDABLE;
    let last = |wanted: &Propagation| {
        *wanted != building_propagation(rootfs) || unbindable(*wanted) && wanted.recursive
    };
    match rootfs.propagation.filter(last) {
        // Only now: a shared mount cannot become the root.
        Some(wanted) => mount::set_root_propagation(wanted.kind, wanted.recursive)
            .map_err(fail("set propagation of")),
        None => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "the host's root, which is about to be covered")]
fn open_old_root() -> Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open("/", flags, Mode::empty()).map_err(|errno| Error::os("open", "/", errno))
}
