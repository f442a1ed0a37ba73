//! Each known attack on runtimes that touches create, run and exec. A refusal is as good as a safe
//! container; the host's files must be as they were.

use integration_tests::{Bundle, Canary, Peer, differs, mount, need_root, peer, skip};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

/// The destination in the rootfs is a link to the canary; the mount must land inside or fail.
fn through_link(kind: &str, source: &str, options: &[&str], link: &str, below: &str) {
    let mut bundle = Bundle::new(&["true"]);
    let canary = Canary::new(&bundle.dir().join("canary"));
    let place = bundle.rootfs().join(link);
    let _ = fs::remove_dir(&place);
    symlink(canary.dir(), &place).expect("plant the link");
    bundle.set("/root/readonly", json!(false));
    bundle.push("/mounts", mount(&format!("/{link}{below}"), kind, source, options));
    let output = bundle.run();
    assert!(!output.stderr.contains("panicked"), "{output}");
    canary.assert_untouched();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    assert!(!mounts.contains(&canary.dir().to_string_lossy().into_owned()), "a mount was made on the host");
    bundle.assert_clean();
}

#[test]
fn symlinked_destination_of_every_mount_type() {
    need_root!();
    differs!(Runc | Crun | Youki, "older ones make directories through the link for some types");
    let types: &[(&str, &str, &[&str])] = &[
        ("tmpfs", "tmpfs", &["size=64k"]),
        ("proc", "proc", &[]),
        ("sysfs", "sysfs", &["ro"]),
        ("mqueue", "mqueue", &[]),
        ("devpts", "devpts", &["newinstance"]),
        ("bind", "/etc/hostname", &["bind"]),
        ("bind", "/tmp", &["rbind"]),
        ("cgroup", "cgroup", &["ro"]),
    ];
    for (kind, source, options) in types {
        for below in ["", "/new", "/new/deep", "/file", "/empty"] {
            through_link(kind, source, options, "mnt", below);
        }
    }
}

#[test]
fn relative_and_chained_links_stay_inside() {
    need_root!();
    for target in ["../../canary", "../../../../../../../../../../../../tmp/x-canary", "hop"] {
        let mut bundle = Bundle::new(&["true"]);
        let canary = Canary::new(&bundle.dir().join("canary"));
        symlink("../canary", bundle.rootfs().join("hop")).expect("plant");
        symlink(target, bundle.rootfs().join("mnt")).expect("plant");
        bundle.set("/root/readonly", json!(false));
        bundle.push("/mounts", mount("/mnt/made-here", "tmpfs", "tmpfs", &[]));
        bundle.run();
        canary.assert_untouched();
        assert!(!Path::new("/tmp/x-canary").exists());
        bundle.assert_clean();
    }
}

#[test]
fn dotdot_in_destinations_stays_inside() {
    need_root!();
    let mut bundle = Bundle::new(&["true"]);
    let canary = Canary::new(&bundle.dir().join("canary"));
    bundle.set("/root/readonly", json!(false));
    bundle.push("/mounts", mount("/../canary/new", "tmpfs", "tmpfs", &[]));
    bundle.push("/mounts", mount("/tmp/../../canary/file", "bind", "/etc/hostname", &["bind"]));
    bundle.run();
    canary.assert_untouched();
    bundle.assert_clean();
}

/// CVE-2019-19921, CVE-2025-54867: /proc or /sys is a link in the rootfs.
#[test]
fn proc_and_sys_as_links() {
    need_root!();
    for (name, target) in [("proc", "tmp"), ("proc", "CANARY"), ("sys", "CANARY"), ("sys", "tmp"), ("proc", "/")] {
        let bundle = Bundle::new(&["cat", "/proc/self/mountinfo"]);
        let canary = Canary::new(&bundle.dir().join("canary"));
        let place = bundle.rootfs().join(name);
        fs::remove_dir(&place).expect("remove the directory");
        let target = if target == "CANARY" { canary.dir() } else { Path::new(target) };
        symlink(target, &place).expect("plant the link");
        let output = bundle.run();
        canary.assert_untouched();
        if peer() == Peer::Onggi && name == "proc" {
            // Masked paths would be judged on the wrong file system.
            assert_ne!(output.code, 0, "/proc as a link to {} was accepted: {output}", target.display());
        }
        bundle.assert_clean();
    }
}

