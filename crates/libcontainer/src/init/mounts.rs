//! `mounts`, each made as a detached mount and attached to a descriptor of its destination.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, readlinkat};
use nix::sys::stat::{SFlag, fstat, fstatat};
use sys::Root;
use sys::mount::{self, ATTR_RDONLY, FsContext, MountAttr};

use super::attach::{
    attach_with, check_place, complain, configure, make_readonly, new_filesystem,
    propagation_change, push_attributes,
};
use super::cgroup_mounts::CgroupMount;
use super::label::{self, MountLabel};
use super::prepared;
use super::{copy_up, inherited};
use crate::error::{Error, Result};
use crate::plan::{Attributes, FilesystemOptions, Links, Mount, MountKind, Propagation};
use crate::sync::ChildEnd;

/// Makes the mounts of a plan.
pub(super) struct Mounter<'a> {
    pub(super) root: &'a Root,
    /// Path of the root on the host.
    pub(super) rootfs: &'a Path,
    /// Bind mounts that are open already, and file systems that are made, by the number of the mount.
    pub(super) sources: &'a [Option<OwnedFd>],
    pub(super) cgroup_views: &'a libcgroups::MountViews,
    pub(super) own_cgroup_namespace: bool,
    /// Whether the container has a user namespace that is not the runtime's.
    pub(super) user_namespace: bool,
    /// SELinux label of new file systems.
    pub(super) label: Option<MountLabel<'a>>,
    /// What copies of the host's mounts are to them.
    pub(super) peers: Peers,
    /// Who gives mounts their mappings of ids; `None` where the sources have them already.
    pub(super) runtime: Option<&'a ChildEnd>,
}

/// What a copy of a mount of the host is to it, where that one is shared. Nothing mounted in the container
/// may show up on the host unless it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peers {
    /// A slave: the process has cut off its whole mount namespace.
    Slaves,
    /// A peer, since the copy is made elsewhere, that is to be a slave as well.
    Cut,
    /// A peer, which it stays where `shared` is among the options.
    Kept,
}

impl Peers {
    /// The change that comes before those of the options, if they do not cover it.
    fn cut(self, entry: &Mount) -> Option<Propagation> {
        const SHARED: u64 = nix::libc::MS_SHARED;
        let tree = matches!(entry.kind, MountKind::Bind { recursive: true, .. });
        let whole = |one: &Propagation| one.recursive || !tree || self == Self::Slaves;
        let covered = entry.propagation.first().is_some_and(|one| one.kind != SHARED && whole(one));
        let asked = entry.propagation.iter().any(|one| one.kind == SHARED);
        let needed = !covered && (!asked || self == Self::Cut);
        needed.then_some(Propagation { kind: nix::libc::MS_SLAVE, recursive: true })
    }
}

/// What an entry of `mounts` has come to.
#[derive(Debug)]
pub(super) enum Made {
    /// A mount: its root.
    Mount(OwnedFd),
    /// Mounts of cgroups, or another state of one that was there.
    Other,
    /// A symbolic link.
    Link,
    /// Nothing: the link was there.
    Nothing,
}

/// Mounts that become read-only when everything is in place: mount points and devices are still
/// to be made in them.
#[derive(Debug, Default)]
pub(super) struct LateReadonly(Vec<OwnedFd>);

impl LateReadonly {
    pub(super) fn apply(self) -> Result<()> {
        self.0.iter().try_for_each(make_readonly)
    }
}

