//! Cgroups that systemd makes: the unit, its name, its place and its life. See also
//! `systemd_limits.rs`. Without a running systemd all is skipped; `make test-hosts` has one.

#[path = "systemd/away.rs"]
mod away;

use integration_tests::{
    Bundle, Manager, Peer, default_slice, differs, need_systemd, others_scope, peer, systemctl,
    unit_cgroup, unit_name, unit_property, units, wait_until,
};
use serde_json::json;
use std::fs;
use std::path::Path;

/// A container with a unit of systemd.
fn bundle(args: &[&str]) -> Bundle {
    let mut bundle = Bundle::new(args);
    bundle.managed_by(Manager::Systemd);
    bundle
}

/// `linux.cgroupsPath` of a unit in the default slice.
fn path(prefix: &str, name: &str) -> String {
    format!("{}:{prefix}:{name}", default_slice())
}

/// The cgroup of a process in the v2 tree.
fn cgroup_of(pid: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    text.lines().find_map(|l| l.strip_prefix("0::")).unwrap_or_default().to_owned()
}

/// Checks that the unit is there, that the process is in its cgroup, and where that is.
#[track_caller]
fn assert_in_unit(bundle: &Bundle, unit: &str, slice: &str, cgroup: &str) {
    assert_eq!(units(&bundle.id), [unit], "the units of this container");
    assert_eq!(unit_property(unit, "ActiveState"), "active");
    assert_eq!(unit_property(unit, "Slice"), slice);
    assert_eq!(unit_property(unit, "ControlGroup"), cgroup);
    // crun makes a cgroup of its own below the unit's.
    let below = if peer() == Peer::Crun { "/container" } else { "" };
    assert_eq!(cgroup_of(&bundle.pid().to_string()), format!("{cgroup}{below}"));
}

#[test]
fn unit_and_slice_are_those_of_the_path() {
    need_systemd!();
    let mut bundle = bundle(&["sleep", "100"]);
    let wanted = path("docker", &bundle.id);
    bundle.set("/linux/cgroupsPath", json!(wanted));
    bundle.up();
    let unit = unit_name("docker", &bundle.id);
    assert_in_unit(&bundle, &unit, default_slice(), &unit_cgroup(&wanted));
    assert_eq!(unit_property(&unit, "Delegate"), "yes");
    bundle.delete();
    assert_eq!(unit_property(&unit, "LoadState"), "not-found");
}

#[test]
fn what_the_path_leaves_open_has_a_default() {
    need_systemd!();
    let prefix = match peer() {
        Peer::Runc => "runc",
        Peer::Crun => "crun",
        _ => "onggi",
    };
    let mut without = bundle(&["sleep", "100"]);
    without.unset("/linux/cgroupsPath");
    let mut bundles = vec![without];
    if peer() != Peer::Crun {
        let mut empty_slice = bundle(&["sleep", "100"]);
        let text = format!(":{prefix}:{}", empty_slice.id);
        empty_slice.set("/linux/cgroupsPath", json!(text));
        bundles.push(empty_slice);
    }
    for bundle in bundles {
        bundle.up();
        let cgroup = unit_cgroup(&path(prefix, &bundle.id));
        assert_in_unit(&bundle, &unit_name(prefix, &bundle.id), default_slice(), &cgroup);
        bundle.delete();
    }
}

/// Stops the slices that a test had made, whatever became of it.
struct Slices(Vec<String>);

impl Drop for Slices {
    fn drop(&mut self) {
        self.0.iter().for_each(|slice| drop(systemctl(&["stop", slice])));
    }
}

#[test]
fn slices_lie_in_those_that_their_names_begin_with() {
    need_systemd!();
    let mut bundle = bundle(&["sleep", "100"]);
    let top = format!("nested{}", std::process::id());
    let slices = Slices(
        [format!("{top}-b-c.slice"), format!("{top}-b.slice"), format!("{top}.slice")].into(),
    );
    let text = format!("{}:p:{}", slices.0[0], bundle.id);
    bundle.set("/linux/cgroupsPath", json!(text));
    bundle.up();
    let unit = unit_name("p", &bundle.id);
    let cgroup = unit_cgroup(&text);
    let end = format!("/{top}.slice/{top}-b.slice/{top}-b-c.slice/{unit}");
    assert!(cgroup.ends_with(&end), "{cgroup}");
    assert_in_unit(&bundle, &unit, &slices.0[0], &cgroup);
    bundle.delete();
}

