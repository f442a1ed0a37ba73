//! What engines rely on and no other file of these tests has: one test for each item.

use integration_tests::{Bundle, Peer, differs, mount, need_root, peer};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

// Log files

#[test]
fn log_has_one_record_for_a_failure_and_none_for_a_success() {
    need_root!();
    differs!(Youki, "other keys");
    let mut bundle = Bundle::new(&["true"]);
    let path = bundle.dir().join("log.json");
    let log = path.to_string_lossy().into_owned();
    let call = |bundle: &Bundle, args: &[&str]| {
        let global = ["--log", &log, "--log-format", "json"];
        bundle.detached(&[&global, args].concat())
    };
    bundle.write();
    let create = ["create", "--bundle", &bundle.path(), &bundle.id].map(str::to_owned);
    let create: Vec<&str> = create.iter().map(String::as_str).collect();
    let id = bundle.id.clone();
    call(&bundle, &create).ok();
    call(&bundle, &["start", &id]).ok();
    bundle.wait_status("stopped");
    call(&bundle, &["delete", &id]).ok();
    assert_eq!(text(&path), "", "a success writes nothing");

    // Something is passed over as well, which must not be a second record.
    bundle.args(&["nosuch"]);
    bundle.push("/process/capabilities/bounding", json!("CAP_FROM_THE_FUTURE"));
    bundle.write();
    for failures in 1..=2 {
        let output = call(&bundle, &create);
        output.exits(1);
        let text = text(&path);
        let records: Vec<Value> = serde_json::Deserializer::from_str(&text)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap_or_else(|e| panic!("no stream of JSON: {e}: {text}"));
        let levels: Vec<&str> = records.iter().filter_map(|r| r["level"].as_str()).collect();
        if peer() == Peer::Onggi {
            assert_eq!(levels, vec!["error"; failures], "{text}");
        }
        let last = records.iter().rfind(|r| r["level"] == "error").expect("an error");
        let message = last["msg"].as_str().unwrap_or_default();
        assert!(message.contains("exec: \"nosuch\": executable file not found in $PATH"), "{text}");
        // conmon shows what it reads here.
        assert!(output.stderr.contains("executable file not found in $PATH"), "{output}");
    }
    bundle.assert_clean();
}

#[test]
fn a_log_that_cannot_be_opened_is_a_failure() {
    need_root!();
    let bundle = Bundle::new(&["true"]);
    bundle.write();
    let args = ["--log", "/dev/null/log", "run", "--bundle", &bundle.path(), &bundle.id];
    bundle.call(&args).exits(1).fails_with(&["not a directory"]);
    bundle.assert_clean();
}

// Standard output

#[test]
fn nothing_but_answers_is_on_standard_output() {
    need_root!();
    let bundle = Bundle::new(&["sleep", "1000"]);
    bundle.write();
    let id = bundle.id.as_str();
    // The process keeps standard output, so this one goes through the log of the bundle.
    assert_eq!(bundle.create().ok(), "");
    let verbs = ["start", "pause", "resume"];
    for verb in verbs {
        assert_eq!(bundle.call(&[verb, id]).ok(), "", "{verb}");
    }
    assert_eq!(bundle.call(&["kill", id, "KILL"]).ok(), "");
    bundle.wait_status("stopped");
    assert_eq!(bundle.call(&["delete", id]).ok(), "");
    bundle.assert_clean();
}

// Processes

#[test]
fn created_process_is_not_yet_the_program() {
    need_root!();
    let bundle = Bundle::new(&["sleep", "1000"]);
    bundle.create().ok();
    let line = || text(Path::new(&format!("/proc/{}/cmdline", bundle.pid())));
    assert!(!line().starts_with("/runtimetest\0"), "{:?}", line());
    assert_eq!(bundle.status(), "created");
    bundle.start();
    assert!(line().starts_with("/runtimetest\0sleep"), "{:?}", line());
    bundle.delete();
}

