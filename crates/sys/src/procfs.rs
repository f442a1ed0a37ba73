//! procfs as a private mount that nothing in a container can cover.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::sys::stat::{Mode, fstat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use crate::mount::FsContext;

/// Inode number of the root of every procfs.
const PROC_ROOT_INODE: u64 = 1;

/// A procfs of the pid namespace in which it was opened.
#[derive(Debug)]
pub struct Proc {
    root: OwnedFd,
    /// Made by this process for itself: no mount can lie over any of it.
    private: bool,
}

impl Proc {
    /// A private mount of procfs; where that is not allowed, the one at /proc, if it is one.
    ///
    /// # Errors
    /// `ENOTSUP` when /proc is not the root of a procfs; those of open(2).
    pub fn open() -> nix::Result<Self> {
        match FsContext::new("proc").and_then(|context| context.mount(0)) {
            Ok(root) => Ok(Self { root, private: true }),
            Err(_) => Self::of_host(),
        }
    }

    fn of_host() -> nix::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let root = open("/proc", flags, Mode::empty())?;
        let genuine = fstatfs(&root)?.filesystem_type() == PROC_SUPER_MAGIC
            && fstat(&root)?.st_ino == PROC_ROOT_INODE;
        if genuine { Ok(Self { root, private: false }) } else { Err(Errno::ENOTSUP) }
    }

    /// Opens a file below procfs. Links of the kernel's own (`self`) are followed, magic links and
    /// anything mounted over procfs are refused.
    ///
    /// # Errors
    /// `EXDEV` when something is mounted on the way; those of openat2(2).
    pub fn open_file(&self, path: &str, flags: OFlag) -> nix::Result<OwnedFd> {
        let resolve = ResolveFlag::RESOLVE_BENEATH
            | ResolveFlag::RESOLVE_NO_XDEV
            | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve);
        match openat2(&self.root, Path::new(path), how) {
            // Without openat2 a private mount is still safe: nobody can have mounted over it.
            Err(Errno::ENOSYS) if self.private => {
                openat(&self.root, path, flags | OFlag::O_CLOEXEC, Mode::empty())
            }
            other => other,
        }
    }

    /// Writes `value` in one write(2) to a file below procfs.
    ///
    /// # Errors
    /// Those of openat2(2) and write(2).
    pub fn write(&self, path: &str, value: &str) -> nix::Result<()> {
        let file = self.open_file(path, OFlag::O_WRONLY)?;
        nix::unistd::write(&file, value.as_bytes()).map(drop)
    }
}

impl AsFd for Proc {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}
