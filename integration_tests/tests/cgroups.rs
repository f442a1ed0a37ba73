//! Limits, read back from the cgroup's files, and their effect.

use integration_tests::{
    Bundle, Cgroups, differs, need_cgroups, need_files, need_root, skip, without_namespace,
};
use serde_json::{Value, json};

/// The limits, the controller, the v1 file, its text, the v2 file, its text.
struct Limit {
    resources: fn() -> Value,
    controller: &'static str,
    v1: (&'static str, &'static str),
    v2: (&'static str, &'static str),
}

const LIMITS: &[Limit] = &[
    Limit {
        resources: || json!({ "memory": { "limit": 67_108_864 } }),
        controller: "memory",
        v1: ("memory.limit_in_bytes", "67108864"),
        v2: ("memory.max", "67108864"),
    },
    Limit {
        resources: || json!({ "memory": { "reservation": 33_554_432 } }),
        controller: "memory",
        v1: ("memory.soft_limit_in_bytes", "33554432"),
        v2: ("memory.low", "33554432"),
    },
    Limit {
        resources: || json!({ "memory": { "limit": -1 } }),
        controller: "memory",
        v1: ("memory.limit_in_bytes", "9223372036854771712"),
        v2: ("memory.max", "max"),
    },
    Limit {
        resources: || json!({ "cpu": { "shares": 512 } }),
        controller: "cpu",
        v1: ("cpu.shares", "512"),
        v2: ("", ""),
    },
    Limit {
        resources: || json!({ "cpu": { "quota": 20_000, "period": 50_000 } }),
        controller: "cpu",
        v1: ("cpu.cfs_quota_us", "20000"),
        v2: ("cpu.max", "20000 50000"),
    },
    Limit {
        resources: || json!({ "cpu": { "quota": 20_000, "period": 50_000 } }),
        controller: "cpu",
        v1: ("cpu.cfs_period_us", "50000"),
        v2: ("cpu.max", "20000 50000"),
    },
    Limit {
        resources: || json!({ "cpu": { "quota": 30_000 } }),
        controller: "cpu",
        v1: ("cpu.cfs_quota_us", "30000"),
        v2: ("cpu.max", "30000 100000"),
    },
    Limit {
        resources: || json!({ "cpu": { "quota": -1 } }),
        controller: "cpu",
        v1: ("cpu.cfs_quota_us", "-1"),
        v2: ("cpu.max", "max 100000"),
    },
    Limit {
        resources: || json!({ "cpu": { "cpus": "0", "mems": "0" } }),
        controller: "cpuset",
        v1: ("cpuset.cpus", "0"),
        v2: ("cpuset.cpus", "0"),
    },
    Limit {
        resources: || json!({ "cpu": { "cpus": "0", "mems": "0" } }),
        controller: "cpuset",
        v1: ("cpuset.mems", "0"),
        v2: ("cpuset.mems", "0"),
    },
    Limit {
        resources: || json!({ "pids": { "limit": 42 } }),
        controller: "pids",
        v1: ("pids.max", "42"),
        v2: ("pids.max", "42"),
    },
    Limit {
        resources: || json!({ "pids": { "limit": -1 } }),
        controller: "pids",
        v1: ("pids.max", "max"),
        v2: ("pids.max", "max"),
    },
];

#[test]
fn files_hold_what_was_asked_for() {
    need_cgroups!();
    let cgroups = Cgroups::detect();
    let mut tried = 0;
    for limit in LIMITS {
        let (file, wanted) = if cgroups.is_v1(limit.controller) { limit.v1 } else { limit.v2 };
        if file.is_empty() || !(cgroups.is_v1(limit.controller) || cgroups.is_v2(limit.controller))
        {
            continue;
        }
        tried += 1;
        let mut bundle = Bundle::new(&["sleep", "100"]);
        for (key, value) in (limit.resources)().as_object().into_iter().flatten() {
            bundle.set(&format!("/linux/resources/{key}"), value.clone());
        }
        bundle.up();
        let found = cgroups.read(limit.controller, &bundle.cgroup(), file, file);
        assert_eq!(found.as_deref(), Some(wanted), "{} by {}", file, (limit.resources)());
        bundle.delete();
    }
    if tried == 0 {
        skip!("none of the controllers is here");
    }
}

#[test]
fn swap_with_memory() {
    need_cgroups!();
    let cgroups = Cgroups::detect();
    let mut bundle = Bundle::new(&["sleep", "100"]);
    bundle.set("/linux/resources/memory", json!({ "limit": 67_108_864, "swap": 134_217_728 }));
    let wanted = if cgroups.is_v1("memory") { "134217728" } else { "67108864" };
    let file = ("memory.memsw.limit_in_bytes", "memory.swap.max");
    let probe = cgroups.dir("memory", "").map(|d| d.join(file.0).exists());
    if cgroups.is_v1("memory") && probe != Some(true) {
        skip!("the kernel has no swap accounting");
    }
    if !cgroups.is_v1("memory") && !cgroups.is_v2("memory") {
        skip!("no memory controller");
    }
    bundle.up();
    assert_eq!(cgroups.read("memory", &bundle.cgroup(), file.0, file.1).as_deref(), Some(wanted));
    bundle.delete();
}

