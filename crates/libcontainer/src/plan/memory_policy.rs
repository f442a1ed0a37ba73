//! `linux.memoryPolicy`.

use oci_spec::runtime::{LinuxMemoryPolicy, MemoryPolicyModeType as Mode};

use super::MemoryPolicy;
use super::bitmap::{NODES, mask};
use crate::error::{Error, Result};

const POINTER: &str = "/linux/memoryPolicy";

/// Names of modes, with the kernel's numbers.
pub const MEMORY_POLICY_MODES: &[(&str, u32)] = &[
    ("MPOL_DEFAULT", 0),
    ("MPOL_PREFERRED", 1),
    ("MPOL_BIND", 2),
    ("MPOL_INTERLEAVE", 3),
    ("MPOL_LOCAL", 4),
    ("MPOL_PREFERRED_MANY", 5),
    ("MPOL_WEIGHTED_INTERLEAVE", 6),
];

/// Names of mode flags, with the kernel's bits.
pub const MEMORY_POLICY_FLAGS: &[(&str, u32)] = &[
    ("MPOL_F_NUMA_BALANCING", 1 << 13),
    ("MPOL_F_RELATIVE_NODES", 1 << 14),
    ("MPOL_F_STATIC_NODES", 1 << 15),
];

/// The arguments of set_mempolicy(2).
pub(super) fn memory_policy(given: &LinuxMemoryPolicy) -> Result<MemoryPolicy> {
    let list = given.nodes().as_deref().unwrap_or_default();
    let fail = |text: String| Error::config(format!("{POINTER}/nodes"), text);
    let nodes = mask(list, NODES)
        .map_err(|why| fail(format!("invalid memory policy nodes {list:?}: {why}")))?
        .unwrap_or_default();
    let count: u32 = nodes.iter().map(|word| word.count_ones()).sum();
    // set_mempolicy(2): these say all, the others nothing without nodes; MPOL_PREFERRED may have none.
    match given.mode() {
        Mode::MpolDefault | Mode::MpolLocal if count > 0 => {
            return Err(fail(format!("memory policy mode requires 0 nodes but got {count}")));
        }
        Mode::MpolBind
        | Mode::MpolInterleave
        | Mode::MpolPreferredMany
        | Mode::MpolWeightedInterleave
            if count == 0 =>
        {
            return Err(fail("memory policy mode requires at least one node but got 0".into()));
        }
        _ => {}
    }
    let mut mode = number(MEMORY_POLICY_MODES, "mode", &given.mode().to_string())?;
    for flag in given.flags().iter().flatten() {
        mode |= number(MEMORY_POLICY_FLAGS, "flag", &flag.to_string())?;
    }
    Ok(MemoryPolicy { mode, nodes })
}

fn number(table: &[(&str, u32)], what: &str, name: &str) -> Result<u32> {
    let found = table.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    let fail = || Error::config(POINTER, format!("invalid memory policy {what} {name:?}"));
    found.ok_or_else(fail)
}
