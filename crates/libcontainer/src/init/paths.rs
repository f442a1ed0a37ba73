//! `linux.maskedPaths` and `linux.readonlyPaths`.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::SFlag;
use sys::Root;
use sys::mount::{self, FsContext, MountAttr};

use super::label::MountLabel;
use super::prepared::{self, Prepared};
use crate::error::{Error, Result};

/// Covers each path: a file by the null device, a directory by an empty read-only one.
/// `label` is the SELinux label of the latter.
pub(super) fn mask(
    root: &Root,
    paths: &[PathBuf],
    prepared: &Prepared,
    label: Option<MountLabel<'_>>,
) -> Result<()> {
    let mut masks = Masks { prepared, label, null: None, empty: None };
    for path in paths {
        let Some(target) = existing(root, path)? else { continue };
        let fail = |errno| Error::os("mask path", path, errno);
        if sys::fd::kind(&target).map_err(fail)? == SFlag::S_IFDIR {
            mount::attach(masks.empty_directory()?.as_fd(), target.as_fd()).map_err(fail)?;
        } else {
            prepared::attach_device(masks.null_device()?.as_fd(), target.as_fd(), path)?;
        }
    }
    Ok(())
}

/// A path that the container has; one that is missing needs no cover.
fn existing(root: &Root, path: &Path) -> Result<Option<OwnedFd>> {
    match root.find(path) {
        Ok(target) => Ok(Some(target)),
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
        Err(errno) => Err(Error::os("open", path, errno)),
    }
}

/// One null device and one empty directory serve all paths: each further use is a copy of the
/// mount, not another file system.
struct Masks<'a> {
    prepared: &'a Prepared,
    label: Option<MountLabel<'a>>,
    null: Option<OwnedFd>,
    empty: Option<OwnedFd>,
}

impl Masks<'_> {
    fn null_device(&mut self) -> Result<OwnedFd> {
        again(&mut self.null, || match &self.prepared.null {
            Some(null) => null.try_clone().map_err(|error| Error::io("dup", "/dev/null", &error)),
            None => prepared::clone_null(),
        })
    }

    fn empty_directory(&mut self) -> Result<OwnedFd> {
        again(&mut self.empty, || {
            let make = || {
                let context = FsContext::new("tmpfs")?;
                context.set_string("nr_blocks", "1")?;
                context.set_string("nr_inodes", "1")?;
                if let Some(label) = self.label {
                    context.set_string(label.option.option(), label.text)?;
                }
                context.mount(mount::ATTR_RDONLY)
            };
            make().map_err(|errno| Error::os("mount", "tmpfs", errno))
        })
    }
}

/// The first time what `make` gives, to be attached by the caller; then copies of it.
fn again(first: &mut Option<OwnedFd>, make: impl FnOnce() -> Result<OwnedFd>) -> Result<OwnedFd> {
    if let Some(attached) = first {
        return mount::clone_mount(attached.as_fd(), false)
            .map_err(|errno| Error::os("copy mount", "", errno));
    }
    let made = make()?;
    let kept = made.try_clone().map_err(|error| Error::io("dup", "", &error))?;
    *first = Some(kept);
    Ok(made)
}

/// Makes each path read-only by mounting it on itself.
pub(super) fn make_readonly(root: &Root, paths: &[PathBuf]) -> Result<()> {
    for path in paths {
        let Some(target) = existing(root, path)? else { continue };
        let remount = || {
            let tree = mount::clone_mount(target.as_fd(), true)?;
            let attr = MountAttr::attributes(mount::ATTR_RDONLY, 0);
            match mount::set_attributes(tree.as_fd(), attr, false) {
                Ok(()) => mount::attach(tree.as_fd(), target.as_fd()),
                Err(Errno::ENOSYS) => {
                    mount::attach(tree.as_fd(), target.as_fd())?;
                    mount::set_attributes_attached(tree.as_fd(), attr, false)
                }
                Err(errno) => Err(errno),
            }
        };
        remount().map_err(|errno| Error::os("make read-only", path, errno))?;
    }
    Ok(())
}
