//! The plan: what `launch` and `init` act on, with every choice made and every default filled in.
//!
//! Plain data. The planner makes it from config.json; nothing here knows oci-spec, and nothing
//! after the planner looks into config.json again.

mod mount;
mod process;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use mount::*;
pub use process::*;
use serde::{Deserialize, Serialize};

/// A whole container, resolved and validated.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// `ociVersion` of config.json, as written.
    pub oci_version: String,
    /// Absolute path of the bundle directory.
    pub bundle: PathBuf,
    /// `root` and `linux.rootfsPropagation`.
    pub rootfs: Rootfs,
    /// `linux.namespaces` with the mappings and time offsets that belong to them.
    pub namespaces: Namespaces,
    /// `mounts`, in order.
    pub mounts: Vec<Mount>,
    /// `linux.mountLabel`: SELinux label of new file systems.
    pub mount_label: Option<String>,
    /// The option by which SELinux is told of it; by annotation.
    pub mount_context: MountContext,
    /// The default devices of the runtime-spec and `linux.devices`; one entry for a path.
    pub devices: Vec<Device>,
    /// `linux.maskedPaths`, absolute.
    pub masked_paths: Vec<PathBuf>,
    /// `linux.readonlyPaths`, absolute.
    pub readonly_paths: Vec<PathBuf>,
    /// `hostname`.
    pub hostname: Option<String>,
    /// `domainname`.
    pub domainname: Option<String>,
    /// `linux.sysctl` as (path below /proc/sys, value), for example `net/ipv4/ip_forward`.
    pub sysctl: Vec<(String, String)>,
    /// `process`; absent in a bundle that is created and never started.
    pub process: Option<Process>,
    /// `hooks`.
    pub hooks: Hooks,
    /// `linux.cgroupsPath`, as written.
    pub cgroups_path: Option<String>,
    /// User of the container who is to own its v2 cgroup, so that it can make cgroups below.
    pub cgroup_owner: Option<u32>,
    /// Whether the cgroup mount is to show a v1 hierarchy for systemd and nothing else; by annotation.
    pub systemd_v1: bool,
    /// Further cgroups on the way to the process; by annotation.
    pub sub_cgroups: SubCgroups,
    /// `linux.resources`, with the default devices appended to the device rules.
    pub resources: libcgroups::Resources,
    /// `linux.seccomp`.
    pub seccomp: Option<seccomp::Profile>,
    /// Its filter, if it is not to be compiled from the rules; by annotation.
    pub seccomp_program: Option<Vec<seccomp::Insn>>,
    /// `linux.personality` as the argument of personality(2).
    pub personality: Option<u64>,
    /// `linux.intelRdt`
    pub intel_rdt: Option<IntelRdt>,
    /// `linux.netDevices`, by their names on the host.
    pub net_devices: Vec<NetDevice>,
    /// `linux.memoryPolicy`
    pub memory_policy: Option<MemoryPolicy>,
    /// `annotations`.
    pub annotations: BTreeMap<String, String>,
    /// Absolute path of a socket that is sent a pidfd of the first process; by annotation.
    pub pidfd_receiver: Option<PathBuf>,
    /// What was passed over, for the log; each names its place in config.json.
    pub warnings: Vec<String>,
}

/// Cgroups below others, each a path of one name or more without `.` and `..`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubCgroups {
    /// Below the unit, where systemd makes the cgroup: this is then the container's.
    pub unit: Option<String>,
    /// Below the container's: the process is moved there once it has its cgroup namespace.
    pub delegated: Option<String>,
}

/// `root`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rootfs {
    /// Absolute path; a relative `root.path` is taken from the bundle.
    pub path: PathBuf,
    /// `root.readonly`.
    pub readonly: bool,
    /// `linux.rootfsPropagation`; `None` stands for the default, recursive slave.
    pub propagation: Option<Propagation>,
}

/// One kind of namespace: kept, made, or joined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Namespace {
    /// Not listed: the container stays in the runtime's.
    #[default]
    Inherit,
    /// Listed without a path.
    New,
    /// Listed with a path.
    Join(PathBuf),
}

