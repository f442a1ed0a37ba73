//! Mounts: options, sources, destinations, propagation. Plain options are in conformance.rs.

use integration_tests::{Bundle, differs, mount, need_root, skip};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A mount point on the host below the bundle's directory, taken away on drop.
struct HostMount(std::path::PathBuf);

impl HostMount {
    fn tmpfs(path: std::path::PathBuf) -> Self {
        fs::create_dir_all(&path).expect("mkdir");
        let none = nix::mount::MsFlags::empty();
        nix::mount::mount(Some("tmpfs"), &path, Some("tmpfs"), none, Some("size=1m"))
            .expect("mount tmpfs");
        Self(path)
    }
}

impl Drop for HostMount {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}

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

#[test]
fn destinations_are_made() {
    need_root!();
    let mut bundle = Bundle::new(&["stat", "/new/dir", "/new/file", "/new/deep/er/tmp"]);
    let volume = bundle.dir().join("volume");
    fs::create_dir(&volume).expect("mkdir");
    bundle.set("/root/readonly", json!(false));
    bundle.push("/mounts", mount("/new/dir", "bind", &volume.to_string_lossy(), &["bind"]));
    bundle.push("/mounts", mount("/new/file", "bind", "/etc/hostname", &["bind"]));
    bundle.push("/mounts", mount("/new/deep/er/tmp", "tmpfs", "tmpfs", &[]));
    let output = bundle.run();
    let kinds: Vec<&str> = output.ok().lines().filter_map(|l| l.split(' ').nth(1)).collect();
    assert_eq!(kinds, ["d", "f", "d"]);
    bundle.assert_clean();
}

#[test]
fn destinations_in_a_read_only_root_are_made_before_it_closes() {
    need_root!();
    let mut bundle = Bundle::check();
    bundle.push("/mounts", mount("/made/late", "tmpfs", "tmpfs", &[]));
    bundle.run_check();
}

#[test]
fn destination_through_links_inside_the_root() {
    need_root!();
    let mut bundle = Bundle::new(&["cat", "/real/place/file"]);
    let volume = bundle.dir().join("volume");
    fs::create_dir(&volume).expect("mkdir");
    fs::write(volume.join("file"), "seen\n").expect("write");
    fs::create_dir_all(bundle.rootfs().join("real/place")).expect("mkdir");
    std::os::unix::fs::symlink("/real", bundle.rootfs().join("alias")).expect("link");
    bundle.push("/mounts", mount("/alias/place", "bind", &volume.to_string_lossy(), &["bind"]));
    assert_eq!(bundle.run().ok(), "seen\n");
    bundle.assert_clean();
}

#[test]
fn destination_without_leading_slash() {
    need_root!();
    let mut bundle = Bundle::new(&["cat", "/proc/self/mountinfo"]);
    bundle.push("/mounts", mount("tmp", "tmpfs", "tmpfs", &["size=64k"]));
    assert!(bundle.run().ok().lines().any(|l| l.contains(" /tmp ")));
}

#[test]
fn remount_changes_an_earlier_mount() {
    need_root!();
    differs!(Crun | Youki, "differs in detail");
    let mut bundle = Bundle::new(&["open-write", "/tmp/x"]);
    bundle.push("/mounts", mount("/tmp", "tmpfs", "tmpfs", &["rw"]));
    bundle.push("/mounts", mount("/tmp", "tmpfs", "tmpfs", &["remount", "ro"]));
    let output = bundle.run();
    assert!(
        output.ok().contains("Read-only") || output.stdout.contains("No such file"),
        "{output}"
    );
    bundle.args(&["/runtimetest", "touch", "/tmp/x"]);
    let output = bundle.run();
    assert!(output.stderr.contains("Read-only"), "{output}");
}

#[test]
fn sticky_and_special_modes_of_a_tmpfs() {
    need_root!();
    let mut bundle = Bundle::new(&["stat", "/a", "/b", "/c"]);
    bundle.set("/root/readonly", json!(false));
    bundle.push("/mounts", mount("/a", "tmpfs", "tmpfs", &["mode=1777"]));
    bundle.push("/mounts", mount("/b", "tmpfs", "tmpfs", &["mode=0700"]));
    bundle.push("/mounts", mount("/c", "tmpfs", "tmpfs", &["mode=2755"]));
    let output = bundle.run();
    let modes: Vec<&str> = output.ok().lines().filter_map(|l| l.split(' ').nth(2)).collect();
    assert_eq!(modes, ["1777", "700", "2755"]);
}

