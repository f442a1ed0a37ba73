//! Hooks: all six kinds, their order, what they get.

#[path = "hooks/failures.rs"]
mod failures;

use integration_tests::{Bundle, Peer, differs, need_root, peer, runtimetest, skip, wait_until};
use serde_json::{Value, json};
use std::fs;

/// A hook on the host that runs a line of sh with `$D` as the bundle's directory.
fn sh(bundle: &Bundle, line: &str) -> Value {
    json!({ "path": "/bin/sh", "args": ["sh", "-c", format!("D='{}'; {line}", bundle.path())] })
}

fn recorded(bundle: &Bundle) -> Vec<String> {
    let text = fs::read_to_string(bundle.dir().join("record")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Two of each kind that runs on the host.
fn recorders(bundle: &mut Bundle) {
    for kind in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
        for number in 1..3 {
            let hook = sh(bundle, &format!("echo {kind}{number} >> \"$D/record\""));
            bundle.set(&format!("/hooks/{kind}"), bundle.config["hooks"][kind].clone());
            if bundle.config["hooks"][kind].is_null() {
                bundle.set(&format!("/hooks/{kind}"), json!([]));
            }
            bundle.push(&format!("/hooks/{kind}"), hook);
        }
    }
}

#[test]
fn order_of_all_kinds() {
    need_root!();
    differs!(Runc, "older ones run poststart in create");
    let mut bundle = Bundle::new(&["signal-wait"]);
    recorders(&mut bundle);
    // Runs inside the container: it sees the container's own program only.
    bundle.set("/hooks/startContainer", json!([{ "path": "/runtimetest", "args": ["runtimetest", "write", "/tmp/start-hook", "ran"] }]));
    bundle.set("/root/readonly", json!(false));
    bundle.create().ok();
    let created = [
        "prestart1",
        "prestart2",
        "createRuntime1",
        "createRuntime2",
        "createContainer1",
        "createContainer2",
    ];
    assert_eq!(recorded(&bundle), created);
    assert!(!bundle.rootfs().join("tmp/start-hook").exists());
    bundle.start();
    assert_eq!(
        fs::read_to_string(bundle.rootfs().join("tmp/start-hook")).ok().as_deref(),
        Some("ran")
    );
    bundle.wait_log("ready");
    wait_until("the poststart hooks", || recorded(&bundle).len() == 8);
    assert_eq!(recorded(&bundle)[6..], ["poststart1", "poststart2"]);
    bundle.kill("TERM");
    bundle.wait_status("stopped");
    assert_eq!(recorded(&bundle).len(), 8, "poststop ran before delete");
    bundle.call(&["delete", &bundle.id]).ok();
    assert_eq!(recorded(&bundle)[8..], ["poststop1", "poststop2"]);
    bundle.assert_clean();
}

#[test]
fn all_run_in_run() {
    need_root!();
    let mut bundle = Bundle::new(&["true"]);
    recorders(&mut bundle);
    bundle.run().ok();
    assert_eq!(recorded(&bundle).len(), 10, "{:?}", recorded(&bundle));
    bundle.assert_clean();
}

#[test]
fn state_comes_on_stdin() {
    need_root!();
    let mut bundle = Bundle::new(&["sleep", "100"]);
    bundle.set("/annotations", json!({ "key": "value" }));
    for (kind, _) in [
        ("prestart", ""),
        ("createRuntime", ""),
        ("createContainer", ""),
        ("poststart", ""),
        ("poststop", ""),
    ] {
        let hook = sh(&bundle, &format!("cat > \"$D/state-{kind}\""));
        bundle.set(&format!("/hooks/{kind}"), json!([hook]));
    }
    bundle.up();
    let pid = bundle.pid();
    bundle.call(&["delete", "--force", &bundle.id]).ok();
    let after_start: &[&str] =
        if peer() == Peer::Onggi { &["running"] } else { &["running", "created"] };
    let wanted = [
        ("prestart", &["creating", "created"][..]),
        ("createRuntime", &["creating", "created"]),
        ("createContainer", &["creating", "created"]),
        ("poststart", after_start),
        ("poststop", &["stopped"]),
    ];
    for (kind, statuses) in wanted {
        let path = bundle.dir().join(format!("state-{kind}"));
        wait_until(kind, || fs::metadata(&path).is_ok_and(|m| m.len() > 0));
        let state: Value =
            serde_json::from_slice(&fs::read(&path).expect("read")).expect("the state is JSON");
        assert_eq!(state["id"], bundle.id.as_str(), "{kind}: {state}");
        assert_eq!(state["bundle"], bundle.path(), "{kind}: {state}");
        assert_eq!(state["annotations"]["key"], "value", "{kind}: {state}");
        assert!(state["ociVersion"].is_string(), "{kind}: {state}");
        assert!(statuses.iter().any(|s| state["status"] == *s), "{kind}: {state}");
        match kind {
            "poststop" => {}
            // Inside the container's pid namespace the number may be another.
            "createContainer" => assert!(state["pid"].as_i64() > Some(0), "{state}"),
            _ => assert_eq!(state["pid"].as_i64(), Some(pid.into()), "{kind}: {state}"),
        }
    }
}

#[test]
fn namespaces_of_each_kind() {
    need_root!();
    let mut bundle = Bundle::new(&["sleep", "100"]);
    for kind in ["createRuntime", "createContainer"] {
        let hook = sh(
            &bundle,
            &format!("readlink /proc/self/ns/mnt /proc/self/ns/net > \"$D/ns-{kind}\""),
        );
        bundle.set(&format!("/hooks/{kind}"), json!([hook]));
    }
    bundle.create().ok();
    let read = |kind: &str| {
        fs::read_to_string(bundle.dir().join(format!("ns-{kind}"))).unwrap_or_default()
    };
    let links = |pid: &str| {
        format!(
            "{}\n{}\n",
            integration_tests::namespace_link(pid, "mnt"),
            integration_tests::namespace_link(pid, "net")
        )
    };
    assert_eq!(read("createRuntime"), links("self"));
    assert_eq!(read("createContainer"), links(&bundle.pid().to_string()));
    bundle.delete();
}

/// The environment is what the configuration gives and nothing else.
#[test]
fn environment_is_only_the_given_one() {
    need_root!();
    for kind in ["createRuntime", "createContainer", "poststop"] {
        let mut bundle = Bundle::new(&["true"]);
        let file = bundle.dir().join("env");
        bundle.set(&format!("/hooks/{kind}"), json!([{ "path": runtimetest(), "args": ["runtimetest", "env", file], "env": ["PATH=/usr/bin:/bin", "GIVEN=1"] }]));
        bundle.run().ok();
        let text = fs::read_to_string(&file).unwrap_or_default();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["GIVEN=1", "PATH=/usr/bin:/bin"], "{kind}");
    }
}

