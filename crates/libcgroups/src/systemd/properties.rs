//! Limits as properties of a unit (systemd.resource-control(5), org.freedesktop.systemd1(5)).
//!
//! systemd writes the cgroup's files anew whenever it likes, for example after `daemon-reload`: what it does not know of
//! it would set back. So it is told every limit that it has a property for; all of them are also written directly.

use super::Property;
use super::dbus::Value;
use crate::devices::Policy;
use crate::error::{Error, Result};
use crate::model::{Access, DeviceKind, Resources};
use crate::resources::{io_weight_from_blkio, swap_max_from_v1, weight_from_shares};

/// The kernel's period where none was set, in microseconds.
const DEFAULT_PERIOD: u64 = 100_000;
/// systemd keeps a quota in whole percents of a CPU: in microseconds for each second.
const PERCENT: u64 = 10_000;

/// The limits in properties of a v2 host, or of a v1 host.
///
/// # Errors
/// For limits that contradict each other or cannot be read.
pub(super) fn limits(resources: &Resources, v2: bool) -> Result<Vec<Property>> {
    let mut list = List::default();
    if v2 {
        v2_limits(resources, &mut list)?
    } else {
        v1_limits(resources, &mut list)
    }
    cpu_quota(resources, &mut list);
    if let Some(limit) = resources.pids_limit {
        list.add("TasksMax", tasks(limit));
    }
    cpuset(&mut list, "AllowedCPUs", resources.cpuset.cpus.as_deref())?;
    cpuset(&mut list, "AllowedMemoryNodes", resources.cpuset.mems.as_deref())?;
    for (file, text) in &resources.unified {
        unified(&mut list, file, text)?;
    }
    Ok(list.0)
}

/// `quota` (microseconds in a `period`) as systemd will write it, which counts in whole percents of a CPU, rounded up.
pub(crate) fn rounded_quota(quota: i64, period: Option<u64>) -> i64 {
    let period = period.filter(|p| *p > 0).unwrap_or(DEFAULT_PERIOD);
    let Some(per_second) = per_second(quota, period) else { return quota };
    let rounded = u128::from(per_second) * u128::from(period) / 1_000_000;
    // Only what is no whole percent moves: otherwise the way there and back may lose one.
    if u128::from(per_second) * u128::from(period) == u128::from(quota.unsigned_abs()) * 1_000_000 {
        quota
    } else {
        i64::try_from(rounded).unwrap_or(i64::MAX)
    }
}

/// Microseconds of CPU time in a second, in whole percents; `None` is no limit.
fn per_second(quota: i64, period: u64) -> Option<u64> {
    let quota = u128::from(u64::try_from(quota).ok().filter(|q| *q > 0)?);
    let exact = u64::try_from(quota * 1_000_000 / u128::from(period)).ok()?;
    exact.div_ceil(PERCENT).checked_mul(PERCENT)
}

#[derive(Default)]
struct List(Vec<Property>);

impl List {
    /// A later value of the same property counts.
    fn add(&mut self, name: &str, value: impl Into<Value>) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.into()));
    }

    /// A size in bytes, negative for no limit; 0 is "not set".
    fn add_size(&mut self, name: &str, bytes: Option<i64>) {
        if let Some(bytes) = bytes.filter(|b| *b != 0) {
            self.add(name, unlimited_if_negative(bytes));
        }
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Uint64(number)
    }
}

