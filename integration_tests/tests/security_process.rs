//! Attacks by a hostile process or caller: descriptors, the runtime's own binary, exec's
//! inheritance, odd user numbers, planted files at the runtime's paths.

use integration_tests::{Bundle, Canary, Peer, differs, need_root, peer, skip, without_namespace};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::{Duration, Instant};

/// CVE-2024-21626: the working directory through a descriptor that the runtime left open.
#[test]
fn cwd_through_a_leaked_descriptor() {
    need_root!();
    let running = Bundle::new(&["sleep", "100"]);
    running.up();
    for fd in 3..20 {
        let cwd = format!("/proc/self/fd/{fd}");
        let mut bundle = Bundle::new(&["all", "pwd", "--", "ls", "../../../../../../../etc"]);
        bundle.set("/process/cwd", json!(cwd)).set("/root/readonly", json!(false));
        let output = bundle.run();
        assert!(!output.stdout.contains("hostname"), "fd {fd} leads out: {output}");
        bundle.assert_clean();
        let output = running.exec_with(&["--cwd", &cwd], &["ls", "../../../../../../../etc"]);
        assert!(!output.stdout.contains("hostname"), "fd {fd} leads out of exec: {output}");
    }
    running.delete();
}

/// CVE-2019-5736: the container's program is /proc/self/exe, or it holds the runtime's exe.
#[test]
fn runtime_binary_cannot_be_written() {
    need_root!();
    let copy = |bundle: &Bundle| {
        let path = bundle.dir().join("runtime");
        integration_tests::copy_program(integration_tests::runtime(), &path);
        path
    };
    let mut bundle = Bundle::new(&["race-exe", "3"]);
    bundle.set("/root/readonly", json!(false));
    bundle.capabilities(&["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN"]);
    let binary = copy(&bundle);
    let before = fs::read(&binary).expect("read");
    let meta = fs::metadata(&binary).expect("stat");
    bundle.up().wait_log("ready");
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end && bundle.status() == "running" {
        for args in [["/proc/self/exe", "--version"], ["/runtimetest", "true"]] {
            let mut command = std::process::Command::new(&binary);
            command.arg("--root").arg(bundle.state_root()).args(["exec", &bundle.id]).args(args);
            // "Text file busy" says that the attacker has it open: the log will tell.
            let _ = command.output();
        }
    }
    bundle.wait_status("stopped");
    let logs = bundle.logs();
    assert!(logs.contains("safe"), "{logs}");
    let after = fs::metadata(&binary).expect("stat");
    assert_eq!((meta.ino(), meta.len(), meta.mtime()), (after.ino(), after.len(), after.mtime()));
    assert!(before == fs::read(&binary).expect("read"), "the runtime's binary was changed");
    bundle.delete();
}

#[test]
fn run_of_proc_self_exe_is_harmless() {
    need_root!();
    let mut bundle = Bundle::new(&["true"]);
    bundle.args(&["/proc/self/exe", "--version"]);
    let before = fs::read(integration_tests::runtime()).expect("read");
    bundle.run();
    assert!(before == fs::read(integration_tests::runtime()).expect("read"));
    bundle.assert_clean();
}

#[test]
fn pid_file_is_not_written_through_a_link() {
    need_root!();
    differs!(Crun | Youki, "writes through it");
    for hard in [false, true] {
        let bundle = Bundle::new(&["sleep", "60"]);
        let canary = Canary::new(&bundle.dir().join("canary"));
        let pid_file = bundle.dir().join("pid");
        if hard {
            fs::hard_link(canary.file(), &pid_file).expect("plant");
        } else {
            symlink(canary.file(), &pid_file).expect("plant");
        }
        bundle.create_with(&["--pid-file", &pid_file.to_string_lossy()]);
        canary.assert_untouched();
        let exec = bundle.dir().join("exec-pid");
        symlink(canary.file(), &exec).expect("plant");
        bundle.start();
        bundle.exec_with(&["--pid-file", &exec.to_string_lossy()], &["true"]);
        canary.assert_untouched();
        bundle.delete();
    }
}

