//! What a bind mount in a user namespace keeps of its source.
//!
//! The kernel does not let a user namespace take from a mount what somebody with more rights has given
//! it (mount_namespaces(7), restrictions). Our sources are opened before the namespace is entered, where
//! that does not hold yet, so it is seen to here: `nosuid` of a host's volume is nothing that the
//! config.json of a container without privileges on the host should undo.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::libc::{
    MOUNT_ATTR__ATIME as ATIME, MOUNT_ATTR_NOATIME as NOATIME, MOUNT_ATTR_NODEV as NODEV,
    MOUNT_ATTR_NODIRATIME as NODIRATIME, MOUNT_ATTR_NOEXEC as NOEXEC, MOUNT_ATTR_NOSUID as NOSUID,
    MOUNT_ATTR_RDONLY as RDONLY, MOUNT_ATTR_STRICTATIME as STRICTATIME,
};

use crate::error::{Error, Result};
use crate::plan::{Attributes, Mount};

// statvfs(3); the C libraries do not have all of them.
const ST_RDONLY: u64 = 1;
const ST_NOSUID: u64 = 2;
const ST_NODEV: u64 = 4;
const ST_NOEXEC: u64 = 8;
const ST_NOATIME: u64 = 1024;
const ST_NODIRATIME: u64 = 2048;
const ST_RELATIME: u64 = 4096;

/// Refuses a mount whose options take back what its source has; `tree` is a copy of the source.
pub(super) fn check(entry: &Mount, tree: &OwnedFd) -> Result<()> {
    let fail = |op: &str, errno| Error::os(op, &entry.destination, errno);
    let flags = sys::mount::mount_flags(tree).map_err(|errno| fail("statfs source of", errno))?;
    if keeps(attributes(flags), entry.attributes) {
        return Ok(());
    }
    Err(fail("clear mount attributes of", Errno::EPERM))
}

/// Whether the change leaves all that the source `has`.
fn keeps(has: u64, change: Attributes) -> bool {
    let times = ATIME | NODIRATIME;
    let same_times = change.clear & ATIME == 0 || change.set & times == has & times;
    change.clear & has & (RDONLY | NOSUID | NODEV | NOEXEC) == 0 && same_times
}

fn attributes(flags: u64) -> u64 {
    let table = [
        (ST_RDONLY, RDONLY),
        (ST_NOSUID, NOSUID),
        (ST_NODEV, NODEV),
        (ST_NOEXEC, NOEXEC),
        (ST_NOATIME, NOATIME),
        (ST_NODIRATIME, NODIRATIME),
    ];
    let named = table.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, bit)| bit);
    let strict = flags & (ST_NOATIME | ST_RELATIME) == 0;
    named.fold(if strict { STRICTATIME } else { 0 }, |bits, bit| bits | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_back() {
        let change = |set, clear| Attributes { set, clear };
        let nosuid = attributes(ST_NOSUID | ST_RELATIME);
        assert!(keeps(nosuid, change(RDONLY | NODEV, NOEXEC)));
        assert!(!keeps(nosuid, change(0, NOSUID)));
        assert!(!keeps(attributes(ST_RDONLY), change(0, RDONLY)));
    }

    #[test]
    fn access_times_stay() {
        let change = |set| Attributes { set, clear: ATIME };
        for (flags, same) in
            [(ST_RELATIME, 0), (0, STRICTATIME), (ST_NOATIME | ST_NODIRATIME, NOATIME | NODIRATIME)]
        {
            for set in [0, STRICTATIME, NOATIME, NODIRATIME, NOATIME | NODIRATIME] {
                assert_eq!(keeps(attributes(flags), change(set)), set == same, "{flags:?} {set}");
            }
            assert!(keeps(attributes(flags), Attributes { set: RDONLY, clear: 0 }));
        }
    }
}
