//! Limits, read back from the cgroup's files, and their effect.

use integration_tests::{
    Bundle, Cgroups, differs, need_cgroups, need_files, need_root, skip, without_namespace,
};
use serde_json::json;

#[test]
fn process_is_in_every_hierarchy() {
    need_cgroups!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let text =
        std::fs::read_to_string(format!("/proc/{}/cgroup", bundle.pid())).unwrap_or_default();
    for name in Cgroups::detect().names() {
        // Controllers that are mounted together share a line.
        let is_its =
            |l: &&str| l.split(':').nth(1).is_some_and(|c| c.split(',').any(|c| c == name));
        let line = text.lines().find(is_its).unwrap_or_default();
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
        .set("/linux/resources/cpu", json!({ "quota": 1_000, "period": 2_000_000 }));
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
