//! Processor time: cpuacct and cpu (v1), cpu.stat (v2).

use serde::Serialize;

use super::reader::{Place, Reader};
use super::{PsiStats, is_default, parse, psi};
use crate::error::Result;

/// cpuacct.stat counts in ticks of USER_HZ, which is 100 on every architecture of this crate.
const NS_PER_TICK: u64 = 10_000_000;
const NS_PER_US: u64 = 1000;

/// cpu and cpuacct controllers. v2 has these but for throttling without any controller, too.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CpuStats {
    /// Time used.
    #[serde(skip_serializing_if = "is_default")]
    pub usage: CpuUsage,
    /// What the quota did.
    #[serde(skip_serializing_if = "is_default")]
    pub throttling: Throttling,
    /// cpu.pressure; `None` without a v2 tree or without PSI.
    #[serde(skip_serializing_if = "is_default")]
    pub psi: Option<PsiStats>,
}

/// Processor time in nanoseconds, since the cgroup was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CpuUsage {
    /// In all.
    #[serde(skip_serializing_if = "is_default")]
    pub total: u64,
    /// For each possible processor (v1).
    #[serde(skip_serializing_if = "is_default")]
    pub percpu: Vec<u64>,
    /// The same in the kernel (v1).
    #[serde(skip_serializing_if = "is_default")]
    pub percpu_kernel: Vec<u64>,
    /// The same outside of it (v1).
    #[serde(skip_serializing_if = "is_default")]
    pub percpu_user: Vec<u64>,
    /// In the kernel.
    pub kernel: u64,
    /// Outside of it.
    pub user: u64,
}

/// What the quota (`cpu.max`, `cpu.cfs_quota_us`) did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Throttling {
    /// Periods in which there was something to run.
    #[serde(skip_serializing_if = "is_default")]
    pub periods: u64,
    /// Periods in which the quota was used up.
    #[serde(skip_serializing_if = "is_default")]
    pub throttled_periods: u64,
    /// Nanoseconds for which processes had to wait.
    #[serde(skip_serializing_if = "is_default")]
    pub throttled_time: u64,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<CpuStats> {
    let mut stats = CpuStats { psi: psi::read(reader, "cpu.pressure")?, ..CpuStats::default() };
    let (cpu, cpuacct) = (reader.v1("cpu"), reader.v1("cpuacct"));
    if cpu.or(cpuacct).is_none()
        && let Some(tree) = reader.tree()
        && let Some(text) = reader.text(tree, "cpu.stat")?
    {
        (stats.usage, stats.throttling) = cpu_stat(&text, NS_PER_US);
    }
    if let Some(place) = cpu
        && let Some(text) = reader.text(place, "cpu.stat")?
    {
        (_, stats.throttling) = cpu_stat(&text, 1);
    }
    if let Some(place) = cpuacct {
        stats.usage = read_cpuacct(reader, place)?;
    }
    Ok(stats)
}

fn read_cpuacct(reader: &mut Reader<'_>, place: Place) -> Result<CpuUsage> {
    let mut usage = CpuUsage {
        total: reader.number(place, "cpuacct.usage")?.unwrap_or_default(),
        ..CpuUsage::default()
    };
    if let Some(text) = reader.text(place, "cpuacct.stat")? {
        for (key, ticks) in parse::flat_keyed(&text) {
            match key {
                "user" => usage.user = ticks.saturating_mul(NS_PER_TICK),
                "system" => usage.kernel = ticks.saturating_mul(NS_PER_TICK),
                _ => {}
            }
        }
    }
    if let Some(text) = reader.text(place, "cpuacct.usage_percpu")? {
        usage.percpu = text.split_whitespace().filter_map(parse::number).collect();
    }
    if let Some(text) = reader.text(place, "cpuacct.usage_all")? {
        (usage.percpu_user, usage.percpu_kernel) = usage_all(&text);
    }
    Ok(usage)
}

/// cpu.stat, whose times are in units of `unit` nanoseconds.
fn cpu_stat(text: &str, unit: u64) -> (CpuUsage, Throttling) {
    let (mut usage, mut throttling) = (CpuUsage::default(), Throttling::default());
    for (key, value) in parse::flat_keyed(text) {
        let time = value.saturating_mul(unit);
        match key {
            "usage_usec" => usage.total = time,
            "user_usec" => usage.user = time,
            "system_usec" => usage.kernel = time,
            "nr_periods" => throttling.periods = value,
            "nr_throttled" => throttling.throttled_periods = value,
            "throttled_usec" | "throttled_time" => throttling.throttled_time = time,
            _ => {}
        }
    }
    (usage, throttling)
}

/// cpuacct.usage_all: a head `cpu user system`, then a line for each processor; user and kernel times.
fn usage_all(text: &str) -> (Vec<u64>, Vec<u64>) {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1).map(parse::number);
            Some((words.next()??, words.next()??))
        })
        .unzip()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn v2_counts_in_microseconds() {
        let text = "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnice_usec 0\n\
                    nr_periods 7\nnr_throttled 2\nthrottled_usec 30\nnr_bursts 0\nburst_usec 0\n";
        let (usage, throttling) = cpu_stat(text, NS_PER_US);
        assert_eq!((usage.total, usage.user, usage.kernel), (1_500_000, 1_000_000, 500_000));
        let wanted = Throttling { periods: 7, throttled_periods: 2, throttled_time: 30_000 };
        assert_eq!(throttling, wanted);
    }

    #[test]
    fn v1_counts_in_nanoseconds() {
        let (_, throttling) = cpu_stat("nr_periods 7\nnr_throttled 2\nthrottled_time 30\n", 1);
        assert_eq!(throttling.throttled_time, 30);
    }

    #[test]
    fn processors() {
        let text = "cpu user system\n0 11 22\n1 33 44 55\nodd\n2 x 1\n";
        assert_eq!(usage_all(text), (vec![11, 33], vec![22, 44]));
    }

    #[test]
    fn json_leaves_out_what_is_zero() {
        let mut stats = CpuStats::default();
        assert_eq!(serde_json::to_string(&stats).expect("json"), "{}");
        stats.usage.user = 5;
        stats.usage.percpu = vec![0, 5];
        stats.throttling.throttled_periods = 1;
        assert_eq!(
            serde_json::to_string(&stats).expect("json"),
            r#"{"usage":{"percpu":[0,5],"kernel":0,"user":5},"throttling":{"throttledPeriods":1}}"#
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(usage_usec|throttled_usec|cpu)?([0-9 \n-]{0,30}|\\PC{0,9})") {
            let _ = cpu_stat(&text, NS_PER_US);
            let _ = usage_all(&text);
        }
    }
}
