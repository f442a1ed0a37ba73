//! Terminals: through a console socket, and in the foreground.

use integration_tests::{Bundle, ConsoleSocket, Pty, differs, need_root, read_for, run};
use serde_json::json;
use std::io::Write;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

#[test]
fn console_socket_gets_a_master() {
    need_root!();
    let mut bundle = Bundle::new(&["cat"]);
    bundle.set("/process/terminal", json!(true));
    let socket = ConsoleSocket::new(bundle.dir(), "c.sock");
    bundle.create_with(&["--console-socket", &socket.path()]).ok();
    let mut master = socket.master();
    bundle.start();
    master.write_all(b"typed\n").expect("write");
    // Once by the terminal's echo, once by cat.
    let text = read_for(&master, "typed\r\ntyped\r\n", SOON);
    assert!(text.contains("typed\r\ntyped\r\n"), "{text:?}");
    master.write_all(b"\x04").expect("write");
    bundle.wait_status("stopped");
    bundle.delete();
}

#[test]
fn everything_is_seen_from_inside() {
    need_root!();
    let mut bundle = Bundle::check();
    bundle
        .set("/process/terminal", json!(true))
        .set("/process/consoleSize", json!({ "height": 31, "width": 113 }));
    let socket = ConsoleSocket::new(bundle.dir(), "c.sock");
    bundle.create_with(&["--console-socket", &socket.path()]).ok();
    let master = socket.master();
    bundle.start();
    let text = read_for(&master, " failed", SOON);
    let bad: Vec<&str> = text.lines().filter(|l| l.starts_with("not ok")).collect();
    assert!(bad.is_empty() && text.contains(" 0 failed"), "{}\n{text}", bad.join("\n"));
    bundle.delete();
}

#[test]
fn run_detached_with_a_console_socket() {
    need_root!();
    let mut bundle = Bundle::new(&["tty"]);
    bundle.set("/process/terminal", json!(true));
    bundle.write();
    let socket = ConsoleSocket::new(bundle.dir(), "c.sock");
    bundle
        .call(&[
            "run",
            "-d",
            "--bundle",
            &bundle.path(),
            "--console-socket",
            &socket.path(),
            &bundle.id,
        ])
        .ok();
    let text = read_for(&socket.master(), "\n", SOON);
    assert!(text.contains("/dev/pts/0"), "{text:?}");
    bundle.delete();
}

#[test]
fn terminal_and_socket_must_agree() {
    need_root!();
    differs!(Crun | Youki, "ignores it");
    let mut bundle = Bundle::new(&["true"]);
    let socket = ConsoleSocket::new(bundle.dir(), "c.sock");
    bundle.create_with(&["--console-socket", &socket.path()]).exits(1).fails_with(&[]);
    bundle.assert_clean();
    bundle.set("/process/terminal", json!(true));
    bundle.create().exits(1).fails_with(&["console"]);
    bundle.assert_clean();
    bundle.create_with(&["--console-socket", "/no/such/socket"]).exits(1).fails_with(&[]);
    bundle.assert_clean();
}

#[test]
fn foreground_uses_the_callers_terminal() {
    need_root!();
    let mut bundle = Bundle::new(&["tty"]);
    bundle.set("/process/terminal", json!(true));
    bundle.write();
    let pty = Pty::new(40, 120);
    let mut child =
        pty.spawn(&mut bundle.command(&["run", "--bundle", &bundle.path(), &bundle.id]));
    let text = read_for(&pty.master, "\n", SOON);
    assert!(text.contains("/dev/pts/0"), "{text:?}");
    assert!(child.wait().expect("wait").success());
    bundle.assert_clean();
}

#[test]
fn foreground_takes_over_size_and_input() {
    need_root!();
    let mut bundle = Bundle::new(&["all", "echo", "ready", "--", "cat", "--", "tty"]);
    bundle.set("/process/terminal", json!(true));
    bundle.write();
    let mut pty = Pty::new(40, 120);
    let mut child =
        pty.spawn(&mut bundle.command(&["run", "--bundle", &bundle.path(), &bundle.id]));
    assert!(read_for(&pty.master, "ready", SOON).contains("ready"));
    pty.master.write_all(b"hello\n").expect("write");
    assert!(read_for(&pty.master, "hello\r\nhello\r\n", SOON).contains("hello"));
    pty.master.write_all(b"\x04").expect("write");
    let text = read_for(&pty.master, "120", SOON);
    assert!(text.contains("40x120"), "{text:?}");
    assert!(child.wait().expect("wait").success());
    bundle.assert_clean();
}