/// systemd's spelling of "no limit" is the largest number.
fn unlimited_if_negative(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// 0 is none to systemd, and 1 has the same effect: the first process counts.
fn tasks(limit: i64) -> u64 {
    unlimited_if_negative(limit).max(1)
}

fn v2_limits(resources: &Resources, list: &mut List) -> Result<()> {
    let memory = &resources.memory;
    list.add_size("MemoryMax", memory.limit);
    list.add_size("MemoryLow", memory.reservation);
    if let Some(swap) = swap_max_from_v1(memory.swap, memory.limit)? {
        list.add("MemorySwapMax", unlimited_if_negative(swap));
    }
    if let Some(shares) = resources.cpu.shares.filter(|s| *s > 0) {
        list.add("CPUWeight", weight_from_shares(shares));
    }
    if resources.cpu.idle == Some(1) {
        // The spelling of `CPUWeight=idle`; there is no way to say "not idle".
        list.add("CPUWeight", 0);
    }
    if let Some(weight) = resources.block_io.weight.filter(|w| *w > 0) {
        list.add("IOWeight", io_weight_from_blkio(weight));
    }
    Ok(())
}

fn v1_limits(resources: &Resources, list: &mut List) {
    list.add_size("MemoryLimit", resources.memory.limit);
    if let Some(shares) = resources.cpu.shares.filter(|s| *s > 0) {
        list.add("CPUShares", shares);
    }
    if let Some(weight) = resources.block_io.weight.filter(|w| *w > 0) {
        list.add("BlockIOWeight", u64::from(weight));
    }
}

fn cpu_quota(resources: &Resources, list: &mut List) {
    let quota = resources.cpu.quota.filter(|q| *q != 0);
    let period = resources.cpu.period.filter(|p| *p != 0);
    if let Some(period) = period {
        list.add("CPUQuotaPeriodUSec", period);
    }
    if let Some(quota) = quota {
        let limit = per_second(quota, period.unwrap_or(DEFAULT_PERIOD));
        list.add("CPUQuotaPerSecUSec", limit.unwrap_or(u64::MAX));
    }
}

fn cpuset(list: &mut List, name: &str, text: Option<&str>) -> Result<()> {
    if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
        list.add(name, Value::Bytes(bits(text)?));
    }
    Ok(())
}

/// `0-1,3` as a bit mask, the lowest numbers in the first byte.
fn bits(text: &str) -> Result<Vec<u8>> {
    /// More than any kernel counts.
    const MAX: usize = 1 << 16;
    let invalid =
        || Error::message(format!("cpuset list {text:?} is not a list such as \"0-3,7\""));
    let number = |digits: &str| digits.trim().parse().ok().filter(|n| *n < MAX).ok_or_else(invalid);
    let mut mask = Vec::new();
    for range in text.split(',').map(str::trim).filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (number(first)?, number(last)?);
        if first > last {
            return Err(invalid());
        }
        if mask.len() <= last / 8 {
            mask.resize(last / 8 + 1, 0_u8);
        }
        (first..=last).for_each(|n| mask[n / 8] |= 1 << (n % 8));
    }
    if mask.is_empty() { Err(invalid()) } else { Ok(mask) }
}

/// What `unified` says in words that systemd knows; the rest of it is written to the files alone.
fn unified(list: &mut List, file: &str, text: &str) -> Result<()> {
    let text = text.trim();
    let number = |text: &str| match text {
        "max" => Ok(u64::MAX),
        digits => digits.parse::<u64>().map_err(|_| {
            Error::message(format!(
                "unified resource {file:?} value conversion error: {text:?} is no number"
            ))
        }),
    };
    let size = match file {
        "memory.max" => "MemoryMax",
        "memory.high" => "MemoryHigh",
        "memory.low" => "MemoryLow",
        "memory.min" => "MemoryMin",
        "memory.swap.max" => "MemorySwapMax",
        "cpu.weight" => "CPUWeight",
        "pids.max" => {
            list.add("TasksMax", number(text)?.max(1));
            return Ok(());
        }
        "cpu.idle" => {
            if text == "1" {
                list.add("CPUWeight", 0);
            }
            return Ok(());
        }
        "cpu.max" => return cpu_max(list, text, number),
        "cpuset.cpus" => return cpuset(list, "AllowedCPUs", Some(text)),
        "cpuset.mems" => return cpuset(list, "AllowedMemoryNodes", Some(text)),
        "memory.oom.group" => {
            // Only a new unit takes it.
            let policy = if text == "1" { "kill" } else { "continue" };
            list.add("OOMPolicy", Value::text(policy));
            return Ok(());
        }
        _ => return Ok(()),
    };
    list.add(size, number(text)?);
    Ok(())
}

