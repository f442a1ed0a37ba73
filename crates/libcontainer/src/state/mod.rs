//! What the runtime remembers of a container between two commands.
//!
//! One directory for a container under the runtime's root, mode 0700:
//!
//! ```text
//! state.json        who it is, its process, cgroup, namespaces; replaced by rename, never half there
//! exec.json         what `exec` starts processes with: config.json need not be there any more
//! filter.bpf        the compiled seccomp filter with its flags, for `exec`
//! exec.fifo         a byte in it lets the created process go; gone once it was started
//! status/exec.fifo  the process says here why execve failed; end-of-file says that it worked
//! ```

mod aside;
mod dir;
mod exit;
mod files;
mod liveness;
mod view;

use std::collections::BTreeMap;
use std::path::PathBuf;

use libcgroups::{Access, DeviceKind, DeviceRule};
use serde::{Deserialize, Serialize};

use crate::plan::{Hook, MemoryPolicy, MountContext, Process};

pub(crate) use dir::StateDir;
pub(crate) use exit::ExitWatch;
pub(crate) use files::replace;
pub(crate) use liveness::{InitProcess, Liveness};
pub use view::StateView;
pub(crate) use view::Status;

/// state.json
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    /// Format of this file; see [`FORMAT`].
    pub format: u32,
    /// Container id.
    pub id: String,
    /// `ociVersion` of config.json.
    pub oci_version: String,
    /// Absolute path of the bundle.
    pub bundle: PathBuf,
    /// Absolute path of the root file system.
    pub rootfs: PathBuf,
    /// When `create` began, RFC 3339 with nanoseconds, UTC.
    pub created: String,
    /// User who created it.
    pub owner: u32,
    /// `annotations` of config.json.
    pub annotations: BTreeMap<String, String>,
    /// The runtime process that creates it; absent once that came to its end.
    pub creator: Option<InitProcess>,
    /// The container's first process; absent until there is one.
    pub init: Option<InitProcess>,
    /// Where its cgroups are; written before they are made. Absent when cgroups are not managed.
    pub cgroup: Option<libcgroups::Cgroup>,
    /// Its class of service; written before it is made. Absent when config.json asks for none.
    #[serde(default)]
    pub rdt: Option<crate::rdt::Group>,
    /// [`device_digest`] of the device rules in force; absent when that is not sure.
    #[serde(default)]
    pub devices: Option<u64>,
    /// Memory limit, and limit on memory and swap together, as they were given last.
    #[serde(default)]
    pub memory: (Option<i64>, Option<i64>),
    /// `CLONE_NEW*` bits of the namespaces that are not the runtime's own.
    pub namespaces: i32,
    /// Whether it has startContainer hooks, which take the time they take.
    pub slow_start: bool,
    /// Whether config.json has a `process`.
    pub has_process: bool,
    /// Whether its mount namespace was made for it; else its root is a mount that only its
    /// processes see.
    pub own_mounts: bool,
    /// `hooks.poststart`
    pub poststart: Vec<Hook>,
    /// `hooks.poststop`
    pub poststop: Vec<Hook>,
}

/// Present value of [`State::format`].
pub(crate) const FORMAT: u32 = 1;

/// Tells lists of device rules apart (FNV-1a).
pub(crate) fn device_digest(rules: &[DeviceRule]) -> u64 {
    let number = |n: Option<u32>| n.map_or(u64::MAX, u64::from);
    let words = rules.iter().flat_map(|rule| {
        let Access { read, write, mknod } = rule.access;
        let kind = match rule.kind {
            DeviceKind::All => 0,
            DeviceKind::Char => 1,
            DeviceKind::Block => 2,
        };
        let flags = [rule.allow, read, write, mknod];
        let flags = flags.iter().fold(kind, |bits, flag| bits << 1 | u64::from(*flag));
        [flags, number(rule.major), number(rule.minor)]
    });
    words.fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ word).wrapping_mul(0x0100_0000_01b3))
}

/// exec.json
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ExecDefaults {
    /// `process` of config.json.
    pub process: Option<Process>,
    /// Whether processes get a session keyring of their own.
    pub new_keyring: bool,
    /// `linux.personality`
    pub personality: Option<u64>,
    /// `linux.memoryPolicy`
    #[serde(default)]
    pub memory_policy: Option<MemoryPolicy>,
    /// `listenerPath` and `listenerMetadata` of the seccomp filter.
    pub listener: Option<(String, String)>,
    /// `linux.mountLabel`, for mounts that are added later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount_label: Option<String>,
    /// The option by which SELinux is told of it.
    #[serde(default)]
    pub mount_context: MountContext,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_differ() {
        let all = Access { read: true, write: true, mknod: true };
        let rule = DeviceRule {
            allow: true,
            kind: DeviceKind::Char,
            major: Some(1),
            minor: Some(3),
            access: all,
        };
        let others = [
            DeviceRule { allow: false, ..rule.clone() },
            DeviceRule { kind: DeviceKind::Block, ..rule.clone() },
            DeviceRule { major: None, ..rule.clone() },
            DeviceRule { minor: Some(4), ..rule.clone() },
            DeviceRule { access: Access { mknod: false, ..all }, ..rule.clone() },
        ];
        let mut lists: Vec<Vec<DeviceRule>> = vec![vec![], vec![rule.clone()]];
        lists.extend(others.iter().map(|other| vec![other.clone()]));
        lists.extend(others.iter().map(|other| vec![rule.clone(), other.clone()]));
        lists.extend(others.iter().map(|other| vec![other.clone(), rule.clone()]));
        let mut digests: Vec<_> = lists.iter().map(|list| device_digest(list)).collect();
        assert_eq!(digests[1], device_digest(&[rule]));
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), lists.len());
    }
}
