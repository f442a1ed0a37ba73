//! Going through the cgroups below one.
//!
//! Whoever has been given a cgroup makes others below it as deep as he likes: their paths are soon longer than the kernel
//! takes, and there are more levels than descriptors or room on the stack. So one directory is open at a time, and the way
//! back is `..`: cgroups never change their parents.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use crate::error::{Error, Result};
use crate::files;

/// Where a walk is on one level.
struct Level {
    name: OsString,
    /// Directories that are still to be gone through.
    left: Vec<OsString>,
}

/// Calls `enter` with each directory below `top`, and `leave` with its parent and its name when all below it is done.
/// What goes away meanwhile is passed over.
pub(super) fn walk(
    top: &Path,
    mut enter: impl FnMut(BorrowedFd<'_>) -> Result<()>,
    mut leave: impl FnMut(BorrowedFd<'_>, &OsStr) -> Result<()>,
) -> Result<()> {
    let failed = |op: &'static str| move |errno| Error::os(op, top, errno);
    let mut dir = files::open_dir(top)?;
    let left = names(&dir).map_err(failed("read directories below"))?;
    let mut levels = vec![Level { name: OsString::new(), left }];
    while let Some(level) = levels.last_mut() {
        let Some(name) = level.left.pop() else {
            let Some(done) = levels.pop().filter(|_| !levels.is_empty()) else { break };
            dir = open(&dir, OsStr::new("..")).map_err(failed("go through directories below"))?;
            leave(dir.as_fd(), &done.name)?;
            continue;
        };
        let below = match open(&dir, &name) {
            Err(errno) if is_gone(errno) => continue,
            below => below.map_err(failed("open a directory below"))?,
        };
        enter(below.as_fd())?;
        let left = names(&below).map_err(failed("read directories below"))?;
        levels.push(Level { name, left });
        dir = below;
    }
    Ok(())
}

fn open(dir: &OwnedFd, name: &OsStr) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(dir, name, flags, Mode::empty())
}

/// Names of the directories directly in `dir`; none in one that is gone.
fn names(dir: &OwnedFd) -> nix::Result<Vec<OsString>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let list = || {
        let mut found = Vec::new();
        for entry in Dir::openat(dir, ".", flags, Mode::empty())?.iter() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if entry.file_type() == Some(Type::Directory) && !matches!(name, b"." | b"..") {
                found.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(found)
    };
    list().or_else(|errno| if is_gone(errno) { Ok(Vec::new()) } else { Err(errno) })
}

fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::ENOENT | Errno::ENODEV)
}
