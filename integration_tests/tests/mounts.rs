//! Mounts: options, sources, destinations, propagation. Plain options are in conformance.rs.

use integration_tests::{Bundle, HostMount, differs, mount, need_root};
use serde_json::json;
use std::fs;

/// Each option of a tmpfs that must be known, one at a time and with its opposite after it.
#[test]
fn every_option_of_a_file_system() {
    need_root!();
    const OPTIONS: &[&str] = &[
        "ro",
        "rw",
        "suid",
        "nosuid",
        "dev",
        "nodev",
        "exec",
        "noexec",
        "sync",
        "async",
        "dirsync",
        "atime",
        "noatime",
        "diratime",
        "nodiratime",
        "relatime",
        "norelatime",
        "strictatime",
        "nostrictatime",
        "mand",
        "nomand",
        "iversion",
        "noiversion",
        "loud",
        "silent",
        "private",
        "rprivate",
        "shared",
        "rshared",
        "slave",
        "rslave",
        "unbindable",
        "runbindable",
    ];
    let mut bundle = Bundle::check();
    bundle.set("/root/readonly", json!(false));
    for option in OPTIONS {
        bundle.push("/mounts", mount(&format!("/m/{option}"), "tmpfs", "tmpfs", &[option]));
    }
    for (first, last) in [
        ("ro", "rw"),
        ("rw", "ro"),
        ("nosuid", "suid"),
        ("nodev", "dev"),
        ("noexec", "exec"),
        ("exec", "noexec"),
        ("noatime", "atime"),
        ("sync", "async"),
    ] {
        bundle.push(
            "/mounts",
            mount(&format!("/m/{first}-{last}"), "tmpfs", "tmpfs", &[first, last]),
        );
    }
    bundle.run_check();
}

#[test]
fn newer_options_of_a_file_system() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    let mut bundle = Bundle::check();
    bundle.set("/root/readonly", json!(false));
    for option in ["defaults", "lazytime", "nolazytime", "nosymfollow", "symfollow"] {
        bundle.push("/mounts", mount(&format!("/m/{option}"), "tmpfs", "tmpfs", &[option]));
    }
    bundle.run_check();
}

#[test]
fn every_option_of_a_bind_mount() {
    need_root!();
    let mut bundle = Bundle::check();
    let source = bundle.dir().join("volume");
    fs::create_dir(&source).expect("mkdir");
    let source = source.to_string_lossy().into_owned();
    bundle.set("/root/readonly", json!(false));
    for bind in ["bind", "rbind"] {
        for option in [
            "ro",
            "rw",
            "nosuid",
            "nodev",
            "noexec",
            "noatime",
            "nodiratime",
            "relatime",
            "strictatime",
            "private",
            "rshared",
            "slave",
            "unbindable",
        ] {
            bundle.push(
                "/mounts",
                mount(&format!("/m/{bind}-{option}"), "bind", &source, &[bind, option]),
            );
        }
        bundle.push(
            "/mounts",
            mount(
                &format!("/m/{bind}-many"),
                "none",
                &source,
                &[bind, "ro", "nosuid", "nodev", "noexec", "noatime", "rprivate"],
            ),
        );
    }
    bundle.run_check();
}

/// `rro` and its family speak of the mounts below, too.
#[test]
fn recursive_options() {
    need_root!();
    differs!(Youki, "not all");
    let mut bundle = Bundle::check();
    let source = bundle.dir().join("volume");
    let _below = HostMount::tmpfs(source.join("below"));
    let source = source.to_string_lossy().into_owned();
    bundle.set("/root/readonly", json!(false));
    for option in ["rro", "rnosuid", "rnodev", "rnoexec", "rnoatime", "rnodiratime"] {
        bundle.push("/mounts", mount(&format!("/m/{option}"), "bind", &source, &["rbind", option]));
    }
    bundle.push("/mounts", mount("/m/both", "bind", &source, &["rbind", "ro", "rnoexec"]));
    bundle.run().checked().ok();
}

