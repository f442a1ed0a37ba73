//! pidfd_open(2), pidfd_send_signal(2), PIDFD_GET_INFO.

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

/// What PIDFD_GET_INFO says of a process that is gone: its status as wait(2) shows it, or `None`
/// while it is there, if only as a zombie.
///
/// # Errors
/// `ENOTTY` before Linux 6.13; kernels before 6.15 do not keep the status and give `ESRCH` once the
/// process is gone.
pub fn exit_status(pidfd: BorrowedFd<'_>) -> nix::Result<Option<i32>> {
    /// `PIDFD_INFO_EXIT`
    const EXIT: u64 = 1 << 3;
    /// `_IOWR(0xff, 11, struct pidfd_info)` with the first version of the structure.
    const PIDFD_GET_INFO: u32 = 3 << 30 | SIZE << 16 | 0xff << 8 | 11;
    const SIZE: u32 = 64;
    const _: () = assert!(size_of::<Info>() == 64);
    /// `struct pidfd_info`, 64 bytes.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        /// What is asked for, and in the answer what is there.
        mask: u64,
        cgroup: u64,
        ids: [u32; 11],
        status: i32,
    }
    let mut info = Info { mask: EXIT, ..Info::default() };
    // SAFETY: the request's number holds the size of `info`, which outlives the call.
    let ret = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    Errno::result(ret)?;
    Ok((info.mask & EXIT != 0).then_some(info.status))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::process::Command;

    use super::*;

    #[test]
    fn status_is_known_after_the_end_and_not_before() {
        let mut child = Command::new("sh");
        child.args(["-c", "read x; exit 7"]).stdin(std::process::Stdio::piped());
        let mut child = child.spawn().expect("start sh");
        let pidfd = open(child.id().cast_signed()).expect("pidfd_open");
        let before = exit_status(pidfd.as_fd());
        drop(child.stdin.take());
        child.wait().expect("wait");
        match before {
            // A kernel that cannot tell says so at once.
            Err(errno) => assert_eq!(errno, Errno::ENOTTY),
            Ok(status) => {
                assert_eq!(status, None);
                let after = exit_status(pidfd.as_fd());
                assert!(after == Ok(Some(7 << 8)) || after == Err(Errno::ESRCH), "{after:?}");
            }
        }
    }
}
