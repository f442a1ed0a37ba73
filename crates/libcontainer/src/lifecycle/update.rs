//! `update`

use std::time::Duration;

use libcgroups::{Memory, Resources};

use super::host::without_absent_settings;
use super::{Container, Runtime, UpdateOptions, cgroup_error, not_running};
use crate::error::{Error, Result};
use crate::notes::Notes;
use crate::plan;
use crate::rdt;
use crate::spec;
use crate::state::{State, Status, device_digest};

/// How long another update may take: it may wait for systemd, or for processes to freeze.
const PATIENCE: Duration = Duration::from_secs(60);

/// Changes the limits of a container to those that are given; what is not given stays as it is, and
/// when one is refused, all do. Device rules are replaced as a whole.
///
/// # Errors
/// When the document is broken, the container is not there (any more) or still being created, or the kernel refuses a limit.
pub fn update(runtime: &Runtime, options: &UpdateOptions) -> Result<()> {
    let mut limits = resources(runtime, options)?;
    let container = Container::load(runtime, &options.id)?;
    // Each writes down what it has changed beside what it has read.
    let lock = container.dir.lock(PATIENCE)?;
    let mut container = Container { state: container.dir.load()?, ..container };
    match container.status() {
        Status::Stopped => return Err(not_running()),
        // What `create` has read of the state goes on to be true until it has written it down itself.
        Status::Creating => {
            return Err(Error::message("cannot update a container that is being created"));
        }
        _ => {}
    }
    let Container { dir, state } = &mut container;
    let schemata = rdt_schemata(options, state)?;
    let memory = remember(state.memory, &mut limits.memory);
    let cgroup = state
        .cgroup
        .as_ref()
        .ok_or_else(|| Error::message("the container has no cgroup to limit"))?;
    let devices = new_devices(state.devices, &mut limits);
    if devices.is_some() {
        // Until they are set, it is not sure which are in force.
        dir.save(&State { devices: None, ..state.clone() })?;
    }
    let change = cgroup.update(&limits).map_err(|error| cgroup_error(cgroup.explain(error)))?;
    let finish = || {
        if let Some(group) = state.rdt.as_ref().filter(|_| !schemata.is_empty()) {
            group.update(&schemata)?;
        }
        if devices.is_some() || memory != state.memory {
            let devices = devices.or(state.devices);
            dir.save(&State { devices, memory, ..state.clone() })?;
        }
        Ok(())
    };
    // Else the next one would go by what is not so.
    finish().inspect_err(|_| change.take_back())?;
    drop(lock);
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

/// The options as limits.
fn resources(runtime: &Runtime, options: &UpdateOptions) -> Result<Resources> {
    const KERNEL_MEMORY: &str = "Kernel memory settings are ignored and will be removed";
    let Some(document) = &options.document else {
        match (options.kernel_memory, runtime.strict) {
            (true, true) => return Err(Error::message(format!("--strict: {KERNEL_MEMORY}"))),
            (true, false) => crate::warn(KERNEL_MEMORY),
            (false, _) => {}
        }
        return Ok(options.limits.clone());
    };
    let mut notes = Notes::new(runtime.strict);
    let given = spec::parse_resources(document, &mut notes)?;
    let mut warnings = Vec::new();
    let limits = notes.before(plan::limits(&given, &mut warnings))?;
    // The planner takes the document for a part of config.json.
    let own =
        |note: String| note.strip_prefix("/linux/resources").map(str::to_owned).unwrap_or(note);
    notes.add(warnings.into_iter().map(own));
    without_absent_settings(&limits, "", &mut notes);
    notes.settle()?;
    Ok(limits)
}

/// Limit, and limit with swap, as they were given last: each of v2's two files depends on both.
///
/// Fills in the one that is missing when the other changes, and gives what is to be remembered. What
/// the kernel has would not do: it does not say whether swap was limited by this field or, as
/// Kubernetes does, by `unified`.
fn remember(before: (Option<i64>, Option<i64>), given: &mut Memory) -> (Option<i64>, Option<i64>) {
    let set = |value: Option<i64>| value.filter(|value| *value != 0);
    let (limit, mut swap) = (set(given.limit), set(given.swap));
    if limit.is_none() && swap.is_none() {
        return before;
    }
    // Without a limit on memory there is none on swap either, unless one is given.
    if limit != Some(-1) {
        swap = swap.or(before.1);
    }
    let limit = limit.or(before.0);
    (given.limit, given.swap) = (limit, swap);
    (limit, swap)
}

/// Intel RDT: the schemata to be set, if they can be.
fn rdt_schemata<'a>(options: &'a UpdateOptions, state: &State) -> Result<Vec<&'a str>> {
    let (l3, memory) = (options.l3_cache_schema.as_deref(), options.mem_bw_schema.as_deref());
    let schemata: Vec<&str> = [l3, memory].into_iter().flatten().collect();
    if schemata.is_empty() {
        return Ok(schemata);
    }
    if let Some(text) = rdt::lacks(l3.is_some(), memory.is_some())? {
        return Err(Error::message(text));
    }
    if state.rdt.is_none() {
        let text = "updating a non-existent Intel RDT configuration is not supported";
        return Err(Error::message(text));
    }
    Ok(schemata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_swap_go_together() {
        // (remembered, given, filled in and remembered)
        let cases = [
            ((Some(100), Some(300)), (None, None), (Some(100), Some(300)), false),
            ((Some(100), Some(300)), (Some(200), None), (Some(200), Some(300)), true),
            ((Some(100), Some(300)), (None, Some(400)), (Some(100), Some(400)), true),
            ((Some(100), None), (Some(200), None), (Some(200), None), true),
            ((Some(100), Some(300)), (Some(-1), None), (Some(-1), None), true),
            ((Some(100), Some(300)), (Some(-1), Some(0)), (Some(-1), None), true),
            ((Some(100), Some(300)), (Some(-1), Some(400)), (Some(-1), Some(400)), true),
            ((Some(100), Some(300)), (Some(0), Some(0)), (Some(100), Some(300)), false),
            ((None, None), (None, Some(5)), (None, Some(5)), true),
        ];
        for (before, (limit, swap), after, filled) in cases {
            let mut given = Memory { limit, swap, ..Memory::default() };
            assert_eq!(remember(before, &mut given), after, "{before:?} {limit:?} {swap:?}");
            let now = (given.limit, given.swap);
            assert_eq!(now, if filled { after } else { (limit, swap) });
        }
    }
}
