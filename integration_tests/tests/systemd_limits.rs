//! Limits of cgroups that systemd makes: systemd has to know them, or it would take them away again.

use integration_tests::{
    Bundle, Cgroups, Manager, need_root, need_systemd, skip, systemctl, unit_name, unit_property,
};
use serde_json::{Value, json};
use std::fs;

/// What is asked for, its controller, the unit's properties with their texts, and the files.
struct Limit {
    controller: &'static str,
    resources: fn() -> Value,
    properties: &'static [(&'static str, &'static str)],
    files: &'static [&'static str],
}

const LIMITS: &[Limit] = &[
    Limit {
        controller: "memory",
        resources: || json!({ "memory": { "limit": 67_108_864, "swap": 100_663_296, "reservation": 33_554_432 } }),
        properties: &[
            ("MemoryMax", "67108864"),
            ("MemorySwapMax", "33554432"),
            ("MemoryLow", "33554432"),
        ],
        files: &["memory.max", "memory.swap.max", "memory.low"],
    },
    Limit {
        controller: "memory",
        resources: || json!({ "memory": { "limit": -1 } }),
        properties: &[("MemoryMax", "infinity")],
        files: &["memory.max", "memory.swap.max"],
    },
    Limit {
        controller: "cpu",
        resources: || json!({ "cpu": { "quota": 20_000, "period": 50_000 } }),
        properties: &[("CPUQuotaPerSecUSec", "400ms"), ("CPUQuotaPeriodUSec", "50ms")],
        files: &["cpu.max"],
    },
    Limit {
        controller: "cpu",
        resources: || json!({ "cpu": { "quota": 150_000 } }),
        properties: &[("CPUQuotaPerSecUSec", "1.500000s")],
        files: &["cpu.max"],
    },
    Limit {
        controller: "cpu",
        resources: || json!({ "cpu": { "shares": 512 } }),
        properties: &[],
        files: &["cpu.weight"],
    },
    Limit {
        controller: "pids",
        resources: || json!({ "pids": { "limit": 42 } }),
        properties: &[("TasksMax", "42")],
        files: &["pids.max"],
    },
    Limit {
        controller: "pids",
        resources: || json!({ "pids": { "limit": -1 } }),
        properties: &[("TasksMax", "infinity")],
        files: &["pids.max"],
    },
    Limit {
        controller: "cpuset",
        resources: || json!({ "cpu": { "cpus": "0", "mems": "0" } }),
        properties: &[("AllowedCPUs", "0"), ("AllowedMemoryNodes", "0")],
        files: &["cpuset.cpus", "cpuset.mems"],
    },
    Limit {
        controller: "memory",
        resources: || json!({ "unified": { "memory.high": "50331648", "memory.min": "4194304" } }),
        properties: &[("MemoryHigh", "50331648"), ("MemoryMin", "4194304")],
        files: &["memory.high", "memory.min"],
    },
    Limit {
        controller: "cpu",
        resources: || json!({ "unified": { "cpu.weight": "77", "cpu.max": "60000 100000" } }),
        properties: &[("CPUWeight", "77"), ("CPUQuotaPerSecUSec", "600ms")],
        files: &["cpu.weight", "cpu.max"],
    },
];

/// A running container with these limits.
fn limited(manager: Manager, resources: &Value) -> Bundle {
    let mut bundle = Bundle::new(&["sleep", "100"]);
    bundle.managed_by(manager);
    for (key, value) in resources.as_object().into_iter().flatten() {
        bundle.set(&format!("/linux/resources/{key}"), value.clone());
    }
    bundle.up();
    bundle
}

#[track_caller]
fn file(bundle: &Bundle, name: &str) -> String {
    let controller = name.split('.').next().unwrap_or_default();
    Cgroups::detect().read(controller, &bundle.cgroup(), name, name).unwrap_or_default()
}