/// CVE-2019-16884: a mount over /proc hides the files by which labels and masks are written.
#[test]
fn mounts_over_proc() {
    need_root!();
    differs!(Crun | Youki, "allows mounts over /proc");
    for (target, kind, options) in [("/proc", "bind", &["bind"][..]), ("/proc/self/attr", "bind", &["bind"]), ("/proc", "tmpfs", &[])] {
        let mut bundle = Bundle::new(&["echo", "ran"]);
        fs::create_dir(bundle.dir().join("volume")).expect("mkdir");
        let source = bundle.dir().join("volume").to_string_lossy().into_owned();
        bundle.push("/mounts", mount(target, kind, &source, options));
        let output = bundle.run();
        assert_ne!(output.code, 0, "{kind} over {target} was accepted: {output}");
        bundle.assert_clean();
    }
}

/// The entries that the runtime makes under /dev go through links of the rootfs when no tmpfs
/// covers it (CVE-2026-41579, CVE-2026-47766, CVE-2026-88264, CVE-2026-88265).
#[test]
fn dev_as_a_link_to_the_host() {
    need_root!();
    differs!(Runc | Crun | Youki, "CVE-2026-41579 and CVE-2026-47766, not fixed in older ones");
    let mut bundle = Bundle::new(&["true"]);
    let canary = Canary::new(&bundle.dir().join("canary"));
    fs::write(canary.dir().join("ptmx"), "x").expect("write");
    fs::remove_file(canary.dir().join("ptmx")).expect("remove");
    fs::remove_dir(bundle.rootfs().join("dev")).expect("remove /dev");
    symlink(canary.dir(), bundle.rootfs().join("dev")).expect("plant");
    drop_dev_mounts(&mut bundle);
    bundle.run();
    canary.assert_untouched();
    bundle.assert_clean();
}

fn drop_dev_mounts(bundle: &mut Bundle) {
    bundle.set("/root/readonly", json!(false));
    if let Some(mounts) = bundle.config["mounts"].as_array_mut() {
        mounts.retain(|m| !m["destination"].as_str().unwrap_or_default().starts_with("/dev"));
    }
}

#[test]
fn device_names_as_links_to_host_files() {
    need_root!();
    for name in ["null", "zero", "tty", "ptmx", "console", "fd", "stdin", "core"] {
        for target in ["file", "missing"] {
            let mut bundle = Bundle::new(&["true"]);
            let canary = Canary::new(&bundle.dir().join("canary"));
            symlink(canary.dir().join(target), bundle.rootfs().join("dev").join(name)).expect("plant");
            drop_dev_mounts(&mut bundle);
            bundle.run();
            canary.assert_untouched();
            bundle.assert_clean();
        }
    }
}

/// /dev/console as a link, with a terminal (CVE-2025-52565, CVE-2026-88264).
#[test]
fn console_as_a_link() {
    need_root!();
    for target in ["file", "missing"] {
        let mut bundle = Bundle::new(&["tty"]);
        let canary = Canary::new(&bundle.dir().join("canary"));
        symlink(canary.dir().join(target), bundle.rootfs().join("dev/console")).expect("plant");
        drop_dev_mounts(&mut bundle);
        bundle.push("/mounts", mount("/dev/pts", "devpts", "devpts", &["newinstance", "ptmxmode=0666"]));
        bundle.set("/process/terminal", json!(true));
        let socket = integration_tests::ConsoleSocket::new(bundle.dir(), "c.sock");
        if bundle.create_with(&["--console-socket", &socket.path()]).code == 0 {
            bundle.start();
        }
        canary.assert_untouched();
        bundle.delete();
    }
}

/// /dev/null as a link to a bind-mounted host file, chowned when stdio is reopened
/// (CVE-2026-88265); runs as another user so that an owner change would show.
#[test]
fn null_as_a_link_to_a_bound_file() {
    need_root!();
    let mut bundle = Bundle::new(&["true"]);
    let canary = Canary::new(&bundle.dir().join("canary"));
    fs::write(bundle.rootfs().join("bound"), "").expect("write");
    symlink("/bound", bundle.rootfs().join("dev/null")).expect("plant");
    drop_dev_mounts(&mut bundle);
    bundle.push("/mounts", mount("/bound", "bind", &canary.file().to_string_lossy(), &["bind"]));
    bundle.set("/process/user/uid", json!(1000));
    bundle.run();
    canary.assert_untouched();
    bundle.assert_clean();
}