/// `QUOTA [PERIOD]`
fn cpu_max(list: &mut List, text: &str, number: impl Fn(&str) -> Result<u64>) -> Result<()> {
    let mut words = text.split_whitespace();
    let quota = number(words.next().unwrap_or_default())?;
    let period = words.next().map(&number).transpose()?;
    if let Some(period) = period {
        list.add("CPUQuotaPeriodUSec", period);
    }
    let quota = i64::try_from(quota).unwrap_or(-1);
    let limit = per_second(quota, period.filter(|p| *p > 0).unwrap_or(DEFAULT_PERIOD));
    list.add("CPUQuotaPerSecUSec", limit.unwrap_or(u64::MAX));
    Ok(())
}

/// Device rules of a v1 host, where systemd writes them anew: lists of what is allowed is all that it knows.
pub(super) fn v1_devices(policy: &Policy) -> Vec<Property> {
    let allow = |entries| Value::Array("(ss)", entries);
    let list = |policy: &str, entries| {
        vec![
            // The empty list takes earlier ones away.
            ("DeviceAllow".to_owned(), allow(Vec::new())),
            ("DevicePolicy".to_owned(), Value::text(policy)),
            ("DeviceAllow".to_owned(), allow(entries)),
        ]
    };
    if policy.allows_everything() {
        return list("auto", Vec::new());
    }
    let mut entries = Vec::new();
    // What cannot be said is left out: after systemd has written the list, that is forbidden.
    let rules = policy.rules.iter().filter(|rule| rule.allow && !policy.default_allow);
    for rule in rules {
        let kinds: &[&str] = match rule.kind {
            DeviceKind::Char => &["char"],
            DeviceKind::Block => &["block"],
            DeviceKind::All => &["char", "block"],
        };
        for kind in kinds {
            let device = match (rule.major, rule.minor) {
                (Some(major), Some(minor)) => format!("/dev/{kind}/{major}:{minor}"),
                (Some(major), None) => format!("{kind}-{major}"),
                (None, None) => format!("{kind}-*"),
                (None, Some(_)) => continue,
            };
            let fields = [device, letters(rule.access)].map(Value::Str).to_vec();
            entries.push(Value::Struct(fields));
        }
    }
    list("strict", entries)
}

