//! Hosts out of the ordinary: no cgroups managed at all, hosts that are containers themselves, hierarchies in unusual
//! places.

use integration_tests::{
    Bundle, Cgroups, Peer, View, copy_program, differs, need_root, peer, run, runtime, skip,
};
use serde_json::json;
use std::process::Command;

/// Which cgroups a process is in.
fn cgroups_of(pid: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default()
}

#[test]
fn cgroups_can_be_left_alone() {
    need_root!();
    differs!(Runc | Youki, "has no such flag");
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.write();
    let create = ["--cgroup-manager", "disabled", "create", "--bundle", &bundle.path(), &bundle.id];
    bundle.detached(&create).ok();
    bundle.start();
    assert_eq!(cgroups_of(&bundle.pid().to_string()), cgroups_of("self"));
    assert!(Cgroups::detect().find(&bundle.id).is_empty());
    // What needs none works, also without the flag: the container remembers.
    assert_eq!(bundle.exec(&["echo", "ran"]).ok(), "ran\n");
    assert_eq!(bundle.status(), "running");
    if peer() == Peer::Onggi {
        let pids = bundle.call(&["ps", "--format", "json", &bundle.id]);
        assert_eq!(pids.ok().trim(), format!("[{}]", bundle.pid()));
        bundle.call(&["pause", &bundle.id]).exits(1).fails_with(&["has no cgroup"]);
        let update = bundle.dir().join("update.json");
        std::fs::write(&update, r#"{"pids":{"limit":5}}"#).expect("write");
        let update = ["update", "--resources", &update.to_string_lossy(), &bundle.id];
        bundle.call(&update).exits(1).fails_with(&["has no cgroup"]);
    }
    bundle.kill("KILL");
    bundle.wait_status("stopped");
    bundle.delete();
}

/// A container that can run the runtime in it: privileged, with a cgroup mount that it may write to.
fn host_in_a_container(private: bool, inner_args: &[&str]) -> Bundle {
    let mut outer = Bundle::new(&[]);
    integration_tests::without_namespace(&mut outer.config, "cgroup");
    if private {
        outer.push("/linux/namespaces", json!({ "type": "cgroup" }));
    }
    let all: Vec<String> = (0..64)
        .filter(|bit| integration_tests::capability_mask("CapPrm") >> bit & 1 == 1)
        .filter_map(|bit| CAPABILITIES.get(bit).map(|name| format!("CAP_{name}")))
        .collect();
    outer.capabilities(&all.iter().map(String::as_str).collect::<Vec<_>>());
    outer.set("/process/noNewPrivileges", json!(false)).set("/root/readonly", json!(false));
    outer.unset("/linux/maskedPaths").unset("/linux/readonlyPaths");
    outer.set("/linux/resources/devices", json!([{ "allow": true, "access": "rwm" }]));
    let mounts = outer.config["mounts"].as_array_mut().expect("mounts");
    for mount in mounts.iter_mut().filter(|m| m["type"] == "cgroup" || m["type"] == "sysfs") {
        mount["options"] = json!(["nosuid", "noexec", "nodev", "rw"]);
    }
    // The bundle inside: its configuration is that of the tests, without what a container's host lacks.
    let inner = outer.rootfs().join("inner/rootfs");
    for dir in ["proc", "sys", "dev", "tmp"] {
        std::fs::create_dir_all(inner.join(dir)).expect("mkdir");
    }
    copy_program(runtime(), &outer.rootfs().join("onggi"));
    copy_program(integration_tests::runtimetest(), &inner.join("runtimetest"));
    let mut config = integration_tests::default_config(inner_args);
    config["linux"]["cgroupsPath"] = json!(null);
    config["process"]["capabilities"] = json!({});
    config["process"]["rlimits"] = json!([]);
    let list = config["mounts"].as_array_mut().expect("mounts");
    list.retain(|m| m["type"] != "mqueue");
    std::fs::write(outer.rootfs().join("inner/config.json"), config.to_string()).expect("write");
    outer.args(&["/onggi", "--root", "/tmp/state", "run", "--bundle", "/inner", &nested(&outer)]);
    outer
}

/// capability.h, by number.
const CAPABILITIES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

#[test]
fn a_host_may_be_a_container() {
    need_root!();
    differs!(Runc | Crun | Youki, "not static: cannot be run in a container without its libraries");
    for private in [true, false] {
        let outer = host_in_a_container(private, &["/runtimetest", "cat", "/proc/self/cgroup"]);
        let output = outer.run();
        // With the host's hierarchies bound, our own cgroup in them is that of the outer container.
        assert!(output.ok().contains(&nested(&outer)), "private {private}: {output}");
        outer.assert_clean();
    }
}

/// The name of the container inside, by which the outer one's test finds what is left of it.
fn nested(outer: &Bundle) -> String {
    format!("{}-nested", outer.id)
}

/// A hierarchy that is mounted elsewhere than below /sys/fs/cgroup is used where it is.
#[test]
fn hierarchies_in_unusual_places() {
    need_root!();
    if Cgroups::detect().view() == View::V2 {
        skip!("the view has one hierarchy in the usual place");
    }
    let bundle = Bundle::new(&["cat", "/proc/self/cgroup"]);
    bundle.write();
    let place = bundle.dir().join("pids");
    std::fs::create_dir(&place).expect("mkdir");
    let script = format!(
        "mount --make-rprivate / && mount --move /sys/fs/cgroup/pids {place} 2>/dev/null || \
         {{ mount --bind /sys/fs/cgroup/pids {place} && umount /sys/fs/cgroup/pids; }}; exec \"$@\"",
        place = place.display()
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, "sh"]).arg(runtime());
    command.arg("--root").arg(bundle.state_root());
    command.args(["run", "--bundle", &bundle.path(), &bundle.id]);
    let output = run(&mut command);
    assert!(output.ok().contains(&format!("pids:{}", bundle.cgroup())), "{output}");
    bundle.assert_clean();
}