impl Mounter<'_> {
    /// All of `mounts`, in order.
    pub(super) fn mount_all(&self, mounts: &[Mount]) -> Result<LateReadonly> {
        let mut late = LateReadonly::default();
        for (index, entry) in mounts.iter().enumerate() {
            self.mount_one(index, entry, &mut late)?;
        }
        Ok(late)
    }

    /// One of them; `index` tells which.
    pub(super) fn mount_one(
        &self,
        index: usize,
        entry: &Mount,
        late: &mut LateReadonly,
    ) -> Result<Made> {
        self.mount(index, entry, late).map_err(|error| failed(entry, &error))
    }

    fn mount(&self, index: usize, entry: &Mount, late: &mut LateReadonly) -> Result<Made> {
        match &entry.kind {
            MountKind::Bind { source, recursive, unnamed, links } => {
                if let Some(tree) = self.opened(index, source)? {
                    let done = self.bind(index, entry, tree, *unnamed, *links);
                    // A mount namespace that is pinned below the source; this process's own has none.
                    let pinned = done.as_ref().err().and_then(Error::errno) == Some(Errno::ELOOP);
                    if !pinned || self.runtime.is_none() {
                        return done;
                    }
                }
                let tree = match prepared::inside(self.rootfs, source) {
                    Some(below) => self.copy_of_own(below, source, *recursive, *links)?,
                    None => prepared::clone_source(source, *recursive, *links)?,
                };
                return self.bind(index, entry, tree, *unnamed, *links);
            }
            MountKind::Filesystem { fstype, source, options } => {
                return self.filesystem(index, entry, fstype, source, options, late);
            }
            MountKind::Cgroup => CgroupMount {
                root: self.root,
                views: self.cgroup_views,
                own_namespace: self.own_cgroup_namespace,
                label: self.label,
            }
            .mount(entry),
            MountKind::Remount { bind, options } => self.remount(entry, *bind, options),
        }
        .map(|()| Made::Other)
    }

    /// What is open already for mount number `index`.
    fn opened(&self, index: usize, source: impl AsRef<Path>) -> Result<Option<OwnedFd>> {
        let tree = self.sources.get(index).and_then(Option::as_ref);
        let copy = tree.map(OwnedFd::try_clone).transpose();
        copy.map_err(|error| Error::io("dup mount source", source.as_ref(), &error))
    }

    /// A source in the container's own tree, with what was mounted there before.
    fn copy_of_own(
        &self,
        below: &Path,
        source: &Path,
        recursive: bool,
        links: Links,
    ) -> Result<OwnedFd> {
        let found =
            if links.keep_source() { self.root.find_link(below) } else { self.root.find(below) };
        found
            .and_then(|found| mount::clone_mount(found.as_fd(), recursive))
            .map_err(|errno| Error::os("open mount source", source, errno))
    }

    fn bind(
        &self,
        index: usize,
        entry: &Mount,
        tree: OwnedFd,
        mut unnamed: u64,
        links: Links,
    ) -> Result<Made> {
        if prepared::is_copied_link(&tree, links) {
            return self.copy_link(entry, &tree);
        }
        if let (Some(_), Some(runtime)) = (&entry.ids, self.runtime) {
            runtime.map_ids(index, tree.as_fd())?;
        }
        if self.user_namespace {
            inherited::check(entry, &tree)?;
            unnamed &= nix::libc::MOUNT_ATTR_NOSYMFOLLOW;
        }
        let target = if links.destination {
            self.unfollowed_destination(entry, &tree)?
        } else {
            self.destination(entry, &tree)?
        };
        check_place(self.root, entry, target.as_fd(), Some(&tree))?;
        let mut changes = Vec::new();
        if let Err(all) = clear_unnamed(&tree, entry.attributes, unnamed) {
            push_attributes(&mut changes, all, false);
        }
        push_attributes(&mut changes, entry.recursive_attributes, true);
        changes.extend(self.peers.cut(entry).map(propagation_change));
        changes.extend(entry.propagation.iter().copied().map(propagation_change));
        attach_with(tree.as_fd(), target.as_fd(), &changes, &entry.destination)
            .map(|()| Made::Mount(tree))
    }

    /// `copy-symlink`: the link that `tree` is, once more at the destination.
    fn copy_link(&self, entry: &Mount, tree: &OwnedFd) -> Result<Made> {
        let text = readlinkat(tree, "")
            .map_err(|errno| Error::os("read source link of", &entry.destination, errno))?;
        match self.root.make_link(Path::new(&text), &entry.destination) {
            Ok(true) => Ok(Made::Link),
            Ok(false) => Ok(Made::Nothing),
            Err(errno) => {
                let op = format!("make symbolic link to {text:?} at");
                Err(Error::os(op, &entry.destination, errno))
            }
        }
    }

    fn filesystem(
        &self,
        index: usize,
        entry: &Mount,
        fstype: &str,
        source: &str,
        options: &FilesystemOptions,
        late: &mut LateReadonly,
    ) -> Result<Made> {
        if matches!(fstype, "proc" | "sysfs") {
            self.require_ordinary_directory(entry, fstype)?;
        }
        let mut options = options.clone();
        let target = self.filesystem_destination(entry, fstype, &mut options)?;
        check_place(self.root, entry, target.as_fd(), None)?;
        let tmpfs = fstype == "tmpfs" || entry.destination == Path::new("/dev");
        let readonly_late = tmpfs && entry.attributes.set & ATTR_RDONLY != 0;
        let mut attributes = entry.attributes.set;
        if readonly_late {
            attributes &= !ATTR_RDONLY;
        }
        label::add(fstype, &mut options, self.label);
        let tree = match self.opened(index, source)? {
            Some(tree) => tree,
            None => new_filesystem(fstype, source, &options, attributes)?,
        };
        label::set_on_root(fstype, tree.as_fd(), self.label)?;
        if entry.copy_up {
            let given = |key: &str| options.values.iter().any(|(known, _)| known == key);
            copy_up::copy(&target, &tree, !given("uid"), !given("gid"))
                .map_err(|errno| Error::os("copy up", &entry.destination, errno))?;
        }
        let mut changes = Vec::new();
        push_attributes(&mut changes, entry.recursive_attributes, true);
        changes.extend(entry.propagation.iter().copied().map(propagation_change));
        attach_with(tree.as_fd(), target.as_fd(), &changes, &entry.destination)
            .map_err(|error| as_mount_says(error, entry, &target))?;
        if readonly_late {
            let copy = tree.try_clone();
            late.0.push(copy.map_err(|error| Error::io("dup mount", source, &error))?);
        }
        Ok(Made::Mount(tree))
    }

    /// The destination of a file system: a directory, which is made where it is missing.
    fn filesystem_destination(
        &self,
        entry: &Mount,
        fstype: &str,
        options: &mut FilesystemOptions,
    ) -> Result<OwnedFd> {
        let fail = |errno| Error::os("create mount point", &entry.destination, errno);
        let Ok(existing) = self.root.find(&entry.destination) else {
            return self.root.make_dir(&entry.destination).map_err(fail);
        };
        if fstype == "tmpfs" && !options.values.iter().any(|(key, _)| key == "mode") {
            // As in runc, a tmpfs takes over the mode of what it covers.
            let mode = fstat(&existing).map_err(fail)?.st_mode & 0o7777;
            options.values.push(("mode".into(), format!("{mode:o}")));
        }
        Ok(existing)
    }

    fn remount(&self, entry: &Mount, bind: bool, options: &FilesystemOptions) -> Result<()> {
        let fail = |errno| Error::os("remount", &entry.destination, errno);
        let target = self.root.find(&entry.destination).map_err(fail)?;
        if !bind {
            let context = FsContext::pick(target.as_fd()).map_err(fail)?;
            configure(&context, options)?;
            context.reconfigure().map_err(|errno| complain(&context, "remount", errno))?;
        }
        let mut changes = Vec::new();
        push_attributes(&mut changes, entry.attributes, false);
        push_attributes(&mut changes, entry.recursive_attributes, true);
        changes.extend(entry.propagation.iter().copied().map(propagation_change));
        changes.iter().try_for_each(|&(attr, recursive)| {
            mount::set_attributes_attached(target.as_fd(), attr, recursive).map_err(fail)
        })
    }

    /// The destination of a bind mount: a directory for a directory, else a file.
    fn destination(&self, entry: &Mount, tree: &OwnedFd) -> Result<OwnedFd> {
        let fail = |errno| Error::os("create mount point", &entry.destination, errno);
        if is_directory(tree).map_err(fail)? {
            self.root.make_dir(&entry.destination).map_err(fail)
        } else {
            self.root.make_file(&entry.destination).map_err(|errno| match errno {
                // What mount(2) says to that; Docker explains it to its user.
                Errno::EISDIR => Error::os("mount a file on", &entry.destination, Errno::ENOTDIR),
                errno => fail(errno),
            })
        }
    }

    /// The same with `dest-nofollow`: a link is a file like others.
    fn unfollowed_destination(&self, entry: &Mount, tree: &OwnedFd) -> Result<OwnedFd> {
        let fail = |errno| Error::os("create mount point", &entry.destination, errno);
        let directory = is_directory(tree).map_err(fail)?;
        let target = self.root.make_unfollowed(&entry.destination, directory).map_err(fail)?;
        if is_directory(&target).map_err(fail)? == directory {
            return Ok(target);
        }
        let op = if directory { "mount a directory on" } else { "mount a file on" };
        Err(Error::os(op, &entry.destination, Errno::ENOTDIR))
    }

    /// procfs and sysfs go where their name says, not where a link of the image leads.
    fn require_ordinary_directory(&self, entry: &Mount, fstype: &str) -> Result<()> {
        let fail = |errno| Error::os("create mount point", &entry.destination, errno);
        let (parent, name) = self.root.make_parent(&entry.destination).map_err(fail)?;
        let kind = match fstatat(&parent, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => return Ok(()),
            other => other.map_err(fail)?.st_mode & SFlag::S_IFMT.bits(),
        };
        if kind == SFlag::S_IFDIR.bits() {
            return Ok(());
        }
        Err(Error::message(format!("filesystem {fstype:?} must be mounted on ordinary directory")))
    }
}

