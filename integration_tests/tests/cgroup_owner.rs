//! Whose cgroup it is (config-linux.md, "Cgroup ownership").

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use integration_tests::{
    Bundle, Cgroups, Peer, View, differs, need_root, peer, skip, without_namespace,
};
use serde_json::json;

/// A bundle with a cgroup namespace and a writable cgroup mount.
fn bundle(args: &[&str]) -> Bundle {
    let mut bundle = Bundle::new(args);
    without_namespace(&mut bundle.config, "cgroup");
    bundle.push("/linux/namespaces", json!({ "type": "cgroup" }));
    mount_options(&mut bundle, &["nosuid", "noexec", "nodev", "relatime"]);
    bundle
}

fn mount_options(bundle: &mut Bundle, options: &[&str]) {
    let mounts = bundle.config["mounts"].as_array_mut().expect("mounts");
    let mount = mounts.iter_mut().find(|mount| mount["type"] == "cgroup").expect("cgroup mount");
    mount["options"] = json!(options);
}

/// All directories of the container's cgroup, but for those of hierarchies that it shares.
fn dirs(bundle: &Bundle) -> Vec<PathBuf> {
    let roots = Cgroups::detect();
    let path = bundle.cgroup();
    let dirs = roots.roots().into_iter().map(|root| root.join(path.trim_start_matches('/')));
    dirs.filter(|dir| dir.is_dir()).collect()
}

/// Owner of the container's cgroup, the same in all hierarchies.
fn owner(bundle: &Bundle) -> u32 {
    let owners: Vec<u32> =
        dirs(bundle).iter().map(|dir| fs::metadata(dir).expect("stat").uid()).collect();
    assert!(!owners.is_empty() && owners.iter().all(|owner| *owner == owners[0]), "{owners:?}");
    owners[0]
}

fn is_v2() -> bool {
    Cgroups::detect().view() == View::V2
}

#[test]
fn belongs_to_the_containers_user() {
    need_root!();
    differs!(Runc | Youki, "with the cgroupfs driver it keeps its owner");
    // User in the container, with a user namespace or not, owner on the host.
    for (user, mapped, host) in
        [(0, true, 100_000), (7, true, 100_007), (7, false, 7), (0, false, 0)]
    {
        let mut bundle = bundle(&["sleep", "100"]);
        bundle.set("/process/user", json!({ "uid": user, "gid": user }));
        if mapped {
            bundle.user_namespace();
        }
        bundle.up();
        assert_eq!(owner(&bundle), if is_v2() { host } else { 0 }, "{user} {mapped}");
        if is_v2() {
            let list = fs::read_to_string("/sys/kernel/cgroup/delegate").unwrap_or_default();
            for entry in fs::read_dir(&dirs(&bundle)[0]).expect("list").flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let given = list.lines().any(|line| line == name);
                let expected = if given { host } else { 0 };
                assert_eq!(entry.metadata().expect("stat").uid(), expected, "{name}");
            }
        }
        bundle.delete();
    }
}

#[test]
fn is_not_given_away_unless_the_container_may_write() {
    need_root!();
    let mut read_only = bundle(&["sleep", "100"]);
    mount_options(&mut read_only, &["nosuid", "noexec", "nodev", "relatime", "ro"]);
    let mut shared = bundle(&["sleep", "100"]);
    without_namespace(&mut shared.config, "cgroup");
    let mut elsewhere = bundle(&["sleep", "100"]);
    let mounts = elsewhere.config["mounts"].as_array_mut().expect("mounts");
    mounts.retain(|mount| mount["type"] != "cgroup");
    for mut bundle in [read_only, shared, elsewhere] {
        bundle.user_namespace().up();
        assert_eq!(owner(&bundle), 0);
        bundle.delete();
    }
}

