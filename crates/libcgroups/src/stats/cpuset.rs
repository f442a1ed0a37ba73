//! cpuset: which processors and memory nodes, and the flags of v1. runc shows nothing of it on v2.

use serde::Serialize;

use super::reader::{Place, Reader};
use super::{is_default, parse};
use crate::error::Result;

/// cpuset controller (v1), cpuset(7). Flags are 0 or 1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CpusetStats {
    /// Processors that may be used.
    #[serde(skip_serializing_if = "is_default")]
    pub cpus: Vec<u16>,
    /// Flag: no other cgroup beside it may use them.
    pub cpu_exclusive: u64,
    /// Memory nodes that may be used.
    #[serde(skip_serializing_if = "is_default")]
    pub mems: Vec<u16>,
    /// Flag: memory of the kernel, too, comes from these nodes.
    pub mem_hardwall: u64,
    /// Flag: as `cpu_exclusive`, of the nodes.
    pub mem_exclusive: u64,
    /// Flag: pages go along when the nodes change.
    pub memory_migrate: u64,
    /// Flag: pages of files are spread over the nodes.
    pub memory_spread_page: u64,
    /// Flag: inodes and directory entries are spread over the nodes.
    pub memory_spread_slab: u64,
    /// Attempts to free memory, a thousand times their rate per second.
    pub memory_pressure: u64,
    /// Flag: the kernel balances the load of these processors.
    pub sched_load_balance: u64,
    /// How far the scheduler looks for an idle processor, 0 to 5; -1 for the default of the system.
    pub sched_relax_domain_level: i64,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<CpusetStats> {
    let mut stats = CpusetStats::default();
    let Some(place) = reader.v1("cpuset") else { return Ok(stats) };
    stats.cpus = numbers(reader, place, "cpuset.cpus")?;
    stats.mems = numbers(reader, place, "cpuset.mems")?;
    for (name, slot) in [
        ("cpuset.cpu_exclusive", &mut stats.cpu_exclusive),
        ("cpuset.mem_hardwall", &mut stats.mem_hardwall),
        ("cpuset.mem_exclusive", &mut stats.mem_exclusive),
        ("cpuset.memory_migrate", &mut stats.memory_migrate),
        ("cpuset.memory_spread_page", &mut stats.memory_spread_page),
        ("cpuset.memory_spread_slab", &mut stats.memory_spread_slab),
        ("cpuset.memory_pressure", &mut stats.memory_pressure),
        ("cpuset.sched_load_balance", &mut stats.sched_load_balance),
    ] {
        *slot = reader.number(place, name)?.unwrap_or_default();
    }
    if let Some(text) = reader.text(place, "cpuset.sched_relax_domain_level")? {
        stats.sched_relax_domain_level = text.trim_end().parse().unwrap_or_default();
    }
    Ok(stats)
}

fn numbers(reader: &mut Reader<'_>, place: Place, name: &str) -> Result<Vec<u16>> {
    Ok(reader.text(place, name)?.map(|text| parse::list(&text)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_all_flags() {
        let stats = CpusetStats {
            cpus: vec![0, 1],
            sched_load_balance: 1,
            sched_relax_domain_level: -1,
            ..CpusetStats::default()
        };
        assert_eq!(
            serde_json::to_string(&stats).expect("json"),
            "{\"cpus\":[0,1],\"cpu_exclusive\":0,\"mem_hardwall\":0,\"mem_exclusive\":0,\
             \"memory_migrate\":0,\"memory_spread_page\":0,\"memory_spread_slab\":0,\
             \"memory_pressure\":0,\"sched_load_balance\":1,\"sched_relax_domain_level\":-1}"
        );
    }
}
