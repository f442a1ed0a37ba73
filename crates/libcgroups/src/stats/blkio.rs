//! Block devices: blkio (v1), io (v2).

use serde::Serialize;

use super::reader::{Place, Reader};
use super::{PsiStats, is_default, parse, psi};
use crate::error::Result;

/// blkio (v1) and io (v2) controllers. v2, and v1 without an old scheduler, have bytes and operations alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlkioStats {
    /// Bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub io_service_bytes_recursive: Vec<BlkioEntry>,
    /// Operations.
    #[serde(skip_serializing_if = "is_default")]
    pub io_serviced_recursive: Vec<BlkioEntry>,
    /// Operations that wait.
    #[serde(rename = "ioQueueRecursive", skip_serializing_if = "is_default")]
    pub io_queued_recursive: Vec<BlkioEntry>,
    /// Nanoseconds from dispatch to the end.
    #[serde(skip_serializing_if = "is_default")]
    pub io_service_time_recursive: Vec<BlkioEntry>,
    /// Nanoseconds in queues.
    #[serde(skip_serializing_if = "is_default")]
    pub io_wait_time_recursive: Vec<BlkioEntry>,
    /// Operations that became part of others.
    #[serde(skip_serializing_if = "is_default")]
    pub io_merged_recursive: Vec<BlkioEntry>,
    /// Milliseconds for which the device was the cgroup's.
    #[serde(skip_serializing_if = "is_default")]
    pub io_time_recursive: Vec<BlkioEntry>,
    /// Sectors.
    #[serde(skip_serializing_if = "is_default")]
    pub sectors_recursive: Vec<BlkioEntry>,
    /// io.pressure; `None` without a v2 tree or without PSI.
    #[serde(skip_serializing_if = "is_default")]
    pub psi: Option<PsiStats>,
}

/// A counter of one device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BlkioEntry {
    /// Device number.
    #[serde(skip_serializing_if = "is_default")]
    pub major: u64,
    /// Device number.
    #[serde(skip_serializing_if = "is_default")]
    pub minor: u64,
    /// `Read`, `Write`, `Total`, …; empty for counters without.
    #[serde(skip_serializing_if = "is_default")]
    pub op: String,
    /// In the unit of the list.
    #[serde(skip_serializing_if = "is_default")]
    pub value: u64,
}

type Slot = fn(&mut BlkioStats) -> &mut Vec<BlkioEntry>;
const BYTES: Slot = |stats| &mut stats.io_service_bytes_recursive;
const SERVICED: Slot = |stats| &mut stats.io_serviced_recursive;

/// What the schedulers CFQ and, with debugging, BFQ count.
const ALL: &[(&str, Slot)] = &[
    ("sectors_recursive", |stats| &mut stats.sectors_recursive),
    ("io_service_time_recursive", |stats| &mut stats.io_service_time_recursive),
    ("io_wait_time_recursive", |stats| &mut stats.io_wait_time_recursive),
    ("io_merged_recursive", |stats| &mut stats.io_merged_recursive),
    ("io_queued_recursive", |stats| &mut stats.io_queued_recursive),
    ("time_recursive", |stats| &mut stats.io_time_recursive),
    ("io_serviced_recursive", SERVICED),
    ("io_service_bytes_recursive", BYTES),
];
/// What BFQ and the limits of block devices count.
const RECURSIVE: &[(&str, Slot)] =
    &[("io_serviced_recursive", SERVICED), ("io_service_bytes_recursive", BYTES)];
/// The latter before Linux 4.18, without what is below.
const ALONE: &[(&str, Slot)] = &[("io_serviced", SERVICED), ("io_service_bytes", BYTES)];
/// Who counts in a v1 hierarchy, the one that knows most first: how its files' names begin and end. The first
/// file tells whether it has counted anything.
const SOURCES: [(&str, &[(&str, Slot)]); 5] = [
    ("blkio.bfq.", ALL),
    ("blkio.bfq.", RECURSIVE),
    ("blkio.", ALL),
    ("blkio.throttle.", RECURSIVE),
    ("blkio.throttle.", ALONE),
];

pub(super) fn read(reader: &mut Reader<'_>) -> Result<BlkioStats> {
    let mut stats = match reader.find("blkio") {
        Some(place @ Place::V1(_)) => read_v1(reader, place)?,
        Some(place @ Place::V2(_)) => {
            reader.text(place, "io.stat")?.map(|text| io_stat(&text)).unwrap_or_default()
        }
        None => BlkioStats::default(),
    };
    stats.psi = psi::read(reader, "io.pressure")?;
    Ok(stats)
}

