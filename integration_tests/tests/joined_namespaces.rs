//! Namespaces by path in the combinations of pods and of engines without root, what their mappings say,
//! and paths of the wrong kind.

use integration_tests::{
    Bundle, Output, differs, mount, namespace_link, need_root, skip, wait_until, without_namespace,
};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

const KINDS: [(&str, &str); 7] = [
    ("network", "net"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("pid", "pid"),
    ("cgroup", "cgroup"),
    ("mount", "mnt"),
    ("time", "time"),
];

/// The container that holds the namespaces of a pod, as a pause container does.
fn pod() -> Bundle {
    let mut pod = Bundle::new(&["sleep", "1000"]);
    pod.user_namespace();
    without_namespace(&mut pod.config, "cgroup");
    pod.push("/linux/namespaces", json!({ "type": "cgroup" }));
    pod.push("/linux/namespaces", json!({ "type": "time" }));
    pod.up();
    pod
}

fn links(output: &Output) -> Vec<String> {
    output.ok().lines().map(str::to_owned).collect()
}

fn show(kinds: &[(&str, &str)]) -> Vec<String> {
    let paths = kinds.iter().map(|(_, link)| format!("/proc/self/ns/{link}"));
    std::iter::once("readlink".to_owned()).chain(paths).collect()
}

/// Its user namespace with one or two of the others, and with nearly all of them.
#[test]
fn any_of_a_pods_namespaces_with_its_user_namespace() {
    need_root!();
    differs!(Runc | Crun | Youki, "joins them only in newer versions");
    let pod = pod();
    let kinds: Vec<_> = KINDS.into_iter().filter(|(kind, _)| *kind != "mount").collect();
    for set in (0..1_u32 << kinds.len()).filter(|set| !(3..5).contains(&set.count_ones())) {
        let chosen: Vec<_> = kinds
            .iter()
            .enumerate()
            .filter(|(at, _)| set & 1 << at != 0)
            .map(|(_, k)| *k)
            .collect();
        let all: Vec<_> = std::iter::once(("user", "user")).chain(chosen).collect();
        let words = show(&all);
        let mut bundle = Bundle::new(&words.iter().map(String::as_str).collect::<Vec<_>>());
        bundle.own_rootfs(100_000);
        // The order in config.json means nothing.
        let mut order = all.clone();
        if set % 2 == 1 {
            order.reverse();
        }
        for (kind, link) in order {
            bundle.join(kind, link, pod.pid());
        }
        let want: Vec<String> =
            all.iter().map(|(_, link)| namespace_link(&pod.pid().to_string(), link)).collect();
        assert_eq!(links(&bundle.run()), want, "{all:?}");
        bundle.assert_clean();
    }
    pod.delete();
}

/// A mount namespace by path is used as it is: its own root file system and mounts.
#[test]
fn a_mount_namespace_can_be_joined_with_all_the_others() {
    need_root!();
    differs!(Runc | Crun | Youki, "in other ways");
    let mut holder = Bundle::new(&["sleep", "1000"]);
    without_namespace(&mut holder.config, "cgroup");
    holder.push("/linux/namespaces", json!({ "type": "cgroup" }));
    holder.up();
    let link = namespace_link(&holder.pid().to_string(), "mnt");
    let mut bundle = Bundle::new(&["readlink", "/proc/self/ns/mnt"]);
    for (kind, name) in KINDS.into_iter().filter(|(kind, _)| *kind != "time") {
        bundle.join(kind, name, holder.pid());
    }
    bundle.set("/root/path", json!("/"));
    bundle.set("/mounts", json!([])).set("/root/readonly", json!(false));
    bundle.unset("/linux/maskedPaths").unset("/linux/readonlyPaths");
    let output = bundle.run();
    assert_eq!(links(&output), [link]);
    bundle.assert_clean();
    holder.delete();
}

/// Engines write the mappings beside the path; they must be those of the namespace.
#[test]
fn mappings_beside_a_joined_user_namespace() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    let pod = pod();
    let with = |uid: &Value, gid: &Value| {
        let mut bundle = Bundle::new(&["id"]);
        bundle.own_rootfs(100_000);
        bundle.join("user", "user", pod.pid());
        bundle.set("/linux/uidMappings", uid.clone()).set("/linux/gidMappings", gid.clone());
        bundle
    };
    let right = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
    let wrong = json!([{ "containerID": 0, "hostID": 200_000, "size": 65_536 }]);
    assert!(with(&right, &right).run().ok().starts_with("uid=0 gid=0"));
    for (uid, gid, place) in
        [(&wrong, &right, "/linux/uidMappings"), (&right, &wrong, "/linux/gidMappings")]
    {
        let mut bundle = with(uid, gid);
        bundle.push("/mounts", json!({ "destination": "/new", "type": "tmpfs" }));
        // Each time, whichever of the two is faster.
        for _ in 0..10 {
            bundle.run().exits(1).fails_with(&[place, "non-matching mapping"]);
            assert!(!bundle.rootfs().join("new").exists(), "it went on with wrong ids");
            bundle.assert_clean();
        }
    }
    pod.delete();
}

