//! Device nodes and the links that the runtime-spec wants in /dev.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{Mode, SFlag, fstatat, makedev, mknodat};
use nix::unistd::{Gid, Uid, fchownat, symlinkat, unlinkat};
use sys::Root;

use super::prepared::{self, Prepared};
use crate::error::{Error, Result};
use crate::plan::{self, Device, DeviceKind, MountKind, Namespace, Plan};

/// Links of config-linux.md, "Default Devices" and "Dev symbolic links".
const LINKS: [(&str, &str); 5] = [
    ("pts/ptmx", "ptmx"),
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
];

/// Whether the container gets a /dev of its own: not where the host's is bound there.
pub(super) fn wanted(plan: &Plan) -> bool {
    let is_dev = |path: &Path| path.components().eq(Path::new("/dev").components());
    !plan
        .mounts
        .iter()
        .any(|mount| is_dev(&mount.destination) && matches!(mount.kind, MountKind::Bind { .. }))
}

/// Makes the nodes of the plan, then the links.
pub(super) fn create(root: &Root, plan: &Plan, prepared: &Prepared) -> Result<()> {
    let mut parents = Parents { root, last: None };
    // A device made in a user namespace cannot be opened; there the host's is shown instead.
    let bind_all = plan.namespaces.user != Namespace::Inherit;
    for (index, device) in plan.devices.iter().enumerate() {
        let made = if bind_all && is_mounted_on(plan, &device.path) {
            continue;
        } else if bind_all && device.kind != DeviceKind::Fifo {
            Err(Errno::EPERM)
        } else {
            make_node(&mut parents, device)
        };
        match made {
            Ok(()) => {}
            Err(Errno::EPERM) if device.kind != DeviceKind::Fifo => {
                bind_node(root, device, prepared.devices.get(index).and_then(Option::as_ref))?;
            }
            Err(Errno::EEXIST) if is_mounted_on(plan, &device.path) => {}
            Err(Errno::EEXIST) => {
                return Err(Error::message(format!(
                    "device {:?}: another file is there already",
                    device.path
                )));
            }
            Err(errno) => return Err(Error::os("mknod", &device.path, errno)),
        }
    }
    links(&mut parents)
}

/// Whether config.json itself puts something in the place of a device (`/dev/urandom` at `/dev/random`).
fn is_mounted_on(plan: &Plan, device: &Path) -> bool {
    plan.mounts.iter().any(|mount| {
        mount.destination.file_name() == device.file_name()
            && !matches!(mount.kind, MountKind::Remount { .. })
            && plan::clean(&mount.destination) == device
    })
}

/// The directory of the last node: nearly all are in /dev.
struct Parents<'a> {
    root: &'a Root,
    last: Option<(PathBuf, OwnedFd)>,
}

impl Parents<'_> {
    fn of<'a>(&mut self, path: &'a Path) -> nix::Result<(&OwnedFd, &'a OsStr)> {
        let name = path.file_name().ok_or(Errno::EINVAL)?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        if self.last.as_ref().is_none_or(|(known, _)| known != directory) {
            self.last = Some((directory.to_owned(), self.root.make_dir(directory)?));
        }
        self.last.as_ref().map(|(_, fd)| (fd, name)).ok_or(Errno::ENOENT)
    }
}

fn make_node(parents: &mut Parents<'_>, device: &Device) -> nix::Result<()> {
    let (kind, number) = match device.kind {
        DeviceKind::Char => (SFlag::S_IFCHR, makedev(device.major.into(), device.minor.into())),
        DeviceKind::Block => (SFlag::S_IFBLK, makedev(device.major.into(), device.minor.into())),
        DeviceKind::Fifo => (SFlag::S_IFIFO, 0),
    };
    let (parent, name) = parents.of(&device.path)?;
    let mode = Mode::from_bits_truncate(device.mode & 0o7777);
    match mknodat(parent, name, kind, mode, number) {
        // What the image brings along is as good, if it is the same device.
        Err(Errno::EEXIST) => {
            let found = fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
            let same_kind = found.st_mode & SFlag::S_IFMT.bits() == kind.bits();
            let same = same_kind && (kind == SFlag::S_IFIFO || found.st_rdev == number);
            return if same { Ok(()) } else { Err(Errno::EEXIST) };
        }
        other => other?,
    }
    if device.uid != 0 || device.gid != 0 {
        let (uid, gid) = (Uid::from_raw(device.uid), Gid::from_raw(device.gid));
        fchownat(parent, name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

/// Mounts the host's device over a file.
fn bind_node(root: &Root, device: &Device, source: Option<&OwnedFd>) -> Result<()> {
    let fail = |errno| Error::os("bind mount device", &device.path, errno);
    let own;
    let source = match source {
        Some(source) => source,
        None => {
            own = prepared::clone_device(device)?;
            &own
        }
    };
    let target = root.make_file(&device.path).map_err(fail)?;
    prepared::attach_device(source.as_fd(), target.as_fd(), &device.path)
}

#[expect(clippy::disallowed_methods, reason = "the host's own /proc, before the root is changed")]
fn links(parents: &mut Parents<'_>) -> Result<()> {
    for (text, name) in LINKS {
        let path = Path::new("/dev").join(name);
        let fail = |errno| Error::os("symlink", &path, errno);
        let (parent, name) = parents.of(&path).map_err(fail)?;
        match symlinkat(text, parent, name) {
            // An image's own ptmx would belong to the host's devpts.
            Err(Errno::EEXIST) if name == "ptmx" => {
                let gone = unlinkat(parent, name, nix::unistd::UnlinkatFlags::NoRemoveDir);
                gone.and_then(|()| symlinkat(text, parent, name)).map_err(fail)?;
            }
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(fail(errno)),
        }
    }
    if Path::new("/proc/kcore").exists() {
        let path = Path::new("/dev/core");
        let made =
            parents.of(path).and_then(|(parent, name)| symlinkat("/proc/kcore", parent, name));
        match made {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(Error::os("symlink", path, errno)),
        }
    }
    Ok(())
}
