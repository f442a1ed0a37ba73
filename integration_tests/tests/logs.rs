//! `--log`: files and their records; `journald:NAME` and `syslog:NAME`, with sockets of the test's own in the places of
//! the daemons'.

use integration_tests::{Bundle, Output, differs, need_root, run};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

/// Calls the runtime in a mount namespace in which /run/systemd/journal and /dev lead to a directory of the test.
fn call(bundle: &Bundle, args: &str) -> Output {
    let dir = bundle.path();
    let line = format!(
        "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd && ln -s '{dir}/journal' /run/systemd/journal &&
         mount -t tmpfs tmpfs /dev && ln -s '{dir}/log' /dev/log && exec {} {args}",
        bundle.command_line(),
    );
    run(Command::new("unshare").args(["--mount", "sh", "-c", &line]))
}

fn listen(bundle: &Bundle, name: &str) -> UnixDatagram {
    let path = bundle.dir().join(name);
    fs::create_dir_all(path.parent().expect("a name in a directory")).expect("make its directory");
    let socket = UnixDatagram::bind(&path).expect("listen");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("set the deadline");
    socket
}

fn receive(socket: &UnixDatagram) -> String {
    let mut buffer = [0_u8; 4096];
    let length = socket.recv(&mut buffer).expect("a datagram within five seconds");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn journald_gets_a_native_message() {
    need_root!();
    differs!(Runc | Crun | Youki, "has another form, or none");
    let bundle = Bundle::new(&["true"]);
    let socket = listen(&bundle, "journal/socket");
    let output = call(&bundle, "--log journald:engine state nobody");
    output.exits(1);
    assert_eq!(output.stderr, "container does not exist\n");
    let wanted = "PRIORITY=3\nSYSLOG_IDENTIFIER=engine\nMESSAGE=container does not exist\n";
    assert_eq!(receive(&socket), wanted);
    // The format is that of files; the journal has its own.
    call(&bundle, "--log=journald: --log-format json state nobody").exits(1);
    assert!(receive(&socket).starts_with("PRIORITY=3\nSYSLOG_IDENTIFIER=onggi\nMESSAGE=container"));
    call(&bundle, "--log journald: --debug delete --force nobody").exits(0);
    assert!(receive(&socket).starts_with("PRIORITY=7\n"));
}

#[test]
fn syslog_gets_a_line() {
    need_root!();
    differs!(Runc | Crun | Youki, "has another form, or none");
    let bundle = Bundle::new(&["true"]);
    let socket = listen(&bundle, "log");
    call(&bundle, "--log syslog:engine state nobody").exits(1);
    let line = receive(&socket);
    let (head, message) = line.split_once("]: ").expect(&line);
    assert!(head.starts_with("<27>engine["), "{line}");
    assert_eq!(message, "container does not exist");
}

#[test]
fn nobody_listening_is_no_failure_of_its_own() {
    need_root!();
    differs!(Runc | Crun | Youki, "has another form, or none");
    let bundle = Bundle::new(&["true"]);
    for target in ["journald:x", "syslog:x"] {
        call(&bundle, &format!("--log {target} delete --force nobody")).exits(0);
        let output = call(&bundle, &format!("--log {target} state nobody"));
        assert_eq!(output.exits(1).stderr, "container does not exist\n");
    }
}

#[test]
fn a_file_may_be_called_one() {
    need_root!();
    differs!(Runc | Youki, "knows no kinds of logs");
    let bundle = Bundle::new(&["true"]);
    let path = bundle.dir().join("file.log");
    let target = format!("file:{}", path.display());
    bundle.call(&["--log", &target, "state", "nobody"]).exits(1);
    assert!(fs::read_to_string(&path).is_ok_and(|text| text.lines().count() == 1));
}

#[test]
fn log_file_gets_the_error_as_one_json_object() {
    need_root!();
    let mut bundle = Bundle::new(&["true"]);
    bundle.args(&["/no/such/program"]);
    bundle.write();
    let log = bundle.dir().join("log.json");
    let path = bundle.path();
    let args = [
        "--log",
        &log.to_string_lossy(),
        "--log-format",
        "json",
        "run",
        "--bundle",
        &path,
        &bundle.id,
    ];
    bundle.call(&args).fails_with(&[]);
    let text = fs::read_to_string(&log).expect("the log file is made");
    let rows: Vec<Value> =
        text.lines().map(|l| serde_json::from_str(l).expect("every line is JSON")).collect();
    let errors: Vec<_> = rows.iter().filter(|r| r["level"] == "error").collect();
    assert_eq!(errors.len(), 1, "{text}");
    assert!(
        errors[0]["msg"].as_str().is_some_and(|m| m.contains("no such file or directory")),
        "{text}"
    );
    assert!(errors[0]["time"].is_string(), "{text}");
    bundle.assert_clean();
}

/// What reads runc's debug log finds its steps here, too.
#[test]
fn debug_log_names_the_steps() {
    need_root!();
    differs!(Crun | Youki, "has other words");
    let mut bundle = Bundle::new(&["sleep", "1000"]);
    bundle.set(
        "/linux/seccomp",
        json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        { "names": ["mkdirat"], "action": "SCMP_ACT_ERRNO" }] }),
    );
    bundle.write();
    let log = bundle.dir().join("records");
    let path = log.to_string_lossy().into_owned();
    let run = ["--log", &path, "--debug", "run", "-d", "--bundle", &bundle.path(), &bundle.id];
    let output = bundle.detached(&run);
    output.ok();
    let text = fs::read_to_string(&log).expect("read");
    let steps = [
        "seccomp filter flags: 4",
        "nsexec container setup",
        "child process in init()",
        "init: closing the pipe to signal completion",
    ];
    assert!(steps.iter().all(|step| text.contains(step)), "{text}");
    fs::remove_file(&log).expect("remove");
    let exec = ["--log", &path, "--debug", "exec", &bundle.id, "/runtimetest", "true"];
    bundle.call(&exec).ok();
    let text = fs::read_to_string(&log).expect("read");
    assert!(text.contains("nsexec container setup") && text.contains("setns_init: about to exec"));
    fs::remove_file(&log).expect("remove");
    bundle.call(&["--log", &path, "exec", &bundle.id, "/runtimetest", "true"]).ok();
    assert_eq!(fs::read_to_string(&log).unwrap_or_default(), "");
    bundle.delete();
}
