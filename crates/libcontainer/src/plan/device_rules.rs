//! `linux.resources.devices`: which devices the container may use.

use libcgroups::{Access, DeviceKind, DeviceRule};
use oci_spec::runtime::{LinuxDevice, LinuxDeviceCgroup, LinuxDeviceType};

use super::check::warning;
use super::devices::{DEFAULT, has_path};
use crate::error::{Error, Result};

const MKNOD: Access = Access { read: false, write: false, mknod: true };
const ALL: Access = Access { read: true, write: true, mknod: true };

/// Allowed besides the default devices: the making of any node, pseudo-terminals, and `/dev/net/tun`, which
/// VPN software in containers has come to rely on.
const ALWAYS: &[(DeviceKind, Option<u32>, Option<u32>, Access)] = &[
    (DeviceKind::Char, None, None, MKNOD),
    (DeviceKind::Block, None, None, MKNOD),
    (DeviceKind::Char, Some(136), None, ALL),
    (DeviceKind::Char, Some(5), Some(2), ALL),
    (DeviceKind::Char, Some(10), Some(200), ALL),
];

/// The rules of config.json in order, and behind them those that every container gets.
pub(super) fn rules(
    list: Option<&Vec<LinuxDeviceCgroup>>,
    devices: Option<&Vec<LinuxDevice>>,
    warnings: &mut Vec<String>,
) -> Result<Vec<DeviceRule>> {
    let list = list.map(Vec::as_slice).unwrap_or_default();
    let mut rules = Vec::with_capacity(list.len() + ALWAYS.len() + DEFAULT.len());
    for (index, entry) in list.iter().enumerate() {
        rules.push(rule(entry, &format!("/linux/resources/devices/{index}"), warnings)?);
    }
    let allow = |kind, major, minor, access| DeviceRule { allow: true, kind, major, minor, access };
    let devices = devices.map(Vec::as_slice).unwrap_or_default();
    rules.extend(
        ALWAYS.iter().map(|&(kind, major, minor, access)| allow(kind, major, minor, access)),
    );
    rules.extend(
        DEFAULT
            .iter()
            // Whoever brings a device of that name also says who may use it.
            .filter(|(path, ..)| !has_path(devices, path))
            .map(|&(_, major, minor)| allow(DeviceKind::Char, Some(major), Some(minor), ALL)),
    );
    Ok(rules)
}

fn rule(
    entry: &LinuxDeviceCgroup,
    pointer: &str,
    warnings: &mut Vec<String>,
) -> Result<DeviceRule> {
    let kind = match entry.typ() {
        None | Some(LinuxDeviceType::A) => DeviceKind::All,
        Some(LinuxDeviceType::C) => DeviceKind::Char,
        Some(LinuxDeviceType::B) => DeviceKind::Block,
        Some(other) => {
            let text = format!("invalid cgroup device type {:?}: use a, b or c", other.as_str());
            return Err(Error::config(format!("{pointer}/type"), text));
        }
    };
    Ok(DeviceRule {
        allow: entry.allow(),
        kind,
        major: number(entry.major(), || format!("{pointer}/major"))?,
        minor: number(entry.minor(), || format!("{pointer}/minor"))?,
        access: access(entry.access().as_deref().unwrap_or_default(), pointer, warnings)?,
    })
}

/// Absent and -1 stand for every number.
fn number(value: Option<i64>, pointer: impl FnOnce() -> String) -> Result<Option<u32>> {
    match value {
        None | Some(-1) => Ok(None),
        Some(value) => match u32::try_from(value) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Error::config(pointer(), format!("{value} is not a device number"))),
        },
    }
}

/// Letters that stand for nothing are passed over beside others, as runc does; alone they are an error.
fn access(letters: &str, pointer: &str, warnings: &mut Vec<String>) -> Result<Access> {
    let pointer = || format!("{pointer}/access");
    if letters.is_empty() {
        let text = "device access field cannot be empty: use letters of \"rwm\"";
        return Err(Error::config(pointer(), text));
    }
    let text = || format!("{letters:?} is not made of letters of \"rwm\"");
    let has = |letter| letters.contains(letter);
    let access = Access { read: has('r'), write: has('w'), mknod: has('m') };
    if access == Access::default() {
        return Err(Error::config(pointer(), text()));
    }
    if letters.contains(|letter| !"rwm".contains(letter)) {
        warnings.push(warning(&pointer(), &text()));
    }
    Ok(access)
}