#[test]
fn rbind_brings_the_mounts_below_and_bind_does_not() {
    need_root!();
    let mut bundle =
        Bundle::new(&["all", "ls", "/deep/below", "--", "echo", "-", "--", "ls", "/flat/below"]);
    let source = bundle.dir().join("volume");
    let below = HostMount::tmpfs(source.join("below"));
    fs::write(below.0.join("file"), "x").expect("write");
    let source = source.to_string_lossy().into_owned();
    bundle.set("/root/readonly", json!(false));
    bundle.push("/mounts", mount("/deep", "bind", &source, &["rbind"]));
    bundle.push("/mounts", mount("/flat", "bind", &source, &["bind"]));
    assert_eq!(bundle.run().ok(), "file\n-\n");
}

#[test]
fn read_only_bind_cannot_be_written() {
    need_root!();
    let mut bundle = Bundle::new(&["open-write", "/v/file", "/f"]);
    let volume = bundle.dir().join("volume");
    fs::create_dir(&volume).expect("mkdir");
    fs::write(volume.join("file"), "x").expect("write");
    let source = volume.to_string_lossy().into_owned();
    bundle.set("/root/readonly", json!(false));
    bundle.push("/mounts", mount("/v", "bind", &source, &["rbind", "ro"]));
    bundle.push("/mounts", mount("/f", "bind", &format!("{source}/file"), &["bind", "ro"]));
    let output = bundle.run();
    assert_eq!(output.ok().matches("Read-only file system").count(), 2, "{output}");
    assert_eq!(fs::read_to_string(volume.join("file")).ok().as_deref(), Some("x"));
}

#[test]
fn writes_through_a_bind_reach_the_host() {
    need_root!();
    let mut bundle = Bundle::new(&["write", "/v/new", "text"]);
    let volume = bundle.dir().join("volume");
    fs::create_dir(&volume).expect("mkdir");
    bundle.set("/root/readonly", json!(false));
    bundle.push("/mounts", mount("/v", "bind", &volume.to_string_lossy(), &["rbind", "rw"]));
    bundle.run().ok();
    assert_eq!(fs::read_to_string(volume.join("new")).ok().as_deref(), Some("text"));
}

#[test]
fn relative_source_is_taken_from_the_bundle() {
    need_root!();
    differs!(Youki, "takes it from the working directory");
    let mut bundle = Bundle::new(&["cat", "/etc/from-bundle"]);
    fs::write(bundle.dir().join("source-file"), "in the bundle\n").expect("write");
    bundle.set("/root/readonly", json!(false));
    bundle.push("/mounts", mount("/etc/from-bundle", "bind", "source-file", &["bind"]));
    bundle.write();
    let mut command = bundle.command(&["run", "--bundle", &bundle.path(), &bundle.id]);
    let output = integration_tests::run(command.current_dir("/"));
    assert_eq!(output.ok(), "in the bundle\n");
}

/// A mount made on the host later is seen through a slave and not through a private mount.
#[test]
fn propagation_from_the_host() {
    need_root!();
    for (option, seen) in [("rslave", true), ("rprivate", false)] {
        let mut bundle = Bundle::new(&["signal-wait"]);
        let volume = HostMount::tmpfs(bundle.dir().join("volume"));
        let shared = nix::mount::MsFlags::MS_SHARED;
        nix::mount::mount(None::<&str>, &volume.0, None::<&str>, shared, None::<&str>)
            .expect("share");
        fs::create_dir(volume.0.join("later")).expect("mkdir");
        bundle.push(
            "/mounts",
            mount("/tmp", "bind", &volume.0.to_string_lossy(), &["rbind", option]),
        );
        if seen {
            bundle.set("/linux/rootfsPropagation", json!("rslave"));
        }
        bundle.up().wait_log("ready");
        let later = HostMount::tmpfs(volume.0.join("later"));
        fs::write(later.0.join("file"), "x").expect("write");
        let output = bundle.exec(&["ls", "/tmp/later"]);
        assert_eq!(output.ok().contains("file"), seen, "{option}: {output}");
        drop(later);
        bundle.call(&["delete", "--force", &bundle.id]).ok();
        drop(volume);
        bundle.assert_clean();
    }
}

