//! Syscall names to numbers.

mod table;

use crate::arch::Traits;
use crate::profile::Arch;
use table::ROWS;

/// Longest name in the table.
const NAME: usize = 28;
/// Number tables; see the head of the table for their order.
const COLUMNS: usize = 18;
/// No such syscall on this architecture.
const N: u16 = u16::MAX;
/// Arm's private calls, which lie at 0x0f0000, beyond 16 bits.
const P: u16 = 0xf000;
const ARM_PRIVATE: u32 = 0x0f_0000;

/// Numbers of the two multiplexers, the same on each architecture that has them (before its base).
const SOCKETCALL: u32 = 102;
const IPC: u32 = 117;

struct Row {
    /// Padded with zero bytes.
    name: [u8; NAME],
    numbers: [u16; COLUMNS],
}

const fn row(name: &str, numbers: [u16; COLUMNS]) -> Row {
    let bytes = name.as_bytes();
    let mut padded = [0; NAME];
    let mut at = 0;
    while at < bytes.len() {
        padded[at] = bytes[at];
        at += 1;
    }
    Row { name: padded, numbers }
}

/// A syscall's place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Syscall(usize);

/// The number by which an architecture's kernel knows a syscall, x32's bit and MIPS's base included. `None` when it has
/// no such syscall, or has it only behind socketcall(2) or ipc(2).
pub fn syscall_number(name: &str, arch: Arch) -> Option<u32> {
    find(name)?.number(&arch.traits())
}

/// Whether Linux has a syscall of that name on any architecture.
pub fn is_syscall(name: &str) -> bool {
    find(name).is_some()
}

/// Looks a name up; `None` when Linux has no such syscall on any architecture.
pub(crate) fn find(name: &str) -> Option<Syscall> {
    let mut key = [0; NAME];
    key.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
    let found = ROWS.binary_search_by(|row| row.name.cmp(&key));
    // A name with zero bytes at its end would equal the padded one.
    found.ok().filter(|_| !name.ends_with('\0')).map(Syscall)
}

impl Syscall {
    /// The number on an architecture, if it has this syscall.
    pub(crate) fn number(self, arch: &Traits) -> Option<u32> {
        match ROWS[self.0].numbers[arch.column] {
            N => None,
            number if number >= P => Some(ARM_PRIVATE + u32::from(number - P)),
            number => Some(arch.base + u32::from(number)),
        }
    }

    /// The multiplexer's number and its first argument for this syscall, on architectures with multiplexers.
    pub(crate) fn multiplexed(self, arch: &Traits) -> Option<(u32, u8)> {
        let (multiplexer, call) = match MULTIPLEXED[self.0] {
            (0, _) => return None,
            (call, false) => (SOCKETCALL, call),
            (call, true) => (IPC, call),
        };
        arch.multiplexed.then_some((arch.base + multiplexer, call))
    }
}

/// First argument of socketcall(2), from <linux/net.h>.
const SOCKET_CALLS: [(&str, u8); 20] = [
    ("socket", 1),
    ("bind", 2),
    ("connect", 3),
    ("listen", 4),
    ("accept", 5),
    ("getsockname", 6),
    ("getpeername", 7),
    ("socketpair", 8),
    ("send", 9),
    ("recv", 10),
    ("sendto", 11),
    ("recvfrom", 12),
    ("shutdown", 13),
    ("setsockopt", 14),
    ("getsockopt", 15),
    ("sendmsg", 16),
    ("recvmsg", 17),
    ("accept4", 18),
    ("recvmmsg", 19),
    ("sendmmsg", 20),
];

/// First argument of ipc(2), from <linux/ipc.h>.
const IPC_CALLS: [(&str, u8); 12] = [
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];

/// Beside each row: its call number (0 for none), and whether that is ipc's.
static MULTIPLEXED: [(u8, bool); ROWS.len()] = {
    let mut calls = [(0, false); ROWS.len()];
    let mut at = 0;
    while at < SOCKET_CALLS.len() {
        calls[position(SOCKET_CALLS[at].0)] = (SOCKET_CALLS[at].1, false);
        at += 1;
    }
    at = 0;
    while at < IPC_CALLS.len() {
        calls[position(IPC_CALLS[at].0)] = (IPC_CALLS[at].1, true);
        at += 1;
    }
    calls
};

/// `find` for constants; a name that the table lacks does not compile.
const fn position(name: &str) -> usize {
    let wanted = row(name, [0; COLUMNS]).name;
    let mut at = 0;
    loop {
        let mut byte = 0;
        while byte < NAME && ROWS[at].name[byte] == wanted[byte] {
            byte += 1;
        }
        if byte == NAME {
            return at;
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_has_no_twins() {
        assert!(ROWS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn names_are_found_whole() {
        let number = syscall_number;
        assert_eq!(number("_llseek", Arch::X86), Some(140));
        assert_eq!(number("read", Arch::X86_64), Some(0));
        assert_eq!(number("readv", Arch::X32), Some(0x4000_0000 + 515));
        assert_eq!(number("clone", Arch::Mips), Some(4120));
        assert_eq!(number("set_tls", Arch::Arm), Some(0x0f_0005));
        assert_eq!(number("open", Arch::Aarch64), None);
        for unknown in [
            "",
            "rea",
            "read\0",
            "reads",
            "no_such_syscall",
            "a_name_that_is_longer_than_any_syscall",
        ] {
            assert!(find(unknown).is_none(), "{unknown:?}");
        }
    }

    #[test]
    fn multiplexed_calls_are_known_where_they_exist() {
        let call = |name: &str, arch: Arch| find(name)?.multiplexed(&arch.traits());
        assert_eq!(call("accept", Arch::X86), Some((102, 5)));
        assert_eq!(call("shmat", Arch::Mips), Some((4117, 21)));
        assert_eq!(call("shmat", Arch::X86_64), None);
        assert_eq!(call("read", Arch::X86), None);
    }
}