/// What counts is the namespace that the process is in, not what the path was when it was looked at.
#[test]
fn sysctls_do_not_reach_the_host_by_a_path_that_changes() {
    need_root!();
    differs!(Runc | Crun | Youki, "the network's only");
    const FILE: &str = "/proc/sys/kernel/domainname";
    let other = Bundle::new(&["sleep", "1000"]);
    other.up();
    let mut bundle = Bundle::new(&["true"]);
    let [link, next] = ["link", "next"].map(|name| bundle.dir().join(name));
    let lead_to = |pid: i32| {
        let _ = std::os::unix::fs::symlink(format!("/proc/{pid}/ns/uts"), &next);
        std::fs::rename(&next, &link).expect("rename");
    };
    lead_to(other.pid());
    bundle.join("uts", "uts", other.pid());
    let last = bundle.config["linux"]["namespaces"].as_array().map_or(0, |list| list.len() - 1);
    bundle.set(&format!("/linux/namespaces/{last}/path"), json!(link));
    bundle.set("/linux/sysctl", json!({ "kernel.domainname": "not-the-hosts" }));
    let before = std::fs::read_to_string(FILE).expect("sysctl");
    let done = std::sync::atomic::AtomicBool::new(false);
    let order = std::sync::atomic::Ordering::Relaxed;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(order) {
                lead_to(std::process::id().cast_signed());
                lead_to(other.pid());
            }
        });
        let changed = (0..30).find(|_| {
            let _ = bundle.run();
            std::fs::read_to_string(FILE).expect("sysctl") != before
        });
        done.store(true, order);
        if let Some(round) = changed {
            std::fs::write(FILE, before.trim()).expect("put it back");
            panic!("the host's was changed in round {round}");
        }
    });
    bundle.assert_clean();
    other.delete();
}

/// The spec: an error unless the path is of the type that it stands beside.
#[test]
fn a_path_of_another_kind_is_refused() {
    need_root!();
    let other = Bundle::new(&["sleep", "1000"]);
    other.up();
    let all: Vec<_> = KINDS.into_iter().chain([("user", "user")]).collect();
    for (at, (kind, _)) in all.iter().enumerate() {
        let (_, wrong) = all[(at + 1) % all.len()];
        let mut bundle = Bundle::new(&["true"]);
        bundle.join(kind, wrong, other.pid());
        let output = bundle.run();
        assert!(output.code != 0 && output.stderr.contains("invalid argument"), "{kind}: {output}");
        bundle.assert_clean();
        // No namespace at all.
        let last = bundle.config["linux"]["namespaces"].as_array().map_or(0, |list| list.len() - 1);
        bundle.set(&format!("/linux/namespaces/{last}/path"), json!("/etc/hostname"));
        let output = bundle.run();
        assert!(output.code != 0 && output.stderr.contains("invalid argument"), "{kind}: {output}");
        bundle.assert_clean();
    }
    other.delete();
}

/// By its path it is still the host's, and what is set there would be set for all.
#[test]
fn sysctls_of_a_joined_namespace_that_is_the_hosts() {
    need_root!();
    differs!(Runc | Crun | Youki, "the network's only");
    for (kind, link, name) in [
        ("network", "net", "net.ipv4.ip_default_ttl"),
        ("ipc", "ipc", "kernel.msgmax"),
        ("ipc", "ipc", "fs.mqueue.msg_max"),
        ("uts", "uts", "kernel.domainname"),
    ] {
        let file = format!("/proc/sys/{}", name.replace('.', "/"));
        let before = std::fs::read_to_string(&file).expect("sysctl");
        let mut bundle = Bundle::new(&["true"]);
        bundle.join(kind, link, std::process::id().cast_signed());
        bundle.set("/linux/sysctl", json!({ name: "77" }));
        let words = [name, "not allowed in host", link];
        bundle.run().exits(1).fails_with(&words);
        assert_eq!(std::fs::read_to_string(&file).expect("sysctl"), before);
        bundle.assert_clean();
    }
    // In one that is somebody else's they are set.
    let other = Bundle::new(&["sleep", "1000"]);
    other.up();
    let mut bundle = Bundle::new(&["cat", "/proc/sys/kernel/msgmax"]);
    bundle.join("ipc", "ipc", other.pid());
    bundle.set("/linux/sysctl", json!({ "kernel.msgmax": "4321" }));
    assert_eq!(bundle.run().ok(), "4321\n");
    other.delete();
}

