//! cpu: shares of time and hard limits.

use nix::errno::Errno;

use super::{Knobs, non_zero, or_max, unlimited_anyway};
use crate::cgroup::Cgroup;
use crate::error::{Error, Result};
use crate::files;
use crate::model::Cpu;

/// What the kernel clamps `cpu.shares` to.
const SHARES: std::ops::RangeInclusive<u64> = 2..=262_144;

/// v2's `cpu.weight` (1 to 10000) for v1's `cpu.shares` (2 to 262144); 0 stays 0.
///
/// A curve through the smallest, the default (1024 ↔ 100) and the largest values of both:
/// 10^(l²/612 + 125·l/612 − 7/34) with l = log₂(shares), rounded up. It is what runc (1.3.2) and crun do; the older
/// straight line gave a container with default shares a weight of 39.
pub fn weight_from_shares(shares: u64) -> u64 {
    match shares {
        0 => 0,
        1..=2 => 1,
        262_144.. => 10_000,
        _ => {
            // Below 2^18, so exact.
            #[allow(clippy::cast_precision_loss)]
            let log = (shares as f64).log2();
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            // Between 1 and 10000.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let weight = 10_f64.powf(exponent).ceil() as u64;
            weight
        }
    }
}

pub(super) fn apply(cgroup: &Cgroup, cpu: &Cpu) -> Result<()> {
    let cpu = Cpu {
        shares: non_zero(cpu.shares),
        quota: non_zero(cpu.quota),
        period: non_zero(cpu.period),
        realtime_runtime: non_zero(cpu.realtime_runtime),
        realtime_period: non_zero(cpu.realtime_period),
        ..cpu.clone()
    };
    if cpu == Cpu::default() {
        return Ok(());
    }
    let only_unlimited = cpu.quota.is_some_and(|q| q < 0)
        && Cpu { quota: None, period: None, ..cpu.clone() } == Cpu::default();
    let set = Knobs::find(cgroup, "cpu", "cpu", resource(&cpu))
        .and_then(|knobs| if knobs.v2 { v2(&knobs, &cpu) } else { v1(&knobs, &cpu) });
    if only_unlimited { unlimited_anyway(set) } else { set }
}

/// What to call the request in an error.
fn resource(cpu: &Cpu) -> &'static str {
    match cpu {
        Cpu { quota: Some(_), .. } | Cpu { period: Some(_), .. } => "cpu quota",
        Cpu { shares: Some(_), .. } => "cpu shares",
        Cpu { burst: Some(_), .. } => "cpu burst",
        Cpu { idle: Some(_), .. } => "cpu idle",
        _ => "cpu realtime limit",
    }
}

/// The quota (-1 for none) and period in force.
pub(super) fn limit(cgroup: &Cgroup) -> Result<(Option<i64>, Option<u64>)> {
    let knobs = Knobs::find(cgroup, "cpu", "cpu", "cpu quota")?;
    let (quota, period) = if knobs.v2 {
        let text = files::read_value(&knobs.dir, "cpu.max")?;
        let (quota, period) = text.split_once(' ').unwrap_or((&text, ""));
        (quota.to_owned(), period.to_owned())
    } else {
        let read = |file| files::read_value(&knobs.dir, file);
        (read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?)
    };
    let quota = if quota == "max" { Some(-1) } else { quota.parse().ok() };
    Ok((quota, period.parse().ok()))
}

