//! What the planner must know of the host.

use std::path::PathBuf;

/// Facts that decide how config.json is read. Gathered once by the caller, so that the planner
/// itself makes no system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts {
    /// Absolute path of the bundle: relative paths of config.json are taken from it.
    pub bundle: PathBuf,
    /// Effective user id of the runtime; not 0 means rootless.
    pub euid: u32,
    /// Highest capability that the kernel knows, from `/proc/sys/kernel/cap_last_cap`.
    pub last_cap: u8,
}
