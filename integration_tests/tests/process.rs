//! User, groups, umask, rlimits, capabilities, no_new_privs, oom, environment, arguments.
//! Most is covered by conformance.rs; here is what needs a special process or a failure.

use integration_tests::{Bundle, Peer, differs, need_root, peer, skip};
use serde_json::json;

#[test]
fn arguments_arrive_unchanged() {
    need_root!();
    let odd = ["", " ", "a\tb", "a\nb", "옹기", "--", "-x", "\"quoted\"", "$HOME", "\\", "*"];
    let bundle = Bundle::new(&[&["echo"][..], &odd].concat());
    assert_eq!(bundle.run().ok(), format!("{}\n", odd.join(" ")));
}

#[test]
fn many_and_long_arguments() {
    need_root!();
    let long = "x".repeat(100_000);
    let bundle = Bundle::new(&["echo", &long, &long]);
    assert_eq!(bundle.run().ok().len(), 200_002);
}

#[test]
fn argument_zero_is_kept() {
    need_root!();
    let mut bundle = Bundle::new(&[]);
    std::os::unix::fs::symlink("/runtimetest", bundle.rootfs().join("bin/echo")).expect("link");
    bundle.set("/process/env", json!(["PATH=/usr/bin:/bin"]));
    bundle.args(&["echo", "by PATH"]);
    assert_eq!(bundle.run().ok(), "by PATH\n");
}

#[test]
fn path_search_skips_what_cannot_be_executed() {
    need_root!();
    let mut bundle = Bundle::new(&[]);
    std::fs::create_dir_all(bundle.rootfs().join("first/echo")).expect("mkdir");
    std::fs::create_dir_all(bundle.rootfs().join("second")).expect("mkdir");
    std::fs::write(bundle.rootfs().join("second/echo"), "plain").expect("write");
    std::os::unix::fs::symlink("/runtimetest", bundle.rootfs().join("bin/echo")).expect("link");
    bundle.set("/process/env", json!(["PATH=/none:/first:/second:/bin"]));
    bundle.args(&["echo", "found"]);
    assert_eq!(bundle.run().ok(), "found\n");
}

#[test]
fn relative_program_is_taken_from_cwd() {
    need_root!();
    let mut bundle = Bundle::new(&[]);
    bundle.set("/process/cwd", json!("/bin"));
    bundle.args(&["../runtimetest", "echo", "relative"]);
    assert_eq!(bundle.run().ok(), "relative\n");
}

#[test]
fn home_is_filled_in_from_the_password_file() {
    need_root!();
    let mut bundle = Bundle::new(&["env"]);
    std::fs::write(
        bundle.rootfs().join("etc/passwd"),
        "root:x:0:0:root:/root:/\nu:x:1000:1000::/home/u:/\n",
    )
    .expect("write");
    assert!(bundle.run().ok().contains("HOME=/root\n"));
    bundle.set("/process/user", json!({ "uid": 1000, "gid": 1000 }));
    assert!(bundle.run().ok().contains("HOME=/home/u\n"));
    bundle.set("/process/user", json!({ "uid": 77, "gid": 77 }));
    assert!(bundle.run().ok().contains("HOME=/\n"));
    // As if it were not there; and the last of several is the one that counts.
    bundle.push("/process/env", json!("HOME="));
    assert!(bundle.run().ok().contains("HOME=/\n"));
    bundle.push("/process/env", json!("HOME=/early"));
    bundle.push("/process/env", json!("HOME=/mine"));
    assert!(bundle.run().ok().contains("HOME=/mine\n"));
}

#[test]
fn hostile_password_files_do_no_harm() {
    need_root!();
    for text in [
        "",
        ":::::",
        "\n\n",
        "root",
        "root:x:99999999999999999999:0::/:\n",
        "\u{0}\u{0}",
        &"x".repeat(1 << 20),
    ] {
        let bundle = Bundle::new(&["true"]);
        std::fs::write(bundle.rootfs().join("etc/passwd"), text).expect("write");
        let output = bundle.run();
        assert!(!output.stderr.contains("panicked"), "{output}");
        // A runtime may refuse a line that is absurdly long.
        assert!(output.code == 0 || text.len() > 1000, "{output}");
        bundle.assert_clean();
    }
    // A fifo must not make the runtime wait for a writer.
    let bundle = Bundle::new(&["true"]);
    nix::unistd::mkfifo(&bundle.rootfs().join("etc/passwd"), nix::sys::stat::Mode::S_IRWXU)
        .expect("mkfifo");
    if peer() == Peer::Onggi {
        bundle.run();
        bundle.assert_clean();
    }
}

