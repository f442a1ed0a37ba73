//! net_cls and net_prio: marks and priorities for packets, v1 only.

use super::{Knobs, non_zero};
use crate::cgroup::Cgroup;
use crate::error::{Error, Result};
use crate::model::Network;

pub(super) fn apply(cgroup: &Cgroup, network: &Network) -> Result<()> {
    if let Some(class) = non_zero(network.class_id) {
        find(cgroup, "net_cls", "network class id")?.set("net_cls.classid", &class.to_string())?;
    }
    if network.priorities.is_empty() {
        return Ok(());
    }
    let knobs = find(cgroup, "net_prio", "network priorities")?;
    network.priorities.iter().try_for_each(|(name, priority)| {
        knobs.set("net_prio.ifpriomap", &format!("{name} {priority}"))
    })
}

fn find(cgroup: &Cgroup, name: &'static str, resource: &'static str) -> Result<Knobs> {
    let knobs = Knobs::find(cgroup, name, name, resource)?;
    if knobs.v2 {
        return Err(Error::NoController { controller: name.into(), resource: resource.into() });
    }
    Ok(knobs)
}
