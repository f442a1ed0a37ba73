//! Flags and output of the single verbs.

use integration_tests::{Bundle, Peer, differs, need_root, peer, skip, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[test]
fn kill_takes_every_spelling_of_a_signal() {
    need_root!();
    for signal in ["TERM", "SIGTERM", "15", "term", "sigterm"] {
        let bundle = Bundle::new(&["signal-wait"]);
        bundle.up().wait_log("ready");
        bundle.kill(signal);
        bundle.wait_log("SIGTERM");
        bundle.wait_status("stopped");
        bundle.delete();
    }
    let bundle = Bundle::new(&["signal-wait"]);
    bundle.up().wait_log("ready");
    bundle.call(&["kill", &bundle.id]).ok();
    bundle.wait_log("SIGTERM");
    bundle.delete();
}

#[test]
fn kill_with_an_unknown_signal_fails() {
    need_root!();
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.up();
    for signal in ["NOSUCH", "-1", "999"] {
        bundle.call(&["kill", &bundle.id, signal]).fails_with(&[]);
    }
    assert_eq!(bundle.status(), "running");
    bundle.delete();
}

#[test]
fn run_detached_returns_at_once() {
    need_root!();
    let bundle = Bundle::new(&["signal-wait"]);
    bundle.write();
    let pid_file = bundle.dir().join("pid");
    let path = bundle.path();
    let args = ["run", "-d", "-b", &path, "--pid-file", &pid_file.to_string_lossy(), &bundle.id];
    bundle.detached(&args).ok();
    bundle.wait_log("ready");
    let pid = fs::read_to_string(&pid_file).expect("read the pid file");
    assert_eq!(pid.parse::<i32>().ok(), Some(bundle.pid()), "decimal without newline: {pid:?}");
    bundle.kill("TERM");
    bundle.wait_status("stopped");
    bundle.call(&["delete", &bundle.id]).ok();
    bundle.assert_clean();
}

#[test]
fn run_keep_leaves_a_stopped_container() {
    need_root!();
    if bundle_lacks("run", "--keep") {
        skip!("this runtime has no run --keep");
    }
    let bundle = Bundle::new(&["true"]);
    bundle.run_with(&["--keep"]).ok();
    assert_eq!(bundle.status(), "stopped");
    bundle.call(&["delete", &bundle.id]).ok();
    bundle.assert_clean();
}

fn bundle_lacks(verb: &str, flag: &str) -> bool {
    let bundle = Bundle::new(&["true"]);
    let output = bundle.call(&[verb, "--help"]);
    !format!("{}{}", output.stdout, output.stderr).contains(flag)
}

#[test]
fn pid_file_is_there_when_create_returns() {
    need_root!();
    let bundle = Bundle::new(&["sleep", "60"]);
    let pid_file = bundle.dir().join("container.pid");
    bundle.create_with(&["--pid-file", &pid_file.to_string_lossy()]).ok();
    let text = fs::read_to_string(&pid_file).expect("read the pid file");
    assert_eq!(text.parse::<i32>().ok(), Some(bundle.pid()), "{text:?}");
    let mode = fs::metadata(&pid_file).map(|m| m.permissions().mode() & 0o022);
    assert_eq!(mode.ok(), Some(0), "the pid file is writable by others");
    bundle.delete();
}

#[test]
fn list_shows_containers() {
    need_root!();
    let bundle = Bundle::new(&["sleep", "60"]);
    if peer() == Peer::Onggi {
        // A root that was named and is not there may be a slip of the pen.
        bundle.call(&["list"]).exits(1).fails_with(&["no such file or directory"]);
    }
    fs::create_dir(bundle.state_root()).expect("mkdir");
    let empty = bundle.call(&["list", "-f", "json"]);
    assert!(["null", "[]"].contains(&empty.ok().trim()), "{empty}");
    bundle.up();
    let json = bundle.call(&["list", "--format", "json"]);
    let rows: Value = serde_json::from_str(json.ok()).expect("list -f json is JSON");
    assert_eq!(rows[0]["id"], bundle.id.as_str());
    assert_eq!(rows[0]["status"], "running");
    assert_eq!(rows[0]["bundle"], bundle.path());
    assert_eq!(rows[0]["pid"].as_i64(), Some(bundle.pid().into()));
    let table = bundle.call(&["list"]);
    let mut lines = table.ok().lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(head, ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    assert!(lines.next().is_some_and(|l| l.contains(&bundle.id) && l.contains("running")));
    assert_eq!(bundle.call(&["list", "-q"]).ok().trim(), bundle.id);
    bundle.delete();
}

#[test]
fn ps_shows_processes() {
    need_root!();
    let bundle = Bundle::new(&["fork-sleep", "60"]);
    bundle.up().wait_log("child");
    let json = bundle.call(&["ps", "--format", "json", &bundle.id]);
    let pids: Vec<i32> = serde_json::from_str(json.ok()).expect("ps -f json is a list of numbers");
    assert_eq!(pids.len(), 2, "{json}");
    assert!(pids.contains(&bundle.pid()));
    let table = bundle.call(&["ps", &bundle.id]);
    assert!(table.ok().lines().next().is_some_and(|l| l.contains("PID")), "{table}");
    assert_eq!(table.stdout.lines().count(), 3, "{table}");
    bundle.delete();
}

#[test]
fn version_has_the_lines_that_engines_read() {
    let bundle = Bundle::new(&["true"]);
    let output = integration_tests::run(
        std::process::Command::new(integration_tests::runtime()).arg("--version"),
    );
    let first = output.ok().lines().next().unwrap_or_default();
    assert!(first.contains(" version "), "{output}");
    assert!(output.stdout.lines().any(|l| l.starts_with("spec:")), "{output}");
    drop(bundle);
}

#[test]
fn features_is_json_with_the_required_members() {
    if peer() != Peer::Onggi {
        skip!("whether a peer has it hangs on its version");
    }
    let output = integration_tests::run(
        std::process::Command::new(integration_tests::runtime()).arg("features"),
    );
    let features: Value = serde_json::from_str(output.ok()).expect("features is JSON");
    for key in ["ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux"] {
        assert!(!features[key].is_null(), "no {key}: {features}");
    }
    for (list, item) in
        [("/hooks", "createRuntime"), ("/mountOptions", "rro"), ("/linux/namespaces", "user")]
    {
        let list = features.pointer(list).and_then(Value::as_array).cloned().unwrap_or_default();
        assert!(list.iter().any(|v| v == item), "{item} is not in {list:?}");
    }
}

#[test]
fn info_tells_of_this_host() {
    differs!(Runc | Crun | Youki, "their words are others, or they have none");
    let call = |words: &[&str]| {
        integration_tests::run(
            std::process::Command::new(integration_tests::runtime()).arg("info").args(words),
        )
    };
    let json = call(&["--format", "json"]);
    let info: Value = serde_json::from_str(json.ok()).expect("JSON");
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("read");
    assert_eq!(info["kernel"], release.trim());
    let namespaces = info["namespaces"].as_array().cloned().unwrap_or_default();
    for name in ["mnt", "pid", "user"] {
        let there = Path::new("/proc/self/ns").join(name).symlink_metadata().is_ok();
        assert_eq!(namespaces.iter().any(|n| n == name), there, "{name}: {namespaces:?}");
    }
    let v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    assert_eq!(info["cgroups"] == "v2", v2, "{}", info["cgroups"]);
    assert_eq!(info["systemd"], Path::new("/run/systemd/system").exists());
    assert!(info["memory"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{}", info["memory"]);
    // For people the same in lines.
    let lines = call(&[]);
    let line = format!("kernel:             {}", release.trim());
    assert!(lines.ok().lines().any(|found| found == line), "{lines}");
    call(&["--format", "xml"]).exits(1).fails_with(&["invalid format option"]);
}

#[test]
fn spec_makes_a_bundle_that_runs() {
    need_root!();
    let bundle = Bundle::new(&["true"]);
    bundle.call(&["spec", "--bundle", &bundle.path()]).ok();
    let text = fs::read(bundle.dir().join("config.json")).expect("spec wrote config.json");
    let mut config: Value = serde_json::from_slice(&text).expect("spec writes JSON");
    assert_eq!(config["process"]["args"], json!(["sh"]));
    bundle.call(&["spec", "--bundle", &bundle.path()]).fails_with(&["exist"]);
    config["process"]["args"] = json!(["/runtimetest", "echo", "from spec"]);
    config["process"]["terminal"] = json!(false);
    config["linux"]["cgroupsPath"] = json!(format!("/{}", bundle.id));
    fs::write(bundle.dir().join("config.json"), config.to_string()).expect("write config.json");
    assert_eq!(bundle.call(&["run", "--bundle", &bundle.path(), &bundle.id]).ok(), "from spec\n");
    bundle.assert_clean();
}

#[test]
fn bundle_is_the_working_directory_by_default() {
    need_root!();
    let bundle = Bundle::new(&["echo", "here"]);
    bundle.write();
    assert_eq!(bundle.call(&["run", &bundle.id]).ok(), "here\n");
    bundle.assert_clean();
}

/// A program that cannot be executed is told of in one bare line, as a shell does; the log has a record.
#[test]
fn a_program_that_cannot_be_executed() {
    need_root!();
    differs!(Crun | Youki, "has other words");
    let bundle = Bundle::new(&["true"]);
    let script = bundle.rootfs().join("run.sh");
    fs::write(&script, "#!/no/such/interpreter\n").expect("write");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("chmod");
    let mut bundle = bundle;
    bundle.args(&["/run.sh"]);
    let output = bundle.run();
    assert_eq!(output.stderr, "exec /run.sh: no such file or directory\n", "{output}");
    assert_ne!(output.code, 0);
    if peer() != Peer::Onggi {
        return;
    }
    let log = bundle.dir().join("records");
    let words = ["--log", &log.to_string_lossy(), "run", "--bundle", &bundle.path(), &bundle.id];
    bundle.call(&words).exits(1);
    let record = fs::read_to_string(&log).expect("read");
    assert!(record.contains("msg=\"onggi run failed: exec /run.sh: no such file"), "{record}");
    bundle.assert_clean();
}

/// Containers with ids that begin with the bundle's own, made from the same bundle.
fn several(bundle: &mut Bundle, names: &[&str]) -> Vec<String> {
    let ids: Vec<String> = names.iter().map(|name| format!("{}-{name}", bundle.id)).collect();
    for id in &ids {
        bundle.set("/linux/cgroupsPath", json!(format!("/{id}")));
        bundle.write();
        bundle.detached(&["create", "--bundle", &bundle.path(), id]).ok();
        bundle.call(&["start", id]).ok();
    }
    ids
}

fn statuses(bundle: &Bundle) -> Vec<String> {
    let rows: Value = serde_json::from_str(bundle.call(&["list", "-f", "json"]).ok())
        .expect("list -f json is JSON");
    let rows = rows.as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row["status"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn kill_and_delete_by_regular_expression() {
    need_root!();
    differs!(Runc | Youki, "has no --regex");
    let mut bundle = Bundle::new(&["sleep", "60"]);
    let ids = several(&mut bundle, &["a1", "a2", "b1"]);
    let pattern = format!("^{}-a[0-9]+$", bundle.id);
    bundle.call(&["kill", "--regex", &pattern, "KILL"]).ok();
    wait_until("two to stop", || statuses(&bundle) == ["stopped", "stopped", "running"]);
    // Those that have stopped are passed over; no match is no failure.
    bundle.call(&["kill", "-r", &pattern, "KILL"]).ok();
    bundle.call(&["kill", "--regex", "^nothing$"]).ok();
    bundle.call(&["delete", "--regex", &pattern]).ok();
    assert_eq!(statuses(&bundle), ["running"]);
    bundle.call(&["delete", "--regex", "^nothing$"]).ok();
    if peer() == Peer::Onggi {
        let all = format!("^{}-", bundle.id);
        bundle.call(&["delete", "--regex", &all]).exits(1).fails_with(&["not stopped", &ids[2]]);
        let broken = bundle.call(&["delete", "--regex", "("]);
        broken.exits(1).fails_with(&["invalid regular expression"]);
        bundle.call(&["delete", "--force", "--regex", &all]).ok();
        assert!(statuses(&bundle).is_empty());
    } else {
        bundle.call(&["delete", "--force", &ids[2]]).ok();
    }
    bundle.assert_clean();
}

#[test]
fn state_of_several_containers() {
    need_root!();
    differs!(Runc | Crun | Youki, "shows one at a time");
    let mut bundle = Bundle::new(&["sleep", "60"]);
    let ids = several(&mut bundle, &["a", "b"]);
    let output = bundle.call(&["state", &ids[1], &ids[0]]);
    let rows: Value = serde_json::from_str(output.ok()).expect("a list");
    assert_eq!([&rows[0]["id"], &rows[1]["id"]], [ids[1].as_str(), ids[0].as_str()]);
    let one: Value =
        serde_json::from_str(bundle.call(&["state", &ids[0]]).ok()).expect("an object");
    assert_eq!(rows[1], one);
    // What is there is shown all the same.
    let output = bundle.call(&["state", &ids[0], "nobody"]);
    output.exits(1).fails_with(&["nobody: container does not exist"]);
    let rows: Value = serde_json::from_str(&output.stdout).expect("a list");
    assert_eq!(rows, json!([one]));
    bundle.call(&["delete", "--force", "--regex", "."]).ok();
    bundle.assert_clean();
}

#[test]
fn checkpoint_and_restore_say_that_they_are_not_there() {
    need_root!();
    differs!(Runc | Crun | Youki, "may have them");
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.up();
    let lines = [
        "checkpoint --image-path I --work-path W --parent-path P --tcp-established --ext-unix-sk \
         --shell-job --page-server A --file-locks --manage-cgroups-mode soft --empty-ns network \
         --empty-ns pid --lazy-pages --status-fd 3 --leave-running --pre-dump --auto-dedup \
         --tcp-skip-in-flight --link-remap --network-lock=skip",
        "restore --image-path I --work-path W --parent-path P --detach --pid-file P \
         --console-socket S --no-pivot -no-subreaper --bundle B --lsm-profile=selinux:x \
         --lsm-mount-context=y --tcp-close --no-new-keyring -b=B -d",
    ];
    for line in lines {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        words.push(&bundle.id);
        let wanted = format!("{} is not part of this version of onggi", words[0]);
        bundle.call(&words).exits(1).fails_with(&[&wanted]);
    }
    assert_eq!(bundle.status(), "running");
    bundle.delete();
}

#[test]
fn spec_writes_to_another_file() {
    differs!(Runc | Youki, "has no such flag");
    let bundle = Bundle::new(&["true"]);
    bundle.call(&["spec", "--bundle", &bundle.path(), "-f", "other.json"]).ok();
    let text = fs::read(bundle.dir().join("other.json")).expect("the file is there");
    assert!(serde_json::from_slice::<Value>(&text).is_ok());
    assert!(!bundle.dir().join("config.json").exists());
}
