//! The container's view of its cgroup: mounts of type `cgroup`.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use sys::Root;
use sys::mount::{ATTR_NODEV, ATTR_NOEXEC, ATTR_NOSUID, ATTR_RDONLY, MountAttr, clone_tree, cwd};

use super::attach::{
    Change, attach_with, check_place, make_readonly, new_filesystem, propagation_change,
    push_attributes,
};
use super::label::{self, MountLabel};
use crate::error::{Error, Result};
use crate::plan::{FilesystemOptions, Mount};

/// What such a mount is made of.
pub(super) struct CgroupMount<'a> {
    pub(super) root: &'a Root,
    pub(super) views: &'a libcgroups::MountViews,
    /// Whether the container has a cgroup namespace of its own.
    pub(super) own_namespace: bool,
    /// SELinux label of the directory of v1 hierarchies.
    pub(super) label: Option<MountLabel<'a>>,
}

impl CgroupMount<'_> {
    /// Mounts what the host has: its v2 tree, or a directory with one mount for each v1 hierarchy.
    pub(super) fn mount(&self, entry: &Mount) -> Result<()> {
        let target = self.directory(&entry.destination)?;
        check_place(self.root, entry, target.as_fd(), None)?;
        if self.views.v1.is_empty() { self.v2(entry, &target) } else { self.v1(entry, &target) }
    }

    fn directory(&self, path: &Path) -> Result<OwnedFd> {
        let made = self.root.make_dir(path);
        made.map_err(|errno| Error::os("create mount point", path, errno))
    }

    fn v2(&self, entry: &Mount, target: &OwnedFd) -> Result<()> {
        let no_options = FilesystemOptions::default();
        let fresh = || new_filesystem("cgroup2", "cgroup", &no_options, 0);
        let tree = match &self.views.v2 {
            // In its own cgroup namespace a new mount shows the container's cgroup as the root. It
            // is not allowed when the user namespace does not own the cgroup namespace.
            Some(view) if self.own_namespace => fresh().or_else(|_| bind(&view.host_dir))?,
            Some(view) => bind(&view.host_dir)?,
            None => fresh()?,
        };
        let mut changes: Vec<Change> = Vec::new();
        push_attributes(&mut changes, entry.attributes, false);
        push_attributes(&mut changes, entry.recursive_attributes, true);
        changes.extend(entry.propagation.iter().copied().map(propagation_change));
        attach_with(tree.as_fd(), target.as_fd(), &changes, &entry.destination)
    }

    fn v1(&self, entry: &Mount, target: &OwnedFd) -> Result<()> {
        let readonly = entry.attributes.set & ATTR_RDONLY;
        let mut options =
            FilesystemOptions { values: vec![("mode".into(), "755".into())], ..Default::default() };
        label::add("tmpfs", &mut options, self.label);
        // Writable until the mount points are made in it.
        let directory =
            new_filesystem("tmpfs", "tmpfs", &options, entry.attributes.set & !ATTR_RDONLY)?;
        let changes: Vec<Change> =
            entry.propagation.iter().copied().map(propagation_change).collect();
        attach_with(directory.as_fd(), target.as_fd(), &changes, &entry.destination)?;
        for view in &self.views.v1 {
            let destination = entry.destination.join(&view.name);
            let target = self.directory(&destination)?;
            let tree = if self.own_namespace {
                new_hierarchy(&view.options)?
            } else {
                bind(&view.host_dir)?
            };
            let attributes = ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC | readonly;
            let attr = (MountAttr::attributes(attributes, 0), false);
            let changes: Vec<Change> = std::iter::once(attr).chain(changes.clone()).collect();
            attach_with(tree.as_fd(), target.as_fd(), &changes, &destination)?;
        }
        for (link, text) in &self.views.symlinks {
            let path = entry.destination.join(link);
            self.root
                .make_link(Path::new(text), &path)
                .map_err(|errno| Error::os("symlink", &path, errno))?;
        }
        if readonly == 0 { Ok(()) } else { make_readonly(&directory) }
    }
}

/// A new mount of a v1 hierarchy, which the cgroup namespace roots at the container's cgroup.
fn new_hierarchy(options: &str) -> Result<OwnedFd> {
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

fn bind(host_dir: &Path) -> Result<OwnedFd> {
    let tree = clone_tree(cwd(), host_dir, false)
        .map_err(|errno| Error::os("bind mount", host_dir, errno))?;
    let attr = MountAttr::propagation(nix::libc::MS_SLAVE);
    match sys::mount::set_attributes(tree.as_fd(), attr, true) {
        Ok(()) | Err(nix::errno::Errno::ENOSYS) => Ok(tree),
        Err(errno) => Err(Error::os("make slave", host_dir, errno)),
    }
}
