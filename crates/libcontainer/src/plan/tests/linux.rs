//! `linux` but for seccomp, devices and resources.

use serde_json::json;

use super::*;

#[test]
fn namespaces() {
    let plan = good(&[
        ("/linux/namespaces/2", json!({"type": "network", "path": "/proc/1/ns/net"})),
        ("/linux/namespaces/3", json!({"type": "ipc", "path": ""})),
    ]);
    assert_eq!(plan.namespaces.network, Namespace::Join("/proc/1/ns/net".into()));
    assert_eq!(plan.namespaces.ipc, Namespace::New);
    assert_eq!(plan.namespaces.user, Namespace::Inherit);
    let again = json!({"type": "pid", "path": "/p"});
    bad("/linux/namespaces/2", again, "/linux/namespaces/2", "duplicated ns \"pid\"");
    let relative = json!({"type": "uts", "path": "p"});
    bad("/linux/namespaces/2", relative, "/linux/namespaces/2/path", "must be an absolute path");
    let none = ("/linux/namespaces", json!([]));
    let masks = [none, ("/linux/maskedPaths", json!(["/proc/kcore"]))];
    bad_with(&masks, &facts(), "/linux/maskedPaths", "without a private MNT namespace");
    bad("/linux/readonlyPaths", json!(["/a", "b"]), "/linux/readonlyPaths/1", "absolute");
}

#[test]
fn mappings() {
    let fine = json!([map(0, 1000, 10), map(10, 5000, 5)]);
    let plan = good(&user_with(fine.clone(), fine.clone()));
    assert_eq!(plan.namespaces.uid_maps[1], IdMap { container: 10, host: 5000, size: 5 });
    bad("/linux/uidMappings", fine.clone(), "/linux/uidMappings", "user namespace isn't enabled");
    for (uid, at, words) in [
        (json!([]), "/linux/uidMappings", "user namespaces enabled, but no uid mappings found"),
        (json!([map(1, 1, 1)]), "/linux/uidMappings", "no mapping found for uid 0"),
        (json!([map(0, 1, 0)]), "/linux/uidMappings/0", "at least 1"),
        (json!([map(0, 1, 5), map(4, 10, 1)]), "/linux/uidMappings/1", "containerID overlaps"),
        (json!([map(0, 1, 5), map(5, 5, 1)]), "/linux/uidMappings/1", "hostID overlaps"),
        (json!([map(0, u32::MAX, 1)]), "/linux/uidMappings/0", "beyond"),
    ] {
        bad_with(&user_with(uid, fine.clone()), &facts(), at, words);
    }
    let mut changes = user_with(fine.clone(), fine.clone());
    changes.push(("/process/user/uid", json!(15)));
    bad_with(&changes, &facts(), "/process/user/uid", "cannot setuid to unmapped uid 15");
    changes[3] = ("/process/user/additionalGids", json!([1, 99]));
    bad_with(
        &changes,
        &facts(),
        "/process/user/additionalGids/1",
        "cannot setgid to unmapped gid 99",
    );
    changes[0].1 = json!({"type": "user", "path": "/proc/1/ns/user"});
    assert_eq!(good(&changes).warnings, Vec::<String>::new());
}

#[test]
fn time_offsets() {
    let offsets = json!({"monotonic": {"secs": -5}, "boottime": {"nanosecs": 7}});
    bad("/linux/timeOffsets", offsets.clone(), "/linux/timeOffsets", "isn't enabled");
    let time = ("/linux/namespaces/2", json!({"type": "time"}));
    let plan = good(&[time.clone(), ("/linux/timeOffsets", offsets.clone())]);
    let want = [
        TimeOffset { clock: "boottime", secs: 0, nanosecs: 7 },
        TimeOffset { clock: "monotonic", secs: -5, nanosecs: 0 },
    ];
    assert_eq!(plan.namespaces.time_offsets, want);
    let unknown = [time.clone(), ("/linux/timeOffsets", json!({"a/b": {}}))];
    bad_with(&unknown, &facts(), "/linux/timeOffsets/a~1b", "no such clock");
    let large = [time, ("/linux/timeOffsets", json!({"boottime": {"nanosecs": 1_000_000_000}}))];
    bad_with(&large, &facts(), "/linux/timeOffsets/boottime/nanosecs", "at most");
    let joined = json!({"type": "time", "path": "/t"});
    let changes = [("/linux/namespaces/2", joined), ("/linux/timeOffsets", offsets)];
    bad_with(&changes, &facts(), "/linux/timeOffsets", "you may only provide one");
}