fn read_v1(reader: &mut Reader<'_>, place: Place) -> Result<BlkioStats> {
    let mut stats = BlkioStats::default();
    for (prefix, files) in SOURCES {
        for (index, (name, slot)) in files.iter().enumerate() {
            let text = reader.text(place, &format!("{prefix}{name}"))?;
            let found = text.map(|text| entries(&text)).unwrap_or_default();
            if index == 0 && found.is_empty() {
                break;
            }
            *slot(&mut stats) = found;
        }
        if stats != BlkioStats::default() {
            break;
        }
    }
    Ok(stats)
}

/// Lines of `8:0 Read 123` or `8:0 123`; a last line `Total 123` is none of a device.
fn entries(text: &str) -> Vec<BlkioEntry> {
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        let (major, minor) = parse::device(words.next()?)?;
        let (op, value) = match (words.next()?, words.next()) {
            (op, Some(value)) => (op, value),
            (value, None) => ("", value),
        };
        Some(BlkioEntry { major, minor, op: op.to_owned(), value: parse::number(value)? })
    };
    text.lines().filter_map(entry).collect()
}

/// io.stat: lines of `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …`, in the lists and words of v1.
fn io_stat(text: &str) -> BlkioStats {
    let mut stats = BlkioStats::default();
    for line in text.lines() {
        let words = line.split_whitespace();
        // Some kernels leave out the line end behind a device that has counted nothing.
        let device = words.clone().take_while(|word| !word.contains('=')).last();
        let Some((major, minor)) = device.and_then(parse::device) else { continue };
        for (key, value) in parse::pairs(words) {
            let (slot, op): (Slot, _) = match key {
                "rbytes" => (BYTES, "Read"),
                "wbytes" => (BYTES, "Write"),
                "rios" => (SERVICED, "Read"),
                "wios" => (SERVICED, "Write"),
                _ => continue,
            };
            let Some(value) = parse::number(value) else { continue };
            slot(&mut stats).push(BlkioEntry { major, minor, op: op.to_owned(), value });
        }
    }
    stats
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(major: u64, minor: u64, op: &str, value: u64) -> BlkioEntry {
        BlkioEntry { major, minor, op: op.into(), value }
    }

    #[test]
    fn v1_lists() {
        let text = "8:0 Read 1282048\n8:0 Total 3477504\nTotal 3477504\n";
        assert_eq!(
            entries(text),
            [entry(8, 0, "Read", 1_282_048), entry(8, 0, "Total", 3_477_504)]
        );
        assert_eq!(entries("8:16 6792\n"), [entry(8, 16, "", 6792)]);
        assert!(entries("Total 0\n\n8:0\n8:x Read 1\n8:0 Read x\n").is_empty());
    }

    #[test]
    fn v2_list() {
        let text = "253:0 rbytes=10 wbytes=20 rios=3 wios=4 dbytes=5 dios=6\n\
                    7:1\n7:0 254:16 rbytes=1 wios=odd cost.usage=9\n(unknown) rbytes=1\n";
        let stats = io_stat(text);
        let bytes =
            [entry(253, 0, "Read", 10), entry(253, 0, "Write", 20), entry(254, 16, "Read", 1)];
        assert_eq!(stats.io_service_bytes_recursive, bytes);
        let serviced = [entry(253, 0, "Read", 3), entry(253, 0, "Write", 4)];
        assert_eq!(stats.io_serviced_recursive, serviced);
    }

    #[test]
    fn json_with_the_names_of_runc() {
        let mut stats = io_stat("8:0 rbytes=0 rios=3\n");
        stats.io_queued_recursive = vec![entry(0, 0, "Sync", 1)];
        stats.io_service_time_recursive = vec![entry(1, 0, "", 0)];
        assert_eq!(
            serde_json::to_string(&stats).expect("json"),
            "{\"ioServiceBytesRecursive\":[{\"major\":8,\"op\":\"Read\"}],\
             \"ioServicedRecursive\":[{\"major\":8,\"op\":\"Read\",\"value\":3}],\
             \"ioQueueRecursive\":[{\"op\":\"Sync\",\"value\":1}],\
             \"ioServiceTimeRecursive\":[{\"major\":1}]}"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([0-9]{0,9}:?[0-9]{0,3} (Read|rbytes=)? ?[0-9]{0,22}\n?|\\PC{0,9}){0,4}") {
            let _ = entries(&text);
            let _ = io_stat(&text);
        }
    }
}
