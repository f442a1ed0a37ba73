//! The root file system: read-only or not, its propagation, odd places; host name and sysctl.

use integration_tests::{
    Bundle, Peer, Rootfs, differs, mount, need_root, peer, run, skip, without_namespace,
};
use serde_json::json;
use std::fs;
use std::process::Command;

#[test]
fn read_only_root_cannot_be_written() {
    need_root!();
    let bundle = Bundle::new(&["touch", "/new"]);
    assert!(bundle.run().exits(1).stderr.contains("Read-only"));
    assert!(!bundle.rootfs().join("new").exists());
}

#[test]
fn writable_root_is_the_bundles() {
    need_root!();
    let mut bundle = Bundle::new(&["write", "/new", "text"]);
    bundle.set("/root/readonly", json!(false));
    bundle.run().ok();
    assert_eq!(fs::read_to_string(bundle.rootfs().join("new")).ok().as_deref(), Some("text"));
}

#[test]
fn nothing_of_the_host_is_left_to_see() {
    need_root!();
    let bundle = Bundle::new(&["cat", "/proc/self/mountinfo"]);
    let output = bundle.run();
    let targets: Vec<&str> = output.ok().lines().filter_map(|l| l.split(' ').nth(4)).collect();
    let known = ["/", "/proc", "/dev", "/sys"];
    for target in &targets {
        assert!(
            known.contains(target)
                || ["/proc/", "/dev/", "/sys/"].iter().any(|p| target.starts_with(p)),
            "{target} is left: {output}"
        );
    }
    assert!(!targets.iter().any(|t| t.contains("old") || t.contains("onggi")), "{output}");
}

#[test]
fn root_path_with_dots() {
    need_root!();
    for path in ["./rootfs/../rootfs/", "rootfs/", "././rootfs"] {
        let mut bundle = Bundle::new(&["echo", "ran"]);
        bundle.set("/root/path", json!(path));
        assert_eq!(bundle.run().ok(), "ran\n", "{path}");
        bundle.assert_clean();
    }
}

#[test]
fn root_on_a_shared_mount_leaks_nothing() {
    need_root!();
    use nix::mount::{MntFlags, MsFlags, mount as host_mount, umount2};
    let bundle = Bundle::new(&["true"]);
    let rootfs = bundle.rootfs();
    host_mount(Some(&rootfs), &rootfs, None::<&str>, MsFlags::MS_BIND, None::<&str>).expect("bind");
    host_mount(None::<&str>, &rootfs, None::<&str>, MsFlags::MS_SHARED, None::<&str>)
        .expect("share");
    let before =
        fs::read_to_string("/proc/self/mountinfo").unwrap_or_default().matches(&bundle.id).count();
    bundle.run().ok();
    let after =
        fs::read_to_string("/proc/self/mountinfo").unwrap_or_default().matches(&bundle.id).count();
    umount2(&rootfs, MntFlags::MNT_DETACH).expect("umount");
    assert_eq!(before, after);
    bundle.assert_clean();
}

#[test]
fn shared_propagation() {
    need_root!();
    differs!(Runc, "right since 1.3.1 only");
    let mut bundle = Bundle::check();
    bundle.set("/linux/rootfsPropagation", json!("shared"));
    bundle.run_check();
}

#[test]
fn no_pivot() {
    need_root!();
    let bundle = Bundle::new(&["all", "ls", "/", "--", "touch", "/x"]);
    let output = bundle.run_with(&["--no-pivot"]);
    assert!(
        output.stdout.contains("runtimetest") && output.stderr.contains("Read-only"),
        "{output}"
    );
    bundle.assert_clean();
}

#[test]
fn root_on_a_tmpfs_and_on_an_overlay() {
    need_root!();
    use nix::mount::{MntFlags, MsFlags, mount as host_mount, umount2};
    let bundle = Bundle::new(&["echo", "from overlay"]);
    let dir = bundle.dir();
    for name in ["upper", "work", "merged"] {
        fs::create_dir(dir.join(name)).expect("mkdir");
    }
    let options =
        format!("lowerdir={d}/rootfs,upperdir={d}/upper,workdir={d}/work", d = dir.display());
    let merged = dir.join("merged");
    if host_mount(
        Some("overlay"),
        &merged,
        Some("overlay"),
        MsFlags::empty(),
        Some(options.as_str()),
    )
    .is_err()
    {
        integration_tests::skip!("no overlayfs here");
    }
    let mut other = Bundle::new(&["echo", "from overlay"]);
    other.set("/root/path", json!(merged.to_string_lossy()));
    let output = other.run();
    umount2(&merged, MntFlags::MNT_DETACH).expect("umount");
    assert_eq!(output.ok(), "from overlay\n");
    other.assert_clean();
}

#[test]
fn hostname_and_domainname() {
    need_root!();
    let mut bundle = Bundle::new(&["hostname"]);
    bundle.set("/hostname", json!("name-of-it"));
    if peer() == Peer::Onggi {
        bundle.set("/domainname", json!("domain.of.it"));
        assert_eq!(bundle.run().ok(), "name-of-it domain.of.it\n");
    } else {
        assert!(bundle.run().ok().starts_with("name-of-it "));
    }
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    assert_ne!(host.trim(), "name-of-it");
}

#[test]
fn longest_hostname_and_one_too_long() {
    need_root!();
    let mut bundle = Bundle::new(&["hostname"]);
    bundle.set("/hostname", json!("x".repeat(64)));
    assert!(bundle.run().ok().starts_with(&"x".repeat(64)));
    bundle.set("/hostname", json!("x".repeat(65)));
    bundle.run().exits(1).fails_with(&[]);
    bundle.assert_clean();
}