#[test]
fn start_reports_that_the_program_could_not_be_executed() {
    need_root!();
    differs!(Runc, "older ones tell nobody but standard error");
    let mut bundle = Bundle::new(&["true"]);
    let broken = bundle.rootfs().join("broken");
    fs::write(&broken, b"\x01\x02\x03").expect("write a file that is no program");
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).expect("chmod");
    bundle.args(&["/broken"]);
    // Known too late for create: only execve can tell.
    bundle.create().ok();
    let start = bundle.call(&["start", &bundle.id]);
    start.exits(1).fails_with(&["exec format error"]);
    bundle.wait_status("stopped");
    bundle.delete();
    bundle.run().exits(1).fails_with(&["exec format error"]);
    bundle.assert_clean();
}

// State

#[test]
fn state_and_list_have_the_bytes_of_runc() {
    need_root!();
    differs!(Crun | Youki, "other keys");
    let mut bundle = Bundle::new(&["sleep", "1000"]);
    bundle.set("/annotations", json!({ "org.example.key": "value" }));
    bundle.up();
    let output = bundle.call(&["state", &bundle.id]);
    let state = output.ok();
    let keys: Vec<&str> = state
        .lines()
        .filter_map(|line| line.strip_prefix("  \"")?.split_once("\": ").map(|(key, _)| key))
        .collect();
    let wanted = [
        "ociVersion",
        "id",
        "pid",
        "status",
        "bundle",
        "rootfs",
        "created",
        "annotations",
        "owner",
    ];
    assert_eq!(keys, wanted, "{state}");
    assert!(state.starts_with("{\n  \"ociVersion\"") && state.ends_with("\n}"), "{state:?}");
    assert!(
        state.contains("  \"annotations\": {\n    \"org.example.key\": \"value\"\n  },"),
        "{state}"
    );
    let mut value: Value = serde_json::from_str(state).expect("JSON");
    let created = value["created"].as_str().unwrap_or_default();
    assert!(created.ends_with('Z') && created.len() <= "2026-01-02T03:04:05.123456789Z".len());
    // list has the same object, on one line.
    let list = bundle.call(&["list", "--format", "json"]);
    assert!(list.ok().ends_with("}]\n") && list.stdout.lines().count() == 1, "{list}");
    if peer() == Peer::Runc {
        value["owner"] = json!("root"); // Left empty by its `state`.
    }
    assert_eq!(serde_json::from_str::<Value>(&list.stdout).expect("JSON"), json!([value]));
    bundle.kill("KILL");
    bundle.wait_status("stopped");
    assert!(bundle.call(&["state", &bundle.id]).ok().contains("\"pid\": 0,"));
    bundle.call(&["delete", &bundle.id]).ok();
    assert_eq!(bundle.call(&["list", "-f", "json"]).ok(), "null\n");
}

#[test]
fn state_of_before_a_reboot_is_that_of_a_stopped_container() {
    need_root!();
    differs!(Runc | Crun | Youki, "keeps it in another form");
    let bundle = Bundle::sleeping();
    let pid = bundle.pid();
    let path = bundle.state_root().join(&bundle.id).join("state.json");
    let right = text(&path);
    let mut state: Value = serde_json::from_str(&right).expect("JSON");
    // Another process has that number now.
    state["init"]["start_time"] = json!(1);
    fs::write(&path, state.to_string()).expect("write");
    assert_eq!(bundle.status(), "stopped");
    bundle.call(&["kill", &bundle.id, "KILL"]).exits(1).fails_with(&["container not running"]);
    assert!(fs::exists(format!("/proc/{pid}")).unwrap_or_default(), "somebody else was killed");
    fs::write(&path, right).expect("write");
    bundle.delete();
}

// Exit statuses and texts

