//! Which devices the processes of a cgroup may open and make.
//!
//! ```text
//! rules of config.json ──▶ Policy ──┬──▶ v1: devices.allow and devices.deny
//!  (later ones win)        minimal  └──▶ v2: Table ──▶ an eBPF program on the cgroup that looks into it
//! ```

mod policy;
mod program;
mod table;
#[cfg(test)]
mod testing;
mod v1;
mod v2;

pub use policy::Policy;

use crate::cgroup::Cgroup;
use crate::error::{Error, Result};
use crate::model::DeviceRule;

/// Sets the rules; an empty list leaves everything as it is.
///
/// Who may not do so is told, unless the rules allow everything or the cgroup is a rootless one.
pub(crate) fn apply(cgroup: &Cgroup, rules: &[DeviceRule]) -> Result<()> {
    if rules.is_empty() {
        return Ok(());
    }
    let policy = Policy::new(rules);
    let set = match cgroup.controller_dir("devices") {
        Some((dir, false)) => v1::apply(cgroup, &dir.dir(), &policy),
        Some((dir, true)) => v2::apply(&dir.dir(), &policy),
        None => Err(Error::NoController {
            controller: "devices".into(),
            resource: "device rules".into(),
        }),
    };
    match set {
        Err(e) if e.is_permission() && (cgroup.is_rootless() || policy.allows_everything()) => {
            Ok(())
        }
        Err(Error::NoController { .. }) if cgroup.is_rootless() || policy.allows_everything() => {
            Ok(())
        }
        other => other,
    }
}
