//! `--log journald:NAME` and `--log syslog:NAME`, with sockets of the test's own in the places of the daemons'.

use integration_tests::{Bundle, Output, differs, need_root, run};
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
