//! pids: how many processes and threads, and how many there may be.

use serde::Serialize;

use super::is_default;
use super::reader::Reader;
use crate::error::Result;

/// pids controller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PidsStats {
    /// Threads; processes in a v2 cgroup without the controller.
    #[serde(skip_serializing_if = "is_default")]
    pub current: u64,
    /// The most there may be; 0 for no limit.
    #[serde(skip_serializing_if = "is_default")]
    pub limit: u64,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<PidsStats> {
    if let Some(place) = reader.find("pids") {
        let limit = reader.number(place, "pids.max")?.filter(|limit| *limit != u64::MAX);
        return Ok(PidsStats {
            current: reader.number(place, "pids.current")?.unwrap_or_default(),
            limit: limit.unwrap_or_default(),
        });
    }
    let Some(tree) = reader.tree() else { return Ok(PidsStats::default()) };
    let mut current = None;
    // A threaded cgroup has no list of processes.
    for list in ["cgroup.procs", "cgroup.threads"] {
        if current.is_none() {
            current = reader.text(tree, list)?.map(|text| text.lines().count());
        }
    }
    Ok(PidsStats { current: current.unwrap_or_default() as u64, limit: 0 })
}