#[test]
fn mounts_of_the_container_never_reach_the_host() {
    need_root!();
    let mut bundle = Bundle::new(&["sleep", "100"]);
    let volume = HostMount::tmpfs(bundle.dir().join("volume"));
    let shared = nix::mount::MsFlags::MS_SHARED;
    nix::mount::mount(None::<&str>, &volume.0, None::<&str>, shared, None::<&str>).expect("share");
    fs::create_dir(volume.0.join("sub")).expect("mkdir");
    bundle.push(
        "/mounts",
        mount("/tmp", "bind", &volume.0.to_string_lossy(), &["rbind", "rprivate"]),
    );
    bundle.push("/mounts", mount("/tmp/sub", "tmpfs", "tmpfs", &[]));
    bundle.up();
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let sub = volume.0.join("sub").to_string_lossy().into_owned();
    assert!(!text.contains(&sub), "{text}");
    bundle.call(&["delete", "--force", &bundle.id]).ok();
}

/// Options of the mount at `destination`, seen from inside.
fn options_of(bundle: &Bundle, destination: &str) -> Vec<String> {
    let output = bundle.run();
    let mut lines = output.ok().lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let found = lines.rfind(|words| words.get(4) == Some(&destination));
    let options = found.and_then(|words| words.get(5).map(|text| (*text).to_owned()));
    let options = options.unwrap_or_else(|| panic!("{destination} is no mount: {output}"));
    options.split(',').map(str::to_owned).collect()
}

fn volume_with(flags: nix::mount::MsFlags, bundle: &Bundle) -> HostMount {
    let volume = HostMount::tmpfs(bundle.dir().join("volume"));
    let flags = flags | nix::mount::MsFlags::MS_BIND | nix::mount::MsFlags::MS_REMOUNT;
    nix::mount::mount(None::<&str>, &volume.0, None::<&str>, flags, None::<&str>).expect("remount");
    volume
}

/// As soon as one attribute is named, the mount has those that are named and no others; access times
/// alone stay until a word is there for them.
#[test]
fn a_bind_mount_has_the_attributes_that_are_named() {
    need_root!();
    differs!(Crun | Youki, "keeps those of the source");
    use nix::mount::MsFlags as Ms;
    let mut bundle = Bundle::new(&["cat", "/proc/self/mountinfo"]);
    let source = bundle.dir().join("volume").to_string_lossy().into_owned();
    bundle.set("/root/readonly", json!(false));
    let last = bundle.config["mounts"].as_array().map_or(0, Vec::len);
    bundle.push("/mounts", json!({}));
    let flags = Ms::MS_RDONLY | Ms::MS_NOSUID | Ms::MS_NODEV | Ms::MS_NOATIME;
    let _volume = volume_with(flags, &bundle);
    for (options, want) in [
        (&["bind"][..], &["ro", "nosuid", "nodev", "noatime"][..]),
        (&["bind", "rprivate"], &["ro", "nosuid", "nodev", "noatime"]),
        (&["bind", "exec"], &["rw", "noatime"]),
        (&["bind", "nodev"], &["rw", "nodev", "noatime"]),
        (&["bind", "ro", "noexec"], &["ro", "noexec", "noatime"]),
        (&["bind", "atime"], &["rw", "noatime"]),
        (&["bind", "relatime"], &["rw", "relatime"]),
        (&["bind", "nodiratime"], &["rw", "nodiratime", "relatime"]),
    ] {
        bundle.set(&format!("/mounts/{last}"), mount("/m", "bind", &source, options));
        assert_eq!(options_of(&bundle, "/m"), want, "{options:?}");
    }
}

