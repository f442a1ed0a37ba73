//! `--strict`: what would be passed over or mended is an error, and all of it is told at once.

use std::fs;
use std::time::Duration;

use integration_tests::{
    Bundle, Cgroups, Output, Peer, Pty, apparmor_runs, need_root, peer, read_for, selinux_runs,
    skip,
};
use serde_json::{Value, json};

macro_rules! need_onggi {
    () => {
        need_root!();
        if peer() != Peer::Onggi {
            skip!("no other runtime has --strict");
        }
    };
}

fn run_strict(bundle: &Bundle) -> Output {
    bundle.write();
    bundle.call(&["--strict", "run", "--bundle", &bundle.path(), &bundle.id])
}

fn exec_strict(bundle: &Bundle, process: &Value) -> Output {
    let path = bundle.dir().join("process.json");
    fs::write(&path, process.to_string()).expect("write");
    bundle.call(&["--strict", "exec", "--process", &path.to_string_lossy(), &bundle.id])
}

/// A member, its value, and what is said of it.
fn rows() -> Vec<(&'static str, Value, &'static str)> {
    let seccomp = |names: Value| json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": names, "action": "SCMP_ACT_LOG"}]});
    vec![
        // What nobody knows.
        ("/galaxy", json!({"a": 1}), "/galaxy: unknown field"),
        ("/hostnam", json!("x"), "/hostnam: unknown field, did you mean \"hostname\"?"),
        (
            "/process/noNewPrivilege",
            json!(true),
            "/process/noNewPrivilege: unknown field, did you mean \"noNewPrivileges\"?",
        ),
        ("/process/user/UID", json!(0), "/process/user/UID: unknown field, did you mean \"uid\"?"),
        (
            "/mounts/0/option",
            json!(["ro"]),
            "/mounts/0/option: unknown field, did you mean \"options\"?",
        ),
        ("/linux/a~b", json!(1), "/linux/a~0b: unknown field"),
        (
            "/linux/noNewPrivileges",
            json!(true),
            "/linux/noNewPrivileges: unknown field here, did you mean \"/process/noNewPrivileges\"?",
        ),
        (
            "/linux/resources/memory",
            json!({"swapiness": 1}),
            "/linux/resources/memory/swapiness: unknown field, did you mean \"swappiness\"?",
        ),
        // What is another platform's.
        (
            "/windows",
            json!({"layerFolders": ["C:\\x"]}),
            "/windows: is ignored: it is of another platform",
        ),
        ("/solaris", json!({}), "/solaris: is ignored"),
        ("/vm", json!({"kernel": {"path": "/k"}}), "/vm: is ignored"),
        ("/zos", json!({}), "/zos: is ignored"),
        ("/freebsd", json!({}), "/freebsd: is ignored"),
        ("/process/commandLine", json!("sh"), "/process/commandLine: is ignored"),
        ("/process/user/username", json!("root"), "/process/user/username: is ignored"),
        // What is passed over.
        (
            "/process/capabilities/bounding",
            json!(["CAP_KILL", "CAP_GALAXY"]),
            "/process/capabilities/bounding/1: \"CAP_GALAXY\" is passed over",
        ),
        (
            "/process/capabilities/effective",
            json!(["CAP_KILL", "CAP_CHOWN"]),
            "/process/capabilities: CAP_CHOWN cannot be effective: it is not in the permitted set",
        ),
        (
            "/process/consoleSize",
            json!({"height": 1, "width": 1}),
            "/process/consoleSize: is ignored: there is no terminal",
        ),
        ("/process/user/umask", json!(0o7022), "/process/user/umask: 3602 (0o7022) has bits"),
        (
            "/linux/resources/memory",
            json!({"kernel": 1}),
            "/linux/resources/memory/kernel: is ignored",
        ),
        (
            "/linux/personality",
            json!({"domain": "LINUX", "flags": ["x"]}),
            "/linux/personality/flags: is ignored",
        ),
        (
            "/linux/seccomp",
            seccomp(json!(["read", "raed"])),
            "/linux/seccomp/syscalls/0/names/1: no architecture has a syscall \"raed\"",
        ),
        (
            "/mounts/0/destination",
            json!("proc"),
            "/mounts/0/destination: mount destination proc is not absolute",
        ),
        (
            "/process/env",
            json!(["PATH=/bin", "A=1", "B=1", "A=2"]),
            "/process/env/1: is ignored: A is set once more",
        ),
        // What is mended.
        ("/root/readonly", json!(null), "/root/readonly: null counts as absent"),
        ("/linux/seccomp", json!({"defaultAction": ""}), "/linux/seccomp: is passed over"),
        (
            "/linux/resources/devices/0/type",
            json!(""),
            "/linux/resources/devices/0/type: is passed over",
        ),
    ]
}

