//! Pseudo-terminals: opening the other side, size, the controlling terminal.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;

use crate::raw::new_fd;

/// Rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Lines of text.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

/// Lets the other side of the pseudo-terminal `master` be opened.
///
/// # Errors
/// `ENOTTY` when it is no pseudo-terminal.
pub fn unlock(master: BorrowedFd<'_>) -> nix::Result<()> {
    let zero: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads an int.
    let ret = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK as _, &raw const zero) };
    Errno::result(ret).map(drop)
}

/// The number of the pseudo-terminal, N of /dev/pts/N.
///
/// # Errors
/// `ENOTTY` when it is no pseudo-terminal.
pub fn number(master: BorrowedFd<'_>) -> nix::Result<u32> {
    let mut number: libc::c_uint = 0;
    // SAFETY: TIOCGPTN writes an unsigned int.
    let ret = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTN as _, &raw mut number) };
    Errno::result(ret).map(|_| number)
}

/// Opens the other side of the pseudo-terminal `master` without a path, so that nothing that lies
/// at /dev/pts can stand in for it (TIOCGPTPEER).
///
/// # Errors
/// Those of ioctl_tty(2).
pub fn open_peer(master: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes open flags by value.
    let ret = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER as _, flags) };
    // SAFETY: it returns a new descriptor.
    unsafe { new_fd(ret.into()) }
}

/// Makes `terminal` the controlling terminal of this session leader.
///
/// # Errors
/// `EPERM` when the process leads no session or has a terminal already.
pub fn make_controlling(terminal: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: TIOCSCTTY takes an int.
    let ret = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY as _, 0) };
    Errno::result(ret).map(drop)
}

/// The size of a terminal.
///
/// # Errors
/// `ENOTTY` when it is none.
pub fn size(terminal: BorrowedFd<'_>) -> nix::Result<Size> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes a winsize.
    let ret = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ as _, &raw mut size) };
    Errno::result(ret).map(|_| Size { rows: size.ws_row, columns: size.ws_col })
}

/// Sets the size of a terminal.
///
/// # Errors
/// `ENOTTY` when it is none.
pub fn set_size(terminal: BorrowedFd<'_>, size: Size) -> nix::Result<()> {
    let size =
        libc::winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads a winsize.
    let ret = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ as _, &raw const size) };
    Errno::result(ret).map(drop)
}
