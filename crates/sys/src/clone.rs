//! clone3(2) used as a fork that also makes namespaces and enters a cgroup.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sched::CloneFlags;

/// `CLONE_INTO_CGROUP`, Linux 5.7.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args`, version 2.
#[repr(C, align(8))]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Which side of the clone the caller is on.
#[derive(Debug)]
pub enum Cloned {
    /// In the new process.
    Child,
    /// In the calling process.
    Parent {
        /// The new process, as this process's pid namespace numbers it.
        pid: i32,
        /// pidfd of the new process.
        pidfd: OwnedFd,
    },
}

/// Forks with new namespaces (`flags`), and into the v2 cgroup behind `cgroup` when one is given.
///
/// `CLONE_PARENT` in `flags` makes the new process a sibling. The child is a copy, as after
/// fork(2); callers must have a single thread, which this crate's users keep by never starting
/// another before the clone.
///
/// # Errors
/// Those of clone3(2). `ENOSYS` and, in some sandboxes, `EPERM` mean that the kernel has no
/// clone3: the call is then made with clone(2), which has no cgroup; `E2BIG` is returned when a
/// cgroup was asked for and cannot be had.
pub fn clone3(flags: CloneFlags, cgroup: Option<BorrowedFd<'_>>) -> nix::Result<Cloned> {
    let mut pidfd: libc::c_int = -1;
    let parent_too = flags.contains(CloneFlags::CLONE_PARENT);
    let mut args = CloneArgs {
        // CloneFlags is a C int; CLONE_IO (bit 31) is never used here.
        flags: u64::from(flags.bits().cast_unsigned()) | libc::CLONE_PIDFD.cast_unsigned() as u64,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: if parent_too { 0 } else { libc::SIGCHLD as u64 },
        ..CloneArgs::default()
    };
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: `args` and `pidfd` outlive the call, no stack is given and CLONE_VM is not set, so
    // the child continues on its own copy of this stack exactly as after fork(2).
    let ret = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    match Errno::result(ret) {
        Ok(0) => Ok(Cloned::Child),
        Ok(pid) => parent(pid, pidfd),
        Err(Errno::ENOSYS) if cgroup.is_some() => Err(Errno::E2BIG),
        Err(Errno::ENOSYS | Errno::EPERM) if cgroup.is_none() => clone_legacy(flags),
        Err(errno) => Err(errno),
    }
}

/// clone(2) with `CLONE_PIDFD`, for kernels and sandboxes without clone3(2).
fn clone_legacy(flags: CloneFlags) -> nix::Result<Cloned> {
    let mut pidfd: libc::c_int = -1;
    let signal = if flags.contains(CloneFlags::CLONE_PARENT) { 0 } else { libc::SIGCHLD };
    let bits = flags.bits() | libc::CLONE_PIDFD | signal;
    // SAFETY: as above; on every architecture with this crate's support a null stack means a copy
    // of the caller's, and the third argument is where CLONE_PIDFD stores the descriptor.
    let ret = unsafe {
        libc::syscall(libc::SYS_clone, i64::from(bits), 0_i64, &raw mut pidfd, 0_i64, 0_i64)
    };
    match Errno::result(ret)? {
        0 => Ok(Cloned::Child),
        pid => parent(pid, pidfd),
    }
}

fn parent(pid: libc::c_long, pidfd: libc::c_int) -> nix::Result<Cloned> {
    // SAFETY: the kernel stored a new descriptor there on success in the parent.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Cloned::Parent { pid: i32::try_from(pid).map_err(|_| Errno::ERANGE)?, pidfd })
}

/// Ends the process at once, without destructors or exit handlers; see _exit(2).
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit takes any value and does not return.
    unsafe { libc::_exit(status) }
}
