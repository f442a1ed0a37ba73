//! Processes that join a running container.

use integration_tests::{
    Bundle, ConsoleSocket, Peer, differs, need_cgroups, need_root, peer, read_for, wait_until,
};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn output_and_status() {
    need_cgroups!();
    let bundle = Bundle::sleeping();
    assert_eq!(bundle.exec(&["echo", "in"]).ok(), "in\n");
    for code in [1, 42, 255] {
        bundle.exec(&["exit", &code.to_string()]).exits(code);
    }
    bundle.exec(&["kill-self", "9"]).exits(137);
    bundle.exec(&["kill-self", "15"]).exits(143);
    bundle.delete();
}

#[test]
fn stdin_is_passed_through() {
    need_cgroups!();
    let bundle = Bundle::sleeping();
    let path = bundle.dir().join("input");
    fs::write(&path, "from outside\n").expect("write");
    let file = fs::File::open(&path).expect("open");
    let output =
        bundle.call_with_stdin(&["exec", &bundle.id, "/runtimetest", "cat"], Stdio::from(file));
    assert_eq!(output.ok(), "from outside\n");
    let mut child = bundle
        .command(&["exec", &bundle.id, "/runtimetest", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("spawn");
    child.stdin.take().expect("stdin").write_all(b"through a pipe").expect("write");
    let output = child.wait_with_output().expect("wait");
    assert_eq!(output.stdout, b"through a pipe");
    bundle.delete();
}

#[test]
fn all_namespaces_and_the_cgroup_are_joined() {
    need_cgroups!();
    let bundle = Bundle::sleeping();
    let kinds = ["pid", "net", "mnt", "ipc", "uts", "user", "cgroup", "time"];
    let links: Vec<String> = kinds.iter().map(|k| format!("/proc/self/ns/{k}")).collect();
    let args: Vec<&str> =
        std::iter::once("readlink").chain(links.iter().map(String::as_str)).collect();
    let output = bundle.exec(&args);
    let pid = bundle.pid().to_string();
    let wanted: Vec<String> =
        kinds.iter().map(|k| integration_tests::namespace_link(&pid, k)).collect();
    let found: Vec<&str> = output.ok().lines().collect();
    assert_eq!(found, wanted);
    let output = bundle.exec(&["cat", "/proc/self/cgroup"]);
    let init = bundle.exec(&["cat", "/proc/1/cgroup"]);
    assert_eq!(output.ok(), init.ok());
    bundle.delete();
}

#[test]
fn flags_set_cwd_environment_user_and_groups() {
    need_root!();
    let mut bundle = Bundle::new(&["sleep", "1000"]);
    bundle.set("/process/env", json!(["PATH=/bin", "KEPT=1"]));
    bundle.up();
    let output = bundle.exec_with(
        &["--cwd", "/tmp", "--env", "ADDED=x,y", "--env", "KEPT=2", "--user", "3:4"],
        &["all", "pwd", "--", "id", "--", "env"],
    );
    let text = output.ok();
    for line in ["/tmp\n", "uid=3 gid=4 ", "ADDED=x,y\n", "KEPT=2\n", "PATH=/bin\n"] {
        assert!(text.contains(line), "{line:?}: {output}");
    }
    if peer() != Peer::Crun {
        let output = bundle.exec_with(
            &["--user", "3:4", "--additional-gids", "7", "--additional-gids", "8"],
            &["id"],
        );
        assert_eq!(output.ok(), "uid=3 gid=4 groups=7,8\n");
    }
    bundle.delete();
}

#[test]
fn capabilities_can_be_added() {
    need_cgroups!();
    let bundle = Bundle::sleeping();
    let plain = bundle.exec(&["status", "CapBnd"]);
    let more =
        bundle.exec_with(&["--cap", "CAP_SYS_CHROOT", "--cap", "CAP_CHOWN"], &["status", "CapBnd"]);
    let mask = |text: &str| {
        u64::from_str_radix(text.trim().rsplit('\t').next().unwrap_or_default(), 16).unwrap_or(0)
    };
    assert_eq!(mask(more.ok()) & !mask(plain.ok()), 1 << 18 | 1);
    bundle.delete();
}

#[test]
fn no_new_privileges_by_flag() {
    need_cgroups!();
    let mut bundle = Bundle::new(&["sleep", "1000"]);
    bundle.set("/process/noNewPrivileges", json!(false));
    bundle.up();
    assert_eq!(bundle.exec(&["status", "NoNewPrivs"]).ok(), "NoNewPrivs:\t0\n");
    let output = bundle.exec_with(&["--no-new-privs"], &["status", "NoNewPrivs"]);
    assert_eq!(output.ok(), "NoNewPrivs:\t1\n");
    bundle.delete();
}

#[test]
fn detached_with_a_pid_file() {
    need_cgroups!();
    let bundle = Bundle::sleeping();
    let pid_file = bundle.dir().join("exec.pid");
    let args = [
        "exec",
        "-d",
        "--pid-file",
        &pid_file.to_string_lossy(),
        &bundle.id,
        "/runtimetest",
        "signal-wait",
    ];
    bundle.detached(&args).ok();
    let pid: i32 = fs::read_to_string(&pid_file).expect("pid file").parse().expect("a number");
    bundle.wait_log("ready");
    let pids: Vec<i32> =
        serde_json::from_str(bundle.call(&["ps", "-f", "json", &bundle.id]).ok()).expect("a list");
    assert!(pids.contains(&pid), "{pid} is not in {pids:?}");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM)
        .expect("kill");
    bundle.wait_log("SIGTERM");
    bundle.delete();
}

#[test]
fn pid_file_is_absent_when_nothing_was_started() {
    need_cgroups!();
    let bundle = Bundle::sleeping();
    let pid_file = bundle.dir().join("exec.pid");
    let output =
        bundle.call(&["exec", "--pid-file", &pid_file.to_string_lossy(), &bundle.id, "x-none"]);
    output.exits(255).fails_with(&["exec: \"x-none\": executable file not found in $PATH"]);
    if peer() == Peer::Onggi {
        assert!(!pid_file.exists());
    }
    bundle.delete();
}

#[test]
fn errors_have_status_255() {
    need_cgroups!();
    differs!(Crun | Youki, "other statuses");
    let bundle = Bundle::sleeping();
    bundle
        .call(&["exec", &bundle.id, "/no/such/program"])
        .exits(255)
        .fails_with(&["no such file or directory"]);
    bundle.call(&["exec", &bundle.id, "/tmp"]).exits(255).fails_with(&[]);
    bundle.call(&["exec", "--cwd", "/no/such/dir", &bundle.id, "/runtimetest", "true"]).exits(255);
    bundle.call(&["exec", "no-such-container", "true"]).fails_with(&["does not exist"]);
    bundle
        .call(&["exec", "--process", "/no/such/file", &bundle.id])
        .fails_with(&["no such file or directory"]);
    let broken = bundle.dir().join("broken.json");
    fs::write(&broken, "{").expect("write");
    bundle.call(&["exec", "--process", &broken.to_string_lossy(), &bundle.id]).fails_with(&[]);
    bundle.delete();
}

#[test]
fn needs_a_running_container() {
    need_cgroups!();
    let bundle = Bundle::new(&["signal-wait"]);
    bundle.create().ok();
    bundle.start();
    bundle.wait_log("ready");
    bundle.kill("TERM");
    bundle.wait_status("stopped");
    bundle.exec(&["true"]).fails_with(&["stopped"]);
    bundle.delete();
}

#[test]
fn paused_container_refuses_without_the_flag() {
    need_cgroups!();
    let bundle = Bundle::sleeping();
    bundle.call(&["pause", &bundle.id]).ok();
    bundle.exec(&["true"]).fails_with(&["paused"]);
    bundle.call(&["resume", &bundle.id]).ok();
    assert_eq!(bundle.exec(&["echo", "again"]).ok(), "again\n");
    bundle.delete();
}

#[test]
fn terminal_through_a_console_socket() {
    need_cgroups!();
    let bundle = Bundle::sleeping();
    let socket = ConsoleSocket::new(bundle.dir(), "exec.sock");
    bundle
        .call(&[
            "exec",
            "--tty",
            "--detach",
            "--console-socket",
            &socket.path(),
            &bundle.id,
            "/runtimetest",
            "tty",
        ])
        .ok();
    let text = read_for(&socket.master(), "\n", Duration::from_secs(10));
    assert!(text.contains("/dev/pts/"), "{text:?}");
    bundle.delete();
}

#[test]
fn console_socket_without_terminal_is_refused() {
    need_cgroups!();
    differs!(Crun | Youki, "ignores it");
    let bundle = Bundle::sleeping();
    bundle.call(&["exec", "--tty", "--detach", &bundle.id, "/runtimetest", "true"]).fails_with(&[]);
    let socket = ConsoleSocket::new(bundle.dir(), "exec.sock");
    bundle
        .call(&[
            "exec",
            "--detach",
            "--console-socket",
            &socket.path(),
            &bundle.id,
            "/runtimetest",
            "true",
        ])
        .fails_with(&[]);
    bundle.delete();
}

#[test]
fn many_at_once() {
    need_cgroups!();
    let bundle = Bundle::sleeping();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let bundle_id = &bundle.id;
            let mut command = bundle.command(&["exec", bundle_id, "/runtimetest", "echo"]);
            command.arg(number.to_string());
            scope.spawn(move || {
                let output = integration_tests::run(&mut command);
                assert_eq!(output.ok(), format!("{number}\n"));
            });
        }
    });
    bundle.delete();
}

