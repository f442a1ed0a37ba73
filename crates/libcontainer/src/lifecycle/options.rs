//! What the command line tells the operations.

use std::path::PathBuf;

pub use crate::state::StateView;

use crate::error::{Error, Result};

/// Options of every verb.
#[derive(Debug, Clone)]
pub struct Runtime {
    /// Directory with the state of all containers.
    pub root: PathBuf,
    /// `--rootless`; `None` finds out.
    pub rootless: Option<bool>,
    /// `--cgroup-manager`, `--systemd-cgroup`
    pub cgroup_manager: CgroupManager,
}

impl Runtime {
    /// Whether cgroups may be out of reach: not root, root of a user namespace, or told so.
    pub(crate) fn is_rootless(&self) -> bool {
        self.rootless.unwrap_or_else(|| !nix::unistd::geteuid().is_root() || in_user_namespace())
    }

    /// Whether the systemd to ask is the caller's own, and not process 1: also for who is root only in a user namespace,
    /// unless that has a systemd of its own.
    pub(crate) fn has_user_systemd(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let euid = nix::unistd::geteuid().as_raw();
        let is_own = match std::fs::metadata("/run/systemd/private") {
            Ok(socket) => socket.uid() == euid,
            Err(_) => euid == 0,
        };
        self.rootless.unwrap_or(!is_own)
    }
}

/// Whether this process is in a user namespace that somebody made, see user_namespaces(7).
pub fn in_user_namespace() -> bool {
    let maps_all = |map: &str| map.split_whitespace().eq(["0", "0", "4294967295"]);
    std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| !maps_all(&map))
}

/// Who manages cgroups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CgroupManager {
    /// This program, through the cgroup file system.
    #[default]
    Cgroupfs,
    /// systemd.
    Systemd,
    /// Nobody.
    Disabled,
}

/// Options of `create`.
#[derive(Debug, Clone, Default)]
pub struct CreateOptions {
    /// Container id.
    pub id: String,
    /// Bundle directory.
    pub bundle: PathBuf,
    /// config.json, if it is not the bundle's.
    pub config: Option<PathBuf>,
    /// Socket that gets the terminal.
    pub console_socket: Option<PathBuf>,
    /// File for the first process's number.
    pub pid_file: Option<PathBuf>,
    /// Socket that gets the first process's pidfd.
    pub pidfd_socket: Option<PathBuf>,
    /// chroot(2) instead of pivot_root(2).
    pub no_pivot: bool,
    /// Keep the caller's session keyring.
    pub no_new_keyring: bool,
    /// How many of the caller's descriptors from 3 on the program gets.
    pub preserve_fds: u32,
}

/// Options of `run`.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// As for `create`.
    pub create: CreateOptions,
    /// Return once the program runs.
    pub detach: bool,
    /// Do not delete the container when its program has ended.
    pub keep: bool,
    /// Do not adopt what the container orphans.
    pub no_subreaper: bool,
}

/// Options of `exec`.
#[derive(Debug, Clone, Default)]
pub struct ExecOptions {
    /// Container id.
    pub id: String,
    /// A file with `process` of config.json.
    pub process_file: Option<PathBuf>,
    /// Command and arguments.
    pub args: Vec<String>,
    /// Working directory.
    pub cwd: Option<String>,
    /// `KEY=value`, added to the container's.
    pub env: Vec<String>,
    /// With a terminal.
    pub tty: bool,
    /// `UID[:GID]`
    pub user: Option<String>,
    /// Return once the program runs.
    pub detach: bool,
    /// Socket that gets the terminal.
    pub console_socket: Option<PathBuf>,
    /// File for the process's number.
    pub pid_file: Option<PathBuf>,
    /// Socket that gets the process's pidfd.
    pub pidfd_socket: Option<PathBuf>,
    /// SELinux label.
    pub process_label: Option<String>,
    /// AppArmor profile.
    pub apparmor: Option<String>,
    /// Set no_new_privs.
    pub no_new_privs: bool,
    /// Capabilities to add.
    pub caps: Vec<String>,
    /// Supplementary groups to add.
    pub additional_gids: Vec<String>,
    /// How many of the caller's descriptors from 3 on the program gets.
    pub preserve_fds: u32,
    /// `[CONTROLLER:]PATH` below the container's cgroup.
    pub cgroup: Vec<String>,
    /// Also in a paused container.
    pub ignore_paused: bool,
}

/// Options of `update`.
#[derive(Debug, Clone, Default)]
pub struct UpdateOptions {
    /// Container id.
    pub id: String,
    /// A `linux.resources` document; with it the limits below are not looked at.
    pub document: Option<Vec<u8>>,
    /// Limits of the command line.
    pub limits: libcgroups::Resources,
    /// Whether limits for kernel memory were given, which no kernel has any more.
    pub kernel_memory: bool,
    /// Intel RDT: another schema for the L3 cache.
    pub l3_cache_schema: Option<String>,
    /// Intel RDT: another schema for memory bandwidth.
    pub mem_bw_schema: Option<String>,
}

/// Checks that a container id is one: letters, digits and `_+.-`, and no directory of its own. It
/// becomes the name of directories and cgroups.
///
/// # Errors
/// It is empty or has another character; in the words that engines know.
pub fn check_id(id: &str) -> Result<()> {
    if id.is_empty() {
        return Err(Error::message("container id cannot be empty"));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+.-".contains(&byte);
    if matches!(id, "." | "..") || !id.bytes().all(allowed) {
        return Err(Error::message(format!("invalid container id format: {id:?}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_id;

    #[test]
    fn good_ids() {
        for id in ["a", "A-Z_0+9.x", "...", "-a", "0123456789abcdef"] {
            assert!(check_id(id).is_ok(), "{id}");
        }
    }

    #[test]
    fn bad_ids() {
        for id in ["", ".", "..", "a/b", "../x", "a b", "a\n", "a\0b", "ü", "a%20", "a:b", "a@b"] {
            assert!(check_id(id).is_err(), "{id:?}");
        }
    }
}
