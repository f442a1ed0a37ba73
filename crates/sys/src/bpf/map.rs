//! The kind of map that a device filter looks into.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::c_int;

use super::{address, bpf, bpf_fd, charged, object_name, raw};

const BPF_MAP_CREATE: c_int = 0;
const BPF_MAP_UPDATE_ELEM: c_int = 2;
const BPF_MAP_FREEZE: c_int = 22;

const BPF_MAP_TYPE_ARRAY: u32 = 2;
/// Programs may only read it (Linux 5.2).
const BPF_F_RDONLY_PROG: u32 = 1 << 7;

#[repr(C)]
#[derive(Default)]
struct CreateAttr {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    map_name: [u8; 16],
}

#[repr(C)]
#[derive(Default)]
struct ElemAttr {
    map_fd: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct FreezeAttr {
    map_fd: u32,
}

/// A map under `name` (at most 15 bytes of `[A-Za-z0-9_.]`) whose only value is `words`; from then on nobody can
/// change it, neither by its descriptor nor by its id. Programs find it with [`super::Insn::table_address`].
///
/// An array with one value costs three calls and one piece of memory however many words there are; a hash map also
/// costs memory and time for each processor of the host.
///
/// # Errors
/// `EPERM` without `CAP_BPF` or `CAP_SYS_ADMIN` in the first user namespace; `E2BIG` above about 4 MiB; `EINVAL`
/// for no words at all.
pub fn table(words: &[u64], name: &str) -> nix::Result<OwnedFd> {
    let value_size = u32::try_from(size_of_val(words)).map_err(|_| Errno::E2BIG)?;
    let map_name = object_name(name);
    let map = charged(|| {
        let mut attr = CreateAttr {
            map_type: BPF_MAP_TYPE_ARRAY,
            key_size: 4,
            value_size,
            max_entries: 1,
            map_flags: BPF_F_RDONLY_PROG,
            map_name,
            ..CreateAttr::default()
        };
        // SAFETY: CreateAttr is the head of the MAP_CREATE arm and holds no pointers.
        unsafe { bpf_fd(BPF_MAP_CREATE, &mut attr) }
    })?;
    fill(map.as_fd(), words)?;
    let mut attr = FreezeAttr { map_fd: raw(map.as_fd()) };
    // SAFETY: FreezeAttr is the head of the MAP_FREEZE arm and holds no pointers.
    unsafe { bpf(BPF_MAP_FREEZE, &mut attr) }?;
    Ok(map)
}

/// Writes the only value; `words` must be as long as it.
fn fill(map: BorrowedFd<'_>, words: &[u64]) -> nix::Result<()> {
    let index = [0_u32];
    let mut attr = ElemAttr {
        map_fd: raw(map),
        key: address(&index),
        value: address(words),
        ..ElemAttr::default()
    };
    // SAFETY: ElemAttr is the whole UPDATE_ELEM arm; the key has the 4 bytes and the value the length with which the
    // map was made in `table`, and both outlive the call.
    unsafe { bpf(BPF_MAP_UPDATE_ELEM, &mut attr) }.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_the_kernels() {
        assert_eq!(size_of::<CreateAttr>(), 44);
        assert_eq!(std::mem::offset_of!(CreateAttr, map_name), 28);
        assert_eq!(size_of::<ElemAttr>(), 32);
        assert_eq!(size_of::<FreezeAttr>(), 4);
    }

    #[test]
    fn nobody_changes_a_table() {
        match table(&[1, 2, 3], "sys_test") {
            Ok(map) => assert_eq!(fill(map.as_fd(), &[4, 5, 6]), Err(Errno::EPERM)),
            Err(e) => eprintln!("skipped: bpf(2) says {e}"),
        }
        assert!(table(&[], "sys_test").is_err());
    }
}