fn letters(access: Access) -> String {
    [(access.read, 'r'), (access.write, 'w'), (access.mknod, 'm')]
        .iter()
        .filter_map(|(has, letter)| has.then_some(*letter))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cpu, Cpuset, DeviceRule, Memory};

    fn named(list: Vec<Property>) -> Vec<(String, Value)> {
        list
    }

    fn pairs(expected: &[(&str, Value)]) -> Vec<(String, Value)> {
        expected.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn limits_of_a_v2_host() {
        let resources = Resources {
            memory: Memory {
                limit: Some(1 << 26),
                reservation: Some(1 << 25),
                swap: Some(1 << 27),
                ..Memory::default()
            },
            cpu: Cpu {
                shares: Some(1024),
                quota: Some(20_000),
                period: Some(50_000),
                ..Cpu::default()
            },
            cpuset: Cpuset { cpus: Some("0-1,9".into()), mems: Some("0".into()) },
            pids_limit: Some(0),
            ..Resources::default()
        };
        let expected = [
            ("MemoryMax", Value::Uint64(1 << 26)),
            ("MemoryLow", Value::Uint64(1 << 25)),
            ("MemorySwapMax", Value::Uint64(1 << 26)),
            ("CPUWeight", Value::Uint64(100)),
            ("CPUQuotaPeriodUSec", Value::Uint64(50_000)),
            ("CPUQuotaPerSecUSec", Value::Uint64(400_000)),
            ("TasksMax", Value::Uint64(1)),
            ("AllowedCPUs", Value::Bytes(vec![3, 2])),
            ("AllowedMemoryNodes", Value::Bytes(vec![1])),
        ];
        assert_eq!(limits(&resources, true).map(named), Ok(pairs(&expected)));
    }

    #[test]
    fn limits_of_a_v1_host() {
        let mut resources = Resources::default();
        resources.memory.limit = Some(-1);
        resources.cpu.shares = Some(512);
        resources.cpu.quota = Some(-1);
        resources.block_io.weight = Some(100);
        let expected = [
            ("MemoryLimit", Value::Uint64(u64::MAX)),
            ("CPUShares", Value::Uint64(512)),
            ("BlockIOWeight", Value::Uint64(100)),
            ("CPUQuotaPerSecUSec", Value::Uint64(u64::MAX)),
        ];
        assert_eq!(limits(&resources, false).map(named), Ok(pairs(&expected)));
    }

    #[test]
    fn nothing_asked_for() {
        assert_eq!(limits(&Resources::default(), true), Ok(vec![]));
        assert_eq!(limits(&Resources::default(), false), Ok(vec![]));
    }

    #[test]
    fn unified_files() {
        let unified = |file: &str, text: &str| {
            let mut resources = Resources::default();
            resources.unified.insert(file.into(), text.into());
            limits(&resources, true).map(named)
        };
        let one = |name, value| Ok(pairs(&[(name, Value::Uint64(value))]));
        assert_eq!(unified("memory.high", "1000\n"), one("MemoryHigh", 1000));
        assert_eq!(unified("memory.swap.max", "max"), one("MemorySwapMax", u64::MAX));
        assert_eq!(unified("pids.max", "0"), one("TasksMax", 1));
        assert_eq!(unified("cpu.idle", "1"), one("CPUWeight", 0));
        assert_eq!(unified("cpu.idle", "0"), Ok(vec![]));
        assert_eq!(unified("hugetlb.2MB.max", "0"), Ok(vec![]));
        let quota = [
            ("CPUQuotaPeriodUSec", Value::Uint64(10_000)),
            ("CPUQuotaPerSecUSec", Value::Uint64(500_000)),
        ];
        assert_eq!(unified("cpu.max", "5000 10000"), Ok(pairs(&quota)));
        assert_eq!(unified("cpu.max", "max"), one("CPUQuotaPerSecUSec", u64::MAX));
        for (file, text) in [("memory.max", "many"), ("cpu.max", ""), ("cpuset.cpus", "3-1")] {
            assert!(unified(file, text).is_err(), "{file} {text}");
        }
    }

    #[test]
    fn quotas_become_whole_percents() {
        for (quota, period, rounded) in [
            (50_000, None, 50_000),
            (33_333, Some(100_000), 34_000),
            (1_001, Some(100_000), 2_000),
            (-1, None, -1),
            (0, Some(7), 0),
            (1_000, Some(3_000), 1_020),
        ] {
            assert_eq!(rounded_quota(quota, period), rounded, "{quota} {period:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn rounding_loosens_and_settles(quota in 1_000_i64..10_000_000, period in 1_000_u64..=1_000_000) {
            let rounded = rounded_quota(quota, Some(period));
            assert!(rounded >= quota - 1 && rounded <= quota + i64::try_from(period / 50).expect("small"));
            assert!(rounded_quota(rounded, Some(period)) - rounded <= 1);
        }
    }

    #[test]
    fn devices() {
        let rule =
            |allow, kind, major, minor, access| DeviceRule { allow, kind, major, minor, access };
        let read = Access { read: true, write: false, mknod: false };
        let policy = Policy::new(&[
            rule(true, DeviceKind::Char, Some(1), Some(3), Access::ALL),
            rule(true, DeviceKind::Char, Some(136), None, read),
            rule(true, DeviceKind::All, None, None, Access { mknod: true, ..Access::default() }),
            rule(true, DeviceKind::Block, None, Some(3), read),
        ]);
        let entry = |device: &str, access: &str| {
            Value::Struct(vec![Value::text(device), Value::text(access)])
        };
        let entries = vec![
            entry("/dev/char/1:3", "rwm"),
            entry("char-136", "r"),
            entry("char-*", "m"),
            entry("block-*", "m"),
        ];
        let list = v1_devices(&policy);
        assert_eq!(list[1], ("DevicePolicy".to_owned(), Value::text("strict")));
        assert_eq!(list[2], ("DeviceAllow".to_owned(), Value::Array("(ss)", entries)));
        let everything = Policy { default_allow: true, rules: Vec::new() };
        assert_eq!(v1_devices(&everything)[1].1, Value::text("auto"));
    }
}