#[test]
fn interrupt_key_reaches_the_container() {
    need_root!();
    let mut bundle = Bundle::new(&["signal-wait"]);
    bundle.set("/process/terminal", json!(true));
    bundle.write();
    let mut pty = Pty::new(24, 80);
    let mut child =
        pty.spawn(&mut bundle.command(&["run", "--bundle", &bundle.path(), &bundle.id]));
    assert!(read_for(&pty.master, "ready", SOON).contains("ready"));
    pty.master.write_all(b"\x03").expect("write");
    let text = read_for(&pty.master, "SIGINT", SOON);
    assert!(text.contains("SIGINT"), "{text:?}");
    assert!(child.wait().expect("wait").success());
}

#[test]
fn exec_with_a_terminal_in_the_foreground() {
    need_root!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let pty = Pty::new(33, 99);
    let mut child =
        pty.spawn(&mut bundle.command(&["exec", "-t", &bundle.id, "/runtimetest", "tty"]));
    let text = read_for(&pty.master, "\n", SOON);
    assert!(text.contains("/dev/pts/"), "{text:?}");
    assert!(child.wait().expect("wait").success());
    bundle.delete();
}

#[test]
fn container_of_another_user_owns_its_terminal() {
    need_root!();
    let mut bundle = Bundle::new(&[
        "all",
        "stat",
        "/dev/pts/0",
        "--",
        "open-write",
        "/dev/pts/0",
        "/dev/stdout",
    ]);
    bundle
        .set("/process/terminal", json!(true))
        .set("/process/user", json!({ "uid": 1000, "gid": 1000 }));
    let socket = ConsoleSocket::new(bundle.dir(), "c.sock");
    bundle.create_with(&["--console-socket", &socket.path()]).ok();
    let master = socket.master();
    bundle.start();
    let text = read_for(&master, "/dev/stdout opened", SOON);
    assert!(
        text.contains("/dev/pts/0 c 620 1000 ") && text.contains("/dev/pts/0 opened"),
        "{text:?}"
    );
    bundle.delete();
}

/// Neither side of the copying may wait for the other.
#[test]
fn input_that_nobody_reads_does_not_hold_up_the_end() {
    need_root!();
    let mut bundle = Bundle::new(&["sleep", "1"]);
    bundle.set("/process/terminal", json!(true));
    bundle.write();
    let line = format!(
        "head -c 300000 /dev/zero | tr '\\0' 'y' | timeout 10 {} run --bundle '{}' {} >/dev/null",
        bundle.command_line(),
        bundle.path(),
        bundle.id
    );
    let output = run(std::process::Command::new("bash")
        .args(["-c", &line])
        .env("ONGGI_TEST_ID", &bundle.id));
    output.exits(0);
    bundle.assert_clean();
}

/// What goes to a pipe or a file is what the program wrote; a terminal gets its line ends from itself.
#[test]
fn output_that_goes_elsewhere_has_plain_line_ends() {
    need_root!();
    differs!(
        Runc | Crun | Youki,
        "wants a terminal, or passes on what the container's makes of it"
    );
    let mut bundle = Bundle::new(&["all", "echo", "one", "--", "echo", "two"]);
    bundle.set("/process/terminal", json!(true));
    // The program may be faster than the runtime: more than once.
    for _ in 0..10 {
        assert_eq!(bundle.run().ok(), "one\ntwo\n");
    }
    bundle.set("/process/terminal", json!(false)).args(&["/runtimetest", "sleep", "100"]);
    bundle.up();
    assert_eq!(bundle.exec_with(&["--tty"], &["echo", "exec"]).ok(), "exec\n");
    bundle.delete();
}

/// Whoever starts the listener and the runtime one right after the other must not find it too fast.
#[test]
fn console_socket_may_come_a_little_later() {
    need_root!();
    differs!(Runc | Crun | Youki, "is only slower");
    let mut bundle = Bundle::new(&["tty"]);
    bundle.set("/process/terminal", json!(true));
    bundle.write();
    let path = bundle.dir().join("c.sock").to_string_lossy().into_owned();
    std::thread::scope(|scope| {
        let late = scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            let socket = ConsoleSocket::new(bundle.dir(), "c.sock");
            read_for(&socket.master(), "\n", SOON)
        });
        bundle.create_with(&["--console-socket", &path]).ok();
        bundle.start();
        assert!(late.join().expect("listener").contains("/dev/pts/0"));
    });
    bundle.delete();
}
