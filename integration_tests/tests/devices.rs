//! Device nodes and who may use them.

use integration_tests::{
    Bundle, Cgroups, Manager, View, differs, mount, need_files, need_root, run, runtimetest, skip,
    wait_until,
};
use serde_json::json;
use std::process::Command;

#[test]
fn default_devices_work() {
    need_root!();
    let bundle = Bundle::new(&[
        "all",
        "stat",
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/dev/random",
        "/dev/urandom",
        "/dev/tty",
        "--",
        "write",
        "/dev/null",
        "x",
        "--",
        "write",
        "/dev/full",
        "x",
    ]);
    let output = bundle.run();
    output.exits(1);
    assert!(output.stderr.contains("No space left"), "{output}");
    for row in [
        "/dev/null c 666 0 0 1:3",
        "/dev/zero c 666 0 0 1:5",
        "/dev/full c 666 0 0 1:7",
        "/dev/random c 666 0 0 1:8",
        "/dev/urandom c 666 0 0 1:9",
        "/dev/tty c 666 0 0 5:0",
    ] {
        assert!(output.stdout.contains(row), "{row}: {output}");
    }
}

#[test]
fn devices_ignore_the_callers_umask() {
    need_root!();
    let mut bundle = Bundle::new(&["stat", "/dev/null", "/dev/shm", "/dev"]);
    bundle.managed_by(Manager::Files).write();
    let line = format!(
        "umask 077; exec {} run -b '{}' {}",
        bundle.command_line(),
        bundle.path(),
        bundle.id
    );
    let output = run(Command::new("sh").args(["-c", &line]));
    assert!(
        output.ok().contains("/dev/null c 666")
            && output.stdout.contains("/dev/shm d 1777")
            && output.stdout.contains("/dev d 755"),
        "{output}"
    );
}

/// A node that the list of devices does not allow cannot be opened, though it can be made.
#[test]
fn what_is_not_allowed_cannot_be_opened() {
    need_root!();
    let mut bundle = Bundle::new(&["all", "cat", "/dev/kmsg-copy", "--", "cat", "/dev/null"]);
    bundle.push("/linux/devices", json!({ "path": "/dev/kmsg-copy", "type": "c", "major": 1, "minor": 11, "fileMode": 0o666 }));
    bundle.set("/linux/resources/devices", json!([{ "allow": false, "access": "rwm" }]));
    let output = bundle.run();
    // A device in linux.devices is not allowed by that alone; runtimes differ in adding a rule for it.
    output.exits(1);
    assert!(
        output.stderr.contains("Operation not permitted")
            || output.stderr.contains("Permission denied"),
        "{output}"
    );
}

