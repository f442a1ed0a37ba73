//! `onggi features`: features.md of the runtime-spec. Only what works is claimed.

use std::collections::BTreeMap;

use libcontainer::plan;
use serde::Serialize;

use super::{PLAIN, Verb};
use crate::{output, version};

pub(super) const VERB: Verb = Verb {
    name: "features",
    about: "show what this runtime can do as JSON",
    usage: "",
    details: "See features.md of the runtime-spec. It tells what onggi knows, not what the host allows.",
    arguments: |command| command,
    run: |_, _| {
        let mut text = output::json_pretty(&features(), "    ")?;
        text.push(b'\n');
        output::write(&text)?;
        Ok(0)
    },
    ..PLAIN
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Features {
    oci_version_min: &'static str,
    oci_version_max: &'static str,
    hooks: Vec<&'static str>,
    mount_options: Vec<&'static str>,
    linux: Linux,
    annotations: BTreeMap<&'static str, &'static str>,
    potentially_unsafe_config_annotations: &'static [&'static str],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Linux {
    namespaces: Vec<&'static str>,
    capabilities: Vec<String>,
    cgroup: Cgroup,
    seccomp: Seccomp,
    apparmor: Enabled,
    selinux: Enabled,
    intel_rdt: IntelRdt,
    mount_extensions: MountExtensions,
    net_devices: Enabled,
    memory_policy: MemoryPolicy,
}

#[derive(Serialize)]
struct MemoryPolicy {
    modes: Vec<&'static str>,
    flags: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cgroup {
    v1: bool,
    v2: bool,
    systemd: bool,
    systemd_user: bool,
    rdma: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Seccomp {
    enabled: bool,
    actions: Vec<&'static str>,
    operators: Vec<&'static str>,
    archs: Vec<&'static str>,
    known_flags: Vec<&'static str>,
    supported_flags: Vec<&'static str>,
}

#[derive(Serialize)]
struct Enabled {
    enabled: bool,
}

#[derive(Serialize)]
struct IntelRdt {
    enabled: bool,
    schemata: bool,
    monitoring: bool,
}

#[derive(Serialize)]
struct MountExtensions {
    idmap: Enabled,
}

fn features() -> Features {
    let mut annotations = BTreeMap::from([("io.onggi.version", version::VERSION)]);
    if let Some(commit) = version::COMMIT.filter(|commit| !commit.is_empty()) {
        annotations.insert("io.onggi.commit", commit);
    }
    Features {
        oci_version_min: "1.0.0",
        oci_version_max: version::SPEC,
        hooks: plan::hook_names(),
        mount_options: plan::mount_option_names(),
        linux: linux(),
        annotations,
        // Those of crun open files and sockets of the host.
        potentially_unsafe_config_annotations: &[
            libcontainer::UNIT_PROPERTY_ANNOTATION,
            "run.oci.",
        ],
    }
}

/// What is one field of config.json is claimed if the table of fields says that it is applied.
fn linux() -> Linux {
    let applied = |path: &str| plan::fields::is_applied(path);
    let enabled = |path: &str| Enabled { enabled: applied(path) };
    let rdma = applied("/linux/resources/rdma");
    Linux {
        namespaces: plan::namespace_names(),
        capabilities: plan::capability_names(),
        cgroup: Cgroup { v1: true, v2: true, systemd: true, systemd_user: true, rdma },
        seccomp: seccomp(),
        apparmor: enabled("/process/apparmorProfile"),
        selinux: Enabled {
            enabled: applied("/process/selinuxLabel") && applied("/linux/mountLabel"),
        },
        intel_rdt: IntelRdt {
            enabled: applied("/linux/intelRdt"),
            schemata: applied("/linux/intelRdt/schemata"),
            monitoring: applied("/linux/intelRdt/enableMonitoring"),
        },
        memory_policy: MemoryPolicy {
            modes: names(plan::MEMORY_POLICY_MODES),
            flags: names(plan::MEMORY_POLICY_FLAGS),
        },
        mount_extensions: MountExtensions { idmap: enabled("/mounts/[]/uidMappings") },
        net_devices: enabled("/linux/netDevices"),
    }
}

fn names<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
    table.iter().map(|(name, _)| *name).collect()
}

fn seccomp() -> Seccomp {
    let flags = names(seccomp::FLAGS);
    Seccomp {
        enabled: true,
        actions: names(seccomp::ACTIONS),
        operators: names(seccomp::OPERATORS),
        archs: names(seccomp::ARCHITECTURES),
        known_flags: flags.clone(),
        supported_flags: flags,
    }
}

#[cfg(test)]
mod tests;
