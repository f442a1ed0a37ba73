//! `linux.netDevices`.

use std::collections::HashMap;

use oci_spec::runtime::LinuxNetDevice;

use super::check::at;
use super::facts::HostFacts;
use super::{Namespace, Namespaces, NetDevice};
use crate::error::{Error, Result};

const POINTER: &str = "/linux/netDevices";
/// The longest name of a network device, in bytes.
const MAX_NAME: usize = 15;

/// The devices to move, by their name on the host.
pub(super) fn net_devices(
    map: Option<&HashMap<String, LinuxNetDevice>>,
    namespaces: &Namespaces,
    facts: &HostFacts,
) -> Result<Vec<NetDevice>> {
    let Some(map) = map.filter(|map| !map.is_empty()) else { return Ok(Vec::new()) };
    let refuse = |text: &str| Err(Error::config(POINTER, text));
    if namespaces.network == Namespace::Inherit {
        return refuse("unable to move network devices without a NET namespace");
    }
    if facts.euid != 0 {
        return refuse("network devices are not supported for rootless containers");
    }
    let mut list = Vec::new();
    for (host, device) in map {
        let new = device.name().as_deref().filter(|name| !name.is_empty());
        let invalid = |name: &str, pointer: String| {
            Err(Error::config(pointer, format!("invalid network device name {name:?}")))
        };
        if !is_name(host) || host.contains('%') {
            return invalid(host, at(POINTER, host));
        }
        if let Some(name) = new.filter(|name| !is_name(name) || !is_template_if_any(name)) {
            return invalid(name, format!("{}/name", at(POINTER, host)));
        }
        list.push(NetDevice { host: host.clone(), name: new.unwrap_or(host).to_owned() });
    }
    list.sort_by(|one, other| one.host.cmp(&other.host));
    let mut taken = HashMap::new();
    for device in list.iter().filter(|device| !device.is_template()) {
        if let Some(other) = taken.insert(device.name.as_str(), &device.host) {
            let text = format!("{other:?} is to have the same name {:?}", device.name);
            return Err(Error::config(at(POINTER, &device.host), text));
        }
    }
    Ok(list)
}

/// What the kernel takes as the name of a device.
fn is_name(name: &str) -> bool {
    let bad = |c: char| matches!(c, '/' | ':' | '\0' | '\u{b}') || c.is_ascii_whitespace();
    !name.is_empty() && name.len() <= MAX_NAME && !matches!(name, "." | "..") && !name.contains(bad)
}

/// `%` stands only in `%d`, once.
fn is_template_if_any(name: &str) -> bool {
    match name.split_once('%') {
        Some((_, rest)) => rest.starts_with('d') && !rest.contains('%'),
        None => true,
    }
}
