//! `linux.devices` and the devices that every container gets.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};

use super::check::{absolute, warning};
use super::{Device, DeviceKind};
use crate::error::{Error, Result};

/// What a container finds whether it asks or not: path and minor number; all are major 1 but `tty`.
pub(super) const DEFAULT: &[(&str, u32, u32)] = &[
    ("/dev/null", 1, 3),
    ("/dev/random", 1, 8),
    ("/dev/full", 1, 7),
    ("/dev/tty", 5, 0),
    ("/dev/zero", 1, 5),
    ("/dev/urandom", 1, 9),
];

const DEFAULT_MODE: u32 = 0o666;
/// The kernel's dev_t has 12 bits for the major and 20 for the minor number.
const MAX_MAJOR: u32 = 0xfff;
const MAX_MINOR: u32 = 0xf_ffff;

/// The default devices and those of the list, which take the place of a default one at the same path.
pub(super) fn devices(
    list: Option<&Vec<LinuxDevice>>,
    warnings: &mut Vec<String>,
) -> Result<Vec<Device>> {
    let list = list.map(Vec::as_slice).unwrap_or_default();
    let mut plan: Vec<Device> = DEFAULT
        .iter()
        .filter(|(path, ..)| !has_path(list, path))
        .map(|&(path, major, minor)| Device {
            path: PathBuf::from(path),
            kind: DeviceKind::Char,
            major,
            minor,
            mode: DEFAULT_MODE,
            uid: 0,
            gid: 0,
        })
        .collect();
    for (index, entry) in list.iter().enumerate() {
        let pointer = format!("/linux/devices/{index}");
        let device = device(entry, &pointer)?;
        if let Some(same) = plan.iter().position(|other| other.path == device.path) {
            warnings
                .push(warning(&pointer, "the same path is listed twice; the later entry is taken"));
            plan.remove(same);
        }
        plan.push(device);
    }
    Ok(plan)
}

/// Whether the list has a device at `path`.
pub(super) fn has_path(list: &[LinuxDevice], path: &str) -> bool {
    list.iter().any(|device| device.path() == Path::new(path))
}

fn device(entry: &LinuxDevice, pointer: &str) -> Result<Device> {
    absolute(entry.path(), "the device", || format!("{pointer}/path"))?;
    let kind = match entry.typ() {
        LinuxDeviceType::C | LinuxDeviceType::U => DeviceKind::Char,
        LinuxDeviceType::B => DeviceKind::Block,
        LinuxDeviceType::P => DeviceKind::Fifo,
        LinuxDeviceType::A => {
            let text = "invalid device type \"a\": use c, b, u or p";
            return Err(Error::config(format!("{pointer}/type"), text));
        }
    };
    let (major, minor) = if kind == DeviceKind::Fifo {
        (0, 0)
    } else {
        (
            number(entry.major(), MAX_MAJOR, || format!("{pointer}/major"))?,
            number(entry.minor(), MAX_MINOR, || format!("{pointer}/minor"))?,
        )
    };
    Ok(Device {
        path: entry.path().clone(),
        kind,
        major,
        minor,
        // Engines pass st_mode as it is, with the type of the file.
        mode: entry.file_mode().unwrap_or(DEFAULT_MODE) & 0o7777,
        uid: entry.uid().unwrap_or(0),
        gid: entry.gid().unwrap_or(0),
    })
}

fn number(value: i64, max: u32, pointer: impl FnOnce() -> String) -> Result<u32> {
    match u32::try_from(value) {
        Ok(number) if number <= max => Ok(number),
        _ => Err(Error::config(
            pointer(),
            format!("device number {value} is not between 0 and {max}"),
        )),
    }
}