#[test]
fn tmpfs_takes_over_the_mode_of_what_it_covers() {
    need_root!();
    differs!(Crun | Youki, "takes 1777");
    let mut bundle = Bundle::new(&["stat", "/cover"]);
    let place = bundle.rootfs().join("cover");
    fs::create_dir(&place).expect("mkdir");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o711)).expect("chmod");
    bundle.push("/mounts", mount("/cover", "tmpfs", "tmpfs", &["size=64k"]));
    assert!(bundle.run().ok().contains("/cover d 711 "));
}

#[test]
fn tmpcopyup_brings_the_files_along() {
    need_root!();
    differs!(Crun | Youki, "differs or lacks it");
    let mut bundle = Bundle::new(&[
        "all",
        "cat",
        "/data/file",
        "--",
        "stat",
        "/data/dir",
        "--",
        "readlink",
        "/data/link",
    ]);
    let data = bundle.rootfs().join("data");
    fs::create_dir_all(data.join("dir")).expect("mkdir");
    fs::set_permissions(data.join("dir"), fs::Permissions::from_mode(0o750)).expect("chmod");
    fs::write(data.join("file"), "copied\n").expect("write");
    std::os::unix::fs::symlink("file", data.join("link")).expect("link");
    bundle.push("/mounts", mount("/data", "tmpfs", "tmpfs", &["tmpcopyup"]));
    let output = bundle.run();
    assert!(
        output.ok().contains("copied\n")
            && output.stdout.contains("d 750")
            && output.stdout.ends_with("file\n"),
        "{output}"
    );
    assert!(data.join("file").exists());
}

#[test]
fn idmapped_mount() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    let mut bundle = Bundle::new(&["stat", "/v/file"]);
    let volume = bundle.dir().join("volume");
    fs::create_dir(&volume).expect("mkdir");
    fs::write(volume.join("file"), "x").expect("write");
    bundle.user_namespace();
    let mut entry = mount("/v", "bind", &volume.to_string_lossy(), &["bind", "idmap"]);
    entry["uidMappings"] = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
    entry["gidMappings"] = entry["uidMappings"].clone();
    bundle.set("/root/readonly", json!(false));
    bundle.push("/mounts", entry);
    let output = bundle.run();
    if output.stderr.contains("not supported") {
        bundle.assert_clean();
        skip!("this runtime or kernel has no id-mapped mounts: {}", output.stderr.trim());
    }
    assert!(output.ok().contains("/v/file f 644 0 0"), "{output}");
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

#[test]
fn devpts_instances_are_separate() {
    need_root!();
    let bundle = Bundle::new(&["ls", "/dev/pts"]);
    assert_eq!(bundle.run().ok(), "ptmx\n");
}

#[test]
fn many_mounts() {
    need_root!();
    let mut bundle = Bundle::new(&["cat", "/proc/self/mountinfo"]);
    bundle.set("/root/readonly", json!(false));
    for number in 0..150 {
        bundle.push("/mounts", mount(&format!("/m/{number}"), "tmpfs", "tmpfs", &["size=64k"]));
    }
    assert_eq!(bundle.run().ok().matches(" /m/").count(), 150);
    bundle.assert_clean();
}

#[test]
fn odd_names() {
    need_root!();
    let mut bundle = Bundle::new(&["ls", "/tmp"]);
    bundle.set("/root/readonly", json!(false));
    let names = ["with space", "옹기", "back\\slash", "tab\there", "co,mma", "-dash"];
    for name in names {
        let source = bundle.dir().join(name);
        fs::create_dir(&source).expect("mkdir");
        bundle.push(
            "/mounts",
            mount(&format!("/tmp/{name}"), "bind", &source.to_string_lossy(), &["bind"]),
        );
    }
    let output = bundle.run();
    let mut wanted = names;
    wanted.sort_unstable();
    assert_eq!(output.ok().lines().collect::<Vec<_>>(), wanted);
    bundle.assert_clean();
}
