//! What of the cgroup the container gets for its own.

use super::{Launch, cgroup_error, id_maps};
use crate::error::Result;
use crate::state::State;

impl Launch<'_> {
    /// Gives the cgroup to the container's user, if the container may use it for its own.
    pub(super) fn delegate(&self, state: &State, pid: i32) -> Result<()> {
        match (self.plan.cgroup_owner, &state.cgroup) {
            (Some(user), Some(cgroup)) => self.give(cgroup, user, pid),
            _ => Ok(()),
        }
    }

    /// Moves the process on, now that the container's cgroup is the root of its cgroup namespace, to one that is all its
    /// own.
    pub(super) fn move_below(&self, state: &State, pid: i32) -> Result<()> {
        let (Some(path), Some(cgroup)) = (&self.plan.sub_cgroups.delegated, &state.cgroup) else {
            return Ok(());
        };
        let below = cgroup
            .move_below(path, pid)
            .map_err(|error| cgroup_error(error).context("annotation run.oci.delegate-cgroup"))?;
        let user = self.plan.process.as_ref().map_or(0, |process| process.uid);
        self.give(&below, user, pid)
    }

    /// Gives a cgroup to a user of the container.
    fn give(&self, cgroup: &libcgroups::Cgroup, user: u32, pid: i32) -> Result<()> {
        let own = nix::unistd::geteuid().as_raw();
        let host = id_maps::host_uid(pid, user, &self.plan.namespaces)?;
        // What we made is ours already.
        let Some(owner) = host.filter(|owner| *owner != own) else { return Ok(()) };
        match cgroup.delegate(owner) {
            // Without privilege nobody gives things away; the container then has what it can see.
            Err(error) if own != 0 && error.is_permission() => {
                crate::remark(&[format!("the cgroup keeps its owner: {error}")]);
                Ok(())
            }
            other => other.map_err(cgroup_error),
        }
    }
}
