//! What a cgroup has used: one file per controller, v1 and v2 side by side.
//!
//! Names, units and what is left out when it is zero are those of `runc events`, so that the types
//! serialise to the `data` of its JSON as they are. Times are nanoseconds and sizes bytes, whatever the
//! kernel counts in; "no limit" is the largest number for sizes and 0 for processes. A controller that
//! is not there has empty values.

mod blkio;
mod cpu;
mod cpuset;
mod hugetlb;
mod memory;
mod parse;
mod pids;
mod psi;
mod rdma;
mod reader;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cgroup::Cgroup;
use crate::error::Result;

pub use blkio::{BlkioEntry, BlkioStats};
pub use cpu::{CpuStats, CpuUsage, Throttling};
pub use cpuset::CpusetStats;
pub use hugetlb::HugetlbStats;
pub use memory::{MemoryEntry, MemoryStats};
pub use pids::PidsStats;
pub use psi::{PsiData, PsiStats};
pub use rdma::{RdmaEntry, RdmaStats};

/// Statistics of one cgroup and those below it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stats {
    /// cpu and cpuacct controllers
    pub cpu: CpuStats,
    /// cpuset controller (v1 only)
    pub cpuset: CpusetStats,
    /// memory controller
    pub memory: MemoryStats,
    /// pids controller
    pub pids: PidsStats,
    /// blkio (v1) and io (v2) controllers
    pub blkio: BlkioStats,
    /// hugetlb controller, by page size such as `2MB`
    pub hugetlb: BTreeMap<String, HugetlbStats>,
    /// rdma controller; runc reads it too, but does not show it.
    #[serde(skip_serializing_if = "is_default")]
    pub rdma: RdmaStats,
}

impl Cgroup {
    /// What the cgroup has used until now.
    ///
    /// On hybrid hosts each controller is read where it is, and the pressure (PSI) in the v2 tree.
    ///
    /// # Errors
    /// `ENOENT` when the cgroup is not there, or goes while it is read; when a file cannot be read or has
    /// no number where there must be one.
    pub fn stats(&self) -> Result<Stats> {
        let mut reader = reader::Reader::open(self)?;
        let stats = Stats {
            cpu: cpu::read(&mut reader)?,
            cpuset: cpuset::read(&mut reader)?,
            memory: memory::read(&mut reader)?,
            pids: pids::read(&mut reader)?,
            blkio: blkio::read(&mut reader)?,
            hugetlb: hugetlb::read(&mut reader)?,
            rdma: rdma::read(&mut reader)?,
        };
        // Files that went with the cgroup look like those of a controller that is not there.
        reader.check_alive()?;
        Ok(stats)
    }
}

/// For fields that Go leaves out when they are zero.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