#[test]
fn a_path_that_names_no_unit_is_refused() {
    need_systemd!();
    differs!(Crun, "takes other forms");
    for text in ["a:b", "/x", "system.slice:a:b:c", "relative"] {
        let mut bundle = bundle(&["true"]);
        bundle.set("/linux/cgroupsPath", json!(text));
        let words = format!(
            "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"{text}\""
        );
        bundle.create().fails_with(&[&words]);
        bundle.assert_clean();
    }
    for slice in ["a--b.slice", "-a.slice", "a-.slice", "noslice", "a/b.slice", ".slice"] {
        let mut bundle = bundle(&["true"]);
        let text = format!("{slice}:p:{}", bundle.id);
        bundle.set("/linux/cgroupsPath", json!(text));
        bundle.create().fails_with(&["slice", slice]);
        bundle.assert_clean();
    }
}

#[test]
fn annotations_set_properties_of_the_unit() {
    need_systemd!();
    let mut bundle = bundle(&["sleep", "100"]);
    bundle.set(
        "/annotations",
        json!({
            "org.systemd.property.TimeoutStopUSec": "uint64 5000000",
            "org.systemd.property.CollectMode": "'inactive-or-failed'",
            "org.systemd.property.Documentation": "['man:onggi(8)', 'man:runc(8)']",
            "org.systemd.property.SendSIGHUP": "true",
            "org.example.unrelated": "uint64",
        }),
    );
    bundle.up();
    let unit = unit_name("onggi", &bundle.id);
    for (name, value) in [
        ("TimeoutStopUSec", "5s"),
        ("CollectMode", "inactive-or-failed"),
        ("Documentation", "\"man:onggi(8)\" \"man:runc(8)\""),
        ("SendSIGHUP", "yes"),
    ] {
        assert_eq!(unit_property(&unit, name), value, "{name}");
    }
    bundle.delete();
}

/// systemd.unit(5) has seconds where the bus has microseconds.
#[test]
fn seconds_in_an_annotation_become_microseconds() {
    need_systemd!();
    differs!(Crun, "passes the name on");
    let mut bundle = bundle(&["sleep", "100"]);
    bundle.set("/annotations", json!({ "org.systemd.property.TimeoutStopSec": "uint32 7" }));
    bundle.up();
    assert_eq!(unit_property(&unit_name("onggi", &bundle.id), "TimeoutStopUSec"), "7s");
    bundle.delete();
}

#[test]
fn bad_annotations_are_refused() {
    need_systemd!();
    differs!(Crun, "passes some over");
    for (name, value, named) in [
        ("TimeoutStopUSec", "uint64 five", true),
        ("CollectMode", "'inactive", true),
        ("Bad1", "true", true),
        ("NoSuchProperty", "true", true),
        // systemd alone knows its properties' types, and does not say which one it refuses.
        ("TimeoutStopUSec", "'a text'", false),
    ] {
        let key = format!("org.systemd.property.{name}");
        let mut bundle = bundle(&["true"]);
        bundle.set("/annotations", json!({ key: value }));
        bundle.create().fails_with(&[if named { name } else { bundle.id.as_str() }]);
        bundle.assert_clean();
    }
}

#[test]
fn unit_goes_with_a_failed_create_and_with_an_ended_process() {
    need_systemd!();
    let mut failing = bundle(&["true"]);
    failing.args(&["/nonexistent"]);
    failing.create().fails_with(&["/nonexistent"]);
    failing.assert_clean();

    let ended = bundle(&["true"]);
    ended.up();
    ended.wait_status("stopped");
    ended.call(&["delete", &ended.id]).ok();
    ended.assert_clean();

    let stopped = bundle(&["signal-wait"]);
    stopped.up().wait_log("ready");
    systemctl(&["stop", &unit_name("onggi", &stopped.id)]).ok();
    stopped.wait_status("stopped");
    stopped.call(&["delete", &stopped.id]).ok();
    stopped.assert_clean();
}

#[test]
fn a_failed_unit_of_the_same_name_is_no_obstacle() {
    need_systemd!();
    let bundle = bundle(&["sleep", "100"]);
    let unit = unit_name("onggi", &bundle.id);
    let mut other = others_scope(&unit, &["--property=RuntimeMaxSec=1"]);
    let _ = other.wait();
    wait_until("the other scope to fail", || unit_property(&unit, "ActiveState") == "failed");
    bundle.up();
    assert_eq!(unit_property(&unit, "ActiveState"), "active");
    bundle.delete();
}