/// CVE-2025-31133: masking a file binds the container's /dev/null, whatever that is.
#[test]
fn masked_path_when_dev_null_is_something_else() {
    need_root!();
    let mut bundle = Bundle::new(&["cat", "/secret"]);
    let canary = Canary::new(&bundle.dir().join("canary"));
    fs::write(bundle.rootfs().join("secret"), "secret\n").expect("write");
    fs::write(bundle.rootfs().join("fake-null"), "fake\n").expect("write");
    symlink("/fake-null", bundle.rootfs().join("dev/null")).expect("plant");
    drop_dev_mounts(&mut bundle);
    bundle.set("/linux/maskedPaths", json!(["/secret"]));
    let output = bundle.run();
    assert!(!output.stdout.contains("secret"), "{output}");
    if peer() == Peer::Onggi {
        assert!(!output.stdout.contains("fake"), "{output}");
    }
    canary.assert_untouched();
    bundle.assert_clean();
}

#[test]
fn masked_and_readonly_paths_as_links() {
    need_root!();
    for list in ["maskedPaths", "readonlyPaths"] {
        for target in ["file", "empty", "missing"] {
            let mut bundle = Bundle::new(&["true"]);
            let canary = Canary::new(&bundle.dir().join("canary"));
            symlink(canary.dir().join(target), bundle.rootfs().join("link")).expect("plant");
            bundle.set(&format!("/linux/{list}"), json!(["/link"]));
            bundle.run();
            canary.assert_untouched();
            bundle.assert_clean();
        }
    }
}

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
        fs::copy(integration_tests::runtime(), &path).expect("copy the runtime");
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
        let mut command = std::process::Command::new(&binary);
        command.arg("--root").arg(bundle.state_root()).args(["exec", &bundle.id, "/proc/self/exe", "--version"]);
        integration_tests::run(&mut command);
        let mut command = std::process::Command::new(&binary);
        command.arg("--root").arg(bundle.state_root()).args(["exec", &bundle.id, "/runtimetest", "true"]);
        integration_tests::run(&mut command);
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

/// CVE-2021-30465, CVE-2024-45310: somebody swaps the destination while mounts are made.
#[test]
fn racer_on_a_mount_destination() {
    need_root!();
    let volume = Bundle::new(&["true"]);
    let canary = Canary::new(&volume.dir().join("canary"));
    let shared = volume.dir().join("shared");
    fs::create_dir_all(shared.join("a")).expect("mkdir");
    symlink(canary.dir(), shared.join("b")).expect("plant");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for (from, to) in [("a", "t"), ("b", "a"), ("t", "b")] {
                    let _ = fs::rename(shared.join(from), shared.join(to));
                }
            }
        });
        let end = Instant::now() + Duration::from_secs(6);
        while Instant::now() < end {
            let mut bundle = Bundle::new(&["true"]);
            bundle.push("/mounts", mount("/mnt", "bind", &shared.to_string_lossy(), &["bind", "rw"]));
            bundle.push("/mounts", mount("/mnt/a/deep", "tmpfs", "tmpfs", &[]));
            bundle.push("/mounts", mount("/mnt/b/file", "bind", "/etc/hostname", &["bind"]));
            bundle.set("/root/readonly", json!(false));
            fs::create_dir(bundle.rootfs().join("mnt")).expect("mkdir");
            bundle.run();
            let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
            assert!(!mounts.contains("/canary"), "a mount was made on the host");
            let new = canary.dir().join("deep");
            assert!(!new.exists(), "{} was made on the host", new.display());
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    canary.assert_untouched();
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
                assert_eq!(mode & 0o022, 0, "{} has mode {mode:o} under umask {mask}", path.display());
            }
            if meta.is_dir() {
                todo.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()));
            }
        }
        bundle.delete();
    }
}

