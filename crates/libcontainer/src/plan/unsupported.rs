//! What the runtime-spec has and this runtime has not yet: refused, never passed over.

use oci_spec::runtime::{Linux, Process, Spec};

use crate::error::{Error, Result};

/// A section that is not there yet: where it stands, and whether a document uses it.
type Section<T> = (&'static str, fn(&T) -> bool);

const LINUX: &[Section<Linux>] = &[
    ("/linux/netDevices", |linux| linux.net_devices().as_ref().is_some_and(|map| !map.is_empty())),
    ("/linux/intelRdt", |linux| linux.intel_rdt().is_some()),
    ("/linux/memoryPolicy", |linux| linux.memory_policy().is_some()),
];

const PROCESS: &[Section<Process>] = &[("/execCPUAffinity", |process| {
    process.exec_cpu_affinity().as_ref().is_some_and(|affinity| {
        affinity.initial().as_ref().is_some_and(|cpus| !cpus.is_empty())
            || affinity.cpu_affinity_final().as_ref().is_some_and(|cpus| !cpus.is_empty())
    })
})];

/// Refuses sections of config.json outside of `process` and `mounts`.
pub(super) fn refuse(spec: &Spec) -> Result<()> {
    spec.linux().as_ref().map_or(Ok(()), |linux| first("", LINUX, linux))
}

/// Refuses members of `process`, which stands at `prefix`.
pub(super) fn refuse_process(process: &Process, prefix: &str) -> Result<()> {
    first(prefix, PROCESS, process)
}

/// Refuses an id-mapped mount.
pub(super) fn idmapped_mount(pointer: String) -> Error {
    Error::config(pointer, "an id-mapped mount is not supported")
}

fn first<T>(prefix: &str, sections: &[Section<T>], value: &T) -> Result<()> {
    for (pointer, is_used) in sections {
        if is_used(value) {
            let name = pointer.rsplit('/').next().unwrap_or(pointer);
            return Err(Error::config(
                format!("{prefix}{pointer}"),
                format!("{name} is not supported"),
            ));
        }
    }
    Ok(())
}