#[test]
fn in_a_user_namespace() {
    need_root!();
    let mut bundle = Bundle::new(&["sleep", "1000"]);
    bundle.user_namespace();
    bundle.up();
    let output = bundle.exec(&[
        "all",
        "id",
        "--",
        "cat",
        "/proc/self/uid_map",
        "--",
        "readlink",
        "/proc/self/ns/user",
    ]);
    let words: Vec<&str> = output.ok().split_whitespace().collect();
    assert_eq!(words[0], "uid=0", "{output}");
    assert!(words.windows(3).any(|w| w == ["0", "100000", "65536"]), "{output}");
    assert_eq!(
        words.last(),
        Some(&integration_tests::namespace_link(&bundle.pid().to_string(), "user").as_str())
    );
    let output = bundle.exec_with(&["--user", "1000:1000"], &["id"]);
    assert!(output.ok().starts_with("uid=1000 gid=1000"), "{output}");
    bundle.delete();
}

#[test]
fn joined_time_and_cgroup_namespaces() {
    need_root!();
    differs!(Runc | Youki, "no time namespaces in older ones");
    let mut bundle = Bundle::new(&["sleep", "1000"]);
    bundle.push("/linux/namespaces", json!({ "type": "time" }));
    bundle.set("/linux/timeOffsets", json!({ "boottime": { "secs": 100_000, "nanosecs": 0 } }));
    bundle.up();
    let output = bundle.exec(&[
        "all",
        "readlink",
        "/proc/self/ns/time",
        "--",
        "readlink",
        "/proc/1/ns/time",
    ]);
    let links: Vec<&str> = output.ok().lines().collect();
    assert_eq!(links[0], links[1]);
    bundle.delete();
}

