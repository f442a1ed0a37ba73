//! pidfd_open(2), pidfd_send_signal(2).

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;

use crate::raw::new_fd;

/// Opens a descriptor that stands for process `pid`.
///
/// # Errors
/// `ESRCH` when there is no such process; those of pidfd_open(2).
pub fn open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: plain integers.
    let ret = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    // SAFETY: pidfd_open returns a new descriptor.
    unsafe { new_fd(ret) }
}

/// Sends `signal` (0 only probes) to the process behind `pidfd`.
///
/// # Errors
/// `ESRCH` when it is gone; those of pidfd_send_signal(2).
pub fn send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> nix::Result<()> {
    // SAFETY: a null siginfo is allowed and means what kill(2) does.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    Errno::result(ret).map(drop)
}

/// A copy of descriptor `target` of the process behind `pidfd`.
///
/// # Errors
/// `EPERM` when this process may not trace that one; those of pidfd_getfd(2).
pub fn get_fd(pidfd: BorrowedFd<'_>, target: i32) -> nix::Result<OwnedFd> {
    // SAFETY: plain integers.
    let ret = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), target, 0) };
    // SAFETY: pidfd_getfd returns a new descriptor.
    unsafe { new_fd(ret) }
}
