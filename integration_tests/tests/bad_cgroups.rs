//! Cgroups in the way: frozen parents, lost directories, limits that contradict each other. Always a clear error, nothing
//! half made, and `delete --force` cleans up.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use integration_tests::{
    Bundle, Cgroups, Manager, View, differs, need_files, need_root, skip, wait_until,
};
use serde_json::json;

/// A cgroup above the container's, in the hierarchy that can freeze.
struct Parent {
    dir: PathBuf,
    v2: bool,
}

impl Parent {
    /// Gives the container a parent of its own, which need not be there yet.
    fn of(bundle: &mut Bundle) -> Option<Self> {
        let cgroups = Cgroups::detect();
        let v2 = !cgroups.is_v1("freezer");
        if v2 && cgroups.view() != View::V2 {
            return None;
        }
        let path = format!("/{}-parent", bundle.id);
        bundle.set("/linux/cgroupsPath", json!(format!("{path}/{}", bundle.id)));
        Some(Self { dir: cgroups.dir(if v2 { "" } else { "freezer" }, &path)?, v2 })
    }

    fn freeze(&self) {
        let _ = fs::create_dir(&self.dir);
        let (file, text) =
            if self.v2 { ("cgroup.freeze", "1") } else { ("freezer.state", "FROZEN") };
        fs::write(self.dir.join(file), text).expect("freeze");
    }

    fn thaw(&self) {
        let (file, text) =
            if self.v2 { ("cgroup.freeze", "0") } else { ("freezer.state", "THAWED") };
        let _ = fs::write(self.dir.join(file), text);
    }

