//! What the runtime remembers of a container between two commands.
//!
//! One directory for a container under the runtime's root, mode 0700:
//!
//! ```text
//! state.json   who it is, its process, cgroup, namespaces; replaced by rename, never half there
//! exec.json    what `exec` starts processes with: config.json need not be there any more
//! filter.bpf   the compiled seccomp filter with its flags, for `exec`
//! start        FIFO: a byte in it lets the created process go; gone once it was started
//! status       FIFO: the process says here why execve failed; end-of-file says that it worked
//! ```

mod dir;
mod liveness;
mod view;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::plan::{Hook, Process};

pub(crate) use dir::{StateDir, replace};
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

/// exec.json
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ExecDefaults {
    /// `process` of config.json.
    pub process: Option<Process>,
    /// Whether processes get a session keyring of their own.
    pub new_keyring: bool,
    /// `linux.personality`
    pub personality: Option<u64>,
    /// `listenerPath` and `listenerMetadata` of the seccomp filter.
    pub listener: Option<(String, String)>,
}
