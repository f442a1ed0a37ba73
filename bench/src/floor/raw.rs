//! The system calls that nix has no wrapper for, and the one way out on an error.
#![allow(unsafe_code)]
// The kernel's words are cut to the width that it gives the value elsewhere.
#![allow(clippy::cast_possible_truncation)]

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libc::{c_long, pid_t};

/// Prints `what` and the errno (when not 0) and ends the process.
pub(crate) fn fail(what: &str, errno: i32) -> ! {
    if errno == 0 {
        eprintln!("floor: {what}");
    } else {
        eprintln!("floor: {what}: {}", std::io::Error::from_raw_os_error(errno));
    }
    std::process::exit(1)
}

/// Unwraps the result of a call, or ends the process with its errno.
pub(crate) fn must<T>(what: &str, result: nix::Result<T>) -> T {
    result.unwrap_or_else(|errno| fail(what, errno as i32))
}

/// A system call by number; the caller vouches for the arguments.
fn call(what: &str, number: c_long, args: [usize; 6]) -> usize {
    let [a, b, c, d, e, f] = args;
    // SAFETY: each function below hands over values or pointers to memory that it borrows
    // until the call is over.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if result < 0 {
        fail(what, std::io::Error::last_os_error().raw_os_error().unwrap_or(0));
    }
    result as usize
}

/// CLONE_INTO_CGROUP, which is past 32 bits.
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// What `clone3` gives back.
pub(crate) enum Side {
    Child,
    Parent { pid: pid_t, pidfd: OwnedFd },
}

/// clone3(2) with a pidfd; `into` is the v2 cgroup that the child starts in.
pub(crate) fn clone3(flags: libc::c_int, into: Option<BorrowedFd<'_>>) -> Side {
    let mut pidfd = -1i32;
    // SAFETY: `clone_args` is plain data.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = (flags as u32 as u64) | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(into) = into {
        args.flags |= INTO_CGROUP;
        args.cgroup = into.as_raw_fd() as u64;
    }
    let size = size_of::<libc::clone_args>();
    match call("clone3", libc::SYS_clone3, [&raw const args as usize, size, 0, 0, 0, 0]) {
        0 => Side::Child,
        pid => {
            // SAFETY: the kernel has just opened it for this process.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Side::Parent { pid: pid as pid_t, pidfd }
        }
    }
}

/// pidfd_open(2).
pub(crate) fn pidfd_open(pid: pid_t) -> OwnedFd {
    let fd = call("pidfd_open", libc::SYS_pidfd_open, [pid as usize, 0, 0, 0, 0, 0]);
    // SAFETY: the kernel has just opened it for this process.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

/// Makes the capability sets exactly the bits of `keep` (bounding, permitted, effective); the
/// inheritable and ambient sets become empty.
pub(crate) fn set_capabilities(keep: u64) {
    for bit in 0..64u64 {
        if keep >> bit & 1 == 0 {
            // SAFETY: only numbers are handed over. EINVAL: past the last capability.
            if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, bit, 0, 0, 0) } < 0 {
                break;
            }
        }
    }
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0u32];
    let (low, high) = (keep as u32, (keep >> 32) as u32);
    let data = [low, low, 0, high, high, 0u32];
    let (header, data) = (header.as_ptr() as usize, data.as_ptr() as usize);
    call("capset", libc::SYS_capset, [header, data, 0, 0, 0, 0]);
}

/// A session keyring of the container's own.
pub(crate) fn join_session_keyring(name: &CStr) {
    let join = libc::KEYCTL_JOIN_SESSION_KEYRING as usize;
    call("keyctl", libc::SYS_keyctl, [join, name.as_ptr() as usize, 0, 0, 0, 0]);
}

/// Raises the loopback device of the present network namespace.
pub(crate) fn loopback_up() {
    // SAFETY: `ifreq` is plain data.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    let kind = (libc::SOCK_DGRAM | libc::SOCK_CLOEXEC) as usize;
    let socket = call("socket", libc::SYS_socket, [libc::AF_INET as usize, kind, 0, 0, 0, 0]);
    let request = &raw const request as usize;
    call(
        "ioctl SIOCSIFFLAGS",
        libc::SYS_ioctl,
        [socket, libc::SIOCSIFFLAGS as usize, request, 0, 0, 0],
    );
    call("close", libc::SYS_close, [socket, 0, 0, 0, 0, 0]);
}

/// Loads `program` (8 bytes an instruction) and attaches it to the v2 cgroup as its device filter.
pub(crate) fn attach_device_filter(cgroup: BorrowedFd<'_>, program: &[[u8; 8]]) {
    const BPF_PROG_LOAD: usize = 5;
    const BPF_PROG_ATTACH: usize = 8;
    const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
    const CGROUP_DEVICE: u32 = 6;

    #[repr(C)]
    struct Load {
        kind: u32,
        count: u32,
        instructions: u64,
        license: u64,
        log: [u64; 3],
    }
    let load = Load {
        kind: PROG_TYPE_CGROUP_DEVICE,
        count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        log: [0; 3],
    };
    let pointer = &raw const load as usize;
    let size = size_of::<Load>();
    let fd = call("bpf load", libc::SYS_bpf, [BPF_PROG_LOAD, pointer, size, 0, 0, 0]);
    let attach: [u32; 4] = [cgroup.as_raw_fd() as u32, fd as u32, CGROUP_DEVICE, 0];
    let pointer = attach.as_ptr() as usize;
    call("bpf attach", libc::SYS_bpf, [BPF_PROG_ATTACH, pointer, 16, 0, 0, 0]);
    call("close", libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
}

/// setsid(2), umask(2) and the empty list of groups, which cannot fail for root.
pub(crate) fn settle() {
    call("setsid", libc::SYS_setsid, [0; 6]);
    call("setgroups", libc::SYS_setgroups, [0; 6]);
    call("umask", libc::SYS_umask, [0o022, 0, 0, 0, 0, 0]);
}

/// execve(2) with the default environment; only comes back to fail.
pub(crate) fn execute(path: &CStr, argument: &CStr) -> ! {
    let argv = [path.as_ptr(), argument.as_ptr(), std::ptr::null()];
    let env = [
        c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".as_ptr(),
        c"TERM=xterm".as_ptr(),
        std::ptr::null(),
    ];
    let (argv, env) = (argv.as_ptr() as usize, env.as_ptr() as usize);
    call("execve", libc::SYS_execve, [path.as_ptr() as usize, argv, env, 0, 0, 0]);
    fail("execve came back", 0)
}

/// Waits for ever; SIGTERM ends it, for it is not process 1's default there.
pub(crate) fn pause() -> ! {
    loop {
        call("nanosleep", libc::SYS_nanosleep, [(&raw const DAY) as usize, 0, 0, 0, 0, 0]);
    }
}
static DAY: libc::timespec = libc::timespec { tv_sec: 86_400, tv_nsec: 0 };

/// Waits for `pid` through `pidfd` for at most `limit` milliseconds; None when the time is up.
pub(crate) fn wait_usage(pid: pid_t, pidfd: &OwnedFd, limit: i32) -> Option<(i32, libc::rusage)> {
    let mut poll = libc::pollfd { fd: pidfd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd, borrowed for the call.
    if unsafe { libc::poll(&raw mut poll, 1, limit) } == 0 {
        return None;
    }
    let mut status = 0;
    // SAFETY: `rusage` is plain data.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to locals of the right type.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    if waited != pid {
        fail("wait4", std::io::Error::last_os_error().raw_os_error().unwrap_or(0));
    }
    Some((status, usage))
}
