//! hugetlb: huge pages of each size.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::reader::{Place, Reader};
use super::{is_default, parse};
use crate::error::{Error, Result};

/// One directory for each size, such as `hugepages-2048kB`.
const SIZES: &str = "/sys/kernel/mm/hugepages";

/// hugetlb controller, one page size. Reservations where the kernel counts them (Linux 5.7), else pages in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HugetlbStats {
    /// Bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub usage: u64,
    /// The most there ever were (v1), bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub max: u64,
    /// How often the limit was hit.
    pub failcnt: u64,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<BTreeMap<String, HugetlbStats>> {
    let mut found = BTreeMap::new();
    let Some(place) = reader.find("hugetlb") else { return Ok(found) };
    for size in sizes()? {
        let stats = match place {
            Place::V1(_) => read_v1(reader, place, &size)?,
            Place::V2(_) => read_v2(reader, place, &size)?,
        };
        found.extend(stats.map(|stats| (size, stats)));
    }
    Ok(found)
}

fn read_v1(reader: &mut Reader<'_>, place: Place, size: &str) -> Result<Option<HugetlbStats>> {
    for kind in [format!("hugetlb.{size}.rsvd"), format!("hugetlb.{size}")] {
        let Some(usage) = reader.number(place, &format!("{kind}.usage_in_bytes"))? else {
            continue;
        };
        let max = reader.number(place, &format!("{kind}.max_usage_in_bytes"))?;
        let failcnt = reader.number(place, &format!("{kind}.failcnt"))?;
        return Ok(Some(HugetlbStats {
            usage,
            max: max.unwrap_or_default(),
            failcnt: failcnt.unwrap_or_default(),
        }));
    }
    Ok(None)
}

fn read_v2(reader: &mut Reader<'_>, place: Place, size: &str) -> Result<Option<HugetlbStats>> {
    let mut usage = reader.number(place, &format!("hugetlb.{size}.rsvd.current"))?;
    if usage.is_none() {
        usage = reader.number(place, &format!("hugetlb.{size}.current"))?;
    }
    let Some(usage) = usage else { return Ok(None) };
    let failcnt = reader
        .text(place, &format!("hugetlb.{size}.events"))?
        .and_then(|text| parse::flat_keyed(&text).find(|(key, _)| *key == "max").map(|(_, n)| n));
    Ok(Some(HugetlbStats { usage, max: 0, failcnt: failcnt.unwrap_or_default() }))
}

/// The sizes that this kernel has, as the controller's files call them.
fn sizes() -> Result<Vec<String>> {
    let path = Path::new(SIZES);
    let entries = match std::fs::read_dir(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|e| Error::io("read directory", path, &e))?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter_map(|name| size(&name)).collect())
}

/// `hugepages-2048kB` as `2MB`.
fn size(name: &str) -> Option<String> {
    let kib: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
    Some(match kib {
        0x10_0000.. => format!("{}GB", kib >> 20),
        0x400.. => format!("{}MB", kib >> 10),
        _ => format!("{kib}KB"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_as_the_kernel_names_them() {
        for (name, wanted) in [
            ("hugepages-64kB", Some("64KB")),
            ("hugepages-2048kB", Some("2MB")),
            ("hugepages-1048576kB", Some("1GB")),
            ("hugepages-16777216kB", Some("16GB")),
            ("hugepages-2048", None),
            ("hugepages-kB", None),
            ("2048kB", None),
        ] {
            assert_eq!(size(name).as_deref(), wanted, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_name_panics(name in "(hugepages-)?[0-9]{0,22}(kB)?|\\PC{0,12}") {
            let _ = size(&name);
        }
    }
}
