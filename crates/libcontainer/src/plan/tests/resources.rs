//! `linux.devices` and `linux.resources`.

use serde_json::{Value, json};

use super::*;

#[test]
fn devices() {
    let list = json!([
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o20600, "uid": 7},
        {"path": "/dev/f", "type": "p"},
        {"path": "/dev/d", "type": "b", "major": 8, "minor": 1},
        {"path": "/dev/d", "type": "u", "major": 9, "minor": 2},
    ]);
    let plan = good(&[("/linux/devices", list)]);
    assert_eq!(plan.devices.len(), 8);
    let null = plan.devices.iter().find(|d| d.path.ends_with("null")).expect("null");
    assert_eq!((null.mode, null.uid, null.kind), (0o600, 7, DeviceKind::Char));
    assert_eq!(plan.devices[6].kind, DeviceKind::Fifo);
    assert_eq!((plan.devices[7].kind, plan.devices[7].major), (DeviceKind::Char, 9));
    warns(&plan, "/linux/devices/3: the same path is listed twice");
    // Without the default's own rule.
    assert_eq!(plan.resources.devices.len(), 10);

    let device = |key: &str, value: Value| {
        let mut device = json!({"path": "/dev/x", "type": "c", "major": 1, "minor": 1});
        device[key] = value;
        device
    };
    for (key, value, words) in [
        ("path", json!("dev/x"), "absolute"),
        ("type", json!("a"), "invalid device type \"a\""),
        ("major", json!(-1), "not between 0 and 4095"),
        ("minor", json!(1 << 20), "not between"),
    ] {
        bad("/linux/devices/0", device(key, value), &format!("/linux/devices/0/{key}"), words);
    }
}

#[test]
fn device_rules_of_an_update() {
    let update = |document: Value| {
        let list = serde_json::from_value(document).expect("resources");
        limits(&list, &mut Vec::new()).map(|limits| limits.devices)
    };
    for without in [json!({}), json!({"devices": []}), json!({"pids": {"limit": 5}})] {
        assert_eq!(update(without), Ok(Vec::new()));
    }
    let list = json!([{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "access": "r"}]);
    let rules = update(json!({ "devices": list })).expect("rules");
    assert_eq!(rules, good(&[("/linux/resources/devices", list)]).resources.devices);
    assert!(update(json!({"devices": [{"allow": true, "access": "x"}]})).is_err());
}

#[test]
fn device_rules() {
    use libcgroups::{Access, DeviceKind, DeviceRule};
    let list = json!([
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 10, "minor": -1, "access": "wr"},
    ]);
    let plan = good(&[("/linux/resources/devices", list)]);
    let rules = &plan.resources.devices;
    assert_eq!(rules.len(), 13);
    assert_eq!((rules[0].allow, rules[0].kind, rules[0].major), (false, DeviceKind::All, None));
    let access = Access { read: true, write: true, mknod: false };
    let want =
        DeviceRule { allow: true, kind: DeviceKind::Char, major: Some(10), minor: None, access };
    assert_eq!(rules[1], want);
    assert!(rules[2..].iter().all(|rule| rule.allow));
    let plan = good(&[("/linux/resources/devices/0", json!({"access": "rwa"}))]);
    assert_eq!(plan.resources.devices[0].access, access);
    warns(&plan, "/linux/resources/devices/0/access: \"rwa\" is not made of");
    for (rule, at, words) in [
        (json!({"allow": true}), "access", "cannot be empty"),
        (json!({"access": "x"}), "access", "not made of"),
        (json!({"access": "r", "type": "p"}), "type", "invalid cgroup device type \"p\""),
        (json!({"access": "r", "major": -2}), "major", "not a device number"),
    ] {
        bad("/linux/resources/devices/0", rule, &format!("/linux/resources/devices/0/{at}"), words);
    }
}

#[test]
fn resources() {
    let plan = good(&[(
        "/linux/resources",
        json!({
            "memory": {"limit": -1, "swap": 5, "kernel": 3, "checkBeforeUpdate": true},
            "cpu": {"shares": 2, "quota": -1, "cpus": "0-3,7", "mems": ""},
            "pids": {"limit": 0},
            "blockIO": {"weight": 10, "weightDevice": [{"major": 8, "minor": 0, "leafWeight": 20}]},
            "hugepageLimits": [{"pageSize": "2MB", "limit": 9}],
            "network": {"classID": 1, "priorities": [{"name": "eth0", "priority": 3}]},
            "rdma": {"mlx": {"hcaObjects": 4}},
            "unified": {"memory.high": "max"},
        }),
    )]);
    let got = plan.resources.clone();
    assert_eq!((got.memory.limit, got.memory.check_before_update), (Some(-1), true));
    assert_eq!((got.cpuset.cpus.as_deref(), got.cpuset.mems), (Some("0-3,7"), None));
    assert_eq!((got.pids_limit, got.hugepage_limits[0].limit), (Some(0), 9));
    assert_eq!(got.block_io.weight_devices[0].leaf_weight, Some(20));
    assert_eq!((got.rdma["mlx"].hca_objects, got.unified.len()), (Some(4), 1));
    warns(&plan, "kernel memory settings are ignored");
    for (member, value, at, words) in [
        ("cpu", json!({"cpus": "a"}), "cpu/cpus", "is not a list"),
        ("hugepageLimits", json!([{"pageSize": "64kB"}]), "hugepageLimits/0/pageSize", "page size"),
        (
            "hugepageLimits",
            json!([{"pageSize": "../1MB"}]),
            "hugepageLimits/0/pageSize",
            "page size",
        ),
        (
            "hugepageLimits",
            json!([{"pageSize": "2MB", "limit": -1}]),
            "hugepageLimits/0/limit",
            "negative",
        ),
        ("blockIO", json!({"weightDevice": [{"major": 1}]}), "blockIO/weightDevice/0", "weight"),
        ("rdma", json!({"a": {}}), "rdma/a", "hcaHandles"),
        (
            "network",
            json!({"priorities": [{"name": "a b"}]}),
            "network/priorities/0/name",
            "interface",
        ),
        ("unified", json!({"a/b.c": "1"}), "unified/a~1b.c", "no slashes"),
        ("unified", json!({"..": "1"}), "unified/..", "CONTROLLER"),
    ] {
        bad(&format!("/linux/resources/{member}"), value, &format!("/linux/resources/{at}"), words);
    }
}
