//! A plan as text: one line for each item, so that differences read well.

use std::fmt::{Debug, Write};

use libcontainer::plan::{Plan, Process};

/// The whole plan.
pub(crate) fn plan(plan: &Plan) -> String {
    let mut out = String::new();
    line(&mut out, "oci_version", &plan.oci_version);
    line(&mut out, "bundle", &plan.bundle);
    line(&mut out, "rootfs", &plan.rootfs);
    let n = &plan.namespaces;
    let kinds = [
        ("user", &n.user),
        ("mount", &n.mount),
        ("pid", &n.pid),
        ("network", &n.network),
        ("ipc", &n.ipc),
        ("uts", &n.uts),
        ("cgroup", &n.cgroup),
        ("time", &n.time),
    ];
    list(&mut out, "namespaces", &kinds);
    list(&mut out, "uid_maps", &n.uid_maps);
    list(&mut out, "gid_maps", &n.gid_maps);
    list(&mut out, "time_offsets", &n.time_offsets);
    list(&mut out, "mounts", &plan.mounts);
    list(&mut out, "devices", &plan.devices);
    list(&mut out, "masked_paths", &plan.masked_paths);
    list(&mut out, "readonly_paths", &plan.readonly_paths);
    line(&mut out, "hostname", &plan.hostname);
    line(&mut out, "domainname", &plan.domainname);
    list(&mut out, "sysctl", &plan.sysctl);
    match &plan.process {
        Some(given) => out += &process(given),
        None => line(&mut out, "process", &"none"),
    }
    line(&mut out, "hooks", &plan.hooks);
    line(&mut out, "cgroups_path", &plan.cgroups_path);
    line(&mut out, "cgroup_owner", &plan.cgroup_owner);
    resources(&mut out, &plan.resources);
    line(&mut out, "personality", &plan.personality);
    list(&mut out, "annotations", &plan.annotations.iter().collect::<Vec<_>>());
    list(&mut out, "warnings", &plan.warnings);
    if let Some(profile) = &plan.seccomp {
        line(&mut out, "seccomp default", &profile.default_action);
        line(&mut out, "seccomp architectures", &profile.architectures);
        line(&mut out, "seccomp flags", &profile.flags);
        line(&mut out, "seccomp listener", &(&profile.listener_path, &profile.listener_metadata));
        let rules = profile.rules.iter();
        let rules: Vec<_> =
            rules.map(|rule| (rule.action, &rule.args, rule.names.join(" "))).collect();
        list(&mut out, "seccomp rules", &rules);
    }
    out
}

/// A process alone.
pub(crate) fn process(process: &Process) -> String {
    // Debug's own layout: one member a line.
    format!("process: {process:#?}\n")
}

fn resources(out: &mut String, resources: &libcgroups::Resources) {
    line(out, "memory", &resources.memory);
    line(out, "cpu", &resources.cpu);
    line(out, "cpuset", &resources.cpuset);
    line(out, "pids_limit", &resources.pids_limit);
    line(out, "block_io", &resources.block_io);
    line(out, "hugepage_limits", &resources.hugepage_limits);
    line(out, "network", &resources.network);
    line(out, "rdma", &resources.rdma);
    line(out, "unified", &resources.unified);
    list(out, "device rules", &resources.devices);
}

fn line(out: &mut String, name: &str, value: &dyn Debug) {
    writeln!(out, "{name}: {value:?}").expect("write to a string");
}

fn list<T: Debug>(out: &mut String, name: &str, items: &[T]) {
    writeln!(out, "{name}: {}", items.len()).expect("write to a string");
    for item in items {
        writeln!(out, "    {item:?}").expect("write to a string");
    }
}
