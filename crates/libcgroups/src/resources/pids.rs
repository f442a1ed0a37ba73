//! pids: how many processes and threads.

use super::{Knobs, or_max, unlimited_anyway};
use crate::cgroup::Cgroup;
use crate::error::Result;

/// `pids.max` is the same file in v1 and v2.
///
/// 0 becomes 1: with 0 not even the first process could be cloned into the cgroup, and as that one counts, 1 too
/// lets nobody fork.
pub(super) fn apply(cgroup: &Cgroup, limit: Option<i64>) -> Result<()> {
    let Some(limit) = limit else { return Ok(()) };
    let value = if limit == 0 { "1".to_owned() } else { or_max(limit) };
    let set = Knobs::find(cgroup, "pids", "pids", "pids limit")
        .and_then(|knobs| knobs.set("pids.max", &value));
    if limit < 0 { unlimited_anyway(set) } else { set }
}
