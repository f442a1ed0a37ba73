//! rdma: handles and objects of RDMA devices, the same files on v1 and v2.

use serde::Serialize;

use super::reader::Reader;
use super::{is_default, parse};
use crate::error::Result;

/// rdma controller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RdmaStats {
    /// rdma.max
    pub limit: Vec<RdmaEntry>,
    /// rdma.current
    pub current: Vec<RdmaEntry>,
}

/// One RDMA device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RdmaEntry {
    /// Its name, such as `mlx5_0`.
    pub device: String,
    /// HCA handles; `u32::MAX` for no limit.
    #[serde(skip_serializing_if = "is_default")]
    pub hca_handles: u32,
    /// HCA objects; `u32::MAX` for no limit.
    #[serde(skip_serializing_if = "is_default")]
    pub hca_objects: u32,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<RdmaStats> {
    let Some(place) = reader.find("rdma") else { return Ok(RdmaStats::default()) };
    let current = reader.text(place, "rdma.current")?.map(|text| entries(&text));
    // Without a device, which is the rule, there is nothing to limit.
    let Some(current) = current.filter(|current| !current.is_empty()) else {
        return Ok(RdmaStats::default());
    };
    let limit = reader.text(place, "rdma.max")?.map(|text| entries(&text)).unwrap_or_default();
    Ok(RdmaStats { limit, current })
}

/// Lines of `DEVICE hca_handle=N hca_object=N`.
fn entries(text: &str) -> Vec<RdmaEntry> {
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        let mut entry = RdmaEntry { device: words.next()?.to_owned(), ..RdmaEntry::default() };
        for (key, value) in parse::pairs(words) {
            let value = parse::number(value).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
            match key {
                "hca_handle" => entry.hca_handles = value?,
                "hca_object" => entry.hca_objects = value?,
                _ => {}
            }
        }
        Some(entry)
    };
    text.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn devices() {
        let text = "mlx4_0 hca_handle=2 hca_object=2000\nocrdma1 hca_handle=3 hca_object=max\n\
                    bad hca_handle=x\n\n";
        let entry = |device: &str, hca_handles, hca_objects| RdmaEntry {
            device: device.into(),
            hca_handles,
            hca_objects,
        };
        assert_eq!(entries(text), [entry("mlx4_0", 2, 2000), entry("ocrdma1", 3, u32::MAX)]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([a-z0-9_]{0,5} (hca_handle=)?[0-9]{0,12}\n?|\\PC{0,9}){0,4}") {
            let _ = entries(&text);
        }
    }
}
