//! Which programs a cgroup has, and what is known of them.

use std::os::fd::{BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::c_int;

use super::{BPF_CGROUP_DEVICE, bpf, bpf_fd, raw};

const BPF_PROG_GET_FD_BY_ID: c_int = 13;
const BPF_MAP_GET_FD_BY_ID: c_int = 14;
const BPF_OBJ_GET_INFO_BY_FD: c_int = 15;
const BPF_PROG_QUERY: c_int = 16;

/// How many programs the kernel lets be attached to one cgroup (`BPF_CGROUP_MAX_PROGS`).
const MAX_PROGRAMS: u32 = 64;

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

/// Ids of the device filters attached to `cgroup` itself, in the order in which they run.
///
/// # Errors
/// `EPERM` without the capabilities named at [`super::load_device_program`].
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
    by_id(BPF_PROG_GET_FD_BY_ID, id)
}

/// A descriptor of the map with that id.
///
/// # Errors
/// As [`program_by_id`].
pub fn map_by_id(id: u32) -> nix::Result<OwnedFd> {
    by_id(BPF_MAP_GET_FD_BY_ID, id)
}

fn by_id(cmd: c_int, id: u32) -> nix::Result<OwnedFd> {
    let mut attr = IdAttr { id, ..IdAttr::default() };
    // SAFETY: IdAttr is the head of the GET_FD_BY_ID arm and holds no pointers; both commands give a descriptor.
    unsafe { bpf_fd(cmd, &mut attr) }
}

/// The name under which a program was loaded; empty for none.
///
/// # Errors
/// As bpf(2) `BPF_OBJ_GET_INFO_BY_FD`.
pub fn program_name(program: BorrowedFd<'_>) -> nix::Result<String> {
    let info = info(program, &mut [])?;
    let name = info.name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}

/// Ids of the maps that a program uses, 16 at the most.
///
/// # Errors
/// As [`program_name`].
pub fn program_maps(program: BorrowedFd<'_>) -> nix::Result<Vec<u32>> {
    let mut ids = vec![0_u32; 16];
    let info = info(program, &mut ids)?;
    ids.truncate(info.nr_map_ids as usize);
    Ok(ids)
}

/// What the kernel tells of a program; ids of its maps go to `maps`, as many as fit.
fn info(program: BorrowedFd<'_>, maps: &mut [u32]) -> nix::Result<ProgInfo> {
    let mut info = ProgInfo {
        nr_map_ids: u32::try_from(maps.len()).map_err(|_| Errno::E2BIG)?,
        map_ids: maps.as_mut_ptr().expose_provenance() as u64,
        ..ProgInfo::default()
    };
    let mut attr = InfoAttr {
        bpf_fd: raw(program),
        info_len: PROG_INFO_LEN,
        info: (&raw mut info).expose_provenance() as u64,
    };
    // SAFETY: InfoAttr is the whole INFO_BY_FD arm; `info` is writable for `info_len` bytes, `maps` for as many
    // numbers as `info` says, and every other size in it is 0.
    unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr) }?;
    Ok(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_the_kernels() {
        assert_eq!(size_of::<QueryAttr>(), 64);
        assert_eq!(std::mem::offset_of!(ProgInfo, nr_map_ids), 52);
        assert_eq!(std::mem::offset_of!(ProgInfo, map_ids), 56);
        assert_eq!(std::mem::offset_of!(ProgInfo, name), 64);
        assert_eq!(size_of::<ProgInfo>(), 80);
    }
}
