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
        // `default N`, or N alone; the lines of single devices are in the file only.
        "io.weight" => {
            let plain = |line: &str| line.trim_start_matches("default").trim().parse::<u64>().ok();
            if let Some(weight) = text.lines().find_map(plain) {
                list.add("IOWeight", weight);
            }
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
mod tests;
