//! What follows when a hook fails or takes too long.

use super::{recorded, sh};
use integration_tests::{Bundle, Peer, differs, need_root, peer, runtimetest, wait_until};
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

#[test]
fn failure_before_start_stops_everything() {
    need_root!();
    for kind in ["prestart", "createRuntime", "createContainer"] {
        let mut bundle = Bundle::new(&["sleep", "100"]);
        let bad = sh(&bundle, "echo the reason >&2; exit 7");
        let stop = sh(&bundle, "echo stopped >> \"$D/record\"");
        bundle.set(&format!("/hooks/{kind}"), json!([bad]));
        bundle.set("/hooks/poststop", json!([stop]));
        let output = bundle.create();
        output.exits(1).fails_with(&["hook"]);
        if peer() == Peer::Onggi {
            output.fails_with(&[kind, "7"]);
        }
        bundle.assert_clean();
    }
}

#[test]
fn failure_of_start_container_stops_the_start() {
    need_root!();
    let mut bundle = Bundle::new(&["echo", "must not run"]);
    bundle.set(
        "/hooks/startContainer",
        json!([{ "path": "/runtimetest", "args": ["runtimetest", "exit", "3"] }]),
    );
    bundle.create().ok();
    let output = bundle.call(&["start", &bundle.id]);
    if peer() == Peer::Onggi {
        output.fails_with(&["startContainer"]);
    }
    wait_until("the process to end", || bundle.processes().is_empty());
    assert!(!bundle.logs().contains("must not run"), "{}", bundle.logs());
    bundle.delete();
}

#[test]
fn failure_after_start_does_not_stop_the_others() {
    need_root!();
    let mut bundle = Bundle::new(&["sleep", "100"]);
    let bad = sh(&bundle, "exit 1");
    let good = sh(&bundle, "echo stopped >> \"$D/record\"");
    bundle.set("/hooks/poststop", json!([bad, good]));
    bundle.up();
    bundle.call(&["delete", "--force", &bundle.id]);
    if peer() == Peer::Onggi {
        assert_eq!(recorded(&bundle), ["stopped"]);
    }
    bundle.call(&["delete", "--force", &bundle.id]).ok();
    bundle.assert_clean();
}

#[test]
fn timeout_kills_the_hook() {
    need_root!();
    let mut bundle = Bundle::new(&["true"]);
    let mut hook = json!({ "path": runtimetest(), "args": ["runtimetest", "sleep", "100"] });
    hook["timeout"] = json!(1);
    bundle.set("/hooks/createRuntime", json!([hook]));
    let begin = Instant::now();
    let output = bundle.run();
    output.exits(1).fails_with(&[]);
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    if peer() == Peer::Onggi {
        output.fails_with(&["createRuntime"]);
    }
    bundle.assert_clean();
}

/// A time that no clock gets to is no limit.
#[test]
fn the_longest_timeout_is_taken() {
    need_root!();
    differs!(Runc | Crun | Youki, "counts nanoseconds beyond the largest number");
    let mut bundle = Bundle::new(&["true"]);
    let hook = json!([{ "path": "/bin/true", "timeout": i64::MAX }]);
    bundle.set("/hooks", json!({ "createRuntime": hook, "poststop": hook }));
    bundle.run().ok();
    bundle.assert_clean();
}

#[test]
fn timeout_holds_for_a_hook_that_does_not_read_its_input_and_for_its_children() {
    need_root!();
    differs!(Runc | Crun | Youki, "ends the hook alone");
    let mut bundle = Bundle::new(&["true"]);
    let mark = format!("hook-{}", bundle.id);
    bundle.set("/annotations", json!({ "big": "x".repeat(300_000) }));
    let script = format!("exec -a {mark} sleep 30 & exec -a {mark} sleep 30");
    let mut hook = json!({ "path": "/bin/bash", "args": ["bash", "-c", script], "timeout": 1 });
    hook["env"] = json!(["PATH=/bin:/usr/bin"]);
    bundle.set("/hooks/createRuntime", json!([hook]));
    let begin = Instant::now();
    bundle.run().fails_with(&["timeout"]);
    assert!(begin.elapsed() < Duration::from_secs(10));
    let left = || {
        fs::read_dir("/proc").into_iter().flatten().flatten().any(|entry| {
            fs::read(entry.path().join("cmdline"))
                .is_ok_and(|text| text.starts_with(mark.as_bytes()))
        })
    };
    wait_until("the hook's children end", || !left());
    bundle.assert_clean();
}

#[test]
fn poststop_runs_after_a_failed_create() {
    need_root!();
    let mut bundle = Bundle::new(&["true"]);
    let file = bundle.dir().join("poststop");
    bundle.set("/hooks/createRuntime", json!([{ "path": "/bin/false" }]));
    bundle.set(
        "/hooks/poststop",
        json!([{ "path": runtimetest(), "args": ["runtimetest", "write", file, "ran"] }]),
    );
    bundle.run().fails_with(&["createRuntime"]);
    assert_eq!(fs::read_to_string(&file).ok().as_deref(), Some("ran"));
    bundle.assert_clean();
}
