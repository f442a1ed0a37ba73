//! The terminal of `process.terminal`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::fstat;
use sys::Root;
use sys::tty::{self, Size};

use crate::error::{Error, Result};

/// `f_type` of devpts.
const DEVPTS_SUPER_MAGIC: i64 = 0x1cd1;
/// Device number of every ptmx.
const PTMX: (u64, u64) = (5, 2);

/// A pseudo-terminal of the container's own devpts.
#[derive(Debug)]
pub(super) struct Terminal {
    master: OwnedFd,
    peer: OwnedFd,
}

impl Terminal {
    /// Opens a new pseudo-terminal in the container's /dev/pts.
    pub(super) fn open(root: &Root, size: Option<(u16, u16)>) -> Result<Self> {
        let path = Path::new("/dev/pts/ptmx");
        let fail = |errno| Error::os("open", path, errno);
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY;
        // Looked at before it is opened for use: opening a device can do harm.
        let handle = root.find(path).map_err(fail)?;
        genuine_ptmx(handle.as_fd())?;
        let master = root.open(path, flags).map_err(fail)?;
        genuine_ptmx(master.as_fd())?;
        tty::unlock(master.as_fd()).map_err(|errno| Error::os("unlock", path, errno))?;
        let peer = tty::open_peer(master.as_fd())
            .map_err(|errno| Error::os("open peer of", path, errno))?;
        let terminal = Self { master, peer };
        if let Some((rows, columns)) = size {
            tty::set_size(terminal.master.as_fd(), Size { rows, columns })
                .map_err(|errno| Error::os("set size of", "terminal", errno))?;
        }
        Ok(terminal)
    }

    /// The side that the engine reads and writes.
    pub(super) fn master(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }

    /// Shows the terminal at /dev/console.
    pub(super) fn mount_console(&self, root: &Root) -> Result<()> {
        let path = Path::new("/dev/console");
        let fail = |errno| Error::os("mount terminal on", path, errno);
        let source = sys::mount::clone_mount(self.peer.as_fd(), false).map_err(fail)?;
        let target = root.make_file(path).map_err(fail)?;
        sys::mount::attach(source.as_fd(), target.as_fd()).map_err(fail)
    }

    /// Makes it the controlling terminal and standard input, output and error.
    pub(super) fn take_over(self) -> Result<()> {
        let fail = |errno| Error::os("take over", "terminal", errno);
        tty::make_controlling(self.peer.as_fd()).map_err(fail)?;
        (0..=2).try_for_each(|fd| sys::fd::replace_standard(self.peer.as_fd(), fd)).map_err(fail)
    }
}

fn genuine_ptmx(fd: BorrowedFd<'_>) -> Result<()> {
    use nix::sys::stat::{major, minor};
    let fail = |errno| Error::os("stat", "/dev/pts/ptmx", errno);
    let device = fstat(fd).map_err(fail)?.st_rdev;
    let magic = sys::mount::filesystem_magic(fd).map_err(fail)?;
    if magic == DEVPTS_SUPER_MAGIC && (major(device), minor(device)) == PTMX {
        return Ok(());
    }
    Err(Error::message("/dev/pts/ptmx of the container is no pseudo-terminal master"))
}