#[test]
fn sysctl_is_set_inside_only() {
    need_root!();
    let key = "/proc/sys/net/ipv4/ip_default_ttl";
    let before = fs::read_to_string(key).unwrap_or_default();
    let mut bundle = Bundle::new(&["cat", key]);
    bundle.set("/linux/sysctl", json!({ "net.ipv4.ip_default_ttl": "77" }));
    assert_eq!(bundle.run().ok(), "77\n");
    assert_eq!(fs::read_to_string(key).unwrap_or_default(), before);
    bundle.set("/linux/sysctl", json!({ "net/ipv4/ip_default_ttl": "78" }));
    if peer() == Peer::Onggi {
        assert_eq!(bundle.run().ok(), "78\n");
    }
}

#[test]
fn sysctl_of_the_uts_namespace_needs_it() {
    need_root!();
    let mut bundle = Bundle::new(&["true"]);
    without_namespace(&mut bundle.config, "ipc");
    bundle.set("/linux/sysctl", json!({ "kernel.msgmax": "1000" }));
    bundle.run().exits(1).fails_with(&["kernel.msgmax"]);
    bundle.assert_clean();
}

#[test]
fn bad_sysctl_value() {
    need_root!();
    let mut bundle = Bundle::new(&["true"]);
    bundle.set("/linux/sysctl", json!({ "net.ipv4.ip_forward": "galaxy" }));
    bundle.run().exits(1).fails_with(&["net", "invalid argument"]);
    bundle.assert_clean();
}

#[test]
fn annotations_of_any_kind_are_kept() {
    need_root!();
    let mut bundle = Bundle::new(&["sleep", "100"]);
    let annotations =
        json!({ "a": "", "org.example/옹기": "\u{1F3FA} \"quoted\"", "long": "x".repeat(50_000) });
    bundle.set("/annotations", annotations.clone());
    bundle.create().ok();
    assert_eq!(bundle.state()["annotations"], annotations);
    bundle.delete();
}

#[test]
fn mount_over_the_root_path_is_ordered_with_the_rest() {
    need_root!();
    let mut bundle = Bundle::new(&["ls", "/tmp"]);
    let (one, two) = (bundle.dir().join("one"), bundle.dir().join("two"));
    for (dir, file) in [(&one, "first"), (&two, "second")] {
        fs::create_dir(dir).expect("mkdir");
        fs::write(dir.join(file), "").expect("write");
    }
    bundle.push("/mounts", mount("/tmp", "bind", &one.to_string_lossy(), &["bind"]));
    bundle.push("/mounts", mount("/tmp", "bind", &two.to_string_lossy(), &["bind"]));
    assert_eq!(bundle.run().ok(), "second\n");
}

/// What is only covered, as it is without pivot_root, must not help to a procfs without masked paths.
#[test]
fn no_pivot_leaves_no_bare_proc() {
    need_root!();
    let Some(_) = integration_tests::busybox() else { skip!("no static busybox") };
    let mount = "unshare -mrpf mount -t proc none /proc && echo mounted";
    let mut bundle = Bundle::with(
        Rootfs::Busybox,
        &["/bin/sh", "-c", &mount.replace("unshare", "busybox unshare")],
    );
    bundle.capabilities(&["CAP_SETFCAP"]);
    for options in [&[][..], &["--no-pivot"]] {
        let output = bundle.run_with(options);
        assert!(!output.stdout.contains("mounted"), "{options:?}: {output}");
        assert!(output.stderr.contains("mount: permission denied"), "{options:?}: {output}");
    }
    bundle.assert_clean();
}

/// Every kind, with and without the mounts below: the root's own mark, and that of a mount in it.
#[test]
fn every_propagation_of_the_root() {
    need_root!();
    differs!(Runc | Crun | Youki, "right in newer ones only");
    for (kind, root, below) in [
        ("private", "", ""),
        ("rprivate", "", ""),
        ("slave", "master:", ""),
        ("rslave", "master:", ""),
        ("shared", "shared:", ""),
        ("rshared", "shared:", "shared:"),
        ("unbindable", "unbindable", ""),
        ("runbindable", "unbindable", "unbindable"),
    ] {
        let mut bundle = Bundle::new(&["cat", "/proc/self/mountinfo"]);
        bundle.set("/linux/rootfsPropagation", json!(kind));
        bundle.write();
        // On a host whose mounts are peers, as systemd makes them.
        let inner = bundle.command(&["run", "--bundle", &bundle.path(), &bundle.id]);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "shared"]).arg(inner.get_program());
        command.args(inner.get_args()).current_dir(bundle.dir());
        command.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let output = run(&mut command);
        let marks = |target: &str| {
            let line = output.ok().lines().find(|l| l.split(' ').nth(4) == Some(target));
            let line = line.unwrap_or_else(|| panic!("no {target}: {output}"));
            let words = line.split(' ').skip(6).take_while(|word| *word != "-");
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        let fits = |marks: &[String], want: &str| match want {
            "" => marks.is_empty(),
            want => marks.iter().any(|mark| mark.starts_with(want)),
        };
        assert!(fits(&marks("/"), root), "{kind}: {output}");
        assert!(fits(&marks("/dev/shm"), below), "{kind}: {output}");
        bundle.assert_clean();
    }
}