#[test]
fn sysctl() {
    let list = json!({
        "net.ipv4.conf.eno2/100.rp_filter": "1",
        "net/ipv4/ip_forward": "0",
        "kernel.shm_rmid_forced": "1",
        "fs.mqueue.msg_max": "3",
        "kernel.domainname": "d",
        "user.max_mnt_namespaces": "1",
    });
    let mut changes = user_with(json!([map(0, 0, 1)]), json!([map(0, 0, 1)]));
    for (index, kind) in ["network", "ipc", "uts"].iter().enumerate() {
        let pointer = ["/linux/namespaces/3", "/linux/namespaces/4", "/linux/namespaces/5"][index];
        changes.push((pointer, json!({"type": kind})));
    }
    changes.push(("/linux/sysctl", list.clone()));
    let plan = good(&changes);
    let names: Vec<&str> = plan.sysctl.iter().map(|(name, _)| name.as_str()).collect();
    let want = [
        "fs/mqueue/msg_max",
        "kernel/domainname",
        "kernel/shm_rmid_forced",
        "net/ipv4/conf/eno2.100/rp_filter",
        "net/ipv4/ip_forward",
        "user/max_mnt_namespaces",
    ];
    assert_eq!(names, want);
    for (name, words) in [
        ("kernel.hostname", "conflicts with the OCI \"hostname\" field"),
        ("kernel.sysrq", "sysctl \"kernel.sysrq\" is not in a separate kernel namespace"),
        ("net..ip", "is not the name"),
        ("net/../kernel/core_pattern", "is not the name"),
        ("net.//./kernel", "is not the name"),
        ("net", "is not in a separate"),
        ("", "is not the name"),
    ] {
        changes[6] = ("/linux/sysctl", json!({name: "1"}));
        bad_with(&changes, &facts(), &check::at("/linux/sysctl", name), words);
    }
    for (name, words) in [
        (
            "net.core.somaxconn",
            "sysctl \"net.core.somaxconn\" not allowed in host network namespace",
        ),
        ("kernel.sem", "not allowed in the hosts ipc namespace"),
        ("kernel.domainname", "is not in a separate kernel namespace"),
        ("user.max_net_namespaces", "setting ucounts without a user namespace not allowed"),
    ] {
        bad("/linux/sysctl", json!({name: "1"}), &format!("/linux/sysctl/{name}"), words);
    }
}

#[test]
fn the_rest_of_linux() {
    let plan = good(&[
        ("/linux/personality", json!({"domain": "LINUX32", "flags": ["x"]})),
        ("/linux/cgroupsPath", json!("/a/b")),
        ("/annotations", json!({"k": "v"})),
    ]);
    assert_eq!((plan.personality, plan.cgroups_path.as_deref()), (Some(8), Some("/a/b")));
    assert_eq!(plan.annotations["k"], "v");
    warns(&plan, "/linux/personality/flags: ignoring unsupported");
    bad("/linux/cgroupsPath", json!("a\0"), "/linux/cgroupsPath", "null byte");
}

#[test]
fn cgroup_owner() {
    let namespaces = json!([{"type": "mount"}, {"type": "cgroup"}]);
    let mount = |options: &[&str]| json!([{"destination": "/sys/fs/cgroup/", "type": "cgroup2", "source": "cgroup", "options": options}]);
    let owner = |changes: &[(&str, Value)]| good(changes).cgroup_owner;
    let (kinds, user) = ("/linux/namespaces", ("/process/user", json!({"uid": 7, "gid": 8})));
    let private = (kinds, namespaces);
    let writable = ("/mounts", mount(&["nosuid", "rw"]));
    assert_eq!(owner(&[private.clone(), writable.clone(), user.clone()]), Some(7));
    assert_eq!(owner(&[private.clone(), ("/mounts", mount(&[])), user.clone()]), Some(7));
    // Read-only, another place, the host's namespace, a joined one.
    assert_eq!(owner(&[private.clone(), ("/mounts", mount(&["ro"])), user.clone()]), None);
    let elsewhere = json!([{"destination": "/cgroup", "type": "cgroup", "source": "cgroup"}]);
    assert_eq!(owner(&[private.clone(), ("/mounts", elsewhere), user.clone()]), None);
    assert_eq!(owner(&[private, user.clone()]), None);
    assert_eq!(owner(&[writable.clone(), user.clone()]), None);
    let joined = json!([{"type": "mount"}, {"type": "cgroup", "path": "/proc/1/ns/cgroup"}]);
    assert_eq!(owner(&[(kinds, joined), writable, user]), None);
}

