//! What the runtime's own process and host bring along: descriptors, sockets, facts.

use std::path::Path;

use libcgroups::{Layout, Resources};

use super::options::CgroupManager;
use crate::error::{Error, Result};
use crate::notes::Notes;
use crate::plan::{HostFacts, Plan, Process};

/// Keeps what the caller left open from hooks and containers, but for what it asked to pass on, and
/// makes sure that children can be waited for.
pub(super) fn protect_descriptors(preserve: u32) -> Result<()> {
    for fd in 3..3 + i64::from(preserve) {
        let number = i32::try_from(fd).map_err(|_| Error::message("--preserve-fds: too many"))?;
        if !sys::fd::is_open(number) {
            return Err(Error::message(format!(
                "--preserve-fds: file descriptor {number} is not open"
            )));
        }
    }
    sys::prctl::keep_children().map_err(|errno| Error::os("reset", "SIGCHLD", errno))?;
    sys::fd::cloexec_from(3).map_err(|errno| Error::os("close_range", "", errno))
}

/// How many sockets systemd passes to this process, to be passed on; see sd_listen_fds(3).
pub(super) fn listen_fds() -> u32 {
    let variable = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    let meant_for_us = variable("LISTEN_PID") == Some(std::process::id());
    variable("LISTEN_FDS").filter(|_| meant_for_us).unwrap_or(0)
}

/// Tells the container's program of the sockets; it will be process 1.
pub(super) fn pass_listen_fds(plan: &mut Plan, count: u32) {
    if let Some(process) = plan.process.as_mut().filter(|_| count > 0) {
        process
            .env
            .retain(|entry| !entry.starts_with("LISTEN_FDS=") && !entry.starts_with("LISTEN_PID="));
        process.env.extend([format!("LISTEN_FDS={count}"), "LISTEN_PID=1".into()]);
    }
}

/// Takes out labels of security modules that this kernel does not run: as under runc (SELinux) and
/// crun (both), what engines name by default must work there. `pointer` is where the process stands.
pub(super) fn without_absent_modules(process: &mut Process, pointer: &str, notes: &mut Notes) {
    if process.apparmor_profile.is_some() && !apparmor_is_enabled() {
        let text = "is ignored: AppArmor is not enabled";
        notes.add([format!("{pointer}/apparmorProfile: {text}")]);
        process.apparmor_profile = None;
    }
    if process.selinux_label.is_some() && !selinux_is_enabled() {
        let text = "is ignored: SELinux is not enabled";
        notes.add([format!("{pointer}/selinuxLabel: {text}")]);
        process.selinux_label = None;
    }
}

/// Notes, for `--strict`, which limits this host's cgroups have no setting for; `pointer` is where the resources stand.
pub(super) fn without_absent_settings(limits: &Resources, pointer: &str, notes: &mut Notes) {
    if !notes.is_strict() {
        return;
    }
    // Without any cgroup file system the failure comes soon enough.
    if let Ok(layout) = Layout::detect() {
        let left_out = libcgroups::left_out(limits, &layout).into_iter();
        notes.add(
            left_out.map(|member| {
                format!("{pointer}{member}: is ignored: cgroup v2 has no such setting")
            }),
        );
    }
}

/// Notes which annotations ask for a cgroup below one that this manager does not make.
pub(super) fn without_absent_cgroups(plan: &Plan, manager: CgroupManager, notes: &mut Notes) {
    let wanted = &plan.sub_cgroups;
    let mut ignored = |name: &str, text: &str| {
        notes.add([format!("/annotations/{name}: is ignored: {text}")]);
    };
    if wanted.unit.is_some() && manager != CgroupManager::Systemd {
        ignored("run.oci.systemd.subgroup", "systemd does not make the cgroup");
    }
    if wanted.delegated.is_some() && manager == CgroupManager::Disabled {
        ignored("run.oci.delegate-cgroup", "there is no cgroup");
    }
}

/// The same for the label of mounts.
pub(super) fn without_absent_label(label: &mut Option<String>, notes: &mut Notes) {
    if label.is_some() && !selinux_is_enabled() {
        notes.add(["/linux/mountLabel: is ignored: SELinux is not enabled".to_owned()]);
        *label = None;
    }
}

/// Whether the kernel runs AppArmor.
pub(super) fn apparmor_is_enabled() -> bool {
    std::fs::read("/sys/module/apparmor/parameters/enabled")
        .is_ok_and(|text| text.starts_with(b"Y"))
}

/// Whether the kernel runs SELinux, and its file system is where labels can be checked.
pub(super) fn selinux_is_enabled() -> bool {
    Path::new("/sys/fs/selinux/enforce").exists()
}

pub(super) fn facts(bundle: &Path) -> Result<HostFacts> {
    let path = "/proc/sys/kernel/cap_last_cap";
    let text = std::fs::read_to_string(path).map_err(|error| Error::io("read", path, &error))?;
    let last_cap = text
        .trim()
        .parse()
        .map_err(|_| Error::message(format!("{path}: {text:?} is no capability number")))?;
    Ok(HostFacts { bundle: bundle.to_owned(), euid: nix::unistd::geteuid().as_raw(), last_cap })
}
