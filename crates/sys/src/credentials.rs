//! User, group and capability changes by the bare calls: libc's wrappers would try to change
//! other threads too, of which there are none.

use nix::errno::Errno;
use nix::libc;

const VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Default, Clone, Copy)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Sets the three capability sets of the calling thread; bit N is capability N.
///
/// # Errors
/// `EPERM` when a set asks for more than the rules of capabilities(7) allow.
pub fn set_capabilities(effective: u64, permitted: u64, inheritable: u64) -> nix::Result<()> {
    let half = |set: u64, high: bool| {
        let bits = if high { set >> 32 } else { set & 0xffff_ffff };
        u32::try_from(bits).unwrap_or(0)
    };
    let header = Header { version: VERSION_3, pid: 0 };
    let data = [false, true].map(|high| Data {
        effective: half(effective, high),
        permitted: half(permitted, high),
        inheritable: half(inheritable, high),
    });
    // SAFETY: version 3 takes a header and two data records, both alive over the call.
    let ret = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    Errno::result(ret).map(drop)
}

/// Sets real, effective and saved user id.
///
/// # Errors
/// `EINVAL` when `uid` has no mapping in the user namespace, and those of setresuid(2).
pub fn set_uid(uid: u32) -> nix::Result<()> {
    // SAFETY: integers only.
    Errno::result(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
}

/// Sets real, effective and saved group id.
///
/// # Errors
/// As [`set_uid`].
pub fn set_gid(gid: u32) -> nix::Result<()> {
    // SAFETY: integers only.
    Errno::result(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) }).map(drop)
}

/// Replaces the supplementary groups.
///
/// # Errors
/// `EPERM` in a user namespace whose setgroups file says `deny`; those of setgroups(2).
pub fn set_groups(groups: &[u32]) -> nix::Result<()> {
    // SAFETY: the pointer and length describe `groups`, which gid_t is the type of.
    let ret = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    Errno::result(ret).map(drop)
}