/// A user namespace takes nothing from a mount that its source was given by somebody with more rights.
#[test]
fn a_bind_mount_in_a_user_namespace_keeps_what_its_source_has() {
    need_root!();
    differs!(Crun | Youki, "lets it go");
    use nix::mount::MsFlags as Ms;
    let mut bundle = Bundle::new(&["cat", "/proc/self/mountinfo"]);
    let source = bundle.dir().join("volume").to_string_lossy().into_owned();
    bundle.set("/root/readonly", json!(false)).user_namespace();
    let last = bundle.config["mounts"].as_array().map_or(0, Vec::len);
    bundle.push("/mounts", json!({}));
    let _volume = volume_with(Ms::MS_RDONLY | Ms::MS_NOSUID | Ms::MS_NOATIME, &bundle);
    for (options, want) in [
        (&["bind"][..], &["ro", "nosuid", "noatime"][..]),
        (&["bind", "nodev"], &["ro", "nosuid", "nodev", "noatime"]),
        (&["bind", "noatime", "exec"], &["ro", "nosuid", "noatime"]),
    ] {
        bundle.set(&format!("/mounts/{last}"), mount("/m", "bind", &source, options));
        assert_eq!(options_of(&bundle, "/m"), want, "{options:?}");
    }
    for options in [&["bind", "rw"][..], &["bind", "ro", "suid"], &["bind", "relatime"]] {
        bundle.set(&format!("/mounts/{last}"), mount("/m", "bind", &source, options));
        bundle.run().exits(1).fails_with(&["error mounting", "/m", "operation not permitted"]);
    }
}

/// A source in the container's own root is looked up there, with what earlier mounts have put in place.
#[test]
fn a_source_inside_the_root_shows_earlier_mounts() {
    need_root!();
    differs!(Crun | Youki, "not in a user namespace");
    for user_namespace in [false, true] {
        let mut bundle = Bundle::new(&["all", "cat", "/b/file", "--", "cat", "/c/a/file"]);
        bundle.set("/root/readonly", json!(false));
        let volume = bundle.dir().join("volume");
        fs::create_dir(&volume).expect("mkdir");
        fs::write(volume.join("file"), "inside\n").expect("write");
        let root = bundle.rootfs().to_string_lossy().into_owned();
        fs::create_dir_all(bundle.rootfs().join("top/a")).expect("mkdir");
        bundle.push("/mounts", mount("/top/a", "bind", &volume.to_string_lossy(), &["bind"]));
        bundle.push("/mounts", mount("/b", "bind", &format!("{root}/top/a"), &["bind"]));
        // A destination that begins with the root's own path is meant inside of it.
        bundle.push(
            "/mounts",
            mount(&format!("{root}/c"), "bind", &format!("{root}/top"), &["rbind"]),
        );
        if user_namespace {
            bundle.user_namespace();
        }
        assert_eq!(bundle.run().ok(), "inside\ninside\n", "user namespace: {user_namespace}");
        bundle.assert_clean();
    }
}

/// Links in a source inside of the root do not lead out of it.
#[test]
fn a_source_inside_the_root_stays_inside() {
    need_root!();
    differs!(Runc | Crun | Youki, "follows them on the host");
    let mut bundle = Bundle::new(&["cat", "/m/file"]);
    bundle.set("/root/readonly", json!(false));
    let outside = bundle.dir().join("outside");
    fs::create_dir(&outside).expect("mkdir");
    fs::write(outside.join("file"), "of the host").expect("write");
    std::os::unix::fs::symlink(&outside, bundle.rootfs().join("link")).expect("symlink");
    let source = bundle.rootfs().join("link").to_string_lossy().into_owned();
    bundle.push("/mounts", mount("/m", "bind", &source, &["bind"]));
    bundle.run().exits(1).fails_with(&["open mount source", "no such file or directory"]);
    bundle.assert_clean();
}