#[test]
fn each_is_refused_and_is_no_error_without() {
    need_onggi!();
    for (pointer, value, text) in rows() {
        let mut bundle = Bundle::new(&["echo", "fine"]);
        bundle.set(pointer, value);
        run_strict(&bundle)
            .exits(1)
            .fails_with(&["--strict: 1 place is not applied as written: ", text]);
        bundle.assert_clean();
        assert_eq!(bundle.run().ok(), "fine\n", "{pointer}");
    }
}

#[test]
fn all_are_told_at_once() {
    need_onggi!();
    let mut bundle = Bundle::new(&["echo", "fine"]);
    let rows = rows();
    // Of those that stand at the same place, the first.
    let mut used: Vec<(&str, Value, &str)> = Vec::new();
    for (pointer, value, text) in rows {
        if !used.iter().any(|(other, ..)| pointer.starts_with(other)) {
            bundle.set(pointer, value.clone());
            used.push((pointer, value, text));
        }
    }
    let texts: Vec<&str> = used.iter().map(|(.., text)| *text).collect();
    assert!(texts.len() > 20);
    let places = format!("--strict: {} places are not applied as written: ", texts.len());
    run_strict(&bundle).exits(1).fails_with(&[&[places.as_str()], texts.as_slice()].concat());
    // And an error behind them; the planner then has not come to all that it would warn of.
    let planned = |text: &&str| {
        text.starts_with("/process/capabilities: ") || text.contains("is not absolute")
    };
    let texts: Vec<&str> = texts.into_iter().filter(|text| !planned(text)).collect();
    bundle.set("/process/oomScoreAdj", json!(5000));
    let error = "; config.json: /process/oomScoreAdj: 5000 is not between -1000 and 1000";
    run_strict(&bundle).exits(1).fails_with(&[&[error], texts.as_slice()].concat());
    bundle.set("/process/args", json!(5));
    let error = "/process/args: invalid type: integer `5`, expected a sequence";
    run_strict(&bundle).exits(1).fails_with(&[&[error], texts.as_slice()].concat());
    bundle.assert_clean();
}

#[test]
fn what_is_applied_as_written_runs() {
    need_onggi!();
    let mut bundle = Bundle::new(&["echo", "fine"]);
    bundle.set("/annotations", json!({"anything": "goes", "windows": "too"}));
    bundle.set("/linux/sysctl", json!({"net.ipv4.ip_forward": "1"}));
    assert_eq!(run_strict(&bundle).ok(), "fine\n");
    // Also what `spec` writes.
    fs::remove_file(bundle.dir().join("config.json")).expect("remove");
    bundle.call(&["spec", "--bundle", &bundle.path()]).ok();
    let path = bundle.dir().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    config["process"]["terminal"] = json!(false);
    config["process"]["args"] = json!(["/runtimetest", "true"]);
    fs::write(&path, config.to_string()).expect("write");
    bundle.call(&["--strict", "run", "--bundle", &bundle.path(), &bundle.id]).ok();
    bundle.assert_clean();
}

#[test]
fn labels_of_absent_modules_are_refused() {
    need_onggi!();
    let mut bundle = Bundle::new(&["echo", "fine"]);
    let (has_apparmor, has_selinux) = (apparmor_runs(), selinux_runs());
    if has_apparmor && has_selinux {
        skip!("this kernel runs AppArmor and SELinux");
    }
    let mut texts = Vec::new();
    if !has_apparmor {
        bundle.set("/process/apparmorProfile", json!("galaxy"));
        texts.push("/process/apparmorProfile: is ignored: AppArmor is not enabled");
    }
    if !has_selinux {
        bundle.set("/process/selinuxLabel", json!("system_u:system_r:container_t:s0"));
        texts.push("/process/selinuxLabel: is ignored: SELinux is not enabled");
    }
    run_strict(&bundle).exits(1).fails_with(&texts);
    assert_eq!(bundle.run().ok(), "fine\n");
    bundle.assert_clean();
}

#[test]
fn settings_that_cgroup_v2_has_not() {
    need_onggi!();
    let mut bundle = Bundle::new(&["echo", "fine"]);
    bundle.set("/linux/resources/memory", json!({"swappiness": 10, "disableOOMKiller": true}));
    if Cgroups::detect().is_v1("memory") {
        assert_eq!(run_strict(&bundle).ok(), "fine\n");
    } else {
        let device = json!([{"major": 1, "minor": 3, "leafWeight": 20}]);
        bundle.set("/linux/resources/blockIO", json!({"leafWeight": 10, "weightDevice": device}));
        let text = "is ignored: cgroup v2 has no such setting";
        run_strict(&bundle).exits(1).fails_with(&[
            &format!("/linux/resources/memory/swappiness: {text}"),
            &format!("/linux/resources/memory/disableOOMKiller: {text}"),
            &format!("/linux/resources/blockIO/leafWeight: {text}"),
            &format!("/linux/resources/blockIO/weightDevice/0/leafWeight: {text}"),
        ]);
    }
    bundle.assert_clean();
}