/// All namespaces(7) of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// user_namespaces(7)
    pub user: Namespace,
    /// mount_namespaces(7)
    pub mount: Namespace,
    /// pid_namespaces(7)
    pub pid: Namespace,
    /// network_namespaces(7)
    pub network: Namespace,
    /// ipc_namespaces(7)
    pub ipc: Namespace,
    /// uts_namespaces(7)
    pub uts: Namespace,
    /// cgroup_namespaces(7)
    pub cgroup: Namespace,
    /// time_namespaces(7)
    pub time: Namespace,
    /// `linux.uidMappings`
    pub uid_maps: Vec<IdMap>,
    /// `linux.gidMappings`
    pub gid_maps: Vec<IdMap>,
    /// `linux.timeOffsets`
    pub time_offsets: Vec<TimeOffset>,
}

/// One line of a uid_map or gid_map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMap {
    /// First id inside the user namespace.
    pub container: u32,
    /// First id outside.
    pub host: u32,
    /// How many ids; at least 1.
    pub size: u32,
}

/// One line of timens_offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeOffset {
    /// `monotonic` or `boottime`.
    pub clock: &'static str,
    /// Whole seconds; may be negative.
    pub secs: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nanosecs: u32,
}

/// A device node, FIFO or bind-mounted stand-in to be made in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Where, as an absolute path inside the container.
    pub path: PathBuf,
    /// Which kind of node.
    pub kind: DeviceKind,
    /// Device number; 0 for a FIFO.
    pub major: u32,
    /// Device number; 0 for a FIFO.
    pub minor: u32,
    /// Permission bits, set whatever the umask.
    pub mode: u32,
    /// Owner inside the container.
    pub uid: u32,
    /// Group inside the container.
    pub gid: u32,
}

/// Kind of a device node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// `c` and `u`
    Char,
    /// `b`
    Block,
    /// `p`
    Fifo,
}

/// A class of service of the resctrl file system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IntelRdt {
    /// `closID`; `/` is the default class. `None` is one of the container's own, called by its id.
    pub clos_id: Option<String>,
    /// `l3CacheSchema`
    pub l3_cache: Option<String>,
    /// `memBwSchema`
    pub memory_bandwidth: Option<String>,
    /// `schemata`, lines to be written last.
    pub schemata: Vec<String>,
    /// `enableMonitoring`: a monitoring group of the container's own.
    pub monitoring: bool,
}

/// A network device that moves to the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetDevice {
    /// What it is called on the host.
    pub host: String,
    /// What it is to be called in the container; `%d` stands for the first free number.
    pub name: String,
}

impl NetDevice {
    /// Whether the kernel chooses a part of the name.
    pub fn is_template(&self) -> bool {
        self.name.contains('%')
    }
}

/// Arguments of set_mempolicy(2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPolicy {
    /// `MPOL_*` with `MPOL_F_*`.
    pub mode: u32,
    /// Memory node N in bit N % 64 of word N / 64; empty for none.
    pub nodes: Vec<u64>,
}

/// `hooks`, in the order in which they run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hooks {
    /// Runtime namespace, before `createRuntime`.
    pub prestart: Vec<Hook>,
    /// Runtime namespace, before pivot_root(2).
    pub create_runtime: Vec<Hook>,
    /// Container namespace, before pivot_root(2).
    pub create_container: Vec<Hook>,
    /// Container namespace, just before the user's process.
    pub start_container: Vec<Hook>,
    /// Runtime namespace, after the user's process was started.
    pub poststart: Vec<Hook>,
    /// Runtime namespace, after the container was deleted.
    pub poststop: Vec<Hook>,
}

/// One hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Absolute path of the executable.
    pub path: PathBuf,
    /// argv, with argv\[0\]; empty stands for the path alone.
    pub args: Vec<String>,
    /// The whole environment of the hook. `None` stands for none at all, for a startContainer hook
    /// for that of the process.
    pub env: Option<Vec<String>>,
    /// Seconds after which it is killed and counts as failed; at least 1.
    pub timeout: Option<u64>,
    /// Absolute path of a file that its standard output is appended to; by annotation.
    #[serde(default)]
    pub stdout: Option<PathBuf>,
    /// The same of its standard error.
    #[serde(default)]
    pub stderr: Option<PathBuf>,
}
