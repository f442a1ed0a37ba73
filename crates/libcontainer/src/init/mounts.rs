//! `mounts`, each made as a detached mount and attached to a descriptor of its destination.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{SFlag, fstat, fstatat};
use sys::Root;
use sys::mount::{self, ATTR_RDONLY, FsContext, MountAttr};

use super::prepared::{self, Prepared};
use super::{cgroup_mounts, copy_up};
use crate::error::{Error, Result};
use crate::plan::{Attributes, FilesystemOptions, Mount, MountKind, Propagation};

/// `f_type` of procfs.
const PROC_SUPER_MAGIC: i64 = 0x9fa0;

/// Inode number of the root of every procfs.
const PROC_ROOT_INODE: u64 = 1;

/// What may be mounted over inside /proc: files that tools such as lxcfs replace, none of which
/// the runtime or a security module writes to.
const PROC_COVERS: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
];

/// Makes the mounts of a plan.
pub(super) struct Mounter<'a> {
    pub(super) root: &'a Root,
    pub(super) prepared: &'a Prepared,
    pub(super) cgroup_views: &'a libcgroups::MountViews,
    pub(super) own_cgroup_namespace: bool,
}

/// Mounts that become read-only when everything is in place: mount points and devices are still
/// to be made in them.
#[derive(Debug, Default)]
pub(super) struct LateReadonly(Vec<OwnedFd>);

impl LateReadonly {
    pub(super) fn apply(self) -> Result<()> {
        let attr = MountAttr::attributes(ATTR_RDONLY, 0);
        self.0.iter().try_for_each(|mount| {
            match mount::set_attributes_attached(mount.as_fd(), attr, false) {
                // A mount in a detached tree cannot be changed, but covered by a changed copy.
                Err(Errno::EINVAL) => mount::clone_mount(mount.as_fd(), true).and_then(|copy| {
                    mount::set_attributes(copy.as_fd(), attr, false)?;
                    mount::attach(copy.as_fd(), mount.as_fd())
                }),
                other => other,
            }
            .map_err(|errno| Error::os("make read-only", "tmpfs", errno))
        })
    }
}

