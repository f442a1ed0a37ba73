//! blkio (v1) and io (v2): weights and rates of block devices.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::{Knobs, non_zero};
use crate::cgroup::Cgroup;
use crate::error::Result;
use crate::files;
use crate::model::{BlockIo, ThrottleDevice};

/// v2's `io.weight` (1 to 10000) for v1's blkio weight (10 to 1000), on a straight line; 0 stays 0.
pub fn io_weight_from_blkio(weight: u16) -> u64 {
    match weight {
        0 => 0,
        _ => 1 + u64::from(weight.saturating_sub(10)) * 9999 / 990,
    }
}

/// What v2 leaves out of these, see [`super::left_out`]: leaf weights were the CFQ scheduler's, which is gone.
pub(super) fn left_out_on_v2(io: &BlockIo) -> Vec<String> {
    let own = non_zero(io.leaf_weight).map(|_| "/blockIO/leafWeight".to_owned());
    let devices = io.weight_devices.iter().enumerate();
    let devices = devices.filter(|(_, device)| non_zero(device.leaf_weight).is_some());
    let devices = devices.map(|(index, _)| format!("/blockIO/weightDevice/{index}/leafWeight"));
    own.into_iter().chain(devices).collect()
}

/// Device weights of one kind as (major, minor, weight).
type Weights = Vec<(i64, i64, u16)>;

pub(super) fn apply(cgroup: &Cgroup, io: &BlockIo) -> Result<()> {
    let weight = non_zero(io.weight);
    let leaf = non_zero(io.leaf_weight);
    let rates = rates(io);
    let per_device = |pick: fn(&crate::model::WeightDevice) -> Option<u16>| -> Weights {
        let devices = io.weight_devices.iter();
        devices.filter_map(|d| non_zero(pick(d)).map(|w| (d.major, d.minor, w))).collect()
    };
    let weights = per_device(|d| d.weight);
    let leaf_weights = per_device(|d| d.leaf_weight);
    let any_weight = weight.is_some() || !weights.is_empty();
    if !any_weight && leaf.is_none() && leaf_weights.is_empty() && rates.is_empty() {
        return Ok(());
    }
    let resource = if rates.is_empty() { "block io weight" } else { "block io rate limit" };
    let mut knobs = Knobs::find(cgroup, "blkio", "io", resource)?;
    if knobs.v2 {
        if any_weight {
            v2_weights(&knobs, weight, &weights)?;
        }
        return v2_rates(&knobs, &rates);
    }
    knobs.controller = "blkio";
    if any_weight {
        v1_weights(&knobs, weight, &weights)?;
    }
    if let Some(leaf) = leaf {
        knobs.set("blkio.leaf_weight", &leaf.to_string())?;
    }
    for (major, minor, weight) in leaf_weights {
        knobs.set("blkio.leaf_weight_device", &format!("{major}:{minor} {weight}"))?;
    }
    rates.iter().try_for_each(|rate| {
        let ThrottleDevice { major, minor, rate: value } = rate.device;
        knobs.set(rate.v1_file, &format!("{major}:{minor} {value}"))
    })
}

/// A rate limit, its v1 file and its v2 key.
struct Rate<'a> {
    device: &'a ThrottleDevice,
    v1_file: &'static str,
    v2_key: &'static str,
}

fn rates(io: &BlockIo) -> Vec<Rate<'_>> {
    [
        (&io.read_bps, "blkio.throttle.read_bps_device", "rbps"),
        (&io.write_bps, "blkio.throttle.write_bps_device", "wbps"),
        (&io.read_iops, "blkio.throttle.read_iops_device", "riops"),
        (&io.write_iops, "blkio.throttle.write_iops_device", "wiops"),
    ]
    .into_iter()
    .flat_map(|(devices, v1_file, v2_key)| {
        devices.iter().map(move |device| Rate { device, v1_file, v2_key })
    })
    .collect()
}

/// `blkio.weight`, or with the BFQ scheduler alone `blkio.bfq.weight`.
fn v1_weights(knobs: &Knobs, weight: Option<u16>, devices: &Weights) -> Result<()> {
    let set = |file: &str, bfq_file: &str, value: &str| match knobs.set(file, value) {
        Err(e) if e.errno() == Some(Errno::ENOENT) => knobs.set(bfq_file, value),
        other => other,
    };
    if let Some(weight) = weight {
        set("blkio.weight", "blkio.bfq.weight", &weight.to_string())?;
    }
    devices.iter().try_for_each(|(major, minor, weight)| {
        let value = format!("{major}:{minor} {weight}");
        set("blkio.weight_device", "blkio.bfq.weight_device", &value)
    })
}

/// `io.bfq.weight`, which has v1's range, or `io.weight`, which has its own.
fn v2_weights(knobs: &Knobs, weight: Option<u16>, devices: &Weights) -> Result<()> {
    let (file, convert): (_, fn(u16) -> u64) = match open(knobs, "io.bfq.weight") {
        Ok(file) => (file, u64::from),
        Err(e) if e.errno() == Some(Errno::ENOENT) => match open(knobs, "io.weight") {
            Ok(file) => (file, io_weight_from_blkio),
            Err(e) => return knobs.explain(Err(e)),
        },
        Err(e) => return Err(e),
    };
    let (fd, path) = file;
    if let Some(weight) = weight {
        files::write_fd(&fd, &path, &convert(weight).to_string())?;
    }
    devices.iter().try_for_each(|(major, minor, weight)| {
        files::write_fd(&fd, &path, &format!("{major}:{minor} {}", convert(*weight)))
    })
}

fn v2_rates(knobs: &Knobs, rates: &[Rate<'_>]) -> Result<()> {
    if rates.is_empty() {
        return Ok(());
    }
    let (fd, path) = match open(knobs, "io.max") {
        Ok(file) => file,
        Err(e) => return knobs.explain(Err(e)),
    };
    rates.iter().try_for_each(|Rate { device, v2_key, .. }| {
        let ThrottleDevice { major, minor, rate } = device;
        let rate = if *rate == 0 { "max".to_owned() } else { rate.to_string() };
        files::write_fd(&fd, &path, &format!("{major}:{minor} {v2_key}={rate}"))
    })
}

fn open(knobs: &Knobs, file: &str) -> Result<(OwnedFd, PathBuf)> {
    let path = knobs.dir.join(file);
    Ok((files::open_file(&path, OFlag::O_WRONLY)?, path))
}

#[cfg(test)]
mod tests {
    use super::io_weight_from_blkio;

    #[test]
    fn weights() {
        for (blkio, io) in [(0, 0), (5, 1), (10, 1), (100, 910), (500, 4950), (1000, 10_000)] {
            assert_eq!(io_weight_from_blkio(blkio), io, "{blkio}");
        }
    }
}