#[test]
fn no_environment_means_none() {
    need_root!();
    differs!(Runc | Crun | Youki, "passes its own environment on");
    for kind in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
        let mut bundle = Bundle::new(&["true"]);
        let file = bundle.dir().join("env");
        bundle.set(
            &format!("/hooks/{kind}"),
            json!([{ "path": runtimetest(), "args": ["runtimetest", "env", file] }]),
        );
        bundle.run().ok();
        wait_until(kind, || file.exists());
        assert_eq!(fs::read(&file).unwrap_or_default(), b"", "{kind}");
    }
}

#[test]
fn arguments_are_the_given_ones() {
    need_root!();
    let mut bundle = Bundle::new(&["true"]);
    let file = bundle.dir().join("args");
    bundle.set("/hooks/createRuntime", json!([{ "path": "/bin/sh", "args": ["zero", "-c", format!("echo \"$0|$1\" > '{}'", file.display()), "name", "one two"] }]));
    bundle.run().ok();
    assert_eq!(fs::read_to_string(&file).unwrap_or_default(), "name|one two\n");
}

#[test]
fn hooks_inherit_no_descriptors() {
    need_root!();
    differs!(Runc | Crun | Youki, "leaks its own");
    for kind in ["createRuntime", "createContainer", "poststart", "poststop"] {
        let mut bundle = Bundle::new(&["true"]);
        let file = bundle.dir().join("fds");
        // Three of stdio, and the directory that ls itself opens.
        bundle.set(&format!("/hooks/{kind}"), json!([{ "path": "/bin/sh", "args": ["sh", "-c", format!("/bin/ls /proc/self/fd > '{}.new'; /bin/mv '{}.new' '{}'", file.display(), file.display(), file.display())] }]));
        bundle.run().ok();
        wait_until(kind, || file.exists());
        let text = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"], "{kind}");
    }
}

