//! Wrong input: a clear error that names the place, status 1, and nothing left behind.

#[path = "bad_input/cases.rs"]
mod cases;

use cases::{CASES, Case};
use integration_tests::{Bundle, Peer, differs, need_root, peer};
use serde_json::json;
use std::fs;

fn one(case: &Case) -> Result<(), String> {
    let mut bundle = Bundle::new(&["echo", "must not run"]);
    (case.change)(&mut bundle);
    let output = bundle.run();
    let mut faults = Vec::new();
    if output.code == 0 || output.stdout.contains("must not run") {
        if case.peers_accept && peer() != Peer::Onggi {
            return Ok(());
        }
        faults.push("accepted".to_owned());
    } else if output.code != 1 {
        faults.push(format!("status {} instead of 1", output.code));
    }
    let strict_words = peer() == Peer::Onggi;
    for words in case.says.iter().filter(|_| strict_words) {
        if !words.split('|').any(|w| output.stderr.replace('\\', "").contains(w)) {
            faults.push(format!("the message lacks {words:?}"));
        }
    }
    for word in ["panicked", "goroutine ", "RUST_BACKTRACE"] {
        if output.stderr.contains(word) {
            faults.push(format!("the message holds {word:?}"));
        }
    }
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bundle.assert_clean())).is_err() {
        faults.push("something was left behind".to_owned());
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(format!("{}: {}: {}", case.name, faults.join(", "), output.stderr.trim()))
    }
}

#[test]
fn wrong_configurations_are_refused() {
    need_root!();
    let faults: Vec<String> = CASES.iter().filter_map(|c| one(c).err()).collect();
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), CASES.len(), faults.join("\n"));
}

/// Text instead of JSON: the message must say where.
#[test]
fn broken_json_names_file_line_and_column() {
    need_root!();
    let bundle = Bundle::new(&["true"]);
    let cases = [
        ("{\n \"ociVersion\": \"1.0.2\",\n oops\n}", "3"),
        ("", ""),
        ("[]", ""),
        ("{\"ociVersion\": \"1.0.2\"", ""),
        ("null", ""),
    ];
    for (text, line) in cases {
        if text == "null" && peer() == Peer::Runc {
            continue; // panics
        }
        fs::write(bundle.dir().join("config.json"), text).expect("write config.json");
        let output = bundle.call(&["run", "--bundle", &bundle.path(), &bundle.id]);
        output.exits(1).fails_with(&[]);
        if peer() == Peer::Onggi {
            output.fails_with(&["config.json", line]);
        }
        bundle.assert_clean();
    }
}

#[test]
fn missing_config_and_bundle() {
    need_root!();
    let bundle = Bundle::new(&["true"]);
    for verb in ["run", "create"] {
        bundle
            .call(&[verb, "--bundle", &bundle.path(), &bundle.id])
            .exits(1)
            .fails_with(&["config.json"]);
        bundle
            .call(&[verb, "--bundle", "/no/such/bundle", &bundle.id])
            .exits(1)
            .fails_with(&["no such file or directory"]);
        bundle.assert_clean();
    }
}

#[test]
fn bad_ids_are_refused() {
    need_root!();
    let bundle = Bundle::new(&["true"]);
    bundle.write();
    for id in ["", ".", "..", "a/b", "../up", "a b", "a\nb", "ä", "/abs", "a\u{7f}"] {
        let output = bundle.call(&["run", "--bundle", &bundle.path(), "--", id]);
        assert_ne!(output.code, 0, "id {id:?} was accepted: {output}");
        assert!(!output.stderr.contains("panicked"), "{output}");
    }
    for id in ["A-Za_z0.9+x", "..."] {
        let name = format!("{}{id}", bundle.id);
        bundle.call(&["run", "--bundle", &bundle.path(), &name]).ok();
    }
    bundle.assert_clean();
}

#[test]
fn missing_or_superfluous_arguments() {
    need_root!();
    let bundle = Bundle::new(&["true"]);
    bundle.write();
    for args in [
        &["create"][..],
        &["start"],
        &["kill"],
        &["delete"],
        &["state"],
        &["state", "a", "b"],
        &["exec", "x"],
        &["no-such-verb"],
        &["run", "--no-such-flag", "x"],
    ] {
        let output = bundle.call(args);
        assert_ne!(output.code, 0, "{output}");
        assert!(!output.stderr.contains("panicked"), "{output}");
    }
}

#[test]
fn create_reports_an_absent_executable() {
    need_root!();
    let mut bundle = Bundle::new(&["true"]);
    bundle.args(&["x-none"]);
    bundle.create().exits(1).fails_with(&["exec: \"x-none\": executable file not found in $PATH"]);
    bundle.assert_clean();
}

#[test]
fn unknown_fields_and_capabilities_are_no_error() {
    need_root!();
    let mut bundle = Bundle::new(&["echo", "fine"]);
    bundle.set("/process/galaxy", json!(true)).set("/galaxy", json!({ "a": 1 }));
    bundle.set("/windows", json!({ "layerFolders": ["C:\\x"] })).set("/zos", json!({}));
    let output = bundle.run();
    assert_eq!(output.ok(), "fine\n");
    bundle.assert_clean();
    bundle.set("/process/capabilities/bounding", json!(["CAP_KILL", "CAP_GALAXY"]));
    if peer() != Peer::Crun {
        assert_eq!(bundle.run().ok(), "fine\n");
        bundle.assert_clean();
    }
}

#[test]
fn a_configuration_that_is_no_file_is_refused_in_time() {
    need_root!();
    use nix::sys::stat::Mode;
    differs!(Runc | Crun | Youki, "waits for a writer, or reads without end");
    let bundle = Bundle::new(&["true"]);
    bundle.write();
    let fifo = bundle.dir().join("fifo");
    nix::unistd::mkfifo(&fifo, Mode::from_bits_truncate(0o600)).expect("mkfifo");
    for path in [fifo.to_string_lossy().as_ref(), "/dev/zero", "/"] {
        bundle.call(&["run", "--bundle", &bundle.path(), "--config", path, &bundle.id]).exits(1);
        bundle.assert_clean();
    }
}
