//! The container's view of its cgroup: mounts of type `cgroup`.

use std::os::fd::AsFd;
use std::path::Path;

use sys::mount::{ATTR_NODEV, ATTR_NOEXEC, ATTR_NOSUID, ATTR_RDONLY, MountAttr, clone_tree, cwd};

use super::mounts::{Mounter, attach_with, new_filesystem};
use crate::error::{Error, Result};
use crate::plan::{FilesystemOptions, Mount, MountKind, Propagation};

/// Mounts what the host has: its v2 tree, or a directory with one mount for each v1 hierarchy.
pub(super) fn mount(mounter: &Mounter<'_>, entry: &Mount) -> Result<()> {
    if mounter.cgroup_views.v1.is_empty() { v2(mounter, entry) } else { v1(mounter, entry) }
}

fn changes(entry: &Mount) -> Vec<(MountAttr, bool)> {
    let mut changes = Vec::new();
    for (attributes, recursive) in [(entry.attributes, false), (entry.recursive_attributes, true)] {
        if !attributes.is_empty() {
            changes.push((MountAttr::attributes(attributes.set, attributes.clear), recursive));
        }
    }
    let change = |one: &Propagation| (MountAttr::propagation(one.kind), one.recursive);
    changes.extend(entry.propagation.iter().map(change));
    changes
}

fn v2(mounter: &Mounter<'_>, entry: &Mount) -> Result<()> {
    let target = mounter
        .root
        .make_dir(&entry.destination)
        .map_err(|errno| Error::os("create mount point", &entry.destination, errno))?;
    mounter.check_proc(entry, target.as_fd(), None)?;
    let no_options = FilesystemOptions::default();
    let fresh = || new_filesystem("cgroup2", "cgroup", &no_options, 0);
    let tree = match &mounter.cgroup_views.v2 {
        // In its own cgroup namespace a new mount shows the container's cgroup as the root.
        _ if mounter.own_cgroup_namespace => fresh().or_else(|error| {
            // Not allowed when the user namespace does not own the cgroup namespace.
            let Some(view) = &mounter.cgroup_views.v2 else { return Err(error) };
            bind(&view.host_dir)
        })?,
        Some(view) => bind(&view.host_dir)?,
        None => fresh()?,
    };
    attach_with(tree.as_fd(), target.as_fd(), &changes(entry), &entry.destination)
}

fn v1(mounter: &Mounter<'_>, entry: &Mount) -> Result<()> {
    let readonly = entry.attributes.set & ATTR_RDONLY != 0;
    let tmpfs = Mount {
        kind: MountKind::Filesystem {
            fstype: "tmpfs".into(),
            source: "tmpfs".into(),
            options: FilesystemOptions {
                flags: vec![],
                values: vec![("mode".into(), "755".into())],
            },
        },
        recursive_attributes: Default::default(),
        ..entry.clone()
    };
    let late = mounter.mount_all(std::slice::from_ref(&tmpfs))?;
    for view in &mounter.cgroup_views.v1 {
        let destination = entry.destination.join(&view.name);
        let target = mounter
            .root
            .make_dir(&destination)
            .map_err(|errno| Error::os("create mount point", &destination, errno))?;
        let attributes = ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC;
        let tree = if mounter.own_cgroup_namespace {
            new_hierarchy(&view.options)?
        } else {
            bind(&view.host_dir)?
        };
        let readonly = if readonly { ATTR_RDONLY } else { 0 };
        let attr = MountAttr::attributes(attributes | readonly, 0);
        attach_with(tree.as_fd(), target.as_fd(), &[(attr, false)], &destination)?;
    }
    for (link, text) in &mounter.cgroup_views.symlinks {
        let path = entry.destination.join(link);
        mounter
            .root
            .make_link(Path::new(text), &path)
            .map_err(|errno| Error::os("symlink", &path, errno))?;
    }
    late.apply()
}

/// A new mount of a v1 hierarchy, which the cgroup namespace roots at the container's cgroup.
fn new_hierarchy(options: &str) -> Result<std::os::fd::OwnedFd> {
    let mut parsed = FilesystemOptions::default();
    for option in options.split(',') {
        match option.split_once('=') {
            // A named hierarchy has no controllers, which must be said.
            Some((key, value)) => {
                parsed.flags.push("none".into());
                parsed.values.push((key.into(), value.into()));
            }
            None => parsed.flags.push(option.into()),
        }
    }
    new_filesystem("cgroup", "cgroup", &parsed, 0)
}

fn bind(host_dir: &Path) -> Result<std::os::fd::OwnedFd> {
    let tree = clone_tree(cwd(), host_dir, false)
        .map_err(|errno| Error::os("bind mount", host_dir, errno))?;
    let attr = MountAttr::propagation(nix::libc::MS_SLAVE);
    match sys::mount::set_attributes(tree.as_fd(), attr, true) {
        Ok(()) | Err(nix::errno::Errno::ENOSYS) => Ok(tree),
        Err(errno) => Err(Error::os("make slave", host_dir, errno)),
    }
}