#[test]
fn state_is_private_under_any_umask() {
    need_root!();
    differs!(Runc | Youki, "follows the caller's umask");
    for mask in ["000", "077"] {
        let bundle = Bundle::new(&["sleep", "60"]);
        bundle.write();
        let binary = integration_tests::runtime().to_string_lossy().into_owned();
        let line = format!("umask {mask}; exec \"$@\"");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &line, "sh", &binary, "--root"]).arg(bundle.state_root());
        command.args(["create", "--bundle", &bundle.path(), &bundle.id]);
        integration_tests::run(&mut command).ok();
        let mut todo = vec![bundle.state_root()];
        while let Some(path) = todo.pop() {
            let meta = fs::symlink_metadata(&path).expect("stat");
            let mode = meta.permissions().mode() & 0o7777;
            if !meta.is_symlink() {
                assert_eq!(
                    mode & 0o022,
                    0,
                    "{} has mode {mode:o} under umask {mask}",
                    path.display()
                );
            }
            if meta.is_dir() {
                todo.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()));
            }
        }
        bundle.delete();
    }
}

#[test]
fn exec_user_out_of_range_is_refused() {
    need_root!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    for user in [
        "-1",
        "4294967296",
        "4294967295",
        "18446744073709551616",
        "1:-1",
        "0x0",
        "1:4294967296",
        "99999999999",
        "no-such-user",
    ] {
        let output = bundle.exec_with(&["--user", user], &["id"]);
        if output.code == 0 && peer() != Peer::Onggi {
            assert!(!output.stdout.contains("uid=0 ") || peer() != Peer::Onggi, "{output}");
            continue;
        }
        assert_ne!(output.code, 0, "user {user:?} was accepted: {output}");
        assert!(!output.stdout.contains("uid="), "{output}");
    }
    bundle.delete();
}

#[test]
fn exec_user_without_group_follows_the_rules_of_process_user() {
    need_root!();
    differs!(Crun, "takes group 0");
    let mut bundle = Bundle::new(&["sleep", "100"]);
    fs::write(bundle.rootfs().join("etc/passwd"), "root:x:0:0::/:/\nuser:x:1000:1001::/home:/\n")
        .expect("write");
    fs::write(bundle.rootfs().join("etc/group"), "root:x:0:\nuser:x:1001:\nmore:x:1002:user\n")
        .expect("write");
    bundle.set("/process/user", json!({ "uid": 5, "gid": 6 }));
    bundle.up();
    for (user, wanted) in
        [("1000", "uid=1000 gid="), ("1000:7", "uid=1000 gid=7 "), ("0:0", "uid=0 gid=0 ")]
    {
        let output = bundle.exec_with(&["--user", user], &["id"]);
        assert!(output.ok().starts_with(wanted), "{user}: {output}");
    }
    bundle.delete();
}

/// What the caller of exec has must not reach the process: descriptors, umask, groups, keyring,
/// environment.
#[test]
fn exec_inherits_nothing_from_the_caller() {
    need_root!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let line = format!(
        "umask 000; export CALLER_SECRET=1; exec 7</etc/hostname 9</; exec {} exec {} /runtimetest all fds -- umask -- env -- id -- keyring",
        bundle.command_line(),
        bundle.id
    );
    let output = integration_tests::run(std::process::Command::new("sh").args(["-c", &line]));
    let text = output.ok();
    let fds: Vec<&str> = text.lines().filter(|l| l.contains(" -> ")).collect();
    assert_eq!(fds.len(), 3, "{output}");
    assert!(!text.contains("CALLER_SECRET"), "{output}");
    if peer() == Peer::Onggi {
        assert!(text.contains("0022"), "umask: {output}");
        assert!(text.contains("groups=\n"), "groups: {output}");
        let host = integration_tests::host_keyring().map(|k| k.to_string()).unwrap_or_default();
        assert_ne!(text.lines().last().unwrap_or_default(), host, "keyring: {output}");
    }
    bundle.delete();
}

