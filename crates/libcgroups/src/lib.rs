//! Control groups for containers: v1, hybrid and v2 hosts through one interface.
//!
//! ```text
//! Layout::detect ──▶ Cgroup::resolve ──▶ create ──▶ apply ──▶ join … freeze, kill_all … ──▶ remove
//!  /proc, once        pure; goes into       |         |         |
//!                     state.json first    mkdir    limits,   v1 hierarchies; v2 by clone3
//!                                                  devices   into `v2_dir_fd`
//! ```
//!
//! - `layout/` what hierarchies this host has and where we are in them
//! - `cgroup/` one container's cgroup: names, making, joining, freezing, killing, removing
//! - `resources/` one file per controller, v1 and v2 side by side
//! - `stats/` what was used: one file per controller, v1 and v2 side by side; `cgroup/oom.rs` tells of lack of memory
//! - `devices/` device rules: what they mean, as v1 exceptions, as a v2 program
//! - `systemd/` the same with directories that systemd makes
//!
//! [`Cgroup`] is plain data that is saved before anything exists, so that whoever finds it later can
//! clean up after a crash at any point.
#![forbid(unsafe_code)]

mod cgroup;
pub mod devices;
mod error;
mod files;
mod layout;
mod model;
mod resources;
mod stats;
mod systemd;

pub use cgroup::{Cgroup, Dir, FreezeWatch, JoinFile, MountViews, OomWatch, V1View, V2View};
pub use error::{Error, Result};
pub use layout::{Hierarchy, Layout, Mode};
pub use model::*;
pub use resources::{io_weight_from_blkio, swap_max_from_v1, weight_from_shares};
pub use stats::{
    BlkioEntry, BlkioStats, CpuStats, CpuUsage, CpusetStats, HugetlbStats, MemoryEntry,
    MemoryStats, PidsStats, PsiData, PsiStats, RdmaEntry, RdmaStats, Stats, Throttling,
};
pub use systemd::{ANNOTATION_PREFIX, Properties, Unit};
