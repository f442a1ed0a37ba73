//! Putting the root file system into the container's mount namespace.

use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::{Mode, fstat};
use sys::Root;
use sys::mount;

use super::attach::{attach_with, propagation_change};
use super::prepared::{Prepared, building_propagation, clone_rootfs};
use crate::error::{Error, Result};
use crate::plan::{Namespace, Plan, Rootfs};

/// Whether the container has a mount namespace that is its alone.
pub(super) fn owns_mount_namespace(plan: &Plan) -> bool {
    plan.namespaces.mount == Namespace::New
}

/// Puts the root file system where it can be mounted on, and gives the handle through which
/// everything inside it is reached from now on.
///
/// In a mount namespace of its own the tree is mounted on itself, where hooks expect it. A
/// namespace that others live in (the host's, or one joined by path) is left alone: there the tree
/// stays detached, a root that only this container sees.
#[expect(
    clippy::disallowed_methods,
    reason = "the bundle's own path; what it leads to is compared with what the runtime opened"
)]
pub(super) fn attach(plan: &Plan, prepared: &Prepared) -> Result<Root> {
    let rootfs = &plan.rootfs;
    if let Some(namespace) = &prepared.mount_namespace {
        setns(namespace, CloneFlags::CLONE_NEWNS)
            .map_err(|errno| Error::os("join", "mount namespace", errno))?;
    }
    let prepared_tree = || match &prepared.rootfs {
        Some(tree) => {
            tree.try_clone().map(Some).map_err(|error| Error::io("dup", &rootfs.path, &error))
        }
        None => Ok(None),
    };
    let owned = owns_mount_namespace(plan);
    if !owned && let Some(tree) = prepared_tree()? {
        return Ok(Root::new(tree));
    }
    if owned {
        mount::set_root_propagation(nix::libc::MS_SLAVE, true)
            .map_err(|errno| Error::os("make slave", "/", errno))?;
    }
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let here = open(&rootfs.path, flags, Mode::empty())
        .map_err(|errno| Error::os("open rootfs", &rootfs.path, errno))?;
    let tree = match prepared_tree()? {
        Some(tree) => {
            same_directory(&tree, &here, rootfs)?;
            tree
        }
        None => clone_rootfs(&here, rootfs)?,
    };
    if owned {
        // What the runtime has copied may still be a peer of the host's mount, before Linux 5.12.
        let change = propagation_change(building_propagation(rootfs));
        attach_with(tree.as_fd(), here.as_fd(), &[change], &rootfs.path)?;
    }
    Ok(Root::new(tree))
}

/// The path must still lead to the directory that the runtime opened.
fn same_directory(tree: &OwnedFd, here: &OwnedFd, rootfs: &Rootfs) -> Result<()> {
    let identity = |fd: &OwnedFd| {
        fstat(fd)
            .map(|stat| (stat.st_dev, stat.st_ino))
            .map_err(|errno| Error::os("stat rootfs", &rootfs.path, errno))
    };
    if identity(tree)? == identity(here)? {
        return Ok(());
    }
    Err(Error::message(format!("rootfs {:?} was exchanged while it was opened", rootfs.path)))
}