#[test]
fn allowed_devices_can_be_opened() {
    need_root!();
    let mut bundle = Bundle::new(&["open-write", "/dev/mem-null"]);
    bundle.push(
        "/linux/devices",
        json!({ "path": "/dev/mem-null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666 }),
    );
    bundle.push(
        "/linux/resources/devices",
        json!({ "allow": true, "type": "c", "major": 1, "minor": 3, "access": "rw" }),
    );
    assert!(bundle.run().exits(1).stdout.contains("opened"));
}

/// Later rules win over earlier ones.
#[test]
fn rules_are_taken_in_order() {
    need_root!();
    let cases = [
        (
            json!([{ "allow": true, "access": "rwm" }, { "allow": false, "type": "c", "major": 1, "minor": 5, "access": "r" }]),
            false,
        ),
        (
            json!([{ "allow": false, "type": "c", "major": 1, "minor": 5, "access": "r" }, { "allow": true, "access": "rwm" }]),
            true,
        ),
    ];
    for (rules, readable) in cases {
        // 1:5 is a default device, which the runtime allows after the rules: another number with
        // the same driver is needed, 1:7 is default, too; 1:11 reads at once when empty.
        let mut bundle = Bundle::new(&["open-write", "/dev/kmsg-copy"]);
        let text = rules
            .to_string()
            .replace("\"minor\":5", "\"minor\":11")
            .replace("\"access\":\"r\"", "\"access\":\"w\"");
        bundle.set("/linux/resources/devices", serde_json::from_str(&text).expect("rules"));
        bundle.push("/linux/devices", json!({ "path": "/dev/kmsg-copy", "type": "c", "major": 1, "minor": 11, "fileMode": 0o666 }));
        let output = bundle.run();
        assert_eq!(output.stdout.contains("opened"), readable, "{rules}: {output}");
    }
}

/// Making a node is allowed to all as under runc; using it is not.
#[test]
fn node_made_inside_cannot_be_used() {
    need_root!();
    let mut bundle = Bundle::new(&[
        "all",
        "mknod",
        "/tmp/node",
        "c",
        "1",
        "11",
        "--",
        "open-write",
        "/tmp/node",
    ]);
    bundle.set("/root/readonly", json!(false)).capabilities(&["CAP_MKNOD"]);
    bundle.set("/linux/resources/devices", json!([{ "allow": false, "access": "rwm" }]));
    let output = bundle.run();
    assert!(!output.stdout.contains("opened"), "{output}");
    assert!(
        output.stdout.contains("Operation not permitted")
            || output.stderr.contains("Operation not permitted"),
        "{output}"
    );
}

#[test]
fn list_of_a_v1_hierarchy() {
    need_root!();
    let cgroups = Cgroups::detect();
    if !cgroups.is_v1("devices") {
        skip!("no v1 devices hierarchy");
    }
    let mut bundle = Bundle::new(&["sleep", "100"]);
    bundle.push(
        "/linux/resources/devices",
        json!({ "allow": true, "type": "c", "major": 10, "minor": 235, "access": "rw" }),
    );
    bundle.push(
        "/linux/resources/devices",
        json!({ "allow": true, "type": "b", "major": 7, "access": "rwm" }),
    );
    bundle.up();
    let list = cgroups.read("devices", &bundle.cgroup(), "devices.list", "").unwrap_or_default();
    for row in ["c 10:235 rw", "b 7:* rwm", "c 1:3 rwm", "c 136:* rwm"] {
        assert!(list.lines().any(|l| l == row), "{row} is not in {list}");
    }
    assert!(!list.contains("a *:* rwm"), "{list}");
    bundle.delete();
}

#[test]
fn dev_that_is_bound_from_the_host_is_left_alone() {
    need_root!();
    let mut bundle = Bundle::new(&["ls", "/dev"]);
    let dev = bundle.dir().join("dev");
    std::fs::create_dir_all(dev.join("pts")).expect("mkdir");
    std::fs::write(dev.join("mine"), "").expect("write");
    use nix::sys::stat::{Mode, SFlag, makedev, mknod};
    mknod(&dev.join("null"), SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, 3))
        .expect("mknod");
    for dir in ["shm", "mqueue"] {
        std::fs::create_dir(dev.join(dir)).expect("mkdir");
    }
    bundle.set("/mounts/1", mount("/dev", "bind", &dev.to_string_lossy(), &["bind"]));
    let output = bundle.run();
    assert!(output.ok().contains("mine"), "{output}");
    assert!(!dev.join("zero").exists(), "devices were made in a directory of the host");
    bundle.assert_clean();
}

#[test]
fn user_namespace_binds_the_hosts_devices() {
    need_root!();
    let mut bundle =
        Bundle::new(&["all", "write", "/dev/null", "x", "--", "stat", "/dev/null", "/dev/zero"]);
    bundle.user_namespace();
    let output = bundle.run();
    assert!(output.ok().contains("/dev/null c 666") && output.stdout.contains("1:3"), "{output}");
    bundle.assert_clean();
}

/// `update` with these device rules alone.
fn update_devices(bundle: &Bundle, rules: &serde_json::Value) {
    let file = bundle.dir().join("resources.json");
    std::fs::write(&file, json!({ "devices": rules }).to_string()).expect("write");
    bundle.call(&["update", "--resources", &file.to_string_lossy(), &bundle.id]).ok();
}

#[test]
fn update_replaces_the_rules() {
    need_root!();
    differs!(Runc, "update leaves device rules alone");
    let mut bundle = Bundle::new(&["sleep", "100"]);
    bundle.push("/linux/devices", json!({ "path": "/dev/kmsg-copy", "type": "c", "major": 1, "minor": 11, "fileMode": 0o666 }));
    let deny = json!({ "allow": false, "access": "rwm" });
    let kmsg = json!({ "allow": true, "type": "c", "major": 1, "minor": 11, "access": "w" });
    bundle.set("/linux/resources/devices", json!([deny, kmsg]));
    bundle.up();
    let opens = |path| bundle.exec(&["open-write", path]).stdout.contains("opened");
    assert!(opens("/dev/kmsg-copy"));
    update_devices(&bundle, &json!([deny]));
    assert!(!opens("/dev/kmsg-copy"), "taken away");
    assert!(opens("/dev/null"), "default devices stay");
    // What names no devices leaves them alone.
    let file = bundle.dir().join("resources.json");
    std::fs::write(&file, "{}").expect("write");
    bundle.call(&["update", "--resources", &file.to_string_lossy(), &bundle.id]).ok();
    assert!(!opens("/dev/kmsg-copy"));
    update_devices(&bundle, &json!([deny, kmsg]));
    assert!(opens("/dev/kmsg-copy"), "given back");
    update_devices(&bundle, &json!([]));
    assert!(opens("/dev/kmsg-copy"), "an empty list is none");
    update_devices(&bundle, &json!([deny]));
    update_devices(&bundle, &json!([{ "allow": true, "access": "rwm" }]));
    assert!(opens("/dev/kmsg-copy"), "everything");
    bundle.delete();
}

/// containerd sends the rules of config.json with every update of a limit.
#[test]
fn rules_in_force_are_left_alone() {
    need_root!();
    differs!(Runc, "update leaves device rules alone");
    differs!(Crun, "update sets the rules anew");
    let cgroups = Cgroups::detect();
    if !cgroups.is_v1("devices") {
        skip!("no v1 devices hierarchy");
    }
    let mut bundle = Bundle::new(&["sleep", "100"]);
    let rules = json!([{ "allow": false, "access": "rwm" }]);
    bundle.set("/linux/resources/devices", rules.clone());
    bundle.up();
    let dir = cgroups.dir("devices", &bundle.cgroup()).expect("devices");
    let has =
        || std::fs::read_to_string(dir.join("devices.list")).expect("read").contains("c 195:0 ");
    // As a hook does.
    std::fs::write(dir.join("devices.allow"), "c 195:0 rw").expect("allow");
    update_devices(&bundle, &rules);
    assert!(has());
    update_devices(
        &bundle,
        &json!([{ "allow": true, "type": "c", "major": 1, "minor": 11, "access": "w" }]),
    );
    assert!(!has());
    std::fs::write(dir.join("devices.allow"), "c 195:0 rw").expect("allow");
    update_devices(&bundle, &rules);
    assert!(!has(), "other rules than those of the last update");
    bundle.delete();
}

#[test]
fn an_update_never_refuses_what_stays_allowed() {
    need_root!();
    differs!(Runc, "update leaves device rules alone");
    differs!(Crun, "on v1 nothing is allowed until all rules are written again");
    let bundle = Bundle::new(&["open-loop", "/dev/zero", "/dev/shm/stop"]);
    bundle.up().wait_log("ready");
    let deny = json!({ "allow": false, "access": "rwm" });
    let lists = [
        json!([deny]),
        json!([deny, { "allow": true, "type": "c", "major": 1, "access": "rw" }]),
        json!([{ "allow": true, "access": "rwm" }]),
        json!([{ "allow": true, "access": "rwm" }, { "allow": false, "type": "b", "access": "w" }]),
        json!([deny, { "allow": true, "type": "c", "minor": 5, "access": "r" }]),
    ];
    for rules in lists.iter().cycle().take(300) {
        update_devices(&bundle, rules);
    }
    bundle.exec(&["touch", "/dev/shm/stop"]).ok();
    bundle.wait_log("refused");
    assert!(bundle.logs().contains(" refused 0"), "{}", bundle.logs());
    bundle.delete();
}

/// The program goes with the cgroup that it is attached to.
#[test]
fn a_thousand_containers_leave_no_program() {
    need_root!();
    need_files!("programs are the same there, and a thousand units take long");
    differs!(Runc | Crun | Youki, "has other names for its programs");
    if Cgroups::detect().view() != View::V2 {
        skip!("rules are no programs on v1");
    }
    let count = || run(Command::new(runtimetest()).args(["bpf-programs", "onggi_devices"]));
    let bundle = Bundle::new(&["true"]);
    bundle.write();
    let mut during = 0;
    for round in 0..1000 {
        bundle.call(&["run", "--bundle", &bundle.path(), &bundle.id]).ok();
        if round == 0 {
            bundle.create().ok();
            during = count().ok().trim().parse().unwrap_or(0);
            bundle.delete();
        }
    }
    assert!(during > 0, "there never was one");
    // The kernel takes them away some time after the cgroup; other tests have theirs meanwhile, but not a thousand.
    wait_until("the programs to go", || count().ok().trim().parse().is_ok_and(|n: u32| n < 50));
}
