//! Mounts of type cgroup, on v1 and v2, with and without a cgroup namespace.

use integration_tests::{Bundle, Cgroups, View, need_root, run, skip, without_namespace};
use serde_json::json;
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
