//! `pause` and `resume`

use super::{Container, Runtime, cgroup_error, or_frozen_parent};
use crate::error::{Error, Result};
use crate::state::Status;

/// Freezes all processes of the container.
///
/// # Errors
/// When it is not running or created; when the kernel does not freeze it in time.
pub fn pause(runtime: &Runtime, id: &str) -> Result<()> {
    let container = Container::load(runtime, id)?;
    match container.status() {
        Status::Running | Status::Created => with_cgroup(&container, libcgroups::Cgroup::freeze),
        status => {
            Err(Error::message(format!("container not running or created: {}", status.as_str())))
        }
    }
}

/// Thaws what [`pause`] froze.
///
/// # Errors
/// When it is not paused.
pub fn resume(runtime: &Runtime, id: &str) -> Result<()> {
    let container = Container::load(runtime, id)?;
    match container.status() {
        Status::Paused => {
            with_cgroup(&container, libcgroups::Cgroup::thaw)?;
            let frozen = container.status() == Status::Paused;
            let still = || or_frozen_parent(&container.state, Error::message("still paused"));
            if frozen { Err(still()) } else { Ok(()) }
        }
        _ => Err(Error::message("container not paused")),
    }
}

fn with_cgroup(
    container: &Container,
    change: impl FnOnce(&libcgroups::Cgroup) -> libcgroups::Result<()>,
) -> Result<()> {
    let cgroup = container
        .state
        .cgroup
        .as_ref()
        .ok_or_else(|| Error::message("the container has no cgroup to freeze"))?;
    change(cgroup).map_err(|error| cgroup_error(cgroup.explain(error)))
}
