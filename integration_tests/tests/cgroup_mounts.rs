//! Mounts of type cgroup, on v1 and v2, with and without a cgroup namespace.

use integration_tests::{
    Bundle, Cgroups, HostMount, View, differs, mount, need_root, run, skip, without_namespace,
};
use nix::mount::MsFlags;
use nix::sched::{CloneFlags, unshare};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

fn bundle(private: bool, args: &[&str]) -> Bundle {
    let mut bundle = Bundle::new(args);
    without_namespace(&mut bundle.config, "cgroup");
    if private {
        bundle.push("/linux/namespaces", json!({ "type": "cgroup" }));
    }
    bundle
}

#[test]
fn shows_the_containers_own_cgroup() {
    need_root!();
    let v2 = Cgroups::detect().view() == View::V2;
    for private in [false, true] {
        let mut bundle = bundle(private, &[]);
        // Without a namespace a v2 mount may be the host's tree, with the path seen in it.
        let deep = format!("/sys/fs/cgroup{}/cgroup.procs", bundle.cgroup());
        let files = if v2 {
            ["/sys/fs/cgroup/cgroup.procs", &deep]
        } else {
            ["/sys/fs/cgroup/pids/cgroup.procs", ""]
        };
        bundle.args(&["/runtimetest", "cat", files[0], if private { "" } else { files[1] }]);
        let output = bundle.run();
        assert!(output.stdout.lines().any(|l| l == "1"), "private {private}: {output}");
        bundle.assert_clean();
    }
}

#[test]
fn hides_the_other_cgroups() {
    need_root!();
    let cgroups = Cgroups::detect();
    let dir = if cgroups.view() == View::V2 { "/sys/fs/cgroup" } else { "/sys/fs/cgroup/pids" };
    let other = Bundle::new(&["sleep", "100"]);
    other.up();
    let bundle = bundle(true, &["ls", dir]);
    let output = bundle.run();
    assert!(output.ok().contains("cgroup.procs") && !output.stdout.contains(&other.id), "{output}");
    other.delete();
}

#[test]
fn is_read_only_when_asked_and_writable_when_not() {
    need_root!();
    let v2 = Cgroups::detect().view() == View::V2;
    for (private, read_only) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut bundle = bundle(private, &[]);
        // Without a namespace a v2 mount may be the host's tree.
        let dir = match (v2, private) {
            (false, _) => "/sys/fs/cgroup/pids/sub".to_owned(),
            (true, true) => "/sys/fs/cgroup/sub".to_owned(),
            (true, false) => {
                let deep = format!("/sys/fs/cgroup{}", bundle.cgroup());
                bundle.args(&["/runtimetest", "ls", &deep]);
                let whole = bundle.run().code == 0;
                format!("{}/sub", if whole { &deep } else { "/sys/fs/cgroup" })
            }
        };
        bundle.args(&["/runtimetest", "mkdir", &dir]);
        let last = bundle.config["mounts"].as_array().map_or(0, |m| m.len() - 1);
        if !read_only {
            bundle.set(
                &format!("/mounts/{last}/options"),
                json!(["nosuid", "noexec", "nodev", "relatime", "rw"]),
            );
        }
        let output = bundle.run();
        assert_eq!(output.code, i32::from(read_only), "private {private}: {output}");
        assert!(!read_only || output.stderr.contains("Read-only"), "{output}");
        // A sub-cgroup made inside goes with the container.
        bundle.assert_clean();
    }
}

#[test]
fn has_every_hierarchy_of_the_host() {
    need_root!();
    let cgroups = Cgroups::detect();
    if cgroups.view() == View::V2 {
        integration_tests::skip!("one tree only");
    }
    for private in [false, true] {
        let bundle = bundle(private, &["ls", "/sys/fs/cgroup"]);
        let output = bundle.run();
        for name in cgroups.names() {
            let name = name.trim_start_matches("name=");
            assert!(
                output.ok().lines().any(|l| l.split(',').any(|w| w == name)),
                "{name}: {output}"
            );
        }
    }
}

#[test]
fn checked_from_inside() {
    need_root!();
    for private in [false, true] {
        bundle(private, &["check"]).run_check();
    }
}

#[test]
fn in_a_user_namespace() {
    need_root!();
    let mut bundle = bundle(true, &["check"]);
    bundle.user_namespace();
    bundle.run_check();
}

