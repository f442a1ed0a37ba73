//! Namespaces made anew and joined by path, alone and together.

use integration_tests::{
    Bundle, Cgroups, Peer, differs, mount, namespace_link, need_root, peer, skip, without_namespace,
};
use serde_json::json;
use std::fs;

const KINDS: &[(&str, &str)] =
    &[("pid", "pid"), ("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("cgroup", "cgroup")];

fn other() -> Bundle {
    let mut other = Bundle::new(&["sleep", "1000"]);
    other.set("/hostname", json!("the-other"));
    without_namespace(&mut other.config, "cgroup");
    other.push("/linux/namespaces", json!({ "type": "cgroup" }));
    other.up();
    other
}

#[test]
fn each_can_be_joined_alone() {
    need_root!();
    let other = other();
    for (kind, link) in KINDS {
        let mut bundle = Bundle::check();
        bundle.join(kind, link, other.pid());
        bundle.run_check();
    }
    other.delete();
}

#[test]
fn all_can_be_joined_together() {
    need_root!();
    let other = other();
    let mut bundle = Bundle::check();
    for (kind, link) in KINDS {
        bundle.join(kind, link, other.pid());
    }
    bundle.run_check();
    let mut bundle = Bundle::new(&["hostname"]);
    bundle.join("uts", "uts", other.pid());
    assert!(bundle.run().ok().starts_with("the-other "));
    other.delete();
}

#[test]
fn every_pair_can_be_joined() {
    need_root!();
    let other = other();
    for (at, first) in KINDS.iter().enumerate() {
        for second in &KINDS[at + 1..] {
            let mut bundle = Bundle::check();
            bundle.join(first.0, first.1, other.pid());
            bundle.join(second.0, second.1, other.pid());
            bundle.run_check();
        }
    }
    other.delete();
}

#[test]
fn joined_pid_namespace_shows_the_others_processes() {
    need_root!();
    let other = other();
    let mut bundle = Bundle::new(&["all", "cat", "/proc/1/cmdline", "--", "sleep", "0"]);
    bundle.join("pid", "pid", other.pid());
    assert!(bundle.run().ok().contains("sleep\u{0}1000"));
    other.delete();
}

#[test]
fn processes_of_a_joined_pid_namespace_are_killed_by_delete() {
    need_root!();
    differs!(Runc, "older ones leave the cgroup on v2");
    let other = other();
    let mut bundle = Bundle::new(&["fork-sleep", "100"]);
    bundle.join("pid", "pid", other.pid());
    bundle.up().wait_log("child");
    bundle.delete();
    assert_eq!(other.status(), "running");
    other.delete();
}

#[test]
fn joined_by_a_bound_file() {
    need_root!();
    let other = other();
    let file = other.dir().join("netns");
    fs::write(&file, "").expect("write");
    let source = format!("/proc/{}/ns/net", other.pid());
    let flags = nix::mount::MsFlags::MS_BIND;
    nix::mount::mount(Some(source.as_str()), &file, None::<&str>, flags, None::<&str>)
        .expect("bind the namespace");
    let mut bundle = Bundle::check();
    bundle.join("network", "net", other.pid());
    let last = bundle.config["linux"]["namespaces"].as_array().map_or(0, |l| l.len() - 1);
    bundle.set(&format!("/linux/namespaces/{last}/path"), json!(file.to_string_lossy()));
    bundle.run_check();
    nix::mount::umount2(&file, nix::mount::MntFlags::MNT_DETACH).expect("umount");
    other.delete();
}

#[test]
fn only_a_mount_namespace() {
    need_root!();
    let mut bundle = Bundle::new(&[
        "all",
        "readlink",
        "/proc/self/ns/pid",
        "/proc/self/ns/net",
        "--",
        "echo",
        "done",
    ]);
    for kind in ["pid", "network", "ipc", "uts", "cgroup"] {
        without_namespace(&mut bundle.config, kind);
    }
    bundle.unset("/hostname").unset("/linux/maskedPaths").unset("/linux/readonlyPaths");
    bundle.set(
        "/mounts",
        json!([
            mount("/proc", "bind", "/proc", &["rbind"]),
            mount("/dev", "tmpfs", "tmpfs", &["mode=755"])
        ]),
    );
    let output = bundle.run();
    let lines: Vec<&str> = output.ok().lines().collect();
    assert_eq!(lines[..2], [namespace_link("self", "pid"), namespace_link("self", "net")]);
    bundle.assert_clean();
}

#[test]
fn no_hostname_keeps_the_hosts_in_a_new_namespace() {
    need_root!();
    let mut bundle = Bundle::new(&["hostname"]);
    bundle.unset("/hostname");
    let host =
        nix::unistd::gethostname().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    assert!(bundle.run().ok().starts_with(&host));
}

#[test]
fn new_network_has_a_loopback_that_is_up() {
    need_root!();
    let bundle = Bundle::new(&["cat", "/sys/class/net/lo/flags"]);
    let output = bundle.run();
    let flags = u32::from_str_radix(output.ok().trim().trim_start_matches("0x"), 16).unwrap_or(0);
    if peer() != Peer::Youki {
        assert_eq!(flags & 1, 1, "lo is down: {output}");
    }
}

#[test]
fn user_namespace_joined_by_path() {
    need_root!();
    differs!(Runc | Youki, "joins them only in newer versions");
    let mut other = Bundle::new(&["sleep", "1000"]);
    other.user_namespace();
    other.up();
    let mut bundle = Bundle::new(&["all", "id", "--", "readlink", "/proc/self/ns/user"]);
    bundle.own_rootfs(100_000);
    for (kind, link) in [("user", "user"), ("network", "net"), ("ipc", "ipc")] {
        bundle.join(kind, link, other.pid());
    }
    let output = bundle.run();
    assert!(output.ok().contains("uid=0 gid=0"), "{output}");
    assert!(output.stdout.contains(&namespace_link(&other.pid().to_string(), "user")), "{output}");
    bundle.assert_clean();
    other.delete();
}

#[test]
fn files_in_a_user_namespace_belong_to_its_root() {
    need_root!();
    let mut bundle = Bundle::new(&[
        "all",
        "stat",
        "/runtimetest",
        "/dev/null",
        "/dev/pts",
        "/tmp",
        "--",
        "touch",
        "/tmp/made",
    ]);
    bundle.user_namespace();
    bundle.set("/root/readonly", json!(false));
    let output = bundle.run();
    assert!(output.ok().contains("/runtimetest f 755 0 0"), "{output}");
    use std::os::unix::fs::MetadataExt;
    let made = fs::metadata(bundle.rootfs().join("tmp/made")).expect("the file is made");
    assert_eq!((made.uid(), made.gid()), (100_000, 100_000));
    bundle.assert_clean();
}

#[test]
fn user_namespace_without_privilege_on_the_host() {
    need_root!();
    let mut bundle = Bundle::new(&[
        "all",
        "open-write",
        "/proc/sys/kernel/hostname",
        "--",
        "mknod",
        "/tmp/x",
        "b",
        "7",
        "0",
    ]);
    bundle.user_namespace();
    bundle.set("/root/readonly", json!(false)).unset("/linux/readonlyPaths");
    bundle.capabilities(&["CAP_MKNOD", "CAP_SYS_ADMIN"]);
    let output = bundle.run();
    assert_ne!(output.code, 0, "{output}");
    assert!(!bundle.rootfs().join("tmp/x").exists());
}

#[test]
fn time_namespace_with_offsets() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    let mut bundle = Bundle::check();
    bundle.push("/linux/namespaces", json!({ "type": "time" }));
    bundle.set("/linux/timeOffsets", json!({ "monotonic": { "secs": 1_000_000 }, "boottime": { "secs": 2_000_000, "nanosecs": 500 } }));
    bundle.run_check();
    bundle.args(&["/runtimetest", "clock"]);
    let output = bundle.run();
    let clocks: Vec<u64> = output.ok().split_whitespace().filter_map(|w| w.parse().ok()).collect();
    assert!(clocks[0] >= 1_000_000 && clocks[1] >= 2_000_000, "{output}");
}

#[test]
fn cgroup_namespace_hides_the_path() {
    need_root!();
    let mut bundle = Bundle::new(&["cat", "/proc/self/cgroup"]);
    without_namespace(&mut bundle.config, "cgroup");
    bundle.push("/linux/namespaces", json!({ "type": "cgroup" }));
    let output = bundle.run();
    for name in Cgroups::detect().names() {
        let line =
            output.ok().lines().find(|l| l.split(':').nth(1) == Some(name)).unwrap_or_default();
        assert!(line.ends_with(":/"), "{name}: {output}");
    }
    bundle.assert_clean();
}

#[test]
fn namespace_of_a_dead_process_is_refused() {
    need_root!();
    let mut bundle = Bundle::new(&["true"]);
    bundle.set("/linux/namespaces/1/path", json!("/proc/999999999/ns/net"));
    bundle.run().exits(1).fails_with(&["/proc/999999999/ns/net"]);
    bundle.assert_clean();
}

/// The container lives in a mount tree that only it sees, and the host's own stays as it is.
#[test]
fn without_a_mount_namespace_nothing_is_mounted_on_the_host() {
    need_root!();
    differs!(Runc | Crun | Youki, "mounts on the host");
    let mut bundle = Bundle::new(&["all", "ls", "/proc/self", "--", "write", "/sys/x", "y"]);
    without_namespace(&mut bundle.config, "mount");
    bundle.unset("/linux/maskedPaths").unset("/linux/readonlyPaths");
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let before = mounts();
    let output = bundle.run();
    if output.stderr.contains("invalid argument") {
        skip!("mounts in a detached tree need Linux 6.15");
    }
    assert!(output.stdout.contains("cmdline"), "{output}");
    assert!(output.stderr.contains("Read-only"), "{output}");
    assert_eq!(mounts(), before);
    bundle.assert_clean();
}

/// A time namespace belongs to the user namespace that it is made with, so that who joins that one may
/// join it, too.
#[test]
fn time_namespace_of_a_user_namespace() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    let mut other = Bundle::new(&["sleep", "1000"]);
    other.user_namespace();
    other.push("/linux/namespaces", json!({ "type": "time" }));
    other.set("/linux/timeOffsets", json!({ "boottime": { "secs": 5000, "nanosecs": 7 } }));
    other.up();
    let mut bundle = Bundle::new(&["all", "cat", "/proc/self/timens_offsets", "--", "id"]);
    bundle.own_rootfs(100_000);
    for (kind, link) in [("user", "user"), ("time", "time"), ("network", "net")] {
        bundle.join(kind, link, other.pid());
    }
    let output = bundle.run();
    let offsets: Vec<Vec<&str>> =
        output.ok().lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(offsets.contains(&vec!["boottime", "5000", "7"]), "{output}");
    assert!(output.stdout.contains("uid=0 gid=0"), "{output}");
    bundle.assert_clean();
    other.delete();
}

/// What does not belong to the user namespace that is joined takes the runtime's own rights.
#[test]
fn foreign_namespace_beside_a_joined_user_namespace() {
    need_root!();
    differs!(Runc | Crun | Youki, "joins them only in newer versions");
    let foreign = Bundle::new(&["sleep", "1000"]);
    foreign.up();
    let mut owner = Bundle::new(&["sleep", "1000"]);
    owner.user_namespace();
    owner.up();
    let mut bundle = Bundle::new(&["readlink", "/proc/self/ns/user", "/proc/self/ns/uts"]);
    bundle.own_rootfs(100_000);
    bundle.unset("/hostname");
    bundle.join("user", "user", owner.pid());
    bundle.join("uts", "uts", foreign.pid());
    let output = bundle.run();
    let want = [
        namespace_link(&owner.pid().to_string(), "user"),
        namespace_link(&foreign.pid().to_string(), "uts"),
    ];
    assert!(want.iter().all(|link| output.ok().contains(link)), "{output}");
    bundle.assert_clean();
    owner.delete();
    foreign.delete();
}