#[test]
fn throttled_block_device() {
    need_cgroups!();
    let cgroups = Cgroups::detect();
    let device = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let root = device
        .lines()
        .find(|l| l.split(' ').nth(4) == Some("/"))
        .and_then(|l| l.split(' ').nth(2))
        .unwrap_or_default()
        .to_owned();
    let numbers: Vec<u64> = root.split(':').filter_map(|n| n.parse().ok()).collect();
    if numbers.len() != 2 || numbers[0] == 0 || !(cgroups.is_v1("blkio") || cgroups.is_v2("io")) {
        skip!("no block device below / or no controller for it");
    }
    let mut bundle = Bundle::new(&["sleep", "100"]);
    let entry = |rate: u64| json!([{ "major": numbers[0], "minor": numbers[1], "rate": rate }]);
    bundle.set(
        "/linux/resources/blockIO",
        json!({
            "throttleReadBpsDevice": entry(1_048_576), "throttleWriteBpsDevice": entry(2_097_152),
            "throttleReadIOPSDevice": entry(100), "throttleWriteIOPSDevice": entry(200)
        }),
    );
    bundle.up();
    let path = bundle.cgroup();
    if cgroups.is_v1("blkio") {
        for (file, rate) in [
            ("read_bps", 1_048_576),
            ("write_bps", 2_097_152),
            ("read_iops", 100),
            ("write_iops", 200),
        ] {
            let found = cgroups.read("blkio", &path, &format!("blkio.throttle.{file}_device"), "");
            assert_eq!(found, Some(format!("{root} {rate}")), "{file}");
        }
    } else {
        let found = cgroups.read("io", &path, "", "io.max").unwrap_or_default();
        assert_eq!(found, format!("{root} rbps=1048576 wbps=2097152 riops=100 wiops=200"));
    }
    bundle.delete();
}

#[test]
fn process_is_in_every_hierarchy() {
    need_cgroups!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let text =
        std::fs::read_to_string(format!("/proc/{}/cgroup", bundle.pid())).unwrap_or_default();
    for name in Cgroups::detect().names() {
        let line = text.lines().find(|l| l.split(':').nth(1) == Some(name)).unwrap_or_default();
        assert!(line.ends_with(&format!(":{}", bundle.cgroup())), "{name}: {text}");
    }
    bundle.delete();
}

#[test]
fn relative_path_and_none_at_all() {
    need_root!();
    need_files!("paths are no units");
    for path in [Some("relative/NAME"), None, Some("/deep/er/NAME")] {
        let mut bundle = Bundle::new(&["sleep", "100"]);
        match path {
            Some(path) => {
                let path = path
                    .replace("NAME", &bundle.id)
                    .replace("relative", &format!("{}-rel", bundle.id))
                    .replace("/deep", &format!("/{}-deep", bundle.id));
                bundle.set("/linux/cgroupsPath", json!(path));
            }
            None => {
                bundle.unset("/linux/cgroupsPath");
            }
        }
        bundle.up();
        let text =
            std::fs::read_to_string(format!("/proc/{}/cgroup", bundle.pid())).unwrap_or_default();
        assert!(text.contains(&bundle.id), "{path:?}: {text}");
        bundle.call(&["delete", "--force", &bundle.id]).ok();
        assert!(bundle.processes().is_empty());
    }
}

#[test]
fn pids_limit_stops_forks() {
    need_cgroups!();
    let cgroups = Cgroups::detect();
    if !cgroups.is_v1("pids") && !cgroups.is_v2("pids") {
        skip!("no pids controller");
    }
    let mut bundle = Bundle::new(&["forks", "20"]);
    bundle.set("/linux/resources/pids", json!({ "limit": 5 }));
    let output = bundle.run();
    output.exits(1);
    assert!(output.stdout.contains("forked 4, then errno 11"), "{output}");
    bundle.assert_clean();
}

#[test]
fn memory_limit_kills() {
    need_cgroups!();
    let cgroups = Cgroups::detect();
    if !cgroups.is_v1("memory") && !cgroups.is_v2("memory") {
        skip!("no memory controller");
    }
    let mut bundle = Bundle::new(&["alloc", "200"]);
    bundle.set("/linux/resources/memory", json!({ "limit": 50_331_648 }));
    bundle.run().exits(137);
    bundle.assert_clean();
}

#[test]
fn unknown_and_unavailable_limits_are_refused() {
    need_cgroups!();
    let mut bundle = Bundle::new(&["true"]);
    bundle.set("/linux/resources/cpu", json!({ "cpus": "4000-5000" }));
    bundle.run().exits(1).fails_with(&["cpuset"]);
    bundle.assert_clean();
    bundle
        .unset("/linux/resources/cpu")
        .set("/linux/resources/cpu", json!({ "quota": 1, "period": 100_000 }));
    bundle.run().exits(1).fails_with(&["cpu"]);
    bundle.assert_clean();
}