#[test]
fn the_file_of_exec() {
    need_onggi!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let process = json!({
        "args": ["/runtimetest", "echo", "fine"], "cwd": "/", "user": {"uid": 0, "gid": 0},
        "env": ["A=b"], "terminal": false,
    });
    assert_eq!(exec_strict(&bundle, &process).ok(), "fine\n");
    let mut odd = process;
    odd["capabilities"] = json!({"bounding": ["CAP_GALAXY"], "Effective": []});
    odd["user"]["gids"] = json!([1]);
    exec_strict(&bundle, &odd).exits(255).fails_with(&[
        "--strict: 3 places are not applied as written: ",
        "/capabilities/Effective: unknown field, did you mean \"effective\"?",
        "/capabilities/bounding/0: \"CAP_GALAXY\" is passed over",
        "/user/gids: unknown field, did you mean \"gid\"?",
    ]);
    let path = bundle.dir().join("process.json");
    let output = bundle.call(&["exec", "--process", &path.to_string_lossy(), &bundle.id]);
    assert_eq!(output.ok(), "fine\n");
}

#[test]
fn the_documents_of_update_and_mounts() {
    need_onggi!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let path = bundle.dir().join("document.json");
    let call = |strict: &[&str], words: &[&str], document: Value| {
        fs::write(&path, document.to_string()).expect("write");
        let stdin = fs::File::open(&path).expect("open");
        bundle.call_with_stdin(&[strict, words].concat(), stdin.into())
    };
    let update = ["update", "-r", "-", &bundle.id];
    let odd = json!({"memory": {"kernel": 1, "limits": 5}, "pid": {"limit": 1}});
    call(&["--strict"], &update, odd.clone()).exits(1).fails_with(&[
        "--strict: 3 places are not applied as written: ",
        "/memory/kernel: is ignored",
        "/memory/limits: unknown field, did you mean \"limit\"?",
        "/pid: unknown field, did you mean \"pids\"?",
    ]);
    call(&[], &update, odd).ok();
    call(&["--strict"], &update, json!({"memory": {}})).ok();
    let kernel = ["update", "--kernel-memory", "1m", &bundle.id];
    call(&["--strict"], &kernel, json!({}))
        .exits(1)
        .fails_with(&["--strict: Kernel memory settings are ignored"]);

    let mounts = ["mounts", "add", &bundle.id, "-"];
    let odd = json!([{"destination": "/dev/shm", "type": "tmpfs", "src": "x"}]);
    let text = "/0/src: unknown field, did you mean \"source\"?";
    call(&["--strict"], &mounts, odd.clone()).exits(1).fails_with(&[text]);
    call(&[], &mounts, odd.clone()).ok();
    let remove = ["mounts", "remove", &bundle.id, "-"];
    call(&["--strict"], &remove, odd.clone()).exits(1).fails_with(&[text]);
    call(&[], &remove, odd).ok();
}

#[test]
fn a_log_gets_one_record_and_a_terminal_a_line_for_each() {
    need_onggi!();
    let mut bundle = Bundle::new(&["true"]);
    bundle.set("/galaxy", json!(1)).set("/nebula", json!(2));
    bundle.write();
    let log = bundle.dir().join("log.json");
    let path = log.to_string_lossy();
    let words = [
        "--strict",
        "--log",
        &path,
        "--log-format",
        "json",
        "create",
        "--bundle",
        &bundle.path(),
        &bundle.id,
    ];
    bundle.call(&words).exits(1);
    let text = fs::read_to_string(&log).expect("log");
    let record: Value = serde_json::from_str(&text).expect("one record");
    let message = record["msg"].as_str().unwrap_or_default();
    assert!(message.ends_with(": /galaxy: unknown field; /nebula: unknown field"), "{message}");
    assert_eq!(record["level"], "error");

    let pty = Pty::new(24, 200);
    let mut child = pty.spawn(&mut bundle.command(&[
        "--strict",
        "run",
        "--bundle",
        &bundle.path(),
        &bundle.id,
    ]));
    let shown = read_for(&pty.master, "nebula: unknown field", Duration::from_secs(10));
    child.wait().expect("wait");
    assert!(shown.contains("  /galaxy: unknown field\r\n  /nebula: unknown field"), "{shown:?}");
}