#[test]
fn a_living_unit_of_the_same_name_is_left_alone() {
    need_systemd!();
    differs!(Runc | Crun, "may stop it");
    let bundle = bundle(&["sleep", "100"]);
    let unit = unit_name("onggi", &bundle.id);
    let mut other = others_scope(&unit, &[]);
    bundle.create().fails_with(&[&bundle.id]);
    bundle.call(&["delete", "--force", &bundle.id]).ok();
    let state = unit_property(&unit, "ActiveState");
    let alive = matches!(other.try_wait(), Ok(None));
    let _ = other.kill();
    let _ = other.wait();
    assert!(alive && state == "active", "the unit of somebody else is {state}");
}

#[test]
fn exec_lands_in_the_unit() {
    need_systemd!();
    let bundle = bundle(&["sleep", "100"]);
    bundle.up();
    let file = bundle.dir().join("exec.pid");
    let options = ["--detach", "--pid-file", &file.to_string_lossy()];
    let words = [&["exec"], &options[..], &[&bundle.id, "/runtimetest", "sleep", "100"]].concat();
    bundle.detached(&words);
    let pid = fs::read_to_string(&file).expect("read the pid file");
    assert_eq!(cgroup_of(&pid), cgroup_of(&bundle.pid().to_string()));
    assert!(cgroup_of(&pid).starts_with(&bundle.cgroup()), "{}", cgroup_of(&pid));
    bundle.delete();
}

/// The container's cgroup is one below the unit's, with the same limits.
#[test]
fn an_annotation_names_a_cgroup_below_the_unit() {
    need_systemd!();
    differs!(Runc | Youki, "it knows no such annotation");
    for name in ["below", "two/deep"] {
        let mut bundle = bundle(&["sleep", "100"]);
        bundle.set("/annotations", json!({ "run.oci.systemd.subgroup": name }));
        bundle.set("/linux/resources/pids", json!({ "limit": 77 }));
        bundle.up();
        let (unit, below) = (bundle.cgroup(), format!("{}/{name}", bundle.cgroup()));
        assert_eq!(cgroup_of(&bundle.pid().to_string()), below);
        let root = Path::new("/sys/fs/cgroup");
        let v2 = root.join("cgroup.procs").exists();
        let limit = |cgroup: &str| {
            let dir = root.join(if v2 { "" } else { "pids" }).join(cgroup.trim_start_matches('/'));
            fs::read_to_string(dir.join("pids.max")).unwrap_or_default()
        };
        assert_eq!((limit(&unit).trim(), limit(&below).trim()), ("77", "77"));
        bundle.exec(&["true"]).ok();
        bundle.call(&["update", "--pids-limit", "78", &bundle.id]).ok();
        assert_eq!((limit(&unit).trim(), limit(&below).trim()), ("78", "78"));
        bundle.call(&["pause", &bundle.id]).ok();
        bundle.call(&["resume", &bundle.id]).ok();
        bundle.delete();
        assert_eq!(units(&bundle.id), [""; 0]);
        assert!(!root.join(unit.trim_start_matches('/')).exists(), "{unit}");
    }
    // None, as without the annotation.
    let mut bundle = bundle(&["sleep", "100"]);
    bundle.set("/annotations", json!({ "run.oci.systemd.subgroup": "" }));
    bundle.up();
    assert_eq!(cgroup_of(&bundle.pid().to_string()), bundle.cgroup());
    bundle.delete();
}

/// When its process has ended the unit goes, and the name is free.
#[test]
fn who_has_the_name_of_a_stopped_container_is_left_alone() {
    need_systemd!();
    differs!(Runc | Crun | Youki, "stops it");
    let ended = bundle(&["true"]);
    ended.up();
    ended.wait_status("stopped");
    let unit = unit_name("onggi", &ended.id);
    wait_until("the unit to go", || unit_property(&unit, "LoadState") == "not-found");
    let mut other = others_scope(&unit, &["--slice", default_slice()]);
    ended.call(&["delete", &ended.id]).fails_with(&["busy"]);
    ended.call(&["delete", "--force", &ended.id]).fails_with(&["busy"]);
    let alive = matches!(other.try_wait(), Ok(None));
    let _ = other.kill();
    let _ = other.wait();
    assert!(alive, "the unit of somebody else was stopped");
    ended.call(&["delete", &ended.id]).ok();
    ended.assert_clean();
}