#[test]
fn process_ends_with_the_container() {
    need_cgroups!();
    let bundle = Bundle::new(&["signal-wait"]);
    bundle.up().wait_log("ready");
    bundle.detached(&["exec", "-d", &bundle.id, "/runtimetest", "ignore-term"]).ok();
    bundle.kill("TERM");
    bundle.wait_status("stopped");
    wait_until("the exec'ed process to end", || bundle.processes().is_empty());
    bundle.call(&["delete", &bundle.id]).ok();
    bundle.assert_clean();
}

#[test]
fn added_capabilities_are_ambient_where_they_are_inheritable() {
    need_root!();
    differs!(Crun | Youki, "adds them in other ways");
    let cases = [(json!(["CAP_CHOWN", "CAP_KILL"]), 1), (json!(["CAP_KILL"]), 0), (json!([]), 0)];
    for (inheritable, ambient) in cases {
        let mut bundle = Bundle::new(&["sleep", "1000"]);
        bundle.set("/process/capabilities/inheritable", inheritable);
        bundle.push("/process/capabilities/bounding", json!("CAP_CHOWN"));
        bundle.up();
        let output = bundle.exec_with(&["--cap", "CAP_CHOWN"], &["status", "CapAmb", "CapPrm"]);
        assert!(output.ok().contains(&format!("CapAmb:\t{ambient:016x}")), "{output}");
        assert!(
            output.stdout.lines().any(|line| line.starts_with("CapPrm") && line.ends_with('1'))
        );
        bundle.delete();
    }
}

#[test]
fn sub_cgroups_that_are_not_there() {
    need_root!();
    need_cgroups!();
    differs!(Crun | Youki, "has other words");
    let bundle = Bundle::sleeping();
    let missing = bundle.exec_with(&["--cgroup", "nonexistent"], &["true"]);
    missing.exits(255).fails_with(&[" adding pid ", " to cgroups", "no such file or directory"]);
    bundle
        .exec_with(&["--cgroup", ".."], &["true"])
        .exits(255)
        .fails_with(&["bad sub cgroup path"]);
    bundle.exec_with(&["--cgroup", "/"], &["true"]).ok();
    bundle.delete();
}
