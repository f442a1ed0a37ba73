//! The v2 way: a program attached to the cgroup, beside those that others have attached.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;

use super::policy::Policy;
use super::program;
use crate::error::{Error, Result};
use crate::files;

/// How we know our own programs again.
const NAME: &str = "onggi_devices";

/// Attaches the policy's program in the place of an earlier one of ours; nothing is attached for "everything".
pub(super) fn apply(dir: &Path, policy: &Policy) -> Result<()> {
    let failed = |op: &'static str| move |errno| Error::os(op, dir, errno);
    let cgroup = files::open_dir(dir)?;
    let ours = earlier(cgroup.as_fd()).map_err(failed("list device programs of"))?;
    let mut stale = ours.as_slice();
    if !policy.allows_everything() {
        let insns = program::generate(policy)?;
        let new = sys::bpf::load_device_program(&insns, NAME)
            .map_err(failed("load device program for"))?;
        if attach(cgroup.as_fd(), new.as_fd(), ours.first())
            .map_err(failed("attach device program to"))?
        {
            stale = &ours[1..];
        }
    }
    for old in stale {
        match sys::bpf::detach_device_program(cgroup.as_fd(), old.as_fd()) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(failed("detach old device program from")(errno)),
        }
    }
    Ok(())
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