    fn name(&self) -> String {
        self.dir.display().to_string()
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        self.thaw();
        let name = self.dir.file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        let end = Instant::now() + Duration::from_secs(2);
        // Parents stay, so those of all hierarchies are the test's to remove.
        for dir in Cgroups::detect().find(&name) {
            while dir.exists() && fs::remove_dir(&dir).is_err() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

#[test]
fn nothing_is_created_below_a_frozen_parent() {
    need_root!();
    need_files!("the parent is named by path");
    differs!(Runc | Crun | Youki, "they wait for the frozen process");
    let mut bundle = Bundle::new(&["true"]);
    let Some(parent) = Parent::of(&mut bundle) else { skip!("nothing here can freeze") };
    parent.freeze();
    bundle.create().exits(1).fails_with(&["is frozen with its parent", &parent.name()]);
    bundle.run().exits(1).fails_with(&["is frozen with its parent", &parent.name()]);
    bundle.call(&["state", &bundle.id]).fails_with(&["does not exist"]);
    bundle.call(&["delete", "--force", &bundle.id]).ok();
    let left = Cgroups::detect().find(&format!("-parent/{}", bundle.id));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn below_a_parent_that_froze_later() {
    need_root!();
    need_files!("the parent is named by path");
    differs!(Runc | Crun | Youki, "they wait for the frozen process");
    let mut bundle = Bundle::new(&["sleep", "100"]);
    let Some(parent) = Parent::of(&mut bundle) else { skip!("nothing here can freeze") };
    bundle.up();
    parent.freeze();
    bundle.wait_status("paused");
    let named = ["frozen", &parent.name()];
    bundle.exec(&["true"]).fails_with(&["cannot exec in a paused container", &parent.name()]);
    bundle.exec_with(&["--ignore-paused"], &["true"]).fails_with(&named);
    bundle.call(&["resume", &bundle.id]).exits(1).fails_with(&named);
    bundle.kill("TERM");
    bundle.call(&["delete", &bundle.id]).exits(1).fails_with(&["not stopped"]);
    assert!(!bundle.processes().is_empty());
    let begin = Instant::now();
    let deleted = bundle.call(&["delete", "--force", &bundle.id]);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    if parent.v2 {
        deleted.ok();
    } else {
        // Nobody dies in a v1 freezer, and the parent is not ours to thaw.
        deleted.exits(1).fails_with(&named);
        parent.thaw();
        bundle.call(&["delete", "--force", &bundle.id]).ok();
    }
    assert!(bundle.processes().is_empty());
    bundle.call(&["state", &bundle.id]).fails_with(&["does not exist"]);
}

#[test]
fn killed_below_a_frozen_parent() {
    need_root!();
    need_files!("the parent is named by path");
    let mut bundle = Bundle::new(&["sleep", "100"]);
    let Some(parent) = Parent::of(&mut bundle) else { skip!("nothing here can freeze") };
    bundle.up();
    parent.freeze();
    let begin = Instant::now();
    bundle.kill("KILL");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    if !parent.v2 {
        parent.thaw();
    }
    bundle.wait_status("stopped");
    bundle.call(&["delete", &bundle.id]).ok();
}

/// What an administrator may do: processes moved to the root, directories removed. systemd sees nothing of it, which
/// else is a matter of luck: held still meanwhile, it finds a directory gone of which it is told that it is empty.
fn lose_cgroup(bundle: &Bundle) {
    let cgroups = Cgroups::detect();
    let _systemd = (Manager::chosen() == Manager::Systemd && cgroups.view() == View::V2)
        .then(|| Parent { dir: cgroups.roots()[0].join("init.scope"), v2: true })
        .inspect(Parent::freeze);
    let pid = bundle.pid().to_string();
    for root in cgroups.roots() {
        fs::write(root.join("cgroup.procs"), &pid).expect("move");
    }
    for dir in cgroups.find(&bundle.id) {
        wait_until("the cgroup to be removed", || fs::remove_dir(&dir).is_ok() || !dir.exists());
    }
}

#[test]
fn a_cgroup_that_was_removed_under_the_container() {
    need_root!();
    differs!(Runc | Crun | Youki, "their words are others");
    for force in [true, false] {
        let bundle = Bundle::new(&["sleep", "100"]);
        bundle.up();
        lose_cgroup(&bundle);
        assert_eq!(bundle.status(), "running");
        let gone = [&bundle.id[..], "\" is gone"];
        for words in [
            &["update", "--pids-limit", "5"][..],
            &["update", "--memory", "64m"],
            &["pause"],
            &["exec"],
        ] {
            let mut words = [words, &[bundle.id.as_str()]].concat();
            if words[0] == "exec" {
                words.extend(["/runtimetest", "true"]);
            }
            bundle.call(&words).fails_with(&gone);
        }
        bundle.call(&["ps", &bundle.id]).ok();
        if force {
            bundle.delete();
            continue;
        }
        bundle.kill("KILL");
        bundle.wait_status("stopped");
        bundle.call(&["delete", &bundle.id]).ok();
        bundle.assert_clean();
    }
}

#[test]
fn a_failed_create_leaves_no_parents() {
    need_root!();
    need_files!("parents are systemd's, which keeps slices");
    differs!(Runc | Crun | Youki, "the parents that they made stay");
    let mut bundle = Bundle::new(&["true"]);
    bundle.set("/linux/cgroupsPath", json!(format!("/{0}-a/{0}-b/{0}", bundle.id)));
    bundle.set("/linux/resources/unified", json!({ "nosuch.max": "1" }));
    bundle.run().exits(1).fails_with(&["unified"]);
    bundle.assert_clean();
    // Nor does a failure of another kind.
    bundle.unset("/linux/resources/unified");
    bundle.args(&["/nonexistent"]);
    bundle.create().exits(1).fails_with(&["/nonexistent"]);
    bundle.assert_clean();
}

#[test]
fn settings_that_contradict_each_other() {
    need_root!();
    let cgroups = Cgroups::detect();
    let v1 = |controller| cgroups.is_v1(controller);
    // systemd makes of any quota at least a percent of a CPU.
    let by_files = Manager::chosen() == Manager::Files;
    let cases = [
        // More memory than memory and swap together.
        ("memory", json!({ "memory": { "limit": 67_108_864, "swap": 33_554_432 } }), true),
        // Half a limit: v1 takes any that is above the memory limit of the parent.
        ("memory", json!({ "memory": { "swap": 33_554_432 } }), !v1("memory")),
        ("memory", json!({ "memory": { "swappiness": 101 } }), v1("memory")),
        ("cpu", json!({ "cpu": { "quota": 10, "period": 100_000 } }), by_files),
        ("cpu", json!({ "cpu": { "period": 2_000_000 } }), true),
        ("cpu", json!({ "cpu": { "quota": 10_000, "period": 20_000, "burst": 30_000 } }), true),
        ("cpu", json!({ "cpu": { "shares": 1 } }), v1("cpu")),
        ("cpu", json!({ "cpu": { "shares": 262_145 } }), v1("cpu")),
        ("cpu", json!({ "cpu": { "shares": 512, "idle": 1 } }), !v1("cpu")),
        ("cpu", json!({ "cpu": { "realtimeRuntime": 5000 } }), !v1("cpu")),
        ("cpuset", json!({ "cpu": { "cpus": "4000-5000" } }), true),
        ("cpuset", json!({ "cpu": { "mems": "77" } }), true),
        ("hugetlb", json!({ "hugepageLimits": [{ "pageSize": "3MB", "limit": 1 }] }), true),
        ("pids", json!({ "unified": { "pids.max": "many" } }), true),
    ];
    let mut tried = 0;
    for (controller, resources, refused) in cases {
        if !refused || !(v1(controller) || cgroups.is_v2(controller)) {
            continue;
        }
        let mut bundle = Bundle::new(&["true"]);
        for (key, value) in resources.as_object().into_iter().flatten() {
            bundle.set(&format!("/linux/resources/{key}"), value.clone());
        }
        let output = bundle.run();
        assert_eq!(output.code, 1, "{resources}: {output}");
        output.fails_with(&["error setting cgroup config: "]);
        bundle.call(&["delete", "--force", &bundle.id]).ok();
        bundle.assert_clean();
        tried += 1;
    }
    if tried == 0 {
        skip!("none of the controllers is here");
    }
}

/// `leafWeight` went with the CFQ scheduler in Linux 5.0. A v1 cgroup without its file has the container
/// refused by the file's name; where it is there, the value is in it.
#[test]
fn leaf_weights_without_cfq() {
    need_root!();
    need_files!("the words are those of writing the file");
    let cgroups = Cgroups::detect();
    if !cgroups.is_v1("blkio") {
        skip!("no blkio hierarchy here; v2 has no leaf weights");
    }
    for (limits, file, value) in [
        (json!({ "leafWeight": 200 }), "blkio.leaf_weight", "200"),
        (
            json!({ "weightDevice": [{ "major": 7, "minor": 0, "leafWeight": 300 }] }),
            "blkio.leaf_weight_device",
            "7:0 300",
        ),
    ] {
        let mut bundle = Bundle::new(&["sleep", "1000"]);
        bundle.set("/linux/resources/blockIO", limits);
        let output = bundle.create();
        let dir = cgroups.dir("blkio", &bundle.cgroup()).expect("a hierarchy");
        if output.code == 0 {
            let text = fs::read_to_string(dir.join(file)).expect("read");
            assert!(text.contains(value), "{file}: {text}");
            bundle.delete();
        } else {
            output.fails_with(&[file, "no such file"]);
        }
        bundle.assert_clean();
    }
}