/// An engine without root runs in a user namespace of its own, where it is called root, and has the
/// runtime make containers in yet another one, with several mappings.
#[test]
fn as_root_of_the_engines_user_namespace() {
    need_root!();
    let mut bundle = Bundle::new(&["all", "id", "--", "cat", "/proc/self/uid_map"]);
    let map = json!([
        { "containerID": 0, "hostID": 1, "size": 500 },
        { "containerID": 500, "hostID": 0, "size": 1 },
        { "containerID": 501, "hostID": 501, "size": 100 }
    ]);
    bundle.push("/linux/namespaces", json!({ "type": "user" }));
    bundle.set("/linux/uidMappings", map.clone()).set("/linux/gidMappings", map);
    bundle.set("/process/user", json!({ "uid": 510, "gid": 500, "additionalGids": [3] }));
    bundle.unset("/linux/resources").set("/linux/cgroupsPath", json!(""));
    bundle.set("/mounts", json!([mount("/proc", "proc", "proc", &[])]));
    bundle.own_tree(bundle.dir(), 100_000);
    bundle.write();
    bundle.own_tree(bundle.dir(), 100_000);
    let inner =
        bundle.command(&["--cgroup-manager", "disabled", "run", "-b", &bundle.path(), &bundle.id]);
    // The script waits until it has its ids.
    let script = "read go; exec timeout 60 setpriv --reuid=0 --regid=0 --clear-groups \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--keep-caps", "sh", "-c", script, "sh"]).arg(inner.get_program());
    command.args(inner.get_args()).current_dir(bundle.dir());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("unshare");
    let pid = child.id().to_string();
    wait_until("a user namespace", || {
        namespace_link(&pid, "user") != namespace_link("self", "user")
    });
    for file in ["uid_map", "gid_map"] {
        std::fs::write(format!("/proc/{pid}/{file}"), "0 100000 65536\n").expect("map");
    }
    // Its end would be the end of the script.
    child.stdin.take().expect("stdin").write_all(b"go\n").expect("write");
    let done = child.wait_with_output().expect("wait");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let output = Output {
        command: format!("{command:?}"),
        code: done.status.code().unwrap_or(-1),
        stdout: text(done.stdout),
        stderr: text(done.stderr),
    };
    assert!(output.ok().contains("uid=510 gid=500 groups=3"), "{output}");
    let lines: Vec<Vec<&str>> =
        output.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    // As the container sees them, in terms of the engine's namespace.
    assert!(lines.contains(&vec!["500", "0", "1"]), "{output}");
    assert!(lines.contains(&vec!["0", "1", "500"]), "{output}");
}

#[test]
fn offsets_into_the_past() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    let uptime = std::fs::read_to_string("/proc/uptime").expect("uptime");
    let seconds: f64 = uptime.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    if seconds < 120.0 {
        skip!("the machine has not been up for long");
    }
    let mut bundle = Bundle::new(&["cat", "/proc/self/timens_offsets"]);
    bundle.push("/linux/namespaces", json!({ "type": "time" }));
    let back = json!({ "secs": -60, "nanosecs": 5 });
    bundle.set("/linux/timeOffsets", json!({ "monotonic": back, "boottime": back }));
    let output = bundle.run();
    let lines: Vec<Vec<&str>> =
        output.ok().lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines, [["monotonic", "-60", "5"], ["boottime", "-60", "5"]]);
    // Before the machine was started there is no time.
    bundle.set("/linux/timeOffsets", json!({ "monotonic": { "secs": -4_000_000_000_i64 } }));
    bundle.run().exits(1).fails_with(&["timens_offsets"]);
    bundle.assert_clean();
}
