//! What `state`, `list` and hooks are shown of a container.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Liveness, State, StateDir};

/// `status` of the runtime-spec, with runc's `paused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// `create` has not come to its end.
    Creating,
    /// Waits for `start`.
    Created,
    /// The user's process runs.
    Running,
    /// Frozen by `pause`.
    Paused,
    /// Its process is gone.
    Stopped,
}

impl Status {
    /// As JSON and tables show it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

/// The JSON of `state` and `list`, in runc's order of keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateView {
    /// Version of the runtime-spec.
    pub oci_version: String,
    /// Container id.
    pub id: String,
    /// First process, 0 when stopped.
    pub pid: i32,
    /// `creating`, `created`, `running`, `paused` or `stopped`.
    pub status: String,
    /// Absolute path of the bundle.
    pub bundle: String,
    /// Absolute path of the root file system.
    pub rootfs: String,
    /// RFC 3339 with nanoseconds.
    pub created: String,
    /// `annotations` of config.json.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Name of the user who created it; empty when the user has none.
    pub owner: String,
}

/// The JSON that hooks and seccomp agents get: `state` of the runtime-spec.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OciState<'a> {
    oci_version: &'a str,
    id: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    pid: i32,
    bundle: &'a std::path::Path,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the shape that serde asks for
fn is_zero(pid: &i32) -> bool {
    *pid == 0
}

impl State {
    /// The state for a hook, as JSON.
    pub(crate) fn for_hooks(&self, status: Status, pid: i32) -> String {
        serde_json::to_string(&self.oci(status, pid)).unwrap_or_default()
    }

    /// The state of the runtime-spec, as a JSON value.
    pub(crate) fn oci_value(&self, status: Status, pid: i32) -> serde_json::Value {
        serde_json::to_value(self.oci(status, pid)).unwrap_or_default()
    }

    fn oci(&self, status: Status, pid: i32) -> OciState<'_> {
        OciState {
            oci_version: &self.oci_version,
            id: &self.id,
            status: status.as_str(),
            pid,
            bundle: &self.bundle,
            annotations: &self.annotations,
        }
    }

    /// What the container does now.
    pub(crate) fn status(&self, dir: &StateDir) -> Status {
        let Some(init) = self.init else {
            // Without a process only a live `create` makes it more than a leftover.
            let live = self.creator.is_some_and(|creator| creator.liveness() == Liveness::Alive);
            return if live { Status::Creating } else { Status::Stopped };
        };
        if init.liveness() == Liveness::Dead {
            return Status::Stopped;
        }
        if self.creator.is_some() {
            return Status::Creating;
        }
        // As in runc, freezing hides that a container was not started yet.
        let frozen = self.cgroup.as_ref().is_some_and(|cgroup| cgroup.is_frozen().unwrap_or(false));
        match (frozen, dir.awaits_start()) {
            (true, _) => Status::Paused,
            (_, true) => Status::Created,
            _ => Status::Running,
        }
    }

    /// What `state` and `list` show.
    pub(crate) fn view(&self, dir: &StateDir) -> StateView {
        let status = self.status(dir);
        let pid = match status {
            Status::Stopped => 0,
            _ => self.init.map_or(0, |init| init.pid),
        };
        StateView {
            oci_version: self.oci_version.clone(),
            id: self.id.clone(),
            pid,
            status: status.as_str().to_owned(),
            bundle: self.bundle.display().to_string(),
            rootfs: self.rootfs.display().to_string(),
            created: self.created.clone(),
            annotations: self.annotations.clone(),
            owner: user_name(self.owner),
        }
    }
}

/// The name of user `uid`, from /etc/passwd: a static binary has no other source.
fn user_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    passwd
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
        })
        .unwrap_or_default()
}