#[test]
fn exec_keeps_no_new_privileges_and_seccomp_of_the_configuration() {
    need_root!();
    let mut bundle = Bundle::new(&["sleep", "100"]);
    bundle.set(
        "/linux/seccomp",
        json!({ "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["getcwd"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5 }] }),
    );
    bundle.up();
    let output = bundle.exec(&[
        "all",
        "status",
        "Seccomp",
        "NoNewPrivs",
        "CapInh",
        "--",
        "syscall",
        "getcwd",
    ]);
    for line in ["Seccomp:\t2", "NoNewPrivs:\t1", "CapInh:\t0000000000000000", "getcwd errno 5"] {
        if peer() == Peer::Onggi || !line.contains("NoNew") {
            assert!(output.ok().contains(line), "{line}: {output}");
        }
    }
    bundle.delete();
}

/// CVE-2022-29162: capabilities are never inheritable unless asked for.
#[test]
fn inheritable_capabilities_stay_empty() {
    need_root!();
    let bundle = Bundle::new(&["status", "CapInh"]);
    assert!(bundle.run().ok().contains("CapInh:\t0000000000000000"));
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let output = bundle.exec_with(&["--cap", "CAP_NET_RAW"], &["status", "CapInh"]);
    assert!(output.ok().contains("CapInh:\t0000000000000000"), "{output}");
    bundle.delete();
}

#[test]
fn state_directory_with_rubbish_is_survived() {
    need_root!();
    let bundle = Bundle::new(&["true"]);
    let place = bundle.state_root().join(&bundle.id);
    let texts = ["", "{", "[]", "{\"id\": 1}"].map(Some);
    let endless = [Some("/dev/zero"), Some("/dev/urandom"), Some("8 TiB")];
    // Go reads on until it has no memory left.
    let endless = endless.into_iter().filter(|_| peer() == Peer::Onggi);
    for text in [None].into_iter().chain(texts).chain(endless) {
        fs::create_dir_all(&place).expect("mkdir");
        let file = place.join("state.json");
        match text {
            None => {}
            Some(device) if device.starts_with('/') => {
                symlink(device, &file).expect("symlink");
            }
            Some("8 TiB") => {
                let sparse = fs::File::create(&file).expect("create");
                sparse.set_len(8 << 40).expect("make it long");
            }
            Some(text) => fs::write(file, text).expect("write"),
        }
        for args in [
            &["state", &bundle.id][..],
            &["list"],
            &["kill", &bundle.id, "9"],
            &["start", &bundle.id],
        ] {
            let output = bundle.call(args);
            assert!(!output.stderr.contains("panicked"), "{output}");
            assert!((0..=1).contains(&output.code), "{output}");
        }
        let output = bundle.call(&["delete", "--force", &bundle.id]);
        if peer() == Peer::Onggi {
            output.ok();
            assert!(!place.exists(), "the state directory is still there");
        }
        let _ = fs::remove_dir_all(&place);
    }
    if peer() != Peer::Onggi {
        skip!("only looked for panics in a peer");
    }
}

/// A process that joins another container's user and pid namespaces is in reach of that container's
/// root before it is anything but the runtime (CVE-2016-9962).
#[test]
fn joining_another_containers_namespaces_gives_it_no_hold_of_the_runtime() {
    need_root!();
    differs!(Runc | Crun | Youki, "joins user namespaces by path only in newer versions");
    let mut other = Bundle::new(&["peek-others", "60"]);
    other.user_namespace();
    other.capabilities(&["CAP_SYS_PTRACE", "CAP_KILL"]);
    other.up().wait_log("waiting");
    let mut bundle = Bundle::new(&["true"]);
    bundle.own_rootfs(100_000);
    for (kind, link) in [("user", "user"), ("pid", "pid")] {
        let path = format!("/proc/{}/ns/{link}", other.pid());
        without_namespace(&mut bundle.config, kind);
        bundle.push("/linux/namespaces", serde_json::json!({ "type": kind, "path": path }));
    }
    // On a busy machine it may take a while until the two meet.
    for round in 0..200 {
        if round >= 10 && other.logs().contains("peeked") {
            break;
        }
        bundle.run().ok();
    }
    let log = other.logs();
    // What is gone by the time its program is asked for was the container's, too, or could not be looked into.
    let strange = |line: &&str| line.starts_with("peeked ") && !line.ends_with("runtimetest");
    let strange: Vec<&str> =
        log.lines().filter(strange).filter(|line| *line != "peeked ").collect();
    assert_eq!(strange, [""; 0]);
    assert!(log.contains("peeked runtimetest"), "the attacker saw nothing at all");
    other.kill("KILL");
    other.wait_status("stopped");
    other.delete();
}
