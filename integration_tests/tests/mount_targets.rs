//! Where mounts land: destinations that are made, found through links, covered or remounted; and
//! what tmpfs does with what it covers.

use integration_tests::{Bundle, differs, mount, need_root, skip};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

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

/// There is no new mount then that mount(2) could make.
#[test]
fn a_remount_takes_no_longer_options_than_fsconfig() {
    need_root!();
    differs!(Runc | Crun | Youki, "remount by mount(2)");
    let mut bundle = Bundle::new(&["all"]);
    bundle.push("/mounts", mount("/tmp", "tmpfs", "tmpfs", &["rw"]));
    let long = format!("size={}4096", "0".repeat(300));
    bundle.push("/mounts", mount("/tmp", "tmpfs", "tmpfs", &["remount", &long]));
    bundle.run().exits(1).fails_with(&["/tmp", "mount option size", "fsconfig(2) takes 255"]);
    bundle.assert_clean();
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

/// What the options say of the root directory goes before what it covers.
#[test]
fn tmpcopyup_keeps_the_mode_and_the_owner_of_the_options() {
    need_root!();
    differs!(Runc | Crun | Youki, "differs or lacks it");
    for (options, want) in [
        (&["tmpcopyup", "mode=1775"][..], "d 1775 7 8"),
        (&["tmpcopyup", "mode=1775", "uid=5", "gid=6"], "d 1775 5 6"),
        (&["tmpcopyup", "gid=6"], "d 715 7 6"),
        (&["tmpcopyup"], "d 715 7 8"),
    ] {
        let mut bundle = Bundle::new(&["all", "stat", "/data", "--", "ls", "/data"]);
        let data = bundle.rootfs().join("data");
        fs::create_dir_all(&data).expect("mkdir");
        fs::write(data.join("file"), "").expect("write");
        fs::set_permissions(&data, fs::Permissions::from_mode(0o715)).expect("chmod");
        std::os::unix::fs::chown(&data, Some(7), Some(8)).expect("chown");
        bundle.push("/mounts", mount("/data", "tmpfs", "tmpfs", options));
        let output = bundle.run();
        assert!(output.ok().contains(want), "{options:?}: {output}");
        assert!(output.stdout.ends_with("file\n"), "{output}");
        bundle.assert_clean();
    }
}

/// More than mount(2) takes, which would cut it off in silence.
#[test]
fn options_longer_than_a_page_are_refused() {
    need_root!();
    differs!(Runc | Crun | Youki, "another number and other words");
    let mut bundle = Bundle::new(&["all"]);
    let all = format!("lowerdir=/a:{}", "b".repeat(4100));
    bundle.push("/mounts", mount("/layers", "overlay", "overlay", &[&all]));
    bundle.run().exits(1).fails_with(&["/layers", "4095 are the most"]);
    bundle.assert_clean();
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

/// The layers of an overlay are soon longer than what fsconfig(2) takes as one value.
#[test]
fn an_overlay_of_many_layers() {
    need_root!();
    differs!(Youki, "takes them with fsconfig(2)");
    for user_namespace in [false, true] {
        let mut bundle = Bundle::new(&["all", "ls", "/o", "--", "touch", "/o/new"]);
        bundle.set("/root/readonly", json!(false));
        if user_namespace {
            bundle.user_namespace();
        }
        let base = bundle.dir().join("layers");
        let layer = |name: &str| base.join(format!("{}-{name}", "x".repeat(100)));
        let lower: Vec<String> = ["a", "b", "c"]
            .map(|name| {
                fs::create_dir_all(layer(name).join(name)).expect("mkdir");
                layer(name).to_string_lossy().into_owned()
            })
            .to_vec();
        let mut options = vec![format!("lowerdir={}", lower.join(":"))];
        for (key, name) in [("upperdir", "upper"), ("workdir", "work")] {
            fs::create_dir_all(layer(name)).expect("mkdir");
            options.push(format!("{key}={}", layer(name).display()));
        }
        bundle.own_tree(&base, if user_namespace { 100_000 } else { 0 });
        options.extend(["nosuid".to_owned(), "ro".to_owned(), "rw".to_owned()]);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        bundle.push("/mounts", mount("/o", "overlay", "overlay", &options));
        let output = bundle.run();
        if output.stderr.contains("no such device") {
            skip!("the kernel has no overlay file system");
        }
        assert_eq!(output.ok(), "a\nb\nc\n");
        assert!(layer("upper").join("new").exists());
        bundle.assert_clean();
    }
}