fn v1(knobs: &Knobs, cpu: &Cpu) -> Result<()> {
    if let Some(shares) = cpu.shares {
        // The kernel would clamp them in silence.
        if shares < *SHARES.start() {
            return Err(Error::message(format!(
                "the minimum allowed cpu-shares is {}",
                SHARES.start()
            )));
        }
        if shares > *SHARES.end() {
            return Err(Error::message(format!(
                "the maximum allowed cpu-shares is {}",
                SHARES.end()
            )));
        }
        knobs.set("cpu.shares", &shares.to_string())?;
    }
    let quota = cpu.quota.map(|q| q.to_string());
    // Each value is checked against the others that are in force: what does not go before the quota goes after it.
    let period = now_or_later(knobs, "cpu.cfs_period_us", cpu.period, quota.is_some())?;
    let burst = match now_or_later(knobs, "cpu.cfs_burst_us", cpu.burst, quota.is_some()) {
        // Linux before 5.14 has no burst.
        Err(e) if e.errno() == Some(Errno::ENOENT) => None,
        other => other?,
    };
    if let Some(quota) = quota {
        knobs.set("cpu.cfs_quota_us", &quota)?;
    }
    for (file, value) in [("cpu.cfs_period_us", period), ("cpu.cfs_burst_us", burst)] {
        if let Some(value) = value {
            knobs.set(file, &value)?;
        }
    }
    if let Some(idle) = cpu.idle {
        knobs.set("cpu.idle", &idle.to_string())?;
    }
    let runtime = cpu.realtime_runtime.map(|r| r.to_string());
    let period = now_or_later(knobs, "cpu.rt_period_us", cpu.realtime_period, runtime.is_some())?;
    for (file, value) in [("cpu.rt_runtime_us", runtime), ("cpu.rt_period_us", period)] {
        if let Some(value) = value {
            knobs.set(file, &value)?;
        }
    }
    Ok(())
}

/// Sets a value; when it is `EINVAL` for the moment and `more` is to come, gives it back for another try.
fn now_or_later(
    knobs: &Knobs,
    file: &str,
    value: Option<u64>,
    more: bool,
) -> Result<Option<String>> {
    let Some(value) = value.map(|v| v.to_string()) else {
        return Ok(None);
    };
    match knobs.set(file, &value) {
        Ok(()) => Ok(None),
        Err(e) if more && e.errno() == Some(Errno::EINVAL) => Ok(Some(value)),
        Err(e) => Err(e),
    }
}

fn v2(knobs: &Knobs, cpu: &Cpu) -> Result<()> {
    if cpu.realtime_runtime.is_some() || cpu.realtime_period.is_some() {
        return Err(Error::NoController {
            controller: "cpu (v1)".into(),
            resource: "cpu realtime limit".into(),
        });
    }
    if let Some(idle) = cpu.idle {
        knobs.set("cpu.idle", &idle.to_string())?;
    }
    if let Some(shares) = cpu.shares {
        let set = knobs.set("cpu.weight", &weight_from_shares(shares).to_string());
        set.map_err(|e| no_weight_when_idle(knobs, e))?;
    }
    let limited = cpu.quota.is_some() || cpu.period.is_some();
    let burst = now_or_later(knobs, "cpu.max.burst", cpu.burst, limited)?;
    if limited {
        knobs.set("cpu.max", &cpu_max(knobs, cpu)?)?;
    }
    match burst {
        Some(burst) => knobs.set("cpu.max.burst", &burst),
        None => Ok(()),
    }
}

/// The kernel's reason for refusing a weight to a cgroup that only gets what nobody else wants.
fn no_weight_when_idle(knobs: &Knobs, error: Error) -> Error {
    let idle = || files::read_value(&knobs.dir, "cpu.idle").is_ok_and(|idle| idle == "1");
    if error.errno() == Some(Errno::EINVAL) && idle() {
        return Error::message(format!("{error} (cpu.idle is 1, and then there is no weight)"));
    }
    error
}

/// `QUOTA PERIOD`; a quota alone keeps the period, and a period alone must repeat the quota.
fn cpu_max(knobs: &Knobs, cpu: &Cpu) -> Result<String> {
    let quota = match cpu.quota {
        Some(quota) => or_max(quota),
        None => match files::read_value(&knobs.dir, "cpu.max") {
            Ok(now) => now.split(' ').next().unwrap_or("max").to_owned(),
            Err(e) => return knobs.explain(Err(e)).map(|()| String::new()),
        },
    };
    Ok(cpu.period.map_or(quota.clone(), |period| format!("{quota} {period}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights() {
        for (shares, weight) in [
            (0, 0),
            (1, 1),
            (2, 1),
            (1024, 100),
            (262_144, 10_000),
            (u64::MAX, 10_000),
            (512, 59),
            (2048, 174),
        ] {
            assert_eq!(weight_from_shares(shares), weight, "{shares}");
        }
    }

    proptest::proptest! {
        #[test]
        fn weights_grow_and_stay_in_range(shares in 2_u64..=262_143) {
            let weight = weight_from_shares(shares);
            assert!((1..=10_000).contains(&weight));
            assert!(weight <= weight_from_shares(shares + 1));
        }
    }
}
