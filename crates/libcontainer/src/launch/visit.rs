//! A short stay of a process of the runtime in a running container.

use std::os::fd::OwnedFd;

use sys::Root;
use sys::clone::Cloned;

use super::enter::{Entry, root_of};
use super::namespaces::protect;
use super::{Launched, PATIENCE};
use crate::error::{Error, Result};
use crate::init::{VisitContext, run_visit};
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
    let entry = Entry::open(state, init)?;
    let root = root_of(state, init)?;
    let (parent, child) = pair()?;
    protect()?;
    let (cloned, _) = entry.clone(None, || Ok(()))?;
    let (pid, pidfd) = match cloned {
        Cloned::Parent { pid, pidfd } => (pid, pidfd),
        Cloned::Child => {
            drop(parent);
            let context = VisitContext {
                target: entry.target,
                namespaces: entry.left_to_join(),
                root,
                in_user_namespace: entry.in_user_namespace(),
            };
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
