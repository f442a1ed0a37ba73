//! Names and kernel parameters that belong to the container's namespaces.

use nix::sched::{CloneFlags, unshare};
use sys::Proc;

use crate::error::{Error, Result};
use crate::plan::Plan;

/// Makes the cgroup namespace, which takes as its root the cgroup that the process is in by now.
pub(super) fn unshare_cgroup() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWCGROUP)
        .map_err(|errno| Error::os("unshare", "cgroup namespace", errno))
}

/// `hostname` and `domainname`.
pub(super) fn set_names(plan: &Plan) -> Result<()> {
    if let Some(name) = &plan.hostname {
        nix::unistd::sethostname(name).map_err(|errno| Error::os("sethostname", name, errno))?;
    }
    if let Some(name) = &plan.domainname {
        sys::prctl::set_domain_name(name)
            .map_err(|errno| Error::os("setdomainname", name, errno))?;
    }
    Ok(())
}

/// `linux.sysctl`
pub(super) fn write_sysctls(proc: &Proc, sysctls: &[(String, String)]) -> Result<()> {
    for (path, value) in sysctls {
        proc.write(&format!("sys/{path}"), value)
            .map_err(|errno| Error::os("write sysctl", path, errno))?;
    }
    Ok(())
}
