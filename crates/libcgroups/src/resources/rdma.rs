//! rdma: handles and objects of InfiniBand adapters. The file is the same in v1 and v2.

use std::collections::BTreeMap;

use super::Knobs;
use crate::cgroup::Cgroup;
use crate::error::Result;
use crate::model::Rdma;

pub(super) fn apply(cgroup: &Cgroup, limits: &BTreeMap<String, Rdma>) -> Result<()> {
    if limits.is_empty() {
        return Ok(());
    }
    let knobs = Knobs::find(cgroup, "rdma", "rdma", "rdma limit")?;
    limits.iter().try_for_each(|(device, limit)| knobs.set("rdma.max", &line(device, limit)))
}

fn line(device: &str, limit: &Rdma) -> String {
    let mut line = device.to_owned();
    for (key, value) in [("hca_handle", limit.hca_handles), ("hca_object", limit.hca_objects)] {
        if let Some(value) = value {
            line.push_str(&format!(" {key}={value}"));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let both = Rdma { hca_handles: Some(2), hca_objects: Some(7) };
        assert_eq!(line("mlx5_1", &both), "mlx5_1 hca_handle=2 hca_object=7");
        let one = Rdma { hca_handles: None, hca_objects: Some(7) };
        assert_eq!(line("mlx5_1", &one), "mlx5_1 hca_object=7");
    }
}
