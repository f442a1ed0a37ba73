//! What the runtime opens for the container process before the clone.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat, makedev};
use sys::mount::{self, MountAttr};

use super::attach::attach_with;
use super::filter::Filter;
use crate::error::{Error, Result};
use crate::plan::{
    Device, DeviceKind, Links, Mount, MountKind, Namespace, Plan, Propagation, Rootfs,
};

const PRIVATE: u64 = nix::libc::MS_PRIVATE;
const SLAVE: u64 = nix::libc::MS_SLAVE;
const SHARED: u64 = nix::libc::MS_SHARED;

/// Descriptors for the container process. `None` where only the process itself, as root of its own
/// user namespace, may open them.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    /// The root file system, as a detached mount.
    pub rootfs: Option<OwnedFd>,
    /// For each mount of the plan that is a bind mount: its source, as a detached mount.
    pub mount_sources: Vec<Option<OwnedFd>>,
    /// For each device of the plan: the host's, as a detached mount, where nodes cannot be made.
    pub devices: Vec<Option<OwnedFd>>,
    /// The host's null device, as a detached mount, to cover files with.
    pub null: Option<OwnedFd>,
    /// The mount namespace to join.
    pub mount_namespace: Option<OwnedFd>,
    /// The compiled seccomp filter.
    pub filter: Option<Filter>,
}

impl Prepared {
    /// Opens what the container process could not open itself, or not as well.
    ///
    /// # Errors
    /// What is missing, in the words of a failed mount.
    #[expect(clippy::disallowed_methods, reason = "paths of the host, from config.json")]
    pub(crate) fn open(plan: &Plan) -> Result<Self> {
        let filter = Filter::of_plan(plan)?;
        if let Namespace::Join(path) = &plan.namespaces.mount {
            // Everything else is opened in that namespace, by the process: mounts of one cannot be
            // put together with mounts of another.
            let namespace = open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
                .map_err(|errno| Error::os("open namespace", path, errno))?;
            return Ok(Self { mount_namespace: Some(namespace), filter, ..Self::default() });
        }
        let null = if plan.masked_paths.is_empty() { None } else { allowed(clone_null())? };
        let prepared = Self { null, filter, ..Self::default() };
        if !opens_early(plan) {
            return Ok(prepared);
        }
        let devices = plan.devices.iter().map(|device| {
            if device.kind == DeviceKind::Fifo { Ok(None) } else { allowed(clone_device(device)) }
        });
        Ok(Self {
            rootfs: open_rootfs(plan)?,
            mount_sources: mount_sources(plan)?,
            devices: devices.collect::<Result<_>>()?,
            ..prepared
        })
    }
}

/// Whether bind sources are opened by the runtime and not by the process itself in the course of
/// its mounts: where the ids of a user namespace may have no access to them.
pub(super) fn opens_early(plan: &Plan) -> bool {
    plan.namespaces.user != Namespace::Inherit
}

/// Whether shared mounts are to stay peers of the host's.
pub(super) fn shares_with_host(plan: &Plan) -> bool {
    plan.rootfs.propagation.is_some_and(|one| one.kind == SHARED)
}

/// Bind sources that are to stay peers of the host's mounts, for the process to open before it cuts its
/// mount namespace off. The runtime's copies would not do: they have the mount namespaces that somebody
/// has pinned to files (snapd does), and are refused for that in a namespace that is newer.
pub(super) fn peer_sources(plan: &Plan) -> Result<Vec<Option<OwnedFd>>> {
    let own = plan.namespaces.mount == Namespace::New && !opens_early(plan);
    if own && shares_with_host(plan) { mount_sources(plan) } else { Ok(Vec::new()) }
}

/// For each mount of the plan that is a bind mount of something outside of the root: its source.
fn mount_sources(plan: &Plan) -> Result<Vec<Option<OwnedFd>>> {
    let source = |mount: &Mount| match &mount.kind {
        MountKind::Bind { source, recursive, links, .. }
            if inside(&plan.rootfs.path, source).is_none() =>
        {
            allowed(clone_source(source, *recursive, *links)).map_err(|error| {
                Error::message(format!(
                    "error mounting {source:?} to rootfs at {:?}: {error}",
                    mount.destination
                ))
            })
        }
        _ => Ok(None),
    };
    plan.mounts.iter().map(source).collect()
}