#[test]
fn covered_paths_are_covered_once() {
    let paths = json!(["/proc/kcore", "/proc/keys", "/proc/kcore"]);
    let plan = good(&[("/linux/maskedPaths", paths.clone()), ("/linux/readonlyPaths", paths)]);
    let want = [PathBuf::from("/proc/kcore"), "/proc/keys".into()];
    assert_eq!((&plan.masked_paths[..], &plan.readonly_paths[..]), (&want[..], &want[..]));
}

#[test]
fn memory_policy() {
    let pointer = "/linux/memoryPolicy";
    let policy = |value| good(&[(pointer, value)]).memory_policy.expect("a policy");
    let flags = json!(["MPOL_F_STATIC_NODES", "MPOL_F_NUMA_BALANCING"]);
    for (value, mode, nodes) in [
        (json!({"mode": "MPOL_DEFAULT"}), 0, vec![]),
        (json!({"mode": "MPOL_PREFERRED"}), 1, vec![]),
        (json!({"mode": "MPOL_PREFERRED", "nodes": "1"}), 1, vec![2]),
        (json!({"mode": "MPOL_BIND", "nodes": "0,64", "flags": flags}), 0xa002, vec![1, 1]),
        (json!({"mode": "MPOL_INTERLEAVE", "nodes": "0-3"}), 3, vec![15]),
        (json!({"mode": "MPOL_LOCAL", "nodes": ""}), 4, vec![]),
        (json!({"mode": "MPOL_PREFERRED_MANY", "nodes": "2"}), 5, vec![4]),
        (json!({"mode": "MPOL_WEIGHTED_INTERLEAVE", "nodes": "0"}), 6, vec![1]),
        (
            json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_RELATIVE_NODES"]}),
            0x4002,
            vec![1],
        ),
    ] {
        assert_eq!(policy(value), MemoryPolicy { mode, nodes });
    }
    let at = "/linux/memoryPolicy/nodes";
    for (value, words) in [
        (json!({"mode": "MPOL_DEFAULT", "nodes": "0-7"}), "mode requires 0 nodes but got 8"),
        (json!({"mode": "MPOL_LOCAL", "nodes": "0"}), "mode requires 0 nodes but got 1"),
        (json!({"mode": "MPOL_BIND"}), "requires at least one node"),
        (json!({"mode": "MPOL_INTERLEAVE", "nodes": ""}), "requires at least one node"),
        (json!({"mode": "MPOL_PREFERRED_MANY"}), "requires at least one node"),
        (json!({"mode": "MPOL_WEIGHTED_INTERLEAVE"}), "requires at least one node"),
        (json!({"mode": "MPOL_BIND", "nodes": "0-9876543210"}), "invalid memory policy node"),
        (json!({"mode": "MPOL_BIND", "nodes": "x"}), "invalid memory policy node"),
    ] {
        bad(pointer, value, at, words);
    }
}

