//! A short stay of a process of the runtime in a running container.

use std::os::fd::OwnedFd;

use nix::sched::CloneFlags;
use sys::Root;
use sys::clone::{Cloned, clone3};

use super::exec::{WayBack, root_of};
use super::namespaces::{protect, relay};
use super::{Launched, PATIENCE};
use crate::error::{Error, Result};
use crate::init::{CLONE_NEWTIME, JoinTarget, VisitContext, enter_all, run_visit};
use crate::state::State;
use crate::sync::{Report, pair};

/// Has `task` done in the container, by a process that is in all its namespaces but not in its cgroup,
/// which may be frozen. `init` is the container's first process.
///
/// # Errors
/// Those of joining, and of `task` itself.
pub(crate) fn visit(
    state: &State,
    init: &OwnedFd,
    task: impl FnOnce(&Root) -> Result<()>,
) -> Result<()> {
    let all = CloneFlags::from_bits_retain(state.namespaces);
    let born_in = all & (CloneFlags::CLONE_NEWPID | CloneFlags::from_bits_retain(CLONE_NEWTIME));
    let target = JoinTarget { pidfd: init, pid: state.init.map_or(0, |init| init.pid) };
    let in_user_namespace = all.contains(CloneFlags::CLONE_NEWUSER);
    let way_back = WayBack::open(born_in)?;
    let needs_relay = in_user_namespace && !nix::unistd::geteuid().is_root() || !way_back.is_open();
    let root = root_of(state, init)?;
    let (parent, child) = pair()?;
    protect()?;
    let clone = |flags| clone3(flags, None).map_err(|errno| Error::os("clone process", "", errno));
    let cloned = if needs_relay {
        relay(|| {
            enter_all(&target, all)?;
            clone(CloneFlags::CLONE_PARENT)
        })?
    } else {
        if !born_in.is_empty() {
            enter_all(&target, born_in)?;
        }
        let cloned = clone(CloneFlags::empty())?;
        if matches!(cloned, Cloned::Parent { .. }) {
            way_back.go()?;
        }
        cloned
    };
    let (pid, pidfd) = match cloned {
        Cloned::Parent { pid, pidfd } => (pid, pidfd),
        Cloned::Child => {
            drop(parent);
            let namespaces = if needs_relay { CloneFlags::empty() } else { all & !born_in };
            let context = VisitContext { target, namespaces, root, in_user_namespace };
            run_visit(context, &child, task)
        }
    };
    drop(child);
    let mut launched = Launched::new(pid, pidfd, false, parent);
    match launched.channel.receive(Some(PATIENCE)) {
        Ok(Report::Ready(_)) => {
            launched.go()?;
            launched.reap();
            Ok(())
        }
        Ok(Report::Failed(text)) => {
            launched.reap();
            Err(Error::message(text))
        }
        Ok(Report::Gone) => Err(launched.death()),
        Ok(_) => {
            launched.kill();
            Err(Error::message("the process in the container speaks out of turn"))
        }
        Err(error) => {
            launched.kill();
            Err(error)
        }
    }
}
