//! `linux.memoryPolicy`.

use oci_spec::runtime::{
    LinuxMemoryPolicy, MemoryPolicyFlagType as Flag, MemoryPolicyModeType as Mode,
};

use super::MemoryPolicy;
use super::bitmap::{NODES, mask};
use crate::error::{Error, Result};

/// The arguments of set_mempolicy(2).
pub(super) fn memory_policy(given: &LinuxMemoryPolicy) -> Result<MemoryPolicy> {
    let list = given.nodes().as_deref().unwrap_or_default();
    let fail = |text: String| Error::config("/linux/memoryPolicy/nodes", text);
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
    let flags = given.flags().iter().flatten().fold(0, |bits, flag| bits | flag_bit(*flag));
    Ok(MemoryPolicy { mode: mode_number(given.mode()) | flags, nodes })
}

/// `MPOL_*`
fn mode_number(mode: Mode) -> u32 {
    match mode {
        Mode::MpolDefault => 0,
        Mode::MpolPreferred => 1,
        Mode::MpolBind => 2,
        Mode::MpolInterleave => 3,
        Mode::MpolLocal => 4,
        Mode::MpolPreferredMany => 5,
        Mode::MpolWeightedInterleave => 6,
    }
}

/// `MPOL_F_*`
fn flag_bit(flag: Flag) -> u32 {
    match flag {
        Flag::MpolFNumaBalancing => 1 << 13,
        Flag::MpolFRelativeNodes => 1 << 14,
        Flag::MpolFStaticNodes => 1 << 15,
    }
}
