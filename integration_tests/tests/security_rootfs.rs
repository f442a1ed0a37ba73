//! Attacks by a hostile root file system: links and races at the paths that the runtime makes,
//! mounts and writes. A refusal is as good as a safe container; the host must be as it was.

use integration_tests::{Bundle, Canary, Peer, differs, mount, need_root, peer, run, runtimetest};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;
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
    assert!(
        !mounts.contains(&canary.dir().to_string_lossy().into_owned()),
        "a mount was made on the host"
    );
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
    for (name, target) in
        [("proc", "tmp"), ("proc", "CANARY"), ("sys", "CANARY"), ("sys", "tmp"), ("proc", "/")]
    {
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
            assert_ne!(
                output.code,
                0,
                "/proc as a link to {} was accepted: {output}",
                target.display()
            );
        }
        bundle.assert_clean();
    }
}

/// CVE-2019-16884: a mount over /proc hides the files by which labels and masks are written.
#[test]
fn mounts_over_proc() {
    need_root!();
    differs!(Crun | Youki, "allows mounts over /proc");
    for (target, kind, options) in [
        ("/proc", "bind", &["bind"][..]),
        ("/proc/self/attr", "bind", &["bind"]),
        ("/proc", "tmpfs", &[]),
    ] {
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
            symlink(canary.dir().join(target), bundle.rootfs().join("dev").join(name))
                .expect("plant");
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
        bundle.push(
            "/mounts",
            mount("/dev/pts", "devpts", "devpts", &["newinstance", "ptmxmode=0666"]),
        );
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

/// CVE-2021-30465, CVE-2024-45310: somebody swaps the destination while mounts are made.
#[test]
fn racer_on_a_mount_destination() {
    need_root!();
    let volume = Bundle::new(&["true"]);
    let canary = Canary::new(&volume.dir().join("canary"));
    let shared = volume.dir().join("shared");
    fs::create_dir_all(shared.join("a")).expect("mkdir");
    symlink(canary.dir(), shared.join("b")).expect("plant");
    /// Ends the racer when the other thread is done, by a panic or not.
    struct Stop<'a>(&'a std::sync::atomic::AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
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
            bundle
                .push("/mounts", mount("/mnt", "bind", &shared.to_string_lossy(), &["bind", "rw"]));
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
    });
    canary.assert_untouched();
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
    assert!(
        output.stderr.contains("Read-only") || output.stderr.contains("No such file"),
        "{output}"
    );
    bundle.assert_clean();
}

/// A mount over a masked path or a device of the container must not cover the device of the host, as
/// it would if the two were peers. On most hosts /dev is shared.
#[test]
fn devices_in_the_container_are_no_peers_of_the_hosts() {
    need_root!();
    // The second time as before Linux 5.12.
    for (user_namespace, missing) in
        [(false, "none"), (false, "mount_setattr"), (true, "none"), (true, "mount_setattr")]
    {
        let mut bundle = Bundle::new(&["cat", "/proc/self/mountinfo"]);
        bundle.set("/linux/maskedPaths", json!(["/proc/keys", "/proc/timer_list", "/proc/acpi"]));
        if user_namespace {
            bundle.user_namespace();
        }
        bundle.write();
        let runtime = bundle.command(&["run", "--bundle", &bundle.path(), &bundle.id]);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "shared"]);
        if missing != "none" {
            command.arg(runtimetest()).args(["without", missing]);
        }
        command.arg(runtime.get_program());
        let output = run(command.args(runtime.get_args()));
        let mounts = output.ok();
        assert!(mounts.lines().filter(|line| line.contains(" /null ")).count() >= 2, "{mounts}");
        let shared: Vec<_> = mounts.lines().filter(|line| line.contains(" shared:")).collect();
        assert!(shared.is_empty(), "{user_namespace} {missing} {shared:#?}");
        bundle.assert_clean();
    }
}