#[test]
fn net_devices() {
    let net = ("/linux/namespaces/2", json!({"type": "network"}));
    let with = |value| [net.clone(), ("/linux/netDevices", value)];
    let pairs = |value| -> Vec<(String, String)> {
        good(&with(value)).net_devices.into_iter().map(|one| (one.host, one.name)).collect()
    };
    let pair = |host: &str, name: &str| (host.to_owned(), name.to_owned());
    assert_eq!(pairs(json!({})), []);
    assert_eq!(
        pairs(json!({"b": {"name": "a"}, "a": {"name": "b"}, "c": {}, "d": {"name": ""}})),
        [pair("a", "b"), pair("b", "a"), pair("c", "c"), pair("d", "d")]
    );
    let templates = json!({"a": {"name": "net%d"}, "b": {"name": "net%d"}});
    assert_eq!(pairs(templates), [pair("a", "net%d"), pair("b", "net%d")]);
    assert_eq!(pairs(json!({"0123456789abcde": {}})).len(), 1);

    let one = json!({"eth0": {}});
    bad("/linux/netDevices", one.clone(), "/linux/netDevices", "without a NET namespace");
    let rootless = HostFacts { euid: 1000, ..facts() };
    let user = user_with(json!([map(0, 1000, 1)]), json!([map(0, 1000, 1)]));
    let mut changes = user.clone();
    changes.push(("/linux/namespaces/3", json!({"type": "network"})));
    changes.push(("/linux/netDevices", one));
    bad_with(&changes, &rootless, "/linux/netDevices", "not supported for rootless");
    for name in ["", ".", "..", "a/b", "a:b", "a b", "a\tb", "0123456789abcdef", "a%d", "a\0"] {
        let at = format!("/linux/netDevices/{}", name.replace('/', "~1"));
        bad_with(&with(json!({name: {}})), &facts(), &at, "invalid network device name");
    }
    for name in [".", "..", "a/b", "a:b", "a b", "0123456789abcdef", "a%", "a%s", "%d%d", "a\0"] {
        let device = json!({"eth0": {"name": name}});
        let at = "/linux/netDevices/eth0/name";
        bad_with(&with(device), &facts(), at, "invalid network device name");
    }
    let same = json!({"a": {"name": "x"}, "b": {"name": "x"}});
    bad_with(&with(same), &facts(), "/linux/netDevices/b", "same name");
    let same = json!({"a": {"name": "b"}, "b": {}});
    bad_with(&with(same), &facts(), "/linux/netDevices/b", "same name");
    // As many as a document can hold do not hold anybody up.
    let begin = std::time::Instant::now();
    let many: serde_json::Map<_, _> = (0..50_000).map(|n| (format!("d{n}"), json!({}))).collect();
    assert_eq!(pairs(json!(many)).len(), 50_000);
    assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());
}

#[test]
fn intel_rdt() {
    let plan = good(&[(
        "/linux/intelRdt",
        json!({
            "closID": "gold", "l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20",
            "schemata": ["L2:0=3", ""], "enableMonitoring": true,
        }),
    )]);
    let want = IntelRdt {
        clos_id: Some("gold".into()),
        l3_cache: Some("L3:0=f".into()),
        memory_bandwidth: Some("MB:0=20".into()),
        schemata: vec!["L2:0=3".into()],
        monitoring: true,
    };
    assert_eq!(plan.intel_rdt, Some(want));
    assert_eq!(good(&[("/linux/intelRdt", json!({}))]).intel_rdt, Some(IntelRdt::default()));
    let root = good(&[("/linux/intelRdt", json!({"closID": "/"}))]).intel_rdt;
    assert_eq!(root.and_then(|rdt| rdt.clos_id).as_deref(), Some("/"));
    let odd = json!({"l3CacheSchema": "L3CODE:0=f\nL3DATA:0=f"});
    warns(&good(&[("/linux/intelRdt", odd)]), "/linux/intelRdt/l3CacheSchema: should be one line");
    for id in [".", "..", "a/b", "/a", "a\nb", "a\0", "info", "mon_groups", "mon_data"] {
        let at = "/linux/intelRdt/closID";
        bad("/linux/intelRdt", json!({"closID": id}), at, "invalid intelRdt.ClosID");
    }
    for (value, field, words) in [
        (json!({"memBwSchema": "0=20"}), "memBwSchema", "must be one line that starts with"),
        (json!({"memBwSchema": "MB:0=20\nL3:0=f"}), "memBwSchema", "must be one line"),
        (json!({"schemata": ["L3:0=f", "a\nb"]}), "schemata/1", "must be one line"),
        (json!({"schemata": ["\0"]}), "schemata/0", "null byte"),
        (json!({"l3CacheSchema": "L3:\0"}), "l3CacheSchema", "null byte"),
    ] {
        bad("/linux/intelRdt", value, &format!("/linux/intelRdt/{field}"), words);
    }
}