/// The options are those of each hierarchy, too. Its mounts come from the host's, of which they are
/// slaves otherwise.
#[test]
fn hierarchies_have_the_propagation_that_is_asked_for() {
    need_root!();
    if Cgroups::detect().view() == View::V2 {
        skip!("the host has no v1 hierarchies");
    }
    for (option, wanted) in [("rprivate", ""), ("rslave", "master:")] {
        let mut bundle = bundle(false, &["cat", "/proc/self/mountinfo"]);
        let last = bundle.config["mounts"].as_array().map_or(0, |m| m.len() - 1);
        let options = json!(["nosuid", "noexec", "nodev", "relatime", "ro", option]);
        bundle.set(&format!("/mounts/{last}/options"), options);
        bundle.write();
        let runtime = bundle.command(&["run", "--bundle", &bundle.path(), &bundle.id]);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "shared"]).arg(runtime.get_program());
        let output = run(command.args(runtime.get_args()));
        let mut seen = 0;
        for line in output.ok().lines().filter(|line| line.contains(" - cgroup cgroup ")) {
            let tags = line.split(" - ").next().unwrap_or_default().split(' ').skip(6);
            let tags = tags.collect::<Vec<_>>().join(" ");
            assert!(tags.starts_with(wanted) && (tags.is_empty() == wanted.is_empty()), "{line}");
            seen += 1;
        }
        assert!(seen > 1, "{output}");
        bundle.assert_clean();
    }
}

/// The hierarchy `name=systemd` of cgroup v1, without controllers, seen by this thread and what it starts.
fn systemds_hierarchy(bundle: &Bundle) -> HostMount {
    unshare(CloneFlags::CLONE_NEWNS).expect("unshare");
    let flags = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    nix::mount::mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).expect("slave");
    let path = bundle.dir().join("v1");
    fs::create_dir(&path).expect("mkdir");
    let options = Some("none,name=systemd,xattr");
    nix::mount::mount(Some("cgroup"), &path, Some("cgroup"), MsFlags::empty(), options)
        .or_else(|_| {
            // It is there, with other options.
            let options = Some("none,name=systemd");
            nix::mount::mount(Some("cgroup"), &path, Some("cgroup"), MsFlags::empty(), options)
        })
        .expect("mount a v1 hierarchy");
    HostMount(path)
}

/// An old systemd in the container finds the v1 hierarchy that it keeps its units in, and nothing else, on a host whose
/// controllers are all in the v2 tree.
#[test]
fn an_annotation_asks_for_systemds_v1_hierarchy() {
    need_root!();
    differs!(Runc | Youki, "it knows no such annotation");
    differs!(Crun, "it wants the hierarchy at /sys/fs/cgroup/systemd");
    if Cgroups::detect().view() != View::V2 {
        skip!("it is there anyway");
    }
    const NAME: &str = "run.oci.systemd.force_cgroup_v1";
    let mut bundle = Bundle::new(&["sleep", "100"]);
    without_namespace(&mut bundle.config, "cgroup");
    bundle.push("/linux/namespaces", json!({ "type": "cgroup" }));
    let mounts = bundle.config["mounts"].as_array_mut().expect("mounts");
    mounts.retain(|mount| mount["type"] != "cgroup");
    bundle.push(
        "/mounts",
        mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev"]),
    );
    bundle.set("/annotations", json!({ NAME: "/sys/fs/cgroup" }));
    let limited = Cgroups::detect().has("pids");
    if limited {
        bundle.set("/linux/resources/pids", json!({ "limit": 77 }));
    }
    bundle.run().exits(1).fails_with(&[NAME, "no cgroup v1 hierarchy"]);
    bundle.set("/annotations", json!({ NAME: "/other" }));
    bundle.run().exits(1).fails_with(&[NAME, "no cgroup mount at"]);
    bundle.set("/annotations", json!({ NAME: "/sys/fs/cgroup/" }));
    let holder = Bundle::new(&["true"]);
    let hierarchy = systemds_hierarchy(&holder);
    for mapped in [false, true] {
        if mapped {
            bundle.user_namespace();
        }
        bundle.up();
        assert_eq!(bundle.exec(&["ls", "/sys/fs/cgroup"]).ok(), "systemd\n");
        let own = bundle.exec(&["cat", "/proc/self/cgroup"]);
        assert!(own.ok().lines().any(|line| line.ends_with(":name=systemd:/")), "{own}");
        // What systemd does first.
        bundle.exec(&["mkdir", "/sys/fs/cgroup/systemd/init.scope"]).ok();
        let list = bundle.exec(&["cat", "/sys/fs/cgroup/systemd/cgroup.procs"]);
        assert!(list.ok().starts_with("1\n"), "{list}");
        let inside = hierarchy.0.join(bundle.cgroup().trim_start_matches('/'));
        assert!(inside.join("init.scope").is_dir(), "{inside:?}");
        let file = Path::new("/sys/fs/cgroup").join(bundle.cgroup().trim_start_matches('/'));
        if limited {
            assert_eq!(fs::read_to_string(file.join("pids.max")).expect("read"), "77\n");
        }
        bundle.call(&["pause", &bundle.id]).ok();
        bundle.call(&["resume", &bundle.id]).ok();
        bundle.call(&["events", "--stats", &bundle.id]).ok();
        bundle.delete();
        assert!(!inside.exists() && !file.exists(), "{inside:?}");
    }
}