#[test]
fn cgroups_path_cannot_leave_the_hierarchy() {
    need_root!();
    for path in ["/../../../../tmp/NAME", "../../../../../tmp/NAME", "/a/../../../../../tmp/NAME"] {
        let mut bundle = Bundle::new(&["sleep", "60"]);
        let name = format!("{}-esc", bundle.id);
        bundle.set("/linux/cgroupsPath", json!(path.replace("NAME", &name)));
        let output = bundle.create();
        assert!(!Path::new("/tmp").join(&name).exists(), "a directory was made in /tmp: {output}");
        for root in integration_tests::Cgroups::detect().roots() {
            let outside = root.parent().map(|p| p.join("tmp").join(&name));
            assert!(!outside.is_some_and(|p| p.exists()), "{output}");
        }
        drop(bundle);
    }
}

#[test]
fn exec_user_out_of_range_is_refused() {
    need_root!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    for user in ["-1", "4294967296", "4294967295", "18446744073709551616", "1:-1", "0x0", "1:4294967296", "99999999999", "no-such-user"] {
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
    fs::write(bundle.rootfs().join("etc/passwd"), "root:x:0:0::/:/\nuser:x:1000:1001::/home:/\n").expect("write");
    fs::write(bundle.rootfs().join("etc/group"), "root:x:0:\nuser:x:1001:\nmore:x:1002:user\n").expect("write");
    bundle.set("/process/user", json!({ "uid": 5, "gid": 6 }));
    bundle.up();
    for (user, wanted) in [("1000", "uid=1000 gid="), ("1000:7", "uid=1000 gid=7 "), ("0:0", "uid=0 gid=0 ")] {
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
        "umask 000; export CALLER_SECRET=1; exec 7</etc/hostname 9</; exec '{}' --root '{}' exec {} /runtimetest all fds -- umask -- env -- id -- keyring",
        integration_tests::runtime().display(),
        bundle.state_root().display(),
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
    bundle.set("/linux/seccomp", json!({ "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["getcwd"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5 }] }));
    bundle.up();
    let output = bundle.exec(&["all", "status", "Seccomp", "NoNewPrivs", "CapInh", "--", "syscall", "getcwd"]);
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

/// The host's own devices keep owner and mode when a container runs as another user.
#[test]
fn host_devices_are_not_chowned_through_stdio() {
    need_root!();
    let meta = |path: &str| fs::metadata(path).map(|m| (m.uid(), m.gid(), m.mode())).ok();
    let before: Vec<_> = ["/dev/null", "/dev/zero", "/dev/tty"].map(meta).into();
    let mut bundle = Bundle::new(&["true"]);
    bundle.set("/process/user", json!({ "uid": 1000, "gid": 1000 }));
    bundle.run().ok();
    let after: Vec<_> = ["/dev/null", "/dev/zero", "/dev/tty"].map(meta).into();
    assert_eq!(before, after);
}

#[test]
fn cgroup_mount_that_is_read_only_cannot_be_written() {
    need_root!();
    let mut bundle = Bundle::new(&["true"]);
    bundle.capabilities(&["CAP_DAC_OVERRIDE"]);
    let cgroups = integration_tests::Cgroups::detect();
    let place = match cgroups.view() {
        integration_tests::View::V2 => "/sys/fs/cgroup/new".to_owned(),
        _ => "/sys/fs/cgroup/pids/new".to_owned(),
    };
    bundle.args(&["/runtimetest", "mkdir", &place]);
    let output = bundle.run();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("Read-only") || output.stderr.contains("No such file"), "{output}");
    bundle.assert_clean();
}

#[test]
fn state_directory_with_rubbish_is_survived() {
    need_root!();
    let bundle = Bundle::new(&["true"]);
    let place = bundle.state_root().join(&bundle.id);
    for text in [None, Some(""), Some("{"), Some("[]"), Some("{\"id\": 1}")] {
        fs::create_dir_all(&place).expect("mkdir");
        if let Some(text) = text {
            fs::write(place.join("state.json"), text).expect("write");
        }
        for args in [&["state", &bundle.id][..], &["list"], &["kill", &bundle.id, "9"], &["start", &bundle.id]] {
            let output = bundle.call(args);
            assert!(!output.stderr.contains("panicked"), "{output}");
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
