//! Mappings of ids: those of the container's user namespace and those of a mount.

use oci_spec::runtime::LinuxIdMapping;

use super::IdMap;
use crate::error::{Error, Result};

/// The kernel takes no more lines in one uid_map (user_namespaces(7)).
const MAX_LINES: usize = 340;

/// The mappings at `pointer`, checked for what the kernel refuses with a bare EINVAL.
pub(super) fn mappings(pointer: &str, list: &Option<Vec<LinuxIdMapping>>) -> Result<Vec<IdMap>> {
    let list = list.as_deref().unwrap_or_default();
    let map = |entry: &LinuxIdMapping| IdMap {
        container: entry.container_id(),
        host: entry.host_id(),
        size: entry.size(),
    };
    let maps: Vec<IdMap> = list.iter().map(map).collect();
    match first_fault(&maps) {
        Some((Some(index), text)) => Err(Error::config(format!("{pointer}/{index}"), text)),
        Some((None, text)) => Err(Error::config(pointer, text)),
        None => Ok(maps),
    }
}

/// What the kernel refuses, and which of the mappings is to blame if it is one.
pub(super) fn first_fault(maps: &[IdMap]) -> Option<(Option<usize>, String)> {
    if maps.len() > MAX_LINES {
        let text = format!("{} mappings, but the kernel takes at most {MAX_LINES}", maps.len());
        return Some((None, text));
    }
    maps.iter()
        .enumerate()
        .find_map(|(index, map)| fault(map, &maps[..index]).map(|text| (Some(index), text)))
}

fn fault(map: &IdMap, before: &[IdMap]) -> Option<String> {
    if map.size == 0 {
        return Some("size must be at least 1".into());
    }
    // The id -1 stands for "none" everywhere in the kernel.
    if end(map.container, map.size) > u64::from(u32::MAX)
        || end(map.host, map.size) > u64::from(u32::MAX)
    {
        return Some("the mapped ids go beyond 4294967294".into());
    }
    for (other, map_before) in before.iter().enumerate() {
        if overlap(map.container, map.size, map_before.container, map_before.size) {
            return Some(format!("containerID overlaps with mapping {other}"));
        }
        if overlap(map.host, map.size, map_before.host, map_before.size) {
            return Some(format!("hostID overlaps with mapping {other}"));
        }
    }
    None
}

fn end(start: u32, size: u32) -> u64 {
    u64::from(start) + u64::from(size)
}

fn overlap(a: u32, a_size: u32, b: u32, b_size: u32) -> bool {
    u64::from(a) < end(b, b_size) && u64::from(b) < end(a, a_size)
}

/// The id outside of the `first` of `size` ids of the container, if one mapping has all of them.
pub(super) fn outside(first: u32, size: u32, maps: &[IdMap]) -> Option<u32> {
    let holds =
        |map: &&IdMap| first >= map.container && end(first, size) <= end(map.container, map.size);
    maps.iter().find(holds).and_then(|map| map.host.checked_add(first - map.container))
}

/// Whether `id` of the container has an id outside.
pub(super) fn is_mapped(id: u32, maps: &[IdMap]) -> bool {
    outside(id, 1, maps).is_some()
}

/// Whether two lists say the same; their order means nothing.
pub(crate) fn same_maps(one: &[IdMap], other: &[IdMap]) -> bool {
    one.len() == other.len() && one.iter().all(|map| other.contains(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_maps_means_nothing() {
        let map = |container, host| IdMap { container, host, size: 5 };
        assert!(same_maps(&[map(0, 10), map(5, 20)], &[map(5, 20), map(0, 10)]));
        assert!(!same_maps(&[map(0, 10)], &[map(0, 10), map(5, 20)]));
        assert!(!same_maps(&[map(0, 10), map(5, 20)], &[map(0, 10), map(5, 21)]));
    }
}
