//! Who makes the containers' cgroups: the runtime by files, or systemd on its behalf.

use crate::has_root;
use crate::output::{Output, run, wait_until};
use std::fs;
use std::path::Path;
use std::process::{Child, Command};

/// The prefix in the names of the units that the tests ask for.
pub(crate) const PREFIX: &str = "onggi";

/// The cgroup driver that a test has the runtime use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// Files below /sys/fs/cgroup.
    Files,
    /// A unit of systemd: the system's for root, else the user's own.
    Systemd,
}

impl Manager {
    /// What `ONGGI_CGROUP_MANAGER` says: `systemd`, or nothing for files.
    pub fn chosen() -> Self {
        match std::env::var("ONGGI_CGROUP_MANAGER").as_deref() {
            Ok("systemd") => Self::Systemd,
            Ok("cgroupfs" | "") | Err(_) => Self::Files,
            Ok(other) => panic!("ONGGI_CGROUP_MANAGER={other}: it is systemd or cgroupfs"),
        }
    }

    /// `linux.cgroupsPath` of a container that is to be found by its id alone.
    pub(crate) fn cgroups_path(self, id: &str) -> String {
        match self {
            Self::Systemd => format!("{}:{PREFIX}:{id}", default_slice()),
            Self::Files if has_root() => format!("/{id}"),
            // Beside the test's own, since a v2 cgroup with processes in it cannot share out.
            Self::Files => format!("{}/{id}", delegated().unwrap_or_default()),
        }
    }
}

/// Where a unit goes when nobody has named a slice.
pub fn default_slice() -> &'static str {
    if has_root() { "system.slice" } else { "user.slice" }
}

/// The cgroup that this user may share out: the parent of its own. None unless `ONGGI_DELEGATED`
/// says that it was given to the tests; a desktop's is its user's as well.
pub fn delegated() -> Option<String> {
    std::env::var_os("ONGGI_DELEGATED")?;
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = text.lines().find_map(|l| l.strip_prefix("0::"))?;
    Some(Path::new(own).parent()?.to_string_lossy().into_owned())
}

/// True when the manager of this user's units answers.
pub fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
        && systemctl(&["show", "--property=Version"]).code == 0
}

/// Calls systemctl, for a normal user that of the user's own manager.
#[track_caller]
pub fn systemctl(args: &[&str]) -> Output {
    let mut command = Command::new("systemctl");
    if !has_root() {
        command.arg("--user");
    }
    run(command.args(args))
}

/// A property of a unit, as `systemctl show` prints it.
#[track_caller]
pub fn unit_property(unit: &str, name: &str) -> String {
    let output = systemctl(&["show", "--property", name, "--value", unit]);
    output.ok().trim_end().to_owned()
}

/// Starts a scope of the given name that is none of the runtime's.
#[track_caller]
pub fn others_scope(unit: &str, options: &[&str]) -> Child {
    let mut command = Command::new("systemd-run");
    if !has_root() {
        command.arg("--user");
    }
    command.args(["--scope", "--quiet", "--unit", unit]).args(options).args(["sleep", "100"]);
    let child = command.spawn().expect("start systemd-run");
    wait_until("the other scope", || unit_property(unit, "ActiveState") == "active");
    child
}

/// Loaded units whose name contains `mark`, whatever became of them.
pub fn units(mark: &str) -> Vec<String> {
    let pattern = format!("*{mark}*");
    let args = ["list-units", "--all", "--plain", "--no-legend", "--full", &pattern];
    let output = systemctl(&args);
    output.stdout.lines().filter_map(|l| l.split_whitespace().next()).map(str::to_owned).collect()
}

/// The cgroup of `slice:prefix:name`, as systemd lays it out.
#[track_caller]
pub fn unit_cgroup(cgroups_path: &str) -> String {
    let words: Vec<&str> = cgroups_path.split(':').collect();
    let [slice, prefix, name] = words[..] else { panic!("{cgroups_path:?} names no unit") };
    let slice = if slice.is_empty() { default_slice() } else { slice };
    let top = if has_root() { String::new() } else { users_cgroup() };
    format!("{top}{}/{}", slice_cgroup(slice), unit_name(prefix, name))
}

/// The unit of a container.
pub fn unit_name(prefix: &str, name: &str) -> String {
    format!("{prefix}-{name}.scope")
}

/// `a-b.slice` lies in `a.slice`.
fn slice_cgroup(slice: &str) -> String {
    let stem = slice.strip_suffix(".slice").unwrap_or(slice);
    let ends = stem.match_indices('-').map(|(at, _)| at).chain([stem.len()]);
    ends.map(|end| format!("/{}.slice", &stem[..end])).collect()
}

/// Below which the user's own manager makes its units.
fn users_cgroup() -> String {
    systemctl(&["show", "--property=ControlGroup", "--value"]).stdout.trim().to_owned()
}
