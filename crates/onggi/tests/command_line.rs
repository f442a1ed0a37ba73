//! The built command from outside: pages, wrong command lines, log files, exit codes.

#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A directory of the test's own, removed at its end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("make a directory for the test");
        Self(dir)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().expect("target directory is text")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn onggi<T: AsRef<OsStr>>(words: &[T]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_onggi"))
        .args(words)
        .stdin(Stdio::null())
        .env_remove("XDG_RUNTIME_DIR")
        .output()
        .expect("run onggi")
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("standard output is text")
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("standard error is text")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("ended by itself")
}

/// The message of a text record.
fn message(line: &str) -> &str {
    let (time, rest) = line.split_once(" level=error msg=").expect(line);
    assert!(time.starts_with("time=\"20") && time.ends_with("Z\""), "{line}");
    rest
}

#[test]
fn help_is_printed_and_is_no_failure() {
    let page = onggi(&["--help"]);
    assert_eq!(code(&page), 0);
    assert_eq!(err(&page), "");
    for part in
        ["NAME:", "USAGE:", "COMMANDS:", "GLOBAL OPTIONS:", "   create ", "--systemd-cgroup"]
    {
        assert!(out(&page).contains(part), "{part}");
    }
    let none: [&str; 0] = [];
    for words in [&none[..], &["-h"], &["-help"], &["help"], &["h"], &["--debug", "--help"]] {
        assert_eq!(out(&onggi(words)), out(&page), "{words:?}");
    }
}

#[test]
fn every_verb_has_a_page() {
    let verbs = [
        "checkpoint",
        "completion",
        "create",
        "delete",
        "events",
        "exec",
        "features",
        "kill",
        "list",
        "mounts",
        "pause",
        "ps",
        "restore",
        "resume",
        "run",
        "spec",
        "start",
        "state",
        "update",
        "wait",
    ];
    for verb in verbs {
        let page = onggi(&[verb, "--help"]);
        assert_eq!(code(&page), 0, "{verb}");
        assert!(out(&page).contains(&format!("onggi {verb} [command options]")), "{verb}");
        assert!(out(&page).contains("-h, --help"), "{verb}");
        assert_eq!(out(&onggi(&["help", verb])), out(&page));
        assert_eq!(out(&onggi(&[verb, "-h", "too", "many", "words"])), out(&page), "{verb}");
    }
}

#[test]
fn version_as_docker_reads_it() {
    for words in [["--version"], ["-v"], ["-V"], ["-version"]] {
        let version = onggi(&words);
        assert_eq!(code(&version), 0);
        let mut lines = out(&version).lines();
        assert_eq!(lines.next(), Some(concat!("onggi version ", env!("CARGO_PKG_VERSION"))));
        assert_eq!(lines.next_back(), Some("spec: 1.3.0"));
    }
}

#[test]
fn unknown_flags() {
    for words in [["--criu", "x"], ["create", "-criu"], ["state", "--criu=x"]] {
        let output = onggi(&words);
        assert_eq!(code(&output), 1, "{words:?}");
        assert_eq!(out(&output), "");
        let mut lines = err(&output).lines();
        let first = message(lines.next().unwrap());
        assert_eq!(first, "\"flag provided but not defined: -criu\"");
        assert!(lines.next().unwrap().starts_with("Incorrect usage; see \"onggi "));
        assert_eq!(lines.next(), None);
    }
}

#[test]
fn unknown_verb() {
    for words in [["bogus"].as_slice(), &["help", "bogus"]] {
        let output = onggi(words);
        assert_eq!(code(&output), 3);
        assert_eq!(message(err(&output).trim_end()), "\"No help topic for 'bogus'\"");
    }
}

