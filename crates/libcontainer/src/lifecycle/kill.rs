//! `kill`

use std::os::fd::AsFd;

use nix::errno::Errno;

use super::{Container, Runtime, cgroup_error, for_each, matching, not_running, signal_all};
use crate::error::{Error, Result};
use crate::state::Status;

/// Sends `signal` to the container's first process, or with `all` to every process in its cgroup.
///
/// # Errors
/// `container not running`; with `all` a container without processes is fine.
pub fn kill(runtime: &Runtime, id: &str, signal: i32, all: bool) -> Result<()> {
    let container = Container::load(runtime, id)?;
    let shares_pids = container.state.namespaces & nix::sched::CloneFlags::CLONE_NEWPID.bits() == 0;
    if all || (shares_pids && signal == nix::libc::SIGKILL) {
        // Without a pid namespace of its own the others do not die with the first process.
        signal_all(&container.state, signal)?;
        if all && container.state.cgroup.as_ref().is_some_and(libcgroups::Cgroup::exists) {
            return Ok(());
        }
    }
    if container.status() == Status::Stopped {
        return if all || shares_pids && signal == nix::libc::SIGKILL {
            Ok(())
        } else {
            Err(not_running())
        };
    }
    let init = container.init()?;
    let sent = init.pidfd().and_then(|pidfd| sys::pidfd::send_signal(pidfd.as_fd(), signal));
    match sent {
        // A frozen process dies only once it is thawed.
        Ok(()) if signal == nix::libc::SIGKILL => thaw(&container),
        Ok(()) => Ok(()),
        Err(Errno::ESRCH) if shares_pids && signal == nix::libc::SIGKILL => Ok(()),
        Err(Errno::ESRCH) => Err(not_running()),
        Err(errno) => Err(Error::os("signal process", init.pid.to_string(), errno)),
    }
}

/// [`kill`] for every container whose id matches `pattern` (see [`matching`]). Those that have stopped,
/// or are gone meanwhile, are passed over.
///
/// # Errors
/// Of each container that could not be signalled; the others have been.
pub fn kill_matching(runtime: &Runtime, pattern: &str, signal: i32, all: bool) -> Result<()> {
    for_each(&matching(runtime, pattern)?, |id| match kill(runtime, id, signal, all) {
        Err(_) if is_over(runtime, id) => Ok(()),
        other => other,
    })
}

fn is_over(runtime: &Runtime, id: &str) -> bool {
    let dir = crate::state::StateDir::new(&runtime.root, id);
    !dir.exists()
        || Container::load(runtime, id).is_ok_and(|container| container.status() == Status::Stopped)
}

fn thaw(container: &Container) -> Result<()> {
    match &container.state.cgroup {
        Some(cgroup) if cgroup.is_frozen().unwrap_or(false) => {
            cgroup.thaw().map_err(cgroup_error)?;
            if let Some(parent) = cgroup.frozen_parent().filter(|_| cgroup.freezer_holds_the_dead())
            {
                crate::warn(&format!("its processes end when {parent:?} is thawed"));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
