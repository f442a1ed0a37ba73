//! Limits: one file per controller, v1 and v2 side by side.
//!
//! A field that is `None`, and in most places one that is 0, leaves the kernel's value alone and costs no system
//! call. A limit whose controller is missing is an error; "no limit" then is not, for there is none.

mod blkio;
mod cpu;
mod cpuset;
mod hugetlb;
mod memory;
mod network;
mod pids;
mod rdma;
mod restore;
mod unified;

use std::path::PathBuf;

pub use blkio::io_weight_from_blkio;
pub use cpu::weight_from_shares;
pub use memory::swap_max_from_v1;
pub use restore::Change;

use crate::cgroup::Cgroup;
use crate::devices;
use crate::error::{Error, Result};
use crate::files;
use crate::layout::Layout;
use crate::model::Resources;

impl Cgroup {
    /// Sets limits and device rules. Before the first process is in: nobody then runs without them.
    ///
    /// # Errors
    /// The first limit that could not be set; [`Error::NoController`] when the host has no such controller.
    pub fn apply(&self, resources: &Resources) -> Result<()> {
        match self.unit() {
            Some(_) => self.write(&self.as_systemd_writes(resources)?),
            None => self.write(resources),
        }
    }

    /// Sets limits and device rules in the cgroup's files.
    pub(crate) fn write(&self, resources: &Resources) -> Result<()> {
        pids::apply(self, resources.pids_limit)?;
        memory::apply(self, &resources.memory)?;
        blkio::apply(self, &resources.block_io)?;
        cpu::apply(self, &resources.cpu)?;
        cpuset::apply(self, &resources.cpuset)?;
        hugetlb::apply(self, &resources.hugepage_limits)?;
        network::apply(self, &resources.network)?;
        rdma::apply(self, &resources.rdma)?;
        unified::apply(self, &resources.unified)?;
        // Last, so that they change only when all limits could be set.
        devices::apply(self, &resources.devices)
    }

    /// The CPU quota (-1 for none) and period in force, in microseconds.
    pub(crate) fn cpu_limit(&self) -> Result<(Option<i64>, Option<u64>)> {
        cpu::limit(self)
    }
}

/// Members of `resources` of the runtime-spec that are given and that a host of this layout has no setting for, as JSON
/// pointers from there. They are left out without an error.
pub fn left_out(resources: &Resources, layout: &Layout) -> Vec<String> {
    let on_v1 = |controller: &str| {
        layout.v1().iter().any(|h| h.controllers.iter().any(|name| name == controller))
    };
    let mut all = Vec::new();
    if !on_v1("memory") {
        all.extend(memory::left_out_on_v2(&resources.memory));
    }
    if !on_v1("blkio") {
        all.extend(blkio::left_out_on_v2(&resources.block_io));
    }
    all
}

/// The control files of one controller of one cgroup.
struct Knobs {
    dir: PathBuf,
    /// Whether they are v2's; v1's else.
    v2: bool,
    controller: &'static str,
    resource: &'static str,
}

impl Knobs {
    /// Where `resource` is set: in the v1 hierarchy of `v1_name`, or in the v2 tree.
    fn find(
        cgroup: &Cgroup,
        v1_name: &str,
        name: &'static str,
        resource: &'static str,
    ) -> Result<Self> {
        match cgroup.controller_dir(v1_name) {
            Some((dir, v2)) => Ok(Self { dir: dir.dir(), v2, controller: name, resource }),
            None => Err(Error::NoController { controller: name.into(), resource: resource.into() }),
        }
    }

    /// Writes a value; a missing file is explained by a missing controller where that is the reason.
    fn set(&self, file: &str, value: &str) -> Result<()> {
        self.explain(files::write(&self.dir, file, value))
    }

    fn explain(&self, result: Result<()>) -> Result<()> {
        match result {
            Err(e) if e.is_gone() && self.v2 && self.enabled() == Some(false) => {
                Err(Error::NoController {
                    controller: self.controller.into(),
                    resource: self.resource.into(),
                })
            }
            other => other,
        }
    }

    /// Whether the v2 cgroup has the controller; asked only when a file is missing. `None` when there is no cgroup.
    fn enabled(&self) -> Option<bool> {
        let list = files::read_value(&self.dir, "cgroup.controllers").ok()?;
        Some(list.split(' ').any(|name| name == self.controller))
    }
}

/// `result`, but a missing controller is fine: for values that mean "no limit".
fn unlimited_anyway(result: Result<()>) -> Result<()> {
    match result {
        Err(Error::NoController { .. }) => Ok(()),
        other => other,
    }
}

/// A number in v2's spelling: negative is `max`.
fn or_max(value: i64) -> String {
    if value < 0 { "max".to_owned() } else { value.to_string() }
}

/// The value, unless it is the 0 that means "not set".
fn non_zero<T: Copy + Default + PartialEq>(value: Option<T>) -> Option<T> {
    value.filter(|v| *v != T::default())
}
