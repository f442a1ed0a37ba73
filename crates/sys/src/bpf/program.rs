//! Device filters: loading, attaching, detaching.

use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::c_int;

use super::{BPF_CGROUP_DEVICE, Insn, address, bpf, bpf_fd, charged, object_name, raw};

const BPF_PROG_LOAD: c_int = 5;
const BPF_PROG_ATTACH: c_int = 8;
const BPF_PROG_DETACH: c_int = 9;

const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_F_ALLOW_MULTI: u32 = 1 << 1;
const BPF_F_REPLACE: u32 = 1 << 2;

/// A signal can interrupt the verifier, which then says `EAGAIN`.
const LOAD_RETRIES: u32 = 30;

#[repr(C)]
#[derive(Default)]
struct LoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
}

#[repr(C)]
#[derive(Default)]
struct AttachAttr {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
}

/// Loads a device filter (`BPF_PROG_TYPE_CGROUP_DEVICE`) under `name` (at most 15 bytes of `[A-Za-z0-9_.]`).
///
/// # Errors
/// `EPERM` without `CAP_BPF` + `CAP_NET_ADMIN` or `CAP_SYS_ADMIN` in the first user namespace; `EINVAL` or
/// `EACCES` for a program that the verifier rejects.
pub fn load_device_program(insns: &[Insn], name: &str) -> nix::Result<OwnedFd> {
    let insn_cnt = u32::try_from(insns.len()).map_err(|_| Errno::E2BIG)?;
    const LICENSE: &CStr = c"Apache";
    let prog_name = object_name(name);
    charged(|| {
        let mut tries = 0;
        loop {
            let mut attr = LoadAttr {
                prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
                insn_cnt,
                insns: address(insns),
                license: address(LICENSE.to_bytes_with_nul()),
                prog_name,
                ..LoadAttr::default()
            };
            // SAFETY: LoadAttr is the head of the PROG_LOAD arm; the instructions and the license outlive the call.
            match unsafe { bpf_fd(BPF_PROG_LOAD, &mut attr) } {
                Err(Errno::EAGAIN) if tries < LOAD_RETRIES => {
                    tries += 1;
                }
                other => return other,
            }
        }
    })
}

/// Attaches a device filter to `cgroup` beside those that are there, or in the place of `replace` (Linux 5.6).
///
/// # Errors
/// `EINVAL` when the kernel cannot replace, `ENOENT` when `replace` is not attached (any more), `EPERM` when a parent's program forbids more, `E2BIG` when 64 are there.
pub fn attach_device_program(
    cgroup: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    replace: Option<BorrowedFd<'_>>,
) -> nix::Result<()> {
    let mut attr = AttachAttr {
        target_fd: raw(cgroup),
        attach_bpf_fd: raw(program),
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: BPF_F_ALLOW_MULTI,
        replace_bpf_fd: 0,
    };
    if let Some(old) = replace {
        attr.attach_flags |= BPF_F_REPLACE;
        attr.replace_bpf_fd = raw(old);
    }
    // SAFETY: AttachAttr is the head of the PROG_ATTACH arm and holds no pointers.
    unsafe { bpf(BPF_PROG_ATTACH, &mut attr) }.map(drop)
}

/// Takes a device filter off `cgroup`.
///
/// # Errors
/// `ENOENT` when it is not attached there.
pub fn detach_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> nix::Result<()> {
    let mut attr = AttachAttr {
        target_fd: raw(cgroup),
        attach_bpf_fd: raw(program),
        attach_type: BPF_CGROUP_DEVICE,
        ..AttachAttr::default()
    };
    // SAFETY: AttachAttr is the head of the PROG_DETACH arm and holds no pointers.
    unsafe { bpf(BPF_PROG_DETACH, &mut attr) }.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_the_kernels() {
        assert_eq!(size_of::<LoadAttr>(), 64);
        assert_eq!(size_of::<AttachAttr>(), 20);
        assert_eq!(std::mem::offset_of!(LoadAttr, prog_name), 48);
    }
}
