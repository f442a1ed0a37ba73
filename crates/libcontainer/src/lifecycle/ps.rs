//! `ps`

use super::{Container, Runtime, cgroup_error};
use crate::error::Result;
use crate::state::Status;

/// The processes of the container, as the host numbers them.
///
/// # Errors
/// Those of reading its cgroup.
pub fn ps(runtime: &Runtime, id: &str) -> Result<Vec<i32>> {
    let container = Container::load(runtime, id)?;
    match &container.state.cgroup {
        Some(cgroup) if cgroup.exists() => cgroup.pids().map_err(cgroup_error),
        // Without cgroups only the first process is known.
        _ if container.status() == Status::Stopped => Ok(Vec::new()),
        _ => Ok(container.state.init.iter().map(|init| init.pid).collect()),
    }
}