#[test]
fn missing_and_superfluous_words() {
    for (words, want) in [
        (["create"].as_slice(), r#""onggi: \"create\" requires exactly 1 argument(s)""#),
        (&["state"], r#""onggi: \"state\" requires a minimum of 1 argument(s)""#),
        (&["start", "a", "b"], r#""onggi: \"start\" requires exactly 1 argument(s)""#),
        (&["kill"], r#""onggi: \"kill\" requires a minimum of 1 argument(s)""#),
        (&["kill", "a", "9", "x"], r#""onggi: \"kill\" requires a maximum of 2 argument(s)""#),
        (&["exec"], r#""onggi: \"exec\" requires a minimum of 1 argument(s)""#),
        (&["list", "a"], r#""onggi: \"list\" requires exactly 0 argument(s)""#),
        (&["list", "--format"], r#""flag needs an argument: -format""#),
    ] {
        let output = onggi(words);
        assert_eq!(code(&output), 1, "{words:?}");
        assert_eq!(message(err(&output).lines().next().unwrap()), want);
    }
}

#[test]
fn failures_of_exec_are_told_from_its_command() {
    let dir = Dir::new("exec");
    let root = dir.path("root");
    let output = onggi(&["--root", &root, "exec", "nobody", "true"]);
    assert_eq!(code(&output), 255);
    assert_eq!(message(err(&output).trim_end()), "\"exec failed: container does not exist\"");
    let output = onggi(&["--root", &root, "exec", "nobody"]);
    assert_eq!(code(&output), 255);
    assert_eq!(message(err(&output).trim_end()), "\"exec failed: exec args cannot be empty\"");
}

#[test]
fn ids_are_narrow() {
    for id in ["", ".", "..", "a/b", "a b", "a\nb", "ü"] {
        for words in [["state", id], ["start", id], ["pause", id], ["delete", id]] {
            let output = onggi(&words);
            assert_eq!(code(&output), 1, "{words:?}");
            assert!(err(&output).contains("container id"), "{words:?}: {}", err(&output));
            assert_eq!(err(&output).lines().count(), 1);
        }
    }
    let output = onggi(&["create", "../x"]);
    assert_eq!(
        message(err(&output).trim_end()),
        r#""onggi create failed: invalid container id format: \"../x\"""#
    );
}

#[test]
fn signals_are_checked() {
    let output = onggi(&["kill", "nobody", "SIGFOO"]);
    assert_eq!(code(&output), 1);
    assert_eq!(message(err(&output).trim_end()), r#""unknown signal \"SIGFOO\"""#);
}

#[test]
fn json_log_gets_one_object_for_each_failure() {
    let dir = Dir::new("json");
    let (log, root) = (dir.path("log.json"), dir.path("root"));
    let run = |words: &[&str]| {
        let globals = ["--root", &root, "--log", &log, "--log-format", "json"];
        onggi(&[&globals, words].concat())
    };
    let output = run(&["state", "nobody"]);
    assert_eq!(code(&output), 1);
    assert_eq!(err(&output), "container does not exist\n");
    let text = fs::read_to_string(&log).unwrap();
    let record: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
    assert_eq!(record["level"], "error");
    assert_eq!(record["msg"], "container does not exist");
    assert_eq!(record["time"].as_str().unwrap().len(), "2026-01-02T03:04:05Z".len());
    assert!(text.starts_with("{\"level\":\"error\",\"msg\":\"") && text.ends_with("\"}\n"));

    // A success adds nothing, not even a line end.
    assert_eq!(code(&run(&["delete", "--force", "nobody"])), 0);
    assert_eq!(fs::read_to_string(&log).unwrap(), text);

    // The next failure is appended, and so is a wrong command line.
    run(&["state", "nobody"]);
    run(&["state", "--bogus", "nobody"]);
    let lines: Vec<serde_json::Value> = fs::read_to_string(&log)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON on every line"))
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2]["msg"], "flag provided but not defined: -bogus");
}

#[test]
fn json_without_a_file_keeps_standard_error_json() {
    for words in [["--log-format=json", "state", "a/b"], ["--log-format=json", "state", "--bogus"]]
    {
        let output = onggi(&words);
        let record: serde_json::Value = serde_json::from_str(err(&output)).expect("one object");
        assert_eq!(record["level"], "error");
    }
}

#[test]
fn text_log() {
    let dir = Dir::new("text");
    let (log, root) = (dir.path("log"), dir.path("root"));
    let output = onggi(&["--root", &root, "--log", &log, "start", "nobody"]);
    assert_eq!(err(&output), "container does not exist\n");
    let text = fs::read_to_string(&log).unwrap();
    assert_eq!(message(text.trim_end()), "\"container does not exist\"");
}

#[test]
fn debug_writes_more() {
    let dir = Dir::new("debug");
    let (log, root) = (dir.path("log"), dir.path("root"));
    let words = ["--root", &root, "--debug", "--log", &log, "delete", "-f", "nobody"];
    assert_eq!(code(&onggi(&words)), 0);
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.lines().count() >= 2);
    assert!(text.lines().all(|line| line.contains(" level=debug msg=")), "{text}");
}

#[test]
fn bad_global_options() {
    let dir = Dir::new("globals");
    let missing = dir.path("no/such/log");
    for (words, want) in [
        (
            ["--log-format", "xml", "list"].as_slice(),
            r#"invalid log-format: \"xml\" is none of text, json"#,
        ),
        (&["--log-level", "loud", "list"], r#"invalid log-level: \"loud\" is none of "#),
        (&["--rootless", "maybe", "list"], "invalid rootless"),
        (&["--cgroup-manager", "x", "list"], "invalid cgroup-manager"),
        (&["--root", "/", "list"], "option --root must not be /"),
        (&["--root=", "list"], "option --root must not be empty"),
        (&["--log", &missing, "list"], "no such file or directory"),
    ] {
        let output = onggi(words);
        assert_eq!(code(&output), 1, "{words:?}");
        assert!(err(&output).contains(want), "{words:?}: {}", err(&output));
        assert_eq!(out(&output), "");
    }
}

#[test]
fn accepted_global_options() {
    let dir = Dir::new("accepted");
    let root = format!("-root={}", dir.path("."));
    for words in [
        ["--rootless", "true"].as_slice(),
        &["--rootless=false"],
        &["--rootless", "auto"],
        &["--systemd-cgroup"],
        &["--systemd-cgroup=false"],
        &["--cgroup-manager", "disabled"],
        &["--log-level", "warning"],
        &["--log="],
    ] {
        let words = [&[root.as_str()], words, &["list", "-q"]].concat();
        let output = onggi(&words);
        assert_eq!((code(&output), err(&output)), (0, ""), "{words:?}");
    }
}

#[test]
fn empty_list() {
    let dir = Dir::new("list");
    let root = dir.path("root");
    // A root that was named and is not there may be a slip of the pen.
    let missing = onggi(&["--root", &root, "list"]);
    assert_eq!((code(&missing), out(&missing)), (1, ""));
    assert!(err(&missing).contains("no such file or directory"), "{}", err(&missing));
    fs::create_dir(&root).unwrap();
    let table = onggi(&["--root", &root, "list"]);
    assert_eq!(out(&table), "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
    assert_eq!(out(&onggi(&["--root", &root, "list", "-f", "json"])), "null\n");
    assert_eq!(out(&onggi(&["--root", &root, "list", "-q"])), "");
    assert_eq!(code(&onggi(&["--root", &root, "list", "-f", "xml"])), 1);
}

#[test]
fn spec_writes_once() {
    let dir = Dir::new("spec");
    let bundle = dir.path(".");
    assert_eq!(code(&onggi(&["spec", "--bundle", &bundle])), 0);
    let config = fs::read_to_string(dir.path("config.json")).unwrap();
    assert!(config.starts_with("{\n\t\"ociVersion\": \"1.3.0\",\n"));
    let again = onggi(&["spec", "-b", &bundle, "--rootless"]);
    assert_eq!(code(&again), 1);
    assert!(err(&again).contains("exists"));
    assert_eq!(fs::read_to_string(dir.path("config.json")).unwrap(), config);
}

#[test]
fn features_are_json() {
    let output = onggi(&["features"]);
    assert_eq!(code(&output), 0);
    let value: serde_json::Value = serde_json::from_str(out(&output)).unwrap();
    assert_eq!(value["ociVersionMax"], "1.3.0");
    assert_eq!(value["linux"]["seccomp"]["enabled"], true);
}

#[test]
fn closed_standard_output_is_a_failure_not_a_crash() {
    let (reader, writer) = std::io::pipe().expect("make a pipe");
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_onggi"))
        .arg("features")
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .expect("run onggi");
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("broken pipe"), "{}", err(&output));
}

/// Who looks for runc by its name finds it.
#[test]
fn called_as_runc() {
    let dir = Dir::new("as-runc");
    let name = dir.path("runc");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_onggi"), &name).unwrap();
    let call = |words: &[&str]| Command::new(&name).args(words).output().expect("run");
    let output = call(&["--version"]);
    assert!(out(&output).starts_with("runc version 0."), "{}", out(&output));
    let output = call(&["--help"]);
    assert!(out(&output).starts_with("NAME:\n   runc - Open Container Initiative runtime\n"));
    let output = call(&["delete", "--help"]);
    assert!(out(&output).contains("\n   runc delete [command options]"), "{}", out(&output));
    let output = call(&["run", "-b", &dir.path("none"), "id"]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("runc run failed: "), "{}", err(&output));
    let output = call(&["start"]);
    assert!(err(&output).contains("runc: \\\"start\\\" requires exactly 1"), "{}", err(&output));
    assert!(out(&onggi(&["--version"])).starts_with("onggi version "));
}