#[test]
fn program_that_the_user_may_not_execute() {
    need_root!();
    let mut bundle = Bundle::new(&[]);
    use std::os::unix::fs::PermissionsExt;
    integration_tests::copy_program(
        integration_tests::runtimetest(),
        &bundle.rootfs().join("bin/own"),
    );
    std::fs::set_permissions(
        bundle.rootfs().join("bin/own"),
        std::fs::Permissions::from_mode(0o700),
    )
    .expect("chmod");
    bundle.args(&["/bin/own", "true"]).set("/process/user", json!({ "uid": 1000, "gid": 1000 }));
    bundle.run().exits(1).fails_with(&["permission denied"]);
    bundle.assert_clean();
}

#[test]
fn stdio_can_be_reopened_by_another_user() {
    need_root!();
    let mut bundle = Bundle::new(&["write", "/dev/stdout", "reopened"]);
    bundle.set("/process/user", json!({ "uid": 1000, "gid": 1000 }));
    bundle.write();
    // A pipe, whose owner must become the container's user, as engines give.
    let mut command = bundle.command(&["run", "--bundle", &bundle.path(), &bundle.id]);
    let output = command.output().expect("run");
    if peer() == Peer::Onggi || peer() == Peer::Runc {
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "reopened",
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn umask_default_is_022_whatever_the_caller_has() {
    need_root!();
    differs!(Runc | Crun | Youki, "the caller's in some versions");
    let bundle = Bundle::new(&["umask"]);
    bundle.write();
    let line = format!(
        "umask 077; exec {} run -b '{}' {}",
        bundle.command_line(),
        bundle.path(),
        bundle.id
    );
    let output = integration_tests::run(std::process::Command::new("sh").args(["-c", &line]));
    assert_eq!(output.ok(), "0022\n");
}

#[test]
fn memory_locked_by_rlimit_zero_and_unlimited() {
    need_root!();
    let mut bundle = Bundle::check();
    bundle.set("/process/rlimits", json!([{ "type": "RLIMIT_MEMLOCK", "soft": 0, "hard": 0 }, { "type": "RLIMIT_CORE", "soft": 0, "hard": 18_446_744_073_709_551_615_u64 }]));
    bundle.run_check();
}

#[test]
fn environment_of_the_runtime_stays_outside() {
    need_root!();
    let bundle = Bundle::new(&["env"]);
    bundle.write();
    let mut command = bundle.command(&["run", "--bundle", &bundle.path(), &bundle.id]);
    command.env("CALLER_SECRET", "1").env("LD_PRELOAD_X", "1");
    let output = integration_tests::run(&mut command);
    assert!(!output.ok().contains("CALLER_SECRET"), "{output}");
    assert!(!output.stdout.contains("ONGGI_TEST_ID"), "{output}");
}

#[test]
fn scheduler_and_io_priority() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    for scheduler in [
        json!({ "policy": "SCHED_BATCH", "nice": 5 }),
        json!({ "policy": "SCHED_IDLE" }),
        json!({ "policy": "SCHED_OTHER", "nice": 10 }),
    ] {
        let mut bundle = Bundle::check();
        bundle.set("/process/scheduler", scheduler);
        bundle.set("/process/ioPriority", json!({ "class": "IOPRIO_CLASS_BE", "priority": 6 }));
        bundle.run_check();
    }
}

#[test]
fn personality_of_a_32_bit_machine() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    let mut bundle = Bundle::check();
    bundle.set("/linux/personality", json!({ "domain": "LINUX32" }));
    bundle.run_check();
}

/// `exec` runs under the same one.
#[test]
fn personality_of_processes_that_are_put_in() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    let mut bundle = Bundle::new(&["sleep", "1000"]);
    bundle.set("/linux/personality", json!({ "domain": "LINUX32" }));
    bundle.up();
    assert_eq!(bundle.exec(&["cat", "/proc/self/personality"]).ok(), "00000008\n");
    bundle.delete();
}

/// The session keyring is the container's own, or with the flag that of the caller; so for `exec`.
#[test]
fn session_keyrings() {
    need_root!();
    let Some(host) = integration_tests::host_keyring() else { skip!("no session keyring here") };
    let mut bundle = Bundle::new(&["keyring"]);
    let keyring = |output: &integration_tests::Output| output.ok().trim().parse::<i64>().ok();
    let own = keyring(&bundle.run());
    assert!(own.is_some() && own != Some(host), "{own:?} {host}");
    assert_eq!(keyring(&bundle.run_with(&["--no-new-keyring"])), Some(host));
    bundle.args(&["/runtimetest", "sleep", "1000"]);
    bundle.up();
    let of_exec = keyring(&bundle.exec(&["keyring"]));
    assert!(of_exec.is_some() && of_exec != Some(host), "{of_exec:?} {host}");
    bundle.delete();
}
