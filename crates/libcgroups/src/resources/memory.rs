//! memory: limits, swap, the OOM killer.

use std::path::Path;

use nix::errno::Errno;

use super::{Knobs, non_zero, or_max, unlimited_anyway};
use crate::cgroup::Cgroup;
use crate::error::{Error, Result};
use crate::files;
use crate::model::Memory;

const V1_LIMIT: &str = "memory.limit_in_bytes";
const V1_SWAP: &str = "memory.memsw.limit_in_bytes";

/// v2's `memory.swap.max` for v1's limit on memory and swap together; `None` leaves it alone. Bytes, -1 for no limit.
///
/// # Errors
/// When there is no memory limit to take off, or it is the larger one.
pub fn swap_max_from_v1(swap: Option<i64>, limit: Option<i64>) -> Result<Option<i64>> {
    match (non_zero(swap), non_zero(limit)) {
        // No limit on memory, and nothing said about swap: none on that either, as v1 has it.
        (None, Some(-1)) => Ok(Some(-1)),
        (None, _) => Ok(None),
        (Some(-1), _) => Ok(Some(-1)),
        (Some(swap), Some(-1)) => Ok(Some(swap)),
        (Some(_), None) => Err(Error::message("unable to set swap limit without memory limit")),
        (Some(_), Some(limit)) if limit < 0 => {
            Err(Error::message(format!("invalid memory value: {limit}")))
        }
        (Some(swap), Some(limit)) if swap < limit => {
            Err(Error::message("memory+swap limit should be >= memory limit"))
        }
        (Some(swap), Some(limit)) => Ok(Some(swap - limit)),
    }
}

pub(super) fn apply(cgroup: &Cgroup, memory: &Memory) -> Result<()> {
    let memory = Memory {
        limit: non_zero(memory.limit),
        reservation: non_zero(memory.reservation),
        swap: non_zero(memory.swap),
        disable_oom_killer: non_zero(memory.disable_oom_killer),
        // Hierarchical is all that kernels have had since 5.11.
        use_hierarchy: non_zero(memory.use_hierarchy),
        ..memory.clone()
    };
    if (Memory { check_before_update: false, ..memory.clone() }) == Memory::default() {
        return Ok(());
    }
    let values = [memory.limit, memory.reservation, memory.swap];
    let only_unlimited = values.iter().flatten().all(|value| *value == -1)
        && memory.swappiness.is_none()
        && memory.disable_oom_killer.is_none();
    let resource = match &memory {
        Memory { limit: Some(_), .. } => "memory limit",
        Memory { swap: Some(_), .. } => "memory swap limit",
        Memory { reservation: Some(_), .. } => "memory reservation",
        Memory { swappiness: Some(_), .. } => "memory swappiness",
        _ => "memory settings",
    };
    let set = Knobs::find(cgroup, "memory", "memory", resource)
        .and_then(|knobs| if knobs.v2 { v2(&knobs, &memory) } else { v1(&knobs, &memory) });
    if only_unlimited { unlimited_anyway(set) } else { set }
}

fn v1(knobs: &Knobs, memory: &Memory) -> Result<()> {
    if memory.use_hierarchy == Some(true) {
        match knobs.set("memory.use_hierarchy", "1") {
            // Gone since Linux 6.12 or so, with nothing else to choose.
            Err(e) if e.errno() == Some(Errno::ENOENT) => {}
            other => other?,
        }
    }
    v1_limits(knobs, memory)?;
    if let Some(bytes) = memory.reservation {
        knobs.set("memory.soft_limit_in_bytes", &bytes.to_string())?;
    }
    if memory.disable_oom_killer == Some(true) {
        knobs.set("memory.oom_control", "1")?;
    }
    match memory.swappiness {
        // -1 as some callers spell "not set".
        None | Some(u64::MAX) => Ok(()),
        Some(value @ 0..=100) => knobs.set("memory.swappiness", &value.to_string()),
        Some(value) => Err(Error::message(format!(
            "invalid memory swappiness value: {value} (valid range is 0-100)"
        ))),
    }
}

/// The kernel wants limit <= memory+swap limit at every moment: which of them to move first depends on where they are.
fn v1_limits(knobs: &Knobs, memory: &Memory) -> Result<()> {
    let set_swap = |bytes: i64, optional: bool| match knobs.set(V1_SWAP, &bytes.to_string()) {
        // A kernel that does not count swap does not limit it.
        Err(e) if optional && e.errno() == Some(Errno::ENOENT) => Ok(()),
        other => other,
    };
    match (memory.limit, memory.swap) {
        (None, None) => Ok(()),
        (Some(limit), None) if limit != -1 => v1_limit(knobs, limit),
        (Some(limit), None) => {
            set_swap(-1, true)?;
            v1_limit(knobs, limit)
        }
        (None, Some(swap)) => set_swap(swap, swap == -1),
        (Some(limit), Some(swap)) => {
            let now = files::read_u64(&knobs.dir, V1_LIMIT)?;
            if u64::try_from(swap).is_ok_and(|swap| now >= swap) {
                v1_limit(knobs, limit)?;
                set_swap(swap, false)
            } else {
                set_swap(swap, swap == -1)?;
                v1_limit(knobs, limit)
            }
        }
    }
}

