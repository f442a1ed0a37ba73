//! seccomp(2).

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::libc;

use crate::raw::new_fd;

/// Bytes of one instruction (`struct sock_filter`).
const INSTRUCTION: usize = 8;

/// `struct sock_fprog`
#[repr(C)]
struct Program {
    length: u16,
    filter: *const u8,
}

/// Puts the calling thread under the filter `program`, instructions as the kernel lays them out.
/// With `SECCOMP_FILTER_FLAG_NEW_LISTENER` in `flags` the notification descriptor comes back.
///
/// # Errors
/// `EACCES` without CAP_SYS_ADMIN and no_new_privs; `EINVAL` for a broken program or an unknown
/// flag; those of seccomp(2).
pub fn install(program: &[u8], flags: u32) -> nix::Result<Option<OwnedFd>> {
    const SECCOMP_SET_MODE_FILTER: u32 = 1;
    if !program.len().is_multiple_of(INSTRUCTION) {
        return Err(Errno::EINVAL);
    }
    let length = u16::try_from(program.len() / INSTRUCTION).map_err(|_| Errno::E2BIG)?;
    let fprog = Program { length, filter: program.as_ptr() };
    // SAFETY: `fprog` describes `program`, which outlives the call; the kernel copies it, at any
    // alignment, and checks it.
    let ret = unsafe {
        libc::syscall(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &raw const fprog)
    };
    if u64::from(flags) & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER == 0 {
        return Errno::result(ret).map(|_| None);
    }
    // SAFETY: with that flag seccomp(2) returns a new descriptor.
    unsafe { new_fd(ret) }.map(Some)
}

/// Has `command` run its program under the filter; see [`install`]. It must not ask for a listener,
/// whose descriptor nobody would take.
pub fn install_in_child(command: &mut Command, program: Vec<u8>, flags: u32) {
    let load = move || install(&program, flags).map(drop).map_err(std::io::Error::from);
    // SAFETY: between fork and execve `load` makes one system call and allocates nothing.
    unsafe { command.pre_exec(load) };
}
