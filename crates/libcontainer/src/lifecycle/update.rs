//! `update`

use super::{Container, Runtime, cgroup_error, not_running};
use crate::error::{Error, Result};
use crate::plan;
use crate::spec;
use crate::state::Status;

/// Changes the limits of a container to those of `resources`, a `linux.resources` document; what it
/// leaves out stays as it is.
///
/// # Errors
/// When the document is broken, the container is not there any more, or the kernel refuses a limit.
pub fn update(runtime: &Runtime, id: &str, resources: &[u8]) -> Result<()> {
    let container = Container::load(runtime, id)?;
    if container.status() == Status::Stopped {
        return Err(not_running());
    }
    let (given, mended) = spec::parse_resources(resources)?;
    let mut warnings = mended;
    let limits = plan::limits(&given, &mut warnings)?;
    crate::remark(&warnings);
    let cgroup = container
        .state
        .cgroup
        .as_ref()
        .ok_or_else(|| Error::message("the container has no cgroup to limit"))?;
    cgroup.update(&limits).map_err(cgroup_error)
}
