//! `info`: what the host allows, which `features` does not tell.

use std::path::Path;

use libcgroups::{Layout, Mode};
use serde::Serialize;

use super::host::{apparmor_is_enabled, selinux_is_enabled};
use crate::error::{Error, Result};

/// The host as a container runtime sees it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostInfo {
    /// Release of the kernel, as `uname -r` prints it.
    pub kernel: String,
    /// The machine's name for its processor, as `uname -m` prints it.
    pub architecture: String,
    /// CPUs that this process may run on.
    pub cpus: usize,
    /// Memory in bytes, without what the kernel keeps; 0 if it is not told.
    pub memory: u64,
    /// `v1`, `v2`, `hybrid`, or `none` where no cgroup file system is mounted.
    pub cgroups: &'static str,
    /// What limits can be set on: v1 hierarchies in use, or what the v2 root has.
    pub controllers: Vec<String>,
    /// Whether systemd is the init, so that it can make cgroups.
    pub systemd: bool,
    /// Namespaces of this kernel, by their names below /proc/PID/ns.
    pub namespaces: Vec<String>,
    /// How many user namespaces this user may make; 0 forbids rootless containers.
    pub max_user_namespaces: u64,
    /// Actions of seccomp filters, by the kernel's names; none where it has no filters.
    pub seccomp_actions: Vec<String>,
    /// Whether AppArmor confines processes.
    pub apparmor: bool,
    /// Whether SELinux does.
    pub selinux: bool,
    /// Whether the resource control file system is there, which `linux.intelRdt` needs.
    pub intel_rdt: bool,
}

/// Looks at the host.
///
/// # Errors
/// When uname(2) fails.
pub fn info() -> Result<HostInfo> {
    let uname = nix::sys::utsname::uname().map_err(|errno| Error::os("uname", "", errno))?;
    let (cgroups, controllers) = cgroups();
    Ok(HostInfo {
        kernel: uname.release().to_string_lossy().into_owned(),
        architecture: uname.machine().to_string_lossy().into_owned(),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        memory: memory(&text("/proc/meminfo")),
        cgroups,
        controllers,
        systemd: Path::new("/run/systemd/system").is_dir(),
        namespaces: namespaces(),
        max_user_namespaces: number(&text("/proc/sys/user/max_user_namespaces")),
        seccomp_actions: words(&text("/proc/sys/kernel/seccomp/actions_avail")),
        apparmor: apparmor_is_enabled(),
        selinux: selinux_is_enabled(),
        intel_rdt: Path::new("/sys/fs/resctrl/schemata").exists(),
    })
}

fn cgroups() -> (&'static str, Vec<String>) {
    let Ok(layout) = Layout::detect() else { return ("none", Vec::new()) };
    let mode = match layout.mode() {
        Mode::V1 => "v1",
        Mode::V2 => "v2",
        Mode::Hybrid => "hybrid",
    };
    let v1 = layout.v1().iter().flat_map(|hierarchy| &hierarchy.controllers);
    let mut all: Vec<String> = v1.filter(|name| !name.starts_with("name=")).cloned().collect();
    if let Some(v2) = layout.v2() {
        let path = v2.mount_point.join("cgroup.controllers");
        all.extend(words(&std::fs::read_to_string(path).unwrap_or_default()));
    }
    all.sort_unstable();
    all.dedup();
    (mode, all)
}

fn namespaces() -> Vec<String> {
    let entries = std::fs::read_dir("/proc/self/ns").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with("_for_children")).collect();
    names.sort_unstable();
    names
}

/// Files that are not there are empty: an older kernel has none.
fn text(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or_default()
}

/// `MemTotal`, which is in KiB.
fn memory(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    line.map_or(0, |line| number(line.trim_end_matches("kB")).saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(super::memory("MemTotal:        2048 kB\nMemFree: 1 kB\n"), 2048 * 1024);
        assert_eq!(super::memory(""), 0);
    }
}
