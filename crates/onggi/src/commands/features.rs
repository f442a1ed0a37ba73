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

/// Hooks of config.json.
const HOOKS: &[&str] =
    &["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// Namespaces of config.json.
const NAMESPACES: &[&str] = &["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Features {
    oci_version_min: &'static str,
    oci_version_max: &'static str,
    hooks: &'static [&'static str],
    mount_options: Vec<&'static str>,
    linux: Linux,
    annotations: BTreeMap<&'static str, &'static str>,
    potentially_unsafe_config_annotations: &'static [&'static str],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Linux {
    namespaces: &'static [&'static str],
    capabilities: Vec<String>,
    cgroup: Cgroup,
    seccomp: Seccomp,
    apparmor: Enabled,
    selinux: Enabled,
    intel_rdt: Enabled,
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
        hooks: HOOKS,
        mount_options: plan::mount_option_names(),
        linux: linux(),
        annotations,
        potentially_unsafe_config_annotations: &[libcontainer::UNIT_PROPERTY_ANNOTATION],
    }
}

fn linux() -> Linux {
    Linux {
        namespaces: NAMESPACES,
        capabilities: plan::capability_names(),
        cgroup: Cgroup { v1: true, v2: true, systemd: true, systemd_user: true, rdma: false },
        seccomp: seccomp(),
        apparmor: Enabled { enabled: false },
        selinux: Enabled { enabled: false },
        intel_rdt: Enabled { enabled: true },
        mount_extensions: MountExtensions { idmap: Enabled { enabled: true } },
        net_devices: Enabled { enabled: true },
        memory_policy: MemoryPolicy {
            modes: plan::MEMORY_POLICY_MODES.iter().map(|(name, _)| *name).collect(),
            flags: plan::MEMORY_POLICY_FLAGS.iter().map(|(name, _)| *name).collect(),
        },
    }
}

fn seccomp() -> Seccomp {
    fn names<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
        table.iter().map(|(name, _)| *name).collect()
    }
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
mod tests {
    use super::*;

    #[test]
    fn has_what_engines_look_for() {
        let value = serde_json::to_value(features()).unwrap();
        assert_eq!(value["ociVersionMin"], "1.0.0");
        assert_eq!(value["ociVersionMax"], "1.3.0");
        assert_eq!(value["linux"]["capabilities"][0], "CAP_CHOWN");
        assert_eq!(value["linux"]["capabilities"][40], "CAP_CHECKPOINT_RESTORE");
        let has = |pointer: &str, name: &str| {
            value.pointer(pointer).unwrap().as_array().unwrap().iter().any(|item| item == name)
        };
        assert!(has("/mountOptions", "rbind"));
        assert!(has("/linux/seccomp/actions", "SCMP_ACT_ERRNO"));
        assert!(has("/linux/seccomp/operators", "SCMP_CMP_MASKED_EQ"));
        assert!(has("/linux/seccomp/archs", "SCMP_ARCH_X86_64"));
        assert!(has("/linux/seccomp/knownFlags", "SECCOMP_FILTER_FLAG_LOG"));
    }
}
