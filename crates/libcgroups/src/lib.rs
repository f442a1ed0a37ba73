#![doc = include_str!("../README.md")]
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
pub use resources::{Change, io_weight_from_blkio, left_out, swap_max_from_v1, weight_from_shares};
pub use stats::{
    BlkioEntry, BlkioStats, CpuStats, CpuUsage, CpusetStats, HugetlbStats, MemoryEntry,
    MemoryStats, PidsStats, PsiData, PsiStats, RdmaEntry, RdmaStats, Stats, Throttling,
};
pub use systemd::{ANNOTATION_PREFIX, Properties, Unit};