impl Mounter<'_> {
    /// All of `mounts`, in order.
    pub(super) fn mount_all(&self, mounts: &[Mount]) -> Result<LateReadonly> {
        let mut late = LateReadonly::default();
        for (index, entry) in mounts.iter().enumerate() {
            self.mount(index, entry, &mut late).map_err(|error| {
                Error::message(format!(
                    "error mounting {} to rootfs at {:?}: {error}",
                    describe(entry),
                    entry.destination
                ))
            })?;
        }
        Ok(late)
    }

    fn mount(&self, index: usize, entry: &Mount, late: &mut LateReadonly) -> Result<()> {
        match &entry.kind {
            MountKind::Bind { source, recursive } => {
                let tree = match self.prepared.mount_sources.get(index) {
                    Some(Some(tree)) => tree
                        .try_clone()
                        .map_err(|error| Error::io("dup mount source", source, &error))?,
                    _ => prepared::clone_source(source, *recursive)?,
                };
                self.bind(entry, &tree)
            }
            MountKind::Filesystem { fstype, source, options } => {
                self.filesystem(entry, fstype, source, options, late)
            }
            MountKind::Cgroup => cgroup_mounts::mount(self, entry),
            MountKind::Remount { bind, options } => self.remount(entry, *bind, options),
        }
    }

    fn bind(&self, entry: &Mount, tree: &OwnedFd) -> Result<()> {
        let target = self.destination(entry, tree)?;
        let default = Propagation { kind: nix::libc::MS_SLAVE, recursive: true };
        let first = entry.propagation.first().filter(|first| first.kind != nix::libc::MS_SHARED);
        // Nothing mounted in the container may show up on the host unless it was asked for.
        let base = (!entry.propagation.iter().any(|one| one.kind == nix::libc::MS_SHARED))
            .then(|| first.copied().unwrap_or(default));
        let mut changes = Vec::new();
        push_attributes(&mut changes, entry.attributes, false);
        push_attributes(&mut changes, entry.recursive_attributes, true);
        changes.extend(base.map(propagation_change));
        let rest = if first.is_some() { &entry.propagation[1..] } else { &entry.propagation[..] };
        changes.extend(rest.iter().copied().map(propagation_change));
        attach_with(tree.as_fd(), target.as_fd(), &changes, &entry.destination)
    }

    fn filesystem(
        &self,
        entry: &Mount,
        fstype: &str,
        source: &str,
        options: &FilesystemOptions,
        late: &mut LateReadonly,
    ) -> Result<()> {
        if matches!(fstype, "proc" | "sysfs") {
            self.require_ordinary_directory(entry, fstype)?;
        }
        let fail = |errno| Error::os("create mount point", &entry.destination, errno);
        let mut options = options.clone();
        let target = match self.root.find(&entry.destination) {
            Ok(existing) => {
                if fstype == "tmpfs" && !options.values.iter().any(|(key, _)| key == "mode") {
                    // As in runc, a tmpfs takes over the mode of what it covers.
                    let mode = fstat(&existing).map_err(fail)?.st_mode & 0o7777;
                    options.values.push(("mode".into(), format!("{mode:o}")));
                }
                existing
            }
            Err(_) => self.root.make_dir(&entry.destination).map_err(fail)?,
        };
        self.check_proc(entry, target.as_fd(), None)?;
        let tmpfs = fstype == "tmpfs" || entry.destination == Path::new("/dev");
        let readonly_late = tmpfs && entry.attributes.set & ATTR_RDONLY != 0;
        let mut attributes = entry.attributes.set;
        if readonly_late {
            attributes &= !ATTR_RDONLY;
        }
        let tree = new_filesystem(fstype, source, &options, attributes)?;
        if entry.copy_up {
            copy_up::copy(&target, &tree)
                .map_err(|errno| Error::os("copy up", &entry.destination, errno))?;
        }
        let mut changes = Vec::new();
        push_attributes(&mut changes, entry.recursive_attributes, true);
        changes.extend(entry.propagation.iter().copied().map(propagation_change));
        attach_with(tree.as_fd(), target.as_fd(), &changes, &entry.destination)?;
        if readonly_late {
            late.0.push(tree);
        }
        Ok(())
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
        let is_dir =
            fstat(tree).map_err(fail)?.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits();
        let target = if is_dir {
            self.root.make_dir(&entry.destination)
        } else {
            self.root.make_file(&entry.destination)
        }
        .map_err(fail)?;
        self.check_proc(entry, target.as_fd(), Some(tree))?;
        Ok(target)
    }

    /// Nothing may cover parts of a procfs but the few files above: what the runtime and security
    /// modules write there must reach the kernel.
    pub(super) fn check_proc(
        &self,
        entry: &Mount,
        target: BorrowedFd<'_>,
        tree: Option<&OwnedFd>,
    ) -> Result<()> {
        let magic = mount::filesystem_magic(target)
            .map_err(|errno| Error::os("statfs", &entry.destination, errno))?;
        let clean = lexically_clean(&entry.destination);
        if clean == "/proc" && !is_procfs(entry, tree) {
            return Err(Error::message(
                "\"/proc\" cannot be mounted because it is not of type proc",
            ));
        }
        if magic != PROC_SUPER_MAGIC {
            return Ok(());
        }
        if clean == "/proc" && is_procfs(entry, tree) || PROC_COVERS.contains(&clean.as_str()) {
            return Ok(());
        }
        Err(Error::message(format!(
            "{:?} cannot be mounted because it is inside /proc",
            entry.destination
        )))
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

/// Whether the mount shows a whole procfs; `tree` is the source of a bind mount.
fn is_procfs(entry: &Mount, tree: Option<&OwnedFd>) -> bool {
    match (&entry.kind, tree) {
        (MountKind::Filesystem { fstype, .. }, _) => fstype == "proc",
        (MountKind::Bind { .. }, Some(tree)) => {
            mount::filesystem_magic(tree) == Ok(PROC_SUPER_MAGIC)
                && fstat(tree).is_ok_and(|root| root.st_ino == PROC_ROOT_INODE)
        }
        _ => false,
    }
}

/// A change of a mount and whether it goes down the tree.
type Change = (MountAttr, bool);

fn push_attributes(changes: &mut Vec<Change>, attributes: Attributes, recursive: bool) {
    if !attributes.is_empty() {
        changes.push((MountAttr::attributes(attributes.set, attributes.clear), recursive));
    }
}

fn propagation_change(propagation: Propagation) -> Change {
    (MountAttr::propagation(propagation.kind), propagation.recursive)
}

/// Attaches a detached mount with its attributes already in force; on kernels that can only change
/// attached mounts, right after.
pub(super) fn attach_with(
    tree: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    changes: &[Change],
    destination: &Path,
) -> Result<()> {
    let fail = |op: &'static str| move |errno| Error::os(op, destination, errno);
    let mut changes = changes.iter();
    let mut pending = None;
    for change in changes.by_ref() {
        match mount::set_attributes(tree, change.0, change.1) {
            Ok(()) => {}
            Err(Errno::ENOSYS) => {
                pending = Some(change);
                break;
            }
            Err(errno) => return Err(fail("set mount attributes of")(errno)),
        }
    }
    mount::attach(tree, target).map_err(fail("mount on"))?;
    pending.into_iter().chain(changes).try_for_each(|change| {
        mount::set_attributes_attached(tree, change.0, change.1)
            .map_err(fail("set mount attributes of"))
    })
}

/// A new, detached instance of a file system.
pub(super) fn new_filesystem(
    fstype: &str,
    source: &str,
    options: &FilesystemOptions,
    attributes: u64,
) -> Result<OwnedFd> {
    let context = FsContext::new(fstype).map_err(|errno| Error::os("fsopen", fstype, errno))?;
    if !source.is_empty() {
        context
            .set_string("source", source)
            .map_err(|errno| complain(&context, "set source", errno))?;
    }
    configure(&context, options)?;
    context.mount(attributes).map_err(|errno| complain(&context, "mount", errno))
}

fn configure(context: &FsContext, options: &FilesystemOptions) -> Result<()> {
    for flag in &options.flags {
        context
            .set_flag(flag)
            .map_err(|errno| complain(context, &format!("mount option {flag:?}"), errno))?;
    }
    for (key, value) in &options.values {
        context
            .set_string(key, value)
            .map_err(|errno| complain(context, &format!("mount option {key}={value:?}"), errno))?;
    }
    Ok(())
}

/// The failure with what the file system itself has to say about it.
fn complain(context: &FsContext, op: &str, errno: Errno) -> Error {
    let error = Error::os(op, "", errno);
    match context.complaint() {
        Some(text) if !text.is_empty() => Error::message(format!("{error} ({text})")),
        _ => error,
    }
}

fn describe(entry: &Mount) -> String {
    match &entry.kind {
        MountKind::Bind { source, .. } => format!("{:?}", source.display().to_string()),
        MountKind::Filesystem { source, .. } => format!("{source:?}"),
        MountKind::Cgroup => "\"cgroup\"".into(),
        MountKind::Remount { .. } => "(remount)".into(),
    }
}

/// The path with `.`, `..` and doubled slashes taken out, without looking at any file.
fn lexically_clean(path: &Path) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => parts.push(name.to_str().unwrap_or("\u{fffd}")),
            Component::ParentDir => drop(parts.pop()),
            _ => {}
        }
    }
    format!("/{}", parts.join("/"))
}
