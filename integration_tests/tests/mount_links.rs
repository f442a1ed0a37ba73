//! `copy-symlink`, `src-nofollow` and `dest-nofollow`: options of crun for symbolic links at the ends of a
//! bind mount (crun(1), "mount options").

use integration_tests::{Bundle, Canary, differs, mount, need_root};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// A bundle whose process runs `words`, with `file`, `dir/file`, `link` → `/etc/there`, `gone` → `no/such`
/// and `dirlink` → `dir` beside the root.
fn bundle(words: &[&str]) -> Bundle {
    let mut bundle = Bundle::new(words);
    bundle.set("/root/readonly", json!(false));
    let dir = bundle.dir();
    fs::create_dir(dir.join("dir")).expect("mkdir");
    for file in ["file", "dir/file"] {
        fs::write(dir.join(file), "of the volume\n").expect("write");
    }
    for (name, text) in [("link", "/etc/there"), ("gone", "no/such"), ("dirlink", "dir")] {
        symlink(text, dir.join(name)).expect("symlink");
    }
    fs::write(bundle.rootfs().join("etc/there"), "of the image\n").expect("write");
    bundle
}

/// Both ways of opening a source: by the process itself and, with a user namespace, by the runtime.
fn both_ways(test: impl Fn(bool)) {
    for user_namespace in [false, true] {
        test(user_namespace);
    }
}

#[test]
fn a_source_that_is_a_link_is_copied() {
    need_root!();
    differs!(Runc | Youki, "do not know the option");
    both_ways(|user_namespace| {
        let mut bundle =
            bundle(&["all", "readlink", "/new/a", "/b", "/c", "/etc/d", "--", "cat", "/new/a"]);
        // Changes of the mounts come before the root becomes read-only.
        bundle.set("/root/readonly", json!(true));
        if user_namespace {
            bundle.user_namespace();
        }
        symlink("/etc/there", bundle.rootfs().join("b")).expect("the same link");
        symlink("/etc", bundle.rootfs().join("way")).expect("symlink");
        for (destination, source) in
            [("/new/a", "link"), ("/b", "link"), ("/c", "gone"), ("/way/d", "dirlink")]
        {
            let source = bundle.dir().join(source).to_string_lossy().into_owned();
            let options = ["rbind", "ro", "rprivate", "copy-symlink"];
            bundle.push("/mounts", mount(destination, "bind", &source, &options));
        }
        let output = bundle.run();
        assert_eq!(output.ok(), "/etc/there\n/etc/there\nno/such\ndir\nof the image\n");
        bundle.assert_clean();
    });
}

/// What is no link is mounted as without the option.
#[test]
fn other_sources_are_mounted() {
    need_root!();
    differs!(Runc | Youki, "do not know the options");
    both_ways(|user_namespace| {
        let mut bundle = bundle(&["all", "cat", "/f", "/d/file", "--", "write", "/f", "x"]);
        if user_namespace {
            bundle.user_namespace();
        }
        for (destination, source) in [("/f", "file"), ("/d", "dir")] {
            let source = bundle.dir().join(source).to_string_lossy().into_owned();
            let options = ["bind", "ro", "copy-symlink"];
            bundle.push("/mounts", mount(destination, "bind", &source, &options));
        }
        let output = bundle.run();
        assert_eq!(output.stdout, "of the volume\nof the volume\n", "{output}");
        assert!(output.stderr.contains("Read-only"), "{output}");
        bundle.assert_clean();
    });
}

#[test]
fn a_link_is_copied_over_nothing_else() {
    need_root!();
    differs!(Runc | Crun | Youki, "other words");
    both_ways(|user_namespace| {
        for (name, other) in [("etc/there", None), ("etc", None), ("other", Some("/etc"))] {
            let mut bundle = bundle(&["true"]);
            if user_namespace {
                bundle.user_namespace();
            }
            if let Some(text) = other {
                symlink(text, bundle.rootfs().join(name)).expect("symlink");
            }
            let destination = format!("/{name}");
            bundle.push("/mounts", mount(&destination, "bind", "link", &["bind", "copy-symlink"]));
            let words = ["make symbolic link to \"/etc/there\" at", &destination, "exists"];
            bundle.run().fails_with(&words);
            bundle.assert_clean();
        }
    });
}