/// systemd knows each limit, and the files hold what they hold without systemd.
#[test]
fn properties_and_files_hold_what_was_asked_for() {
    need_systemd!();
    let cgroups = Cgroups::detect();
    for limit in LIMITS {
        if !cgroups.is_v2(limit.controller) {
            integration_tests::record_skip(&format!("in part: no controller {}", limit.controller));
            continue;
        }
        let resources = (limit.resources)();
        let by_systemd = limited(Manager::Systemd, &resources);
        let by_files = limited(Manager::Files, &resources);
        let unit = unit_name("onggi", &by_systemd.id);
        for (name, value) in limit.properties {
            assert_eq!(unit_property(&unit, name), *value, "{name} by {resources}");
        }
        for name in limit.files {
            assert_eq!(file(&by_systemd, name), file(&by_files, name), "{name} by {resources}");
        }
        if limit.files == ["cpu.weight"] {
            let weight = file(&by_systemd, "cpu.weight");
            assert_ne!(weight, "100", "{resources}");
            assert_eq!(unit_property(&unit, "CPUWeight"), weight, "{resources}");
        }
        by_systemd.delete();
        by_files.delete();
    }
}

/// The unit's properties and the files after `update`, and after systemd has set all it knows anew.
#[test]
fn update_survives_a_reload_of_systemd() {
    need_systemd!();
    let resources = json!({
        "memory": { "limit": 67_108_864 }, "pids": { "limit": 42 }, "cpu": { "quota": 20_000, "period": 50_000 },
    });
    let bundle = limited(Manager::Systemd, &resources);
    let unit = unit_name("onggi", &bundle.id);
    let change = bundle.dir().join("resources.json");
    let text = json!({ "memory": { "limit": 33_554_432 }, "pids": { "limit": 17 }, "cpu": { "quota": 60_000, "period": 100_000 } });
    fs::write(&change, text.to_string()).expect("write");
    bundle.call(&["update", "--resources", &change.to_string_lossy(), &bundle.id]).ok();
    let check = |when: &str| {
        for (name, value) in
            [("MemoryMax", "33554432"), ("TasksMax", "17"), ("CPUQuotaPerSecUSec", "600ms")]
        {
            assert_eq!(unit_property(&unit, name), value, "{name} {when}");
        }
        for (name, value) in
            [("memory.max", "33554432"), ("pids.max", "17"), ("cpu.max", "60000 100000")]
        {
            assert_eq!(file(&bundle, name), value, "{name} {when}");
        }
    };
    check("after update");
    systemctl(&["daemon-reload"]).ok();
    check("after daemon-reload");
    // A change of anything has systemd write its idea of all limits.
    systemctl(&["set-property", "--runtime", &unit, "CPUWeight=200"]).ok();
    assert_eq!(file(&bundle, "cpu.weight"), "200");
    check("after set-property");
    bundle.delete();
}

/// The node 1:11 is there, but only 1:3 and the default devices are allowed.
#[test]
fn device_rules_survive_a_reload_of_systemd() {
    need_systemd!();
    need_root!();
    let mut bundle = Bundle::new(&["sleep", "100"]);
    bundle.managed_by(Manager::Systemd);
    for (path, minor) in [("/dev/refused", 11), ("/dev/allowed", 3)] {
        bundle.push(
            "/linux/devices",
            json!({ "path": path, "type": "c", "major": 1, "minor": minor, "fileMode": 0o666 }),
        );
    }
    bundle.push(
        "/linux/resources/devices",
        json!({ "allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm" }),
    );
    bundle.up();
    let unit = unit_name("onggi", &bundle.id);
    let check = |when: &str| {
        let output = bundle.exec(&["open-write", "/dev/allowed", "/dev/refused"]);
        assert!(output.stdout.contains("/dev/allowed opened"), "{when}: {output}");
        assert!(!output.stdout.contains("/dev/refused opened"), "{when}: {output}");
    };
    check("at first");
    systemctl(&["daemon-reload"]).ok();
    check("after daemon-reload");
    systemctl(&["set-property", "--runtime", &unit, "MemoryMax=64M"]).ok();
    check("after set-property");
    let change = bundle.dir().join("resources.json");
    fs::write(&change, r#"{"pids":{"limit":20}}"#).expect("write");
    bundle.call(&["update", "--resources", &change.to_string_lossy(), &bundle.id]).ok();
    check("after update");
    bundle.delete();
}

/// The end by lack of memory leaves a failed unit, which must not stay.
#[test]
fn unit_goes_after_the_lack_of_memory() {
    need_systemd!();
    if !Cgroups::detect().is_v2("memory") {
        skip!("no memory controller");
    }
    let mut bundle = Bundle::new(&["alloc", "200"]);
    bundle.managed_by(Manager::Systemd);
    bundle.set("/linux/resources/memory", json!({ "limit": 50_331_648 }));
    bundle.run().exits(137);
    bundle.assert_clean();
}