#[expect(clippy::disallowed_methods, reason = "the bundle's own path, from config.json")]
fn open_rootfs(plan: &Plan) -> Result<Option<OwnedFd>> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let directory = open(&plan.rootfs.path, flags, Mode::empty())
        .map_err(|errno| Error::os("open rootfs", &plan.rootfs.path, errno))?;
    allowed(clone_rootfs(&directory, &plan.rootfs))
}

/// Leaves to the container process what the runtime may not do.
fn allowed(result: Result<OwnedFd>) -> Result<Option<OwnedFd>> {
    match result {
        Err(error) if error.errno() == Some(Errno::EPERM) => Ok(None),
        other => other.map(Some),
    }
}

/// The path of `source` in the root file system, where it is inside: the container then sees what its
/// own earlier mounts have put there.
pub(super) fn inside<'a>(rootfs: &Path, source: &'a Path) -> Option<&'a Path> {
    let plain = !source.components().any(|part| part == Component::ParentDir);
    let below = source.strip_prefix(rootfs).ok().filter(|_| plain && rootfs != Path::new("/"));
    below.filter(|below| !below.as_os_str().is_empty())
}

/// A bind source as a detached mount.
pub(crate) fn clone_source(source: &Path, recursive: bool, links: Links) -> Result<OwnedFd> {
    let clone = if links.keep_source() { mount::clone_link } else { mount::clone_tree };
    clone(mount::cwd(), source, recursive)
        .map_err(|errno| Error::os("open mount source", source, errno))
}

/// Whether a source, as a detached mount, is a link that is to be made once more and not mounted.
pub(crate) fn is_copied_link(tree: &OwnedFd, links: Links) -> bool {
    links.copy && sys::fd::kind(tree) == Ok(SFlag::S_IFLNK)
}

/// Attaches a mount of a host's device, or a copy of one. It is no longer a peer of the host's mounts:
/// what a container with `CAP_SYS_ADMIN` mounts over it would cover the device of the host as well.
pub(crate) fn attach_device(
    device: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    path: &Path,
) -> Result<()> {
    attach_with(device, target, &[(MountAttr::propagation(PRIVATE), false)], path)
}

/// The host's null device as a detached mount; what is at /dev/null must be it.
pub(crate) fn clone_null() -> Result<OwnedFd> {
    clone_node(Path::new("/dev/null"), SFlag::S_IFCHR, makedev(1, 3))
}

/// The host's device with the number of `device`, as a detached mount.
pub(crate) fn clone_device(device: &Device) -> Result<OwnedFd> {
    let kind = if device.kind == DeviceKind::Block { SFlag::S_IFBLK } else { SFlag::S_IFCHR };
    clone_node(&device.path, kind, makedev(device.major.into(), device.minor.into()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a device of the host, and what was opened is checked"
)]
fn clone_node(path: &Path, kind: SFlag, number: u64) -> Result<OwnedFd> {
    let fail = |errno| Error::os("open device", path, errno);
    let handle = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).map_err(fail)?;
    let stat = fstat(&handle).map_err(fail)?;
    if stat.st_mode & SFlag::S_IFMT.bits() != kind.bits() || stat.st_rdev != number {
        return Err(Error::message(format!("{path:?} on the host is another device")));
    }
    mount::clone_mount(handle.as_fd(), false).map_err(fail)
}

/// What is done to the root mount while it is being built; `linux.rootfsPropagation` if that
/// keeps mount events from leaving, else slave.
pub(super) fn building_propagation(rootfs: &Rootfs) -> Propagation {
    match rootfs.propagation {
        Some(propagation) if propagation.kind != SHARED => propagation,
        _ => Propagation { kind: SLAVE, recursive: true },
    }
}

/// A copy of the root file system's mount, detached, that sends no mount events out.
pub(super) fn clone_rootfs(directory: &OwnedFd, rootfs: &Rootfs) -> Result<OwnedFd> {
    let tree = mount::clone_mount(directory.as_fd(), true)
        .map_err(|errno| Error::os("bind mount rootfs", &rootfs.path, errno))?;
    let propagation = building_propagation(rootfs);
    let attr = MountAttr::propagation(propagation.kind);
    match mount::set_attributes(tree.as_fd(), attr, true) {
        // Before Linux 5.12 only once it is attached.
        Ok(()) | Err(Errno::ENOSYS) => Ok(tree),
        Err(errno) => Err(Error::os("set propagation of", &rootfs.path, errno)),
    }
}
