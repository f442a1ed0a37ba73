//! What a caller asks of a cgroup: plain data, the same for every cgroup version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Limits and rules for one cgroup. `None` and empty leave the kernel's value alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// memory controller
    pub memory: Memory,
    /// cpu controller
    pub cpu: Cpu,
    /// cpuset controller
    pub cpuset: Cpuset,
    /// `pids.max`; -1 or any negative number is no limit, 0 is a limit.
    pub pids_limit: Option<i64>,
    /// blkio (v1) and io (v2) controllers
    pub block_io: BlockIo,
    /// hugetlb controller
    pub hugepage_limits: Vec<HugepageLimit>,
    /// net_cls and net_prio controllers (v1 only)
    pub network: Network,
    /// rdma controller, by device name
    pub rdma: BTreeMap<String, Rdma>,
    /// Device access rules in order; the later one wins.
    pub devices: Vec<DeviceRule>,
    /// v2 files by name, written as they are.
    pub unified: BTreeMap<String, String>,
}

/// memory controller. Sizes in bytes, -1 for no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Hard limit.
    pub limit: Option<i64>,
    /// Soft limit (v1), `memory.low` (v2).
    pub reservation: Option<i64>,
    /// Memory and swap together, as v1 counts; on v2 the memory limit is taken off. -1 for no limit.
    pub swap: Option<i64>,
    /// How readily memory is swapped out, 0 to 100; v1 only.
    pub swappiness: Option<u64>,
    /// Processes that get no memory wait in the place of being ended; v1 only.
    pub disable_oom_killer: Option<bool>,
    /// Cgroups below count, too; v1 only, where all kernels of today do so.
    pub use_hierarchy: Option<bool>,
    /// Refuse a limit below the present use.
    pub check_before_update: bool,
}

/// cpu controller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// Relative weight, 2 to 262144; 0 leaves it alone.
    pub shares: Option<u64>,
    /// Microseconds in a period; -1 for no limit, 0 leaves it alone.
    pub quota: Option<i64>,
    /// Microseconds of quota that may be saved up for later periods.
    pub burst: Option<u64>,
    /// Microseconds, 1000 to 1000000; 0 leaves it alone.
    pub period: Option<u64>,
    /// Microseconds in a period; v1 only.
    pub realtime_runtime: Option<i64>,
    /// Microseconds; v1 only.
    pub realtime_period: Option<u64>,
    /// 1 for SCHED_IDLE, 0 for normal.
    pub idle: Option<i64>,
}

/// cpuset controller, lists such as `0-3,7`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpuset {
    /// CPUs
    pub cpus: Option<String>,
    /// Memory nodes
    pub mems: Option<String>,
}

/// blkio (v1) and io (v2) controllers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockIo {
    /// Relative weight, 10 to 1000; 0 leaves it alone.
    pub weight: Option<u16>,
    /// That of the processes in the cgroup itself against the cgroups below, 10 to 1000; v1 only.
    pub leaf_weight: Option<u16>,
    /// Weights for single devices.
    pub weight_devices: Vec<WeightDevice>,
    /// Bytes per second.
    pub read_bps: Vec<ThrottleDevice>,
    /// Bytes per second.
    pub write_bps: Vec<ThrottleDevice>,
    /// Operations per second.
    pub read_iops: Vec<ThrottleDevice>,
    /// Operations per second.
    pub write_iops: Vec<ThrottleDevice>,
}

/// Weight of one block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightDevice {
    /// Device number.
    pub major: i64,
    /// Device number.
    pub minor: i64,
    /// As [`BlockIo::weight`].
    pub weight: Option<u16>,
    /// As [`BlockIo::leaf_weight`].
    pub leaf_weight: Option<u16>,
}

/// Rate limit of one block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrottleDevice {
    /// Device number.
    pub major: i64,
    /// Device number.
    pub minor: i64,
    /// Limit per second; 0 takes it away.
    pub rate: u64,
}

/// hugetlb limit for one page size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HugepageLimit {
    /// For example `2MB`.
    pub page_size: String,
    /// Bytes.
    pub limit: u64,
}

/// net_cls and net_prio (v1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// `net_cls.classid`: major number of a tc(8) class in the high 16 bits, minor in the low.
    pub class_id: Option<u32>,
    /// `net_prio.ifpriomap`: (interface, priority)
    pub priorities: Vec<(String, u32)>,
}

/// rdma limits of one device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rdma {
    /// How many HCA handles may be open.
    pub hca_handles: Option<u32>,
    /// How many HCA objects may be made.
    pub hca_objects: Option<u32>,
}

/// One device access rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRule {
    /// Allow or deny.
    pub allow: bool,
    /// Which kind of device.
    pub kind: DeviceKind,
    /// `None` is every major number.
    pub major: Option<u32>,
    /// `None` is every minor number.
    pub minor: Option<u32>,
    /// Which accesses.
    pub access: Access,
}

/// Kind of device in a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceKind {
    /// `a`
    All,
    /// `c`
    Char,
    /// `b`
    Block,
}

/// Accesses of a device rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// `r`
    pub read: bool,
    /// `w`
    pub write: bool,
    /// `m`
    pub mknod: bool,
}
