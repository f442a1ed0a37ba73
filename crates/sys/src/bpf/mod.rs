//! bpf(2), as far as a cgroup device filter needs it.
//!
//! - `insn` what a program is made of
//! - `map` the table that a program looks into
//! - `program` loading, attaching, detaching
//! - `query` which programs a cgroup has, and what they are called
//!
//! Programs and maps have no name in any file system: they live as long as a descriptor, an attachment or (maps) a
//! program refers to them.

mod insn;
mod map;
mod program;
mod query;

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long};

use crate::raw::new_fd;

pub use insn::Insn;
pub use map::table;
pub use program::{attach_device_program, detach_device_program, load_device_program};
pub use query::{device_programs, map_by_id, program_by_id, program_maps, program_name};

/// The kernel's kind of program for device filters, and of attachment.
const BPF_CGROUP_DEVICE: u32 = 6;

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

/// A name as the kernel keeps it: at most 15 bytes, and a zero.
fn object_name(name: &str) -> [u8; 16] {
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
    out
}

/// Runs `make` again with an unlimited `RLIMIT_MEMLOCK` when it fails with `EPERM`: kernels before 5.11 count
/// programs and maps against that limit. It is set back before this returns.
fn charged<R>(make: impl Fn() -> nix::Result<R>) -> nix::Result<R> {
    match make() {
        Err(Errno::EPERM) => with_memlock(make).unwrap_or(Err(Errno::EPERM)),
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

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn names_are_cut() {
        assert_eq!(&object_name("abc")[..4], b"abc\0");
        assert_eq!(&object_name("0123456789abcdefg"), b"0123456789abcde\0");
    }

    /// A program that reads a table, from loading to what the kernel tells of it.
    #[test]
    fn made_where_allowed() {
        let table = match table(&[1, 2, 3], "sys_test_map") {
            Ok(table) => table,
            Err(e) => return eprintln!("skipped: bpf(2) says {e}"),
        };
        let [address, rest] = Insn::table_address(1, table.as_fd());
        // r0 = the second word; exit. No verdict is 2, so it is made one by a shift.
        let program = [
            address,
            rest,
            Insn::new(0x79, 0, 1, 8, 0),
            Insn::new(0x57, 0, 0, 0, 2),
            Insn::new(0x77, 0, 0, 0, 1),
            Insn::new(0x95, 0, 0, 0, 0),
        ];
        let program = load_device_program(&program, "sys_test").expect("load");
        assert_eq!(program_name(program.as_fd()).expect("name"), "sys_test");
        let maps = program_maps(program.as_fd()).expect("maps");
        assert_eq!(maps.len(), 1);
        map_by_id(maps[0]).expect("map");
    }

    #[test]
    fn what_is_not_there() {
        for result in [program_by_id(u32::MAX), map_by_id(u32::MAX)] {
            match result {
                Err(Errno::EPERM) => eprintln!("skipped: bpf(2) says EPERM"),
                other => assert_eq!(other.expect_err("no such id"), Errno::ENOENT),
            }
        }
    }
}
