//! `update`

use libcgroups::Resources;

use super::{Container, Runtime, cgroup_error, not_running};
use crate::error::{Error, Result};
use crate::plan;
use crate::spec;
use crate::state::{State, Status, device_digest};

/// Changes the limits of a container to those of `resources`, a `linux.resources` document; what it
/// leaves out stays as it is. Device rules are replaced as a whole.
///
/// # Errors
/// When the document is broken, the container is not there any more, or the kernel refuses a limit.
pub fn update(runtime: &Runtime, id: &str, resources: &[u8]) -> Result<()> {
    let mut container = Container::load(runtime, id)?;
    if container.status() == Status::Stopped {
        return Err(not_running());
    }
    let (given, mended) = spec::parse_resources(resources)?;
    let mut warnings = mended;
    let mut limits = plan::limits(&given, &mut warnings)?;
    crate::remark(&warnings);
    let Container { dir, state } = &mut container;
    let cgroup = state
        .cgroup
        .as_ref()
        .ok_or_else(|| Error::message("the container has no cgroup to limit"))?;
    let devices = new_devices(state.devices, &mut limits);
    if devices.is_some() {
        // Until they are set, it is not sure which are in force.
        dir.save(&State { devices: None, ..state.clone() })?;
    }
    cgroup.update(&limits).map_err(cgroup_error)?;
    if devices.is_some() {
        state.devices = devices;
        dir.save(state)?;
    }
    Ok(())
}

/// The digest of the device rules if there are any that are not in force already. Those that are stay as they are:
/// containerd sends those of config.json with every update of a limit, and what a hook has allowed besides (to GPUs)
/// must not be lost by that.
fn new_devices(in_force: Option<u64>, limits: &mut Resources) -> Option<u64> {
    let devices = Some(device_digest(&limits.devices));
    if limits.devices.is_empty() || devices == in_force {
        limits.devices.clear();
        return None;
    }
    devices
}