/// The link itself is mounted, whether what it says is there or not.
#[test]
fn a_source_that_is_not_followed() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    both_ways(|user_namespace| {
        let mut bundle =
            bundle(&["all", "readlink", "/a", "/etc/new/b", "/own", "--", "cat", "/a", "/f"]);
        if user_namespace {
            bundle.user_namespace();
        }
        symlink("text", bundle.rootfs().join("inside")).expect("symlink");
        for (destination, source) in
            [("/a", "link"), ("/etc/new/b", "gone"), ("/own", "rootfs/inside"), ("/f", "file")]
        {
            let source = bundle.dir().join(source).to_string_lossy().into_owned();
            let options = ["bind", "ro", "nosuid", "src-nofollow"];
            bundle.push("/mounts", mount(destination, "bind", &source, &options));
        }
        let output = bundle.run();
        assert_eq!(output.ok(), "/etc/there\nno/such\ntext\nof the image\nof the volume\n");
        let made = fs::symlink_metadata(bundle.rootfs().join("a")).expect("the place of the mount");
        assert!(made.is_file(), "{made:?}");
        bundle.assert_clean();
    });
}

/// A link in the root is what is mounted on; what it leads to is as before. What is missing is made.
#[test]
fn a_destination_that_is_not_followed() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    both_ways(|user_namespace| {
        let mut bundle = bundle(&[
            "all",
            "cat",
            "/l",
            "/etc/there",
            "/new/f",
            "/new/d/file",
            "--",
            "stat",
            "/lost",
            "--",
            "readlink",
            "/both",
        ]);
        if user_namespace {
            bundle.user_namespace();
        }
        let canary = Canary::new(&bundle.dir().join("canary"));
        for (name, text) in
            [("l", "/etc/there"), ("both", "x"), ("lost", &canary.dir().to_string_lossy())]
        {
            symlink(text, bundle.rootfs().join(name)).expect("symlink");
        }
        for (destination, source, more) in [
            ("/l", "file", "ro"),
            ("/lost", "file", "ro"),
            ("/new/f", "file", "ro"),
            ("/new/d", "dir", "ro"),
            ("/both", "link", "src-nofollow"),
        ] {
            let source = bundle.dir().join(source).to_string_lossy().into_owned();
            let options = ["bind", "dest-nofollow", more];
            bundle.push("/mounts", mount(destination, "bind", &source, &options));
        }
        let output = bundle.run();
        let text = output.ok();
        let seen = "of the volume\nof the image\nof the volume\nof the volume\n/lost f ";
        assert!(text.starts_with(seen) && text.ends_with("\n/etc/there\n"), "{output}");
        canary.assert_untouched();
        bundle.assert_clean();
    });
}

#[test]
fn kinds_must_agree_with_a_link() {
    need_root!();
    differs!(Runc | Crun | Youki, "other words");
    for (source, options, destination) in [
        ("dir", ["bind", "dest-nofollow"], "/l"),
        ("file", ["bind", "dest-nofollow"], "/etc"),
        ("dirlink", ["bind", "src-nofollow"], "/etc"),
    ] {
        let mut bundle = bundle(&["true"]);
        symlink("/etc", bundle.rootfs().join("l")).expect("symlink");
        bundle.push("/mounts", mount(destination, "bind", source, &options));
        bundle.run().fails_with(&["not a directory", destination]);
        bundle.assert_clean();
    }
}

/// Links before the last name lead nowhere else, with none of the options.
#[test]
fn links_on_the_way_stay_inside() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    for (word, source) in
        [("copy-symlink", "gone"), ("src-nofollow", "gone"), ("dest-nofollow", "file")]
    {
        let mut bundle = bundle(&["true"]);
        let canary = Canary::new(&bundle.dir().join("canary"));
        let up = Path::new("../../../../../../../..")
            .join(canary.dir().strip_prefix("/").expect("absolute"));
        symlink(canary.dir(), bundle.rootfs().join("absolute")).expect("symlink");
        symlink(up, bundle.rootfs().join("relative")).expect("symlink");
        for way in ["/absolute", "/relative"] {
            let entry = mount(&format!("{way}/x"), "bind", source, &["bind", word]);
            bundle.push("/mounts", entry);
        }
        bundle.run();
        canary.assert_untouched();
        bundle.assert_clean();
    }
}
