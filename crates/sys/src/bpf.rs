//! bpf(2), as far as a cgroup device filter needs it: load, attach, list, detach.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long};

use crate::raw::new_fd;

const BPF_PROG_LOAD: c_int = 5;
const BPF_PROG_ATTACH: c_int = 8;
const BPF_PROG_DETACH: c_int = 9;
const BPF_PROG_GET_FD_BY_ID: c_int = 13;
const BPF_OBJ_GET_INFO_BY_FD: c_int = 15;
const BPF_PROG_QUERY: c_int = 16;

const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 1 << 1;
const BPF_F_REPLACE: u32 = 1 << 2;

/// How many programs the kernel lets be attached to one cgroup (`BPF_CGROUP_MAX_PROGS`).
const MAX_PROGRAMS: u32 = 64;
/// A signal can interrupt the verifier, which then says `EAGAIN`.
const LOAD_RETRIES: u32 = 30;

/// One eBPF instruction as the kernel reads it (`struct bpf_insn`).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insn {
    /// Operation.
    pub code: u8,
    /// Destination register in the lower four bits, source in the upper (little endian hosts).
    pub regs: u8,
    /// Jump distance or memory offset.
    pub off: i16,
    /// Immediate operand.
    pub imm: i32,
}

impl Insn {
    /// An instruction with destination register `dst` and source register `src`.
    pub const fn new(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Self {
        let regs = if cfg!(target_endian = "little") { (src << 4) | dst } else { (dst << 4) | src };
        Self { code, regs, off, imm }
    }

    /// The destination register.
    pub const fn dst(&self) -> u8 {
        if cfg!(target_endian = "little") { self.regs & 0xf } else { self.regs >> 4 }
    }

    /// The source register.
    pub const fn src(&self) -> u8 {
        if cfg!(target_endian = "little") { self.regs >> 4 } else { self.regs & 0xf }
    }
}

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

/// Up to `revision`: kernels from 6.17 on write that field whatever size they were told.
#[repr(C)]
#[derive(Default)]
struct QueryAttr {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    pad: u32,
    prog_attach_flags: u64,
    link_ids: u64,
    link_attach_flags: u64,
    revision: u64,
}

#[repr(C)]
#[derive(Default)]
struct IdAttr {
    id: u32,
    next_id: u32,
    open_flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct InfoAttr {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// The head of `struct bpf_prog_info`, up to the name.
#[repr(C)]
#[derive(Default)]
struct ProgInfo {
    prog_type: u32,
    id: u32,
    tag: [u8; 8],
    jited_prog_len: u32,
    xlated_prog_len: u32,
    jited_prog_insns: u64,
    xlated_prog_insns: u64,
    load_time: u64,
    created_by_uid: u32,
    nr_map_ids: u32,
    map_ids: u64,
    name: [u8; 16],
}

#[allow(clippy::cast_possible_truncation, reason = "80")]
const PROG_INFO_LEN: u32 = size_of::<ProgInfo>() as u32;

/// bpf(2) with `attr`, whose pointers (as integers) must be good for what `cmd` does with them.
///
/// # Safety
/// `T` must be a prefix of `union bpf_attr` for `cmd`, and every address in it valid for the call.
unsafe fn bpf<T>(cmd: c_int, attr: &mut T) -> nix::Result<c_long> {
    // SAFETY: `attr` is a live, exclusively borrowed object of the size given; the caller vouches for its content.
    let ret = unsafe { libc::syscall(libc::SYS_bpf, cmd, &raw mut *attr, size_of::<T>()) };
    Errno::result(ret)
}

/// As [`bpf`], for the commands that give a file descriptor (always close-on-exec).
///
/// # Safety
/// As for [`bpf`]; `cmd` must be one that returns a new descriptor.
unsafe fn bpf_fd<T>(cmd: c_int, attr: &mut T) -> nix::Result<OwnedFd> {
    // SAFETY: passed on from the caller.
    let ret = unsafe { bpf(cmd, attr) }?;
    // SAFETY: the commands passed here give a new descriptor, says the caller.
    unsafe { new_fd(ret) }
}

fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// The address of the first element, as bpf(2) wants pointers.
fn address<T>(slice: &[T]) -> u64 {
    slice.as_ptr().expose_provenance() as u64
}

/// Loads a device filter (`BPF_PROG_TYPE_CGROUP_DEVICE`) under `name` (at most 15 bytes of `[A-Za-z0-9_.]`).
///
/// Kernels before 5.11 count programs against `RLIMIT_MEMLOCK`: when one of them refuses, the limit is raised
/// for the second try and set back.
///
/// # Errors
/// `EPERM` without `CAP_BPF` + `CAP_NET_ADMIN` or `CAP_SYS_ADMIN` in the first user namespace; `EINVAL` or
/// `EACCES` for a program that the verifier rejects.
pub fn load_device_program(insns: &[Insn], name: &str) -> nix::Result<OwnedFd> {
    let insn_cnt = u32::try_from(insns.len()).map_err(|_| Errno::E2BIG)?;
    const LICENSE: &CStr = c"Apache";
    let mut prog_name = [0; 16];
    for (to, from) in prog_name.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
    let load = || {
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
    };
    match load() {
        Err(Errno::EPERM) => with_memlock(load).unwrap_or(Err(Errno::EPERM)),
        other => other,
    }
}

/// Runs `action` with an unlimited `RLIMIT_MEMLOCK`; `None` when it is unlimited already or cannot be raised.
fn with_memlock<R>(action: impl FnOnce() -> R) -> Option<R> {
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: `old` is a live rlimit.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut old) };
    if got != 0 || old.rlim_cur == libc::RLIM_INFINITY {
        return None;
    }
    // SAFETY: reads a live rlimit.
    if unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const unlimited) } != 0 {
        return None;
    }
    let result = action();
    // SAFETY: reads a live rlimit. Lowering cannot fail.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const old) };
    Some(result)
}

