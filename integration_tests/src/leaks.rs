//! What a container left behind, found by its unique id and directory.

use crate::cgroups::Cgroups;
use crate::manager::{Manager, PREFIX, systemctl, unit_name, units};
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Environment variable that marks every process of the runtime with the container's id.
pub(crate) const MARK: &str = "ONGGI_TEST_ID";

/// Everything found, as lines for a message.
pub(crate) fn find(id: &str, dir: &Path, state: &Path, manager: Manager) -> Vec<String> {
    let mut found: Vec<String> =
        Cgroups::detect().find(id).iter().map(|p| format!("cgroup {}", p.display())).collect();
    found.extend(mounts(dir).into_iter().map(|m| format!("mount {m}")));
    found.extend(processes(id).into_iter().map(|p| format!("process {p} {}", command_line(p))));
    let entries = fs::read_dir(state).into_iter().flatten().flatten();
    let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
    found.extend(names.filter(|n| n.contains(id)).map(|n| format!("state {n}")));
    if manager == Manager::Systemd {
        found.extend(units(id).into_iter().map(|u| format!("unit {u}")));
    }
    found
}

/// Waits a little for things that the kernel takes away on its own, then gives what is left.
pub(crate) fn settle(id: &str, dir: &Path, state: &Path, manager: Manager) -> Vec<String> {
    settle_for(id, dir, state, manager, Duration::from_secs(5))
}

/// True when nothing is left after a moment.
pub(crate) fn settle_briefly(id: &str, dir: &Path, state: &Path, manager: Manager) -> bool {
    settle_for(id, dir, state, manager, Duration::from_millis(300)).is_empty()
}

fn settle_for(id: &str, dir: &Path, state: &Path, manager: Manager, time: Duration) -> Vec<String> {
    let end = Instant::now() + time;
    loop {
        let found = find(id, dir, state, manager);
        if found.is_empty() || Instant::now() > end {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Kills, unmounts and removes what is left, so that one bad test does not spoil the next.
pub(crate) fn remove(id: &str, dir: &Path, manager: Manager) {
    for pid in processes(id) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    for dir in Cgroups::detect().find(id) {
        thaw(&dir);
        for line in fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default().lines() {
            // Zero stands for a process of another pid namespace.
            if let Some(pid) = line.parse().ok().filter(|p| *p > 0) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
    for target in mounts(dir).iter().rev() {
        let _ = umount2(target.as_str(), MntFlags::MNT_DETACH);
    }
    if manager == Manager::Systemd {
        for unit in units(id) {
            systemctl(&["kill", "--signal=KILL", &unit]);
            systemctl(&["stop", &unit]);
            systemctl(&["reset-failed", &unit]);
        }
    }
    let mut dirs = Cgroups::detect().find(id);
    dirs.sort_by_key(|d| std::cmp::Reverse(d.components().count()));
    let end = Instant::now() + Duration::from_secs(2);
    while !dirs.is_empty() && Instant::now() < end {
        dirs.retain(|d| d.exists() && fs::remove_dir(d).is_err());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn thaw(dir: &Path) {
    // One of the two is there; a cgroup that is not frozen takes either.
    for (file, text) in [("freezer.state", "THAWED"), ("cgroup.freeze", "0")] {
        if dir.join(file).exists() {
            let _ = fs::write(dir.join(file), text);
        }
    }
}

fn mounts(dir: &Path) -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let prefix = dir.to_string_lossy();
    let targets = text.lines().filter_map(|l| l.split(' ').nth(4));
    targets.filter(|t| t.starts_with(prefix.as_ref())).map(str::to_owned).collect()
}

/// Living processes that carry the mark, are in one of the cgroups, or name the id.
pub(crate) fn processes(id: &str) -> Vec<i32> {
    let own = std::process::id().cast_signed();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|e| e.file_name().to_string_lossy().parse::<i32>().ok());
    let mark = format!("{MARK}={id}");
    let unit = unit_name(PREFIX, id);
    pids.filter(|pid| *pid != own)
        .filter(|pid| {
            let has = |file: &str, text: &str| {
                let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                String::from_utf8_lossy(&bytes).split(['\0', '\n', '/', ':']).any(|w| w == text)
            };
            has("environ", &mark) || has("cgroup", id) || has("cgroup", &unit) || has("cmdline", id)
        })
        .filter(|pid| alive(*pid))
        .collect()
}

fn alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|s| s.chars().next());
    state.is_some_and(|s| !matches!(s, 'Z' | 'X'))
}

fn command_line(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}
