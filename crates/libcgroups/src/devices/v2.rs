//! The v2 way: a program attached to the cgroup, beside those that others have attached.
//!
//! Its rules are in a table of its own, which nothing changes any more: an update makes a new table and puts the
//! program that reads it in the place of the old one. The kernel does that in one step, so that every open is judged
//! by all of the old rules or all of the new ones, and what both allow is never refused.
//!
//! Not so, though it looks simpler: one program for good, and its table exchanged in a map of maps. The kernel then
//! waits until every running program has come to its end, which takes 8 to 16 ms instead of the 70 µs of a new
//! program, and would do so for the first table already. Nor are rules written to a table that is in use: a program
//! that reads it meanwhile would judge by a mixture.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;

use super::policy::Policy;
use super::program;
use super::table::Table;
use crate::error::{Error, Result};
use crate::files;

/// How we know our own programs again; tables have the same name.
const NAME: &str = "onggi_devices";
/// How often another update may come between looking for our program and replacing it.
const TRIES: u32 = 100;

/// Attaches the policy's program in the place of an earlier one of ours; nothing is attached for "everything".
pub(super) fn apply(dir: &Path, policy: &Policy) -> Result<()> {
    let failed = |op: &'static str| move |errno| Error::os(op, dir, errno);
    let cgroup = files::open_dir(dir)?;
    let mut ours = earlier(cgroup.as_fd()).map_err(failed("list device programs of"))?;
    let mut stale = ours.as_slice();
    if !policy.allows_everything() {
        let table = Table::new(policy)?;
        let new = load(&table).map_err(failed("load device program for"))?;
        let mut tries = 0;
        let replaced = loop {
            match attach(cgroup.as_fd(), new.as_fd(), ours.first()) {
                // Another update was faster.
                Err(Errno::ENOENT) if tries < TRIES => {
                    ours = earlier(cgroup.as_fd()).map_err(failed("list device programs of"))?;
                    tries += 1;
                }
                other => break other.map_err(failed("attach device program to"))?,
            }
        };
        stale = if replaced { &ours[1..] } else { &ours };
    }
    for old in stale {
        match sys::bpf::detach_device_program(cgroup.as_fd(), old.as_fd()) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(failed("detach old device program from")(errno)),
        }
    }
    Ok(())
}

/// The program, which alone keeps its table.
fn load(table: &Table) -> nix::Result<OwnedFd> {
    let map = sys::bpf::table(&table.words, NAME)?;
    sys::bpf::load_device_program(&program::generate(map.as_fd(), table.bits), NAME)
}

/// Whether `old` is gone by that.
fn attach(cgroup: BorrowedFd<'_>, new: BorrowedFd<'_>, old: Option<&OwnedFd>) -> nix::Result<bool> {
    if let Some(old) = old {
        match sys::bpf::attach_device_program(cgroup, new, Some(old.as_fd())) {
            Ok(()) => return Ok(true),
            // Linux before 5.6 cannot replace. For a moment both hold, which forbids more, not less.
            Err(Errno::EINVAL) => {}
            Err(errno) => return Err(errno),
        }
    }
    sys::bpf::attach_device_program(cgroup, new, None).map(|()| false)
}

/// Our programs on this cgroup. Those of others (systemd's, an administrator's) only forbid more and stay.
fn earlier(cgroup: BorrowedFd<'_>) -> nix::Result<Vec<OwnedFd>> {
    let mut ours = Vec::new();
    for id in sys::bpf::device_programs(cgroup)? {
        let program = match sys::bpf::program_by_id(id) {
            Ok(program) => program,
            // Gone in the meantime, or hidden from us and so not ours.
            Err(Errno::ENOENT | Errno::EPERM | Errno::EACCES) => continue,
            Err(errno) => return Err(errno),
        };
        if sys::bpf::program_name(program.as_fd())? == NAME {
            ours.push(program);
        }
    }
    Ok(ours)
}