/// Attaches a device filter to `cgroup` beside those that are there, or in the place of `replace` (Linux 5.6).
///
/// # Errors
/// `EINVAL` when the kernel cannot replace, `EPERM` when a parent's program forbids more, `E2BIG` when 64 are there.
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

/// Ids of the device filters attached to `cgroup` itself, in the order in which they run.
///
/// # Errors
/// `EPERM` without the capabilities named at [`load_device_program`].
pub fn device_programs(cgroup: BorrowedFd<'_>) -> nix::Result<Vec<u32>> {
    let mut ids = vec![0_u32; MAX_PROGRAMS as usize];
    let mut attr = QueryAttr {
        target_fd: raw(cgroup),
        attach_type: BPF_CGROUP_DEVICE,
        prog_ids: ids.as_mut_ptr().expose_provenance() as u64,
        prog_cnt: MAX_PROGRAMS,
        ..QueryAttr::default()
    };
    // SAFETY: QueryAttr is the whole PROG_QUERY arm; `ids` has room for as many numbers as it says.
    unsafe { bpf(BPF_PROG_QUERY, &mut attr) }?;
    ids.truncate(attr.prog_cnt as usize);
    Ok(ids)
}

/// A descriptor of the program with that id.
///
/// # Errors
/// `ENOENT` when it is gone, `EPERM` when a security module hides it.
pub fn program_by_id(id: u32) -> nix::Result<OwnedFd> {
    let mut attr = IdAttr { id, ..IdAttr::default() };
    // SAFETY: IdAttr is the head of the GET_FD_BY_ID arm and holds no pointers.
    unsafe { bpf_fd(BPF_PROG_GET_FD_BY_ID, &mut attr) }
}

/// The name under which a program was loaded; empty for none.
///
/// # Errors
/// As bpf(2) `BPF_OBJ_GET_INFO_BY_FD`.
pub fn program_name(program: BorrowedFd<'_>) -> nix::Result<String> {
    let mut info = ProgInfo::default();
    let mut attr = InfoAttr {
        bpf_fd: raw(program),
        info_len: PROG_INFO_LEN,
        info: (&raw mut info).expose_provenance() as u64,
    };
    // SAFETY: InfoAttr is the whole INFO_BY_FD arm; `info` is writable for `info_len` bytes, and all-zero is valid in.
    unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr) }?;
    let name = info.name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_the_kernels() {
        assert_eq!(size_of::<Insn>(), 8);
        assert_eq!(size_of::<LoadAttr>(), 64);
        assert_eq!(size_of::<AttachAttr>(), 20);
        assert_eq!(size_of::<QueryAttr>(), 64);
        assert_eq!(std::mem::offset_of!(LoadAttr, prog_name), 48);
        assert_eq!(std::mem::offset_of!(ProgInfo, name), 64);
        assert_eq!(size_of::<ProgInfo>(), 80);
    }

    #[test]
    fn registers_survive_packing() {
        let insn = Insn::new(0xbf, 3, 9, 0, 0);
        assert_eq!((insn.dst(), insn.src()), (3, 9));
    }

    #[test]
    fn loads_where_allowed() {
        // r0 = 1; exit
        let program = [Insn::new(0xb7, 0, 0, 0, 1), Insn::new(0x95, 0, 0, 0, 0)];
        match load_device_program(&program, "sys_test") {
            Ok(fd) => {
                use std::os::fd::AsFd;
                assert_eq!(program_name(fd.as_fd()).expect("name"), "sys_test");
            }
            Err(e) => eprintln!("skipped: bpf(2) says {e}"),
        }
    }
}