#[test]
fn zero_values_of_engines_mean_unset() {
    need_cgroups!();
    let mut bundle = Bundle::new(&["echo", "ran"]);
    bundle.set("/linux/resources/memory", json!({ "disableOOMKiller": false }));
    bundle.set(
        "/linux/resources/cpu",
        json!({ "shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": "" }),
    );
    bundle.set("/linux/resources/blockIO", json!({ "weight": 0 }));
    assert_eq!(bundle.run().ok(), "ran\n");
    bundle.assert_clean();
}

#[test]
fn unified_keys_stay_in_the_cgroup() {
    need_cgroups!();
    differs!(Crun | Youki, "joins keys into paths unchecked");
    for key in ["../cgroup.procs", "a/b", "..", ""] {
        let mut bundle = Bundle::new(&["true"]);
        bundle.set("/linux/resources/unified", json!({ key: "1" }));
        bundle.run().exits(1).fails_with(&[]);
        bundle.assert_clean();
    }
}

/// One group for two containers: the second's end does not take the first away.
#[test]
fn existing_cgroup_is_handled() {
    need_cgroups!();
    let bundle = Bundle::new(&["echo", "ran"]);
    for root in Cgroups::detect().roots() {
        let dir = root.join(bundle.cgroup().trim_start_matches('/'));
        let _ = std::fs::create_dir(&dir);
    }
    let output = bundle.run();
    // runc takes an empty one; others may refuse it.
    assert!(output.code == 0 || output.code == 1, "{output}");
    assert!(!output.stderr.contains("panicked"), "{output}");
}

/// A limit that cannot be set must not be passed over.
#[test]
fn limit_of_an_absent_controller_is_refused() {
    need_cgroups!();
    let cgroups = Cgroups::detect();
    let limits = [
        ("memory", json!({ "memory": { "limit": 67_108_864 } })),
        ("pids", json!({ "pids": { "limit": 10 } })),
        ("cpu", json!({ "cpu": { "shares": 100 } })),
        ("hugetlb", json!({ "hugepageLimits": [{ "pageSize": "2MB", "limit": 0 }] })),
    ];
    let absent = limits.iter().filter(|(c, _)| !cgroups.is_v1(c) && !cgroups.is_v2(c));
    let mut tried = 0;
    for (controller, resources) in absent {
        let mut bundle = Bundle::new(&["true"]);
        for (key, value) in resources.as_object().into_iter().flatten() {
            bundle.set(&format!("/linux/resources/{key}"), value.clone());
        }
        bundle.run().exits(1).fails_with(&[controller]);
        bundle.assert_clean();
        tried += 1;
    }
    if tried == 0 {
        skip!("every controller is here");
    }
}

#[test]
fn update_changes_what_it_names_and_nothing_else() {
    need_cgroups!();
    let cgroups = Cgroups::detect();
    if !cgroups.is_v1("memory") && !cgroups.is_v2("memory") {
        skip!("no memory controller");
    }
    let mut bundle = Bundle::new(&["sleep", "100"]);
    bundle.set("/linux/resources/memory", json!({ "limit": 67_108_864 }));
    bundle.set("/linux/resources/cpu", json!({ "quota": 50_000, "period": 100_000 }));
    bundle.drop_unavailable_limits();
    bundle.up();
    let file = bundle.dir().join("resources.json");
    std::fs::write(&file, r#"{"memory":{"limit":33554432},"pids":{}}"#).expect("write");
    bundle.call(&["update", "--resources", &file.to_string_lossy(), &bundle.id]).ok();
    let read = |controller, v1, v2| {
        cgroups.read(controller, &bundle.cgroup(), v1, v2).unwrap_or_default().trim().to_owned()
    };
    assert_eq!(read("memory", "memory.limit_in_bytes", "memory.max"), "33554432");
    if cgroups.is_v1("cpu") {
        assert_eq!(read("cpu", "cpu.cfs_quota_us", ""), "50000");
    }
    bundle.call(&["update", "--resources", "/nonexistent", &bundle.id]).exits(1);
    std::fs::write(&file, r#"{"memory":"#).expect("write");
    bundle.call(&["update", "--resources", &file.to_string_lossy(), &bundle.id]).exits(1);
    bundle.delete();
}

/// Engines always call `delete --force` after a failed create.
#[test]
fn a_refused_create_never_harms_the_owner_of_the_cgroup() {
    need_cgroups!();
    let owner = Bundle::new(&["sleep", "100"]);
    owner.up();
    let mut bundle = Bundle::new(&["true"]);
    bundle.set("/linux/cgroupsPath", owner.config["linux"]["cgroupsPath"].clone());
    without_namespace(&mut bundle.config, "pid");
    bundle.create().fails_with(&["not empty"]);
    bundle.call(&["state", &bundle.id]).fails_with(&["does not exist"]);
    bundle.call(&["delete", "--force", &bundle.id]).ok();
    assert_eq!(owner.status(), "running");
    owner.delete();
}
