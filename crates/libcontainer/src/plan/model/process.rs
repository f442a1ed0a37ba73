//! The plan of a process, the first one or one that `exec` puts in.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `process`: what execve(2) is to start and with which credentials. Also what `exec` starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The command and its arguments; never empty.
    pub args: Vec<String>,
    /// `KEY=value`, each key once, the last one given.
    pub env: Vec<String>,
    /// Absolute path inside the container.
    pub cwd: PathBuf,
    /// `user.uid`
    pub uid: u32,
    /// `user.gid`
    pub gid: u32,
    /// `user.additionalGids`
    pub additional_gids: Vec<u32>,
    /// The groups of the runtime's caller stay, and `additional_gids` are not looked at; by annotation.
    #[serde(default)]
    pub keep_groups: bool,
    /// `user.umask`, permission bits alone; `None` stands for 0022.
    pub umask: Option<u32>,
    /// `capabilities`; without them all sets are empty.
    pub capabilities: CapabilitySets,
    /// `noNewPrivileges`
    pub no_new_privileges: bool,
    /// `rlimits`
    pub rlimits: Vec<Rlimit>,
    /// `oomScoreAdj`, -1000 to 1000; `None` leaves it as it is.
    pub oom_score_adj: Option<i32>,
    /// `terminal`
    pub terminal: bool,
    /// `consoleSize` as (rows, columns).
    pub console_size: Option<(u16, u16)>,
    /// `apparmorProfile`
    pub apparmor_profile: Option<String>,
    /// `selinuxLabel`
    pub selinux_label: Option<String>,
    /// `scheduler`
    pub scheduler: Option<Scheduler>,
    /// `ioPriority` as the value of ioprio_set(2).
    pub io_priority: Option<u32>,
    /// `execCPUAffinity`; nothing in it stands for every CPU that the cgroup has.
    #[serde(default)]
    pub exec_affinity: CpuAffinity,
}

/// On which CPUs a process runs that is put into a running container. Masks have CPU N in bit N % 64
/// of word N / 64.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuAffinity {
    /// Before it is in the container's cgroup.
    pub initial: Option<Vec<u64>>,
    /// From then on.
    pub last: Option<Vec<u64>>,
}

/// The five capability sets as bit masks, bit N for capability N of capabilities(7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilitySets {
    /// Limit of what execve(2) can give.
    pub bounding: u64,
    /// In force.
    pub effective: u64,
    /// May be made effective.
    pub permitted: u64,
    /// Kept over execve(2) by files that say so.
    pub inheritable: u64,
    /// Kept over execve(2).
    pub ambient: u64,
}

/// One setrlimit(2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// For messages, for example `RLIMIT_NOFILE`.
    pub name: String,
    /// The kernel's number.
    pub resource: u32,
    /// Soft limit; `u64::MAX` is no limit.
    pub soft: u64,
    /// Hard limit; `u64::MAX` is no limit.
    pub hard: u64,
}

/// Arguments of sched_setattr(2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduler {
    /// `SCHED_*`
    pub policy: u32,
    /// `SCHED_FLAG_*`
    pub flags: u64,
    /// Nice value, -20 to 19.
    pub nice: i32,
    /// Static priority, 1 to 99 for the real-time policies.
    pub priority: u32,
    /// Nanoseconds.
    pub runtime: u64,
    /// Nanoseconds.
    pub deadline: u64,
    /// Nanoseconds.
    pub period: u64,
}
