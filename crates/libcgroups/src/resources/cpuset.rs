//! cpuset: which CPUs and memory nodes. The files are the same in v1 and v2.

use super::Knobs;
use crate::cgroup::Cgroup;
use crate::error::Result;
use crate::model::Cpuset;

pub(super) fn apply(cgroup: &Cgroup, cpuset: &Cpuset) -> Result<()> {
    let set = |file: &str, resource, list: &Option<String>| match list.as_deref() {
        None | Some("") => Ok(()),
        Some(list) => Knobs::find(cgroup, "cpuset", "cpuset", resource)?.set(file, list),
    };
    set("cpuset.cpus", "cpuset cpus", &cpuset.cpus)?;
    set("cpuset.mems", "cpuset mems", &cpuset.mems)
}