#[test]
fn belongs_to_the_user_of_a_joined_namespace() {
    need_root!();
    differs!(Runc | Youki, "with the cgroupfs driver it keeps its owner");
    if !is_v2() {
        skip!("v1 cgroups keep their owner");
    }
    let mut first = Bundle::new(&["sleep", "100"]);
    first.user_namespace().up();
    let mut second = bundle(&["sleep", "100"]);
    second.own_rootfs(100_000);
    second.set("/process/user", json!({ "uid": 3, "gid": 3 }));
    let path = format!("/proc/{}/ns/user", first.pid());
    second.push("/linux/namespaces", json!({ "type": "user", "path": path }));
    second.up();
    assert_eq!(owner(&second), 100_003);
    second.delete();
    first.delete();
}

#[test]
fn can_be_divided_from_inside() {
    need_root!();
    differs!(Runc | Youki, "with the cgroupfs driver it keeps its owner");
    if !is_v2() {
        skip!("v1 cgroups keep their owner");
    }
    let sub = "/sys/fs/cgroup/sub";
    let procs = format!("{sub}/cgroup.procs");
    let words = [
        &["all", "mkdir", sub, "--", "write", &procs, "0", "--"][..],
        &["write", "/sys/fs/cgroup/cgroup.procs", "0", "--"],
        &["write", &procs, "0", "--", "cat", "/proc/self/cgroup", "--", "sleep", "100"],
    ];
    let mut bundle = bundle(&words.concat());
    bundle.user_namespace().up();
    bundle.wait_log("0::/sub");
    // Its limits are not its own to change.
    let exec = bundle.exec(&["write", "/sys/fs/cgroup/cgroup.max.descendants", "5"]);
    assert_ne!(exec.code, 0, "{exec}");
    // What the other user made goes too.
    bundle.delete();
}

/// The process is in a cgroup of its own below the container's, which stays the root of what it sees.
#[test]
fn a_delegated_cgroup_is_below_the_limits() {
    need_root!();
    differs!(Runc | Youki, "it knows no such annotation");
    if !is_v2() {
        let mut bundle = bundle(&["true"]);
        bundle.set("/annotations", json!({ "run.oci.delegate-cgroup": "payload" }));
        bundle.run().exits(1).fails_with(&["run.oci.delegate-cgroup", "cgroup v2 only"]);
        bundle.assert_clean();
        skip!("the rest is for cgroup v2");
    }
    for (user, mapped, host) in [(0, true, 100_000), (7, false, 7), (0, false, 0)] {
        let mut bundle = bundle(&["sleep", "100"]);
        bundle.set("/process/user", json!({ "uid": user, "gid": user }));
        bundle.set("/annotations", json!({ "run.oci.delegate-cgroup": "pay/load" }));
        // Read-only, so that nothing is given away but by the annotation.
        mount_options(&mut bundle, &["nosuid", "noexec", "nodev", "relatime", "ro"]);
        if mapped {
            bundle.user_namespace();
        }
        bundle.up();
        let cgroup = bundle.cgroup();
        let own = |pid: &str| {
            let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
            text.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default().to_owned()
        };
        assert_eq!(own(&bundle.pid().to_string()), format!("{cgroup}/pay/load"));
        let seen = bundle.exec(&["cat", "/proc/self/cgroup"]);
        assert!(seen.ok().lines().any(|line| line == "0::/pay/load"), "{seen}");
        let top = dirs(&bundle).pop().expect("a directory");
        let owner = |path: &str| fs::metadata(top.join(path)).expect("stat").uid();
        // crun gives all of it to root of the user namespace.
        if peer() == Peer::Onggi {
            assert_eq!((owner(""), owner("pay")), (0, 0));
            assert_eq!(owner("pay/load"), host, "{user} {mapped}");
            assert_eq!(owner("pay/load/cgroup.procs"), host, "{user} {mapped}");
            assert_eq!(owner("pay/load/cgroup.max.depth"), 0);
        }
        assert_eq!(fs::read_to_string(top.join("pay/load/cgroup.type")).expect("read"), "domain\n");
        let names = |file: &str| fs::read_to_string(top.join(file)).expect("read");
        assert_eq!(names("pay/load/cgroup.controllers"), names("cgroup.controllers"));
        bundle.delete();
        assert!(!top.exists(), "{top:?}");
    }
}