/// A file system on a file: mount(2) has another number for it than move_mount(2).
fn as_mount_says(error: Error, entry: &Mount, target: &OwnedFd) -> Error {
    match (error.errno(), is_directory(target)) {
        (Some(Errno::EINVAL), Ok(false)) => {
            Error::os("mount on", &entry.destination, Errno::ENOTDIR)
        }
        _ => error,
    }
}

/// Gives a copy of a tree the attributes of its mount, and takes away what is not named of those of its
/// source; the error is what is left to do, after attaching it or with an error to report.
fn clear_unnamed(
    tree: &OwnedFd,
    named: Attributes,
    unnamed: u64,
) -> std::result::Result<(), Attributes> {
    /// Since Linux 5.14.
    const NEW: u64 = nix::libc::MOUNT_ATTR_NOSYMFOLLOW;
    let all = |unnamed| Attributes { clear: named.clear | unnamed, ..named };
    let set = |wanted: Attributes| {
        mount::set_attributes(tree.as_fd(), MountAttr::attributes(wanted.set, wanted.clear), false)
    };
    if all(unnamed).is_empty() {
        return Ok(());
    }
    match set(all(unnamed)) {
        Ok(()) => Ok(()),
        // Inside of a user namespace that somebody else has made the kernel keeps all but one of them.
        Err(Errno::EPERM) => Err(all(unnamed & NEW)),
        Err(_) => Err(all(unnamed & !NEW)),
    }
}

fn is_directory(file: &OwnedFd) -> nix::Result<bool> {
    sys::fd::kind(file).map(|kind| kind == SFlag::S_IFDIR)
}

/// The failure with the mount that it is of.
pub(super) fn failed(entry: &Mount, error: &Error) -> Error {
    Error::message(format!(
        "error mounting {} to rootfs at {:?}: {error}",
        describe(entry),
        entry.destination
    ))
}

fn describe(entry: &Mount) -> String {
    match &entry.kind {
        MountKind::Bind { source, .. } => format!("{:?}", source.display().to_string()),
        MountKind::Filesystem { source, .. } => format!("{source:?}"),
        MountKind::Cgroup => "\"cgroup\"".into(),
        MountKind::Remount { .. } => "(remount)".into(),
    }
}
