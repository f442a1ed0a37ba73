//! What the runtime-spec has and this runtime has not yet: refused, never passed over.

use oci_spec::runtime::{Linux, Spec};

use crate::error::{Error, Result};

/// A section that is not there yet: where it stands, and whether a document uses it.
type Section = (&'static str, fn(&Linux) -> bool);

const LINUX: &[Section] = &[
    ("/linux/netDevices", |linux| linux.net_devices().as_ref().is_some_and(|map| !map.is_empty())),
    ("/linux/intelRdt", |linux| linux.intel_rdt().is_some()),
    ("/linux/memoryPolicy", |linux| linux.memory_policy().is_some()),
];

/// Refuses sections of `linux`.
pub(super) fn refuse(spec: &Spec) -> Result<()> {
    let Some(linux) = spec.linux() else { return Ok(()) };
    match LINUX.iter().find(|(_, is_used)| is_used(linux)) {
        Some((pointer, _)) => {
            let name = pointer.rsplit('/').next().unwrap_or(pointer);
            Err(Error::config(*pointer, format!("{name} is not supported")))
        }
        None => Ok(()),
    }
}