#[test]
fn hook_that_reads_no_stdin_is_fine() {
    need_root!();
    let mut bundle = Bundle::new(&["echo", "ran"]);
    bundle.set("/annotations", json!({ "big": "x".repeat(200_000) }));
    let hook = json!({ "path": "/bin/true" });
    if !fs::exists("/bin/true").unwrap_or(false) {
        skip!("no /bin/true");
    }
    bundle.set("/hooks/createRuntime", json!([hook]));
    assert!(bundle.run().ok().ends_with("ran\n"));
}

/// The network is set up by such hooks: what they do in the container's namespaces stays.
#[test]
fn create_runtime_can_enter_the_namespaces_by_pid() {
    need_root!();
    let mut bundle = Bundle::new(&["hostname"]);
    let hook = sh(
        &bundle,
        "pid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/' | head -n 1); nsenter -t \"$pid\" -u hostname from-hook",
    );
    bundle.set("/hooks/createRuntime", json!([hook]));
    bundle.unset("/hostname");
    let output = bundle.run();
    assert!(output.ok().starts_with("from-hook "), "{output}");
}

#[test]
fn start_container_hooks_have_the_environment_of_the_process_unless_they_name_one() {
    need_root!();
    differs!(Crun | Youki, "gives none");
    let mut bundle = Bundle::new(&["true"]);
    bundle.set("/root/readonly", json!(false));
    bundle.push("/process/env", json!("ONE=two"));
    // The tool's output shows in the error of a hook that fails.
    let fails =
        json!({ "path": "/runtimetest", "args": ["runtimetest", "all", "env", "--", "false"] });
    bundle.set("/hooks/startContainer", json!([fails]));
    bundle.run().fails_with(&["startContainer hook #0", "ONE=two", "HOME=/", "exit status 1"]);
    let mut fails = fails;
    fails["env"] = json!(["OTHER=1"]);
    bundle.set("/hooks/startContainer", json!([fails]));
    let output = bundle.run();
    output.fails_with(&["OTHER=1"]);
    assert!(!output.stderr.contains("ONE=two"), "{output}");
}

/// They run in the container, as its user: what is forbidden to the program is forbidden to them.
#[test]
fn start_container_hooks_are_under_the_filter() {
    need_root!();
    differs!(Crun | Youki, "loads it after them");
    for no_new_privileges in [true, false] {
        let mut bundle = Bundle::new(&["true"]);
        bundle.set("/process/noNewPrivileges", json!(no_new_privileges));
        bundle.set("/process/rlimits", json!([{ "type": "RLIMIT_CORE", "soft": 0, "hard": 0 }]));
        bundle.set(
            "/linux/seccomp",
            json!({
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{ "names": ["mkdirat"], "action": "SCMP_ACT_KILL_PROCESS" }]
            }),
        );
        bundle.set(
            "/hooks/startContainer",
            json!([{ "path": "/runtimetest", "args": ["runtimetest", "syscall", "mkdirat"] }]),
        );
        bundle.run().fails_with(&["startContainer hook #0", "signal: bad system call"]);
        bundle.assert_clean();
    }
}

#[test]
fn create_container_hooks_begin_in_the_rootfs() {
    need_root!();
    differs!(Youki, "begins in the bundle");
    let mut bundle = Bundle::new(&["ls", "/tmp"]);
    let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", "echo here > ./tmp/from-hook"] });
    bundle.set("/hooks/createContainer", json!([hook]));
    assert!(bundle.run().ok().contains("from-hook"));
}