fn v1_limit(knobs: &Knobs, limit: i64) -> Result<()> {
    match knobs.set(V1_LIMIT, &limit.to_string()) {
        Err(e) if e.errno() == Some(Errno::EBUSY) => {
            let usage = files::read_u64(&knobs.dir, "memory.usage_in_bytes")?;
            let peak = files::read_u64(&knobs.dir, "memory.max_usage_in_bytes")?;
            Err(Error::message(format!(
                "unable to set memory limit to {limit} (current usage: {usage}, peak usage: {peak})"
            )))
        }
        other => other,
    }
}

/// What v2 leaves out of these, see [`super::left_out`].
pub(super) fn left_out_on_v2(memory: &Memory) -> Vec<String> {
    let given = [
        ("swappiness", memory.swappiness.is_some_and(|value| value != u64::MAX)),
        ("disableOOMKiller", memory.disable_oom_killer == Some(true)),
    ];
    given
        .into_iter()
        .filter(|(_, given)| *given)
        .map(|(name, _)| format!("/memory/{name}"))
        .collect()
}

/// Swappiness and the OOM killer have no counterpart and are left out, as runc does.
fn v2(knobs: &Knobs, memory: &Memory) -> Result<()> {
    if memory.check_before_update {
        refuse_below_usage(&knobs.dir, memory)?;
    }
    if let Some(swap) = swap_max_from_v1(memory.swap, memory.limit)? {
        match knobs.set("memory.swap.max", &or_max(swap)) {
            // Without swap in the kernel there is nothing to turn off or to leave unlimited.
            Err(e) if e.errno() == Some(Errno::ENOENT) && matches!(swap, -1 | 0) => {}
            other => other?,
        }
    }
    for (file, value) in [("memory.max", memory.limit), ("memory.low", memory.reservation)] {
        if let Some(value) = value {
            knobs.set(file, &or_max(value))?;
        }
    }
    Ok(())
}

/// v2 would make room by killing.
fn refuse_below_usage(dir: &Path, memory: &Memory) -> Result<()> {
    // A check for safety's sake: where the use is not known there is nothing to hold against the limit.
    let Ok(usage) = files::read_u64(dir, "memory.current") else {
        return Ok(());
    };
    for (name, value) in [("memory+swap", memory.swap), ("memory", memory.limit)] {
        if let Some(limit) = value.filter(|v| *v > 0 && v.unsigned_abs() <= usage) {
            return Err(Error::message(format!("rejecting {name} limit {limit} <= usage {usage}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v2_has_less() {
        let memory = Memory {
            swappiness: Some(10),
            disable_oom_killer: Some(true),
            use_hierarchy: Some(true),
            ..Memory::default()
        };
        let layout = |mount: &str, own: &str| crate::Layout::parse(mount, own).expect("layout");
        let v2 = layout("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/\n");
        let v1 = layout(
            "30 23 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
            "1:memory:/\n",
        );
        let left_out = |memory: &Memory, layout| {
            let resources = crate::Resources { memory: memory.clone(), ..Default::default() };
            crate::left_out(&resources, layout)
        };
        assert_eq!(left_out(&memory, &v2), ["/memory/swappiness", "/memory/disableOOMKiller"]);
        assert_eq!(left_out(&memory, &v1), Vec::<String>::new());
        let none = Memory {
            swappiness: Some(u64::MAX),
            disable_oom_killer: Some(false),
            ..Memory::default()
        };
        assert_eq!(left_out(&none, &v2), Vec::<String>::new());
    }

    #[test]
    fn swap_conversion() {
        let good = [
            (None, None, None),
            (None, Some(100), None),
            (Some(0), Some(100), None),
            (None, Some(-1), Some(-1)),
            (Some(-1), Some(100), Some(-1)),
            (Some(-1), None, Some(-1)),
            (Some(300), Some(-1), Some(300)),
            (Some(300), Some(100), Some(200)),
            (Some(100), Some(100), Some(0)),
        ];
        for (swap, limit, max) in good {
            assert_eq!(swap_max_from_v1(swap, limit), Ok(max), "{swap:?} {limit:?}");
        }
        for (swap, limit) in [(Some(300), None), (Some(99), Some(100)), (Some(5), Some(-7))] {
            assert!(swap_max_from_v1(swap, limit).is_err(), "{swap:?} {limit:?}");
        }
    }
}