#[test]
fn statuses_of_failures() {
    need_root!();
    differs!(Crun | Youki, "other statuses");
    let bundle = Bundle::sleeping();
    let id = bundle.id.as_str();
    for (args, status) in [
        (&["state", "nobody"][..], 1),
        (&["start", id], 1),
        (&["delete", id], 1),
        (&["resume", id], 1),
        (&["exec", "nobody", "true"], 255),
        (&["exec", id, "nosuch"], 255),
        (&["exec", "--user", "x", id, "true"], 255),
        (&["exec", id], 255),
        (&["run", "--bundle", "/dev/null/none", "other"], 1),
    ] {
        bundle.call(args).exits(status);
    }
    bundle.exec(&["exit", "3"]).exits(3);
    bundle.exec(&["kill-self", "15"]).exits(143);
    bundle.delete();
}

/// What is wrong, and the texts of which each must be in the message of create.
type Wrong = (fn(&mut Bundle), &'static [&'static str]);

/// Docker and Podman find exit statuses 126 and 127 by these words, which are case-sensitive.
const TEXTS: &[Wrong] = &[
    (
        |b| {
            b.args(&["nosuch"]);
        },
        &["exec: \"nosuch\": executable file not found in $PATH"],
    ),
    (
        |b| {
            b.args(&[""]);
        },
        &["exec: \"\": executable file not found in $PATH"],
    ),
    (
        |b| {
            b.args(&["/no/such"]);
        },
        &["/no/such", "no such file or directory"],
    ),
    (
        |b| {
            b.args(&["/config.json"]);
        },
        &["exec", "/config.json", "permission denied"],
    ),
    (
        |b| {
            b.args(&["/runtimetest/x"]);
        },
        &["/runtimetest/x", "not a directory"],
    ),
    (
        |b| {
            b.push("/mounts", mount("/config.json", "bind", "/etc", &["bind"]));
        },
        &["error mounting \"/etc\" to rootfs at \"/config.json\"", "not a directory"],
    ),
    (
        |b| {
            b.push("/mounts", mount("/tmp", "bind", "/etc/hostname", &["bind"]));
        },
        &["error mounting \"/etc/hostname\" to rootfs at \"/tmp\"", "not a directory"],
    ),
    (
        |b| {
            b.push("/mounts", mount("/tmp", "bind", "/no/such/source", &["bind"]));
        },
        &["/no/such/source", "no such file or directory"],
    ),
];

#[test]
fn texts_that_engines_look_for() {
    need_root!();
    differs!(Crun | Youki, "other texts");
    for (break_it, texts) in TEXTS {
        let mut bundle = Bundle::new(&["true"]);
        break_it(&mut bundle);
        bundle.create().exits(1).fails_with(texts);
        bundle.assert_clean();
    }
    let mut bundle = Bundle::new(&["true"]);
    if peer() == Peer::Onggi {
        // Old engines look for what old runcs said, new ones for what Go's library says by now.
        let texts = ["exec: \"/tmp\": ", "permission denied", "is a directory"];
        bundle.args(&["/tmp"]).create().exits(1).fails_with(&texts);
    }
    bundle.args(&["/runtimetest", "true"]);
    bundle.up();
    bundle.wait_status("stopped");
    bundle.call(&["kill", &bundle.id, "TERM"]).exits(1).fails_with(&["container not running"]);
    bundle.call(&["delete", &bundle.id]).ok();
    for verb in ["kill", "delete", "state", "start"] {
        bundle.call(&[verb, &bundle.id]).exits(1).fails_with(&["container does not exist"]);
    }
}

#[test]
fn deleting_and_killing_twice() {
    need_root!();
    differs!(Crun | Youki, "other statuses");
    let bundle = Bundle::sleeping();
    let id = bundle.id.as_str();
    bundle.call(&["kill", "--all", id, "9"]).ok();
    bundle.wait_status("stopped");
    bundle.call(&["kill", "--all", id, "9"]).ok();
    bundle.call(&["kill", id, "9"]).exits(1).fails_with(&["container not running"]);
    bundle.call(&["delete", id]).ok();
    bundle.call(&["delete", id]).exits(1).fails_with(&["container does not exist"]);
    bundle.call(&["delete", "--force", id]).ok();
    bundle.call(&["delete", "-f", id]).ok();
    bundle.assert_clean();
}
