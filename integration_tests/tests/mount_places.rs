//! Files, directories and links as destinations, and what may be mounted over parts of /proc.

use integration_tests::{Bundle, differs, mount, need_root};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};

/// A bundle with `file` ("of the volume") and `dir/file` beside the root, whose process prints the files
/// `show`.
fn bundle(show: &[&str]) -> Bundle {
    let mut words: Vec<&str> = vec!["all"];
    for path in show {
        words.extend(["cat", path, "--"]);
    }
    words.push("true");
    let mut bundle = Bundle::new(&words);
    bundle.set("/root/readonly", json!(false));
    fs::create_dir(bundle.dir().join("dir")).expect("mkdir");
    for file in ["file", "dir/file"] {
        fs::write(bundle.dir().join(file), "of the volume\n").expect("write");
    }
    bundle
}

const SEEN: &str = "of the volume\n";

/// Source, link in the root and what it says, destination, where the source is seen then.
type Row =
    (&'static str, &'static [(&'static str, &'static str)], &'static str, &'static [&'static str]);

#[test]
fn links_as_destinations_are_followed_inside() {
    need_root!();
    differs!(Runc | Crun | Youki, "older ones refuse those that lead to nothing");
    let rows: &[Row] = &[
        ("file", &[("link", "/etc/there")], "/link", &["/link", "/etc/there"]),
        ("file", &[("link", "etc/there")], "/link", &["/link", "/etc/there"]),
        ("file", &[("link", "/etc/new")], "/link", &["/link", "/etc/new"]),
        ("file", &[("link", "/new/deep")], "/link/er", &["/link/er", "/new/deep/er"]),
        ("file", &[("a", "b/x"), ("b", "/new")], "/a/y", &["/new/x/y", "/a/y"]),
        ("file", &[("up", "../../../etc")], "/up/there", &["/etc/there"]),
        ("dir", &[("link", "/etc")], "/link", &["/link/file", "/etc/file"]),
        ("dir", &[("link", "/new")], "/link", &["/link/file", "/new/file"]),
        ("dir", &[("link", "/new/deep")], "/link/er", &["/new/deep/er/file"]),
    ];
    for (source, links, destination, show) in rows {
        let mut bundle = bundle(show);
        fs::write(bundle.rootfs().join("etc/there"), "covered\n").expect("write");
        for (name, text) in *links {
            symlink(text, bundle.rootfs().join(name)).expect("symlink");
        }
        bundle.push("/mounts", mount(destination, "bind", source, &["rbind"]));
        assert_eq!(bundle.run().ok(), SEEN.repeat(show.len()), "{links:?} {destination}");
        for (name, text) in *links {
            let link = fs::read_link(bundle.rootfs().join(name)).expect("still a link");
            assert_eq!(link.to_string_lossy(), *text);
        }
        bundle.assert_clean();
    }
}

#[test]
fn a_new_file_system_on_a_link() {
    need_root!();
    for text in ["/etc", "etc"] {
        let mut bundle = Bundle::new(&["all", "write", "/link/new", "x", "--", "cat", "/etc/new"]);
        bundle.set("/root/readonly", json!(false));
        symlink(text, bundle.rootfs().join("link")).expect("symlink");
        bundle.push("/mounts", mount("/link", "tmpfs", "tmpfs", &[]));
        assert!(bundle.run().ok().ends_with('x'), "{text}");
        assert!(!bundle.rootfs().join("etc/new").exists(), "written below the mount");
    }
}

/// A file goes on files and a directory on directories.
#[test]
fn kinds_must_agree() {
    need_root!();
    for (source, kind, destination, words) in [
        ("file", "bind", "/etc", "not a directory"),
        ("dir", "bind", "/etc/there", "not a directory"),
        ("tmpfs", "tmpfs", "/etc/there", "not a directory"),
    ] {
        let mut bundle = bundle(&[]);
        fs::write(bundle.rootfs().join("etc/there"), "").expect("write");
        let options: &[&str] = if kind == "bind" { &["bind"] } else { &[] };
        bundle.push("/mounts", mount(destination, kind, source, options));
        let output = bundle.run();
        assert_ne!(output.code, 0, "{source} on {destination}: {output}");
        if integration_tests::peer() == integration_tests::Peer::Onggi {
            output.fails_with(&["error mounting", destination, words]);
        }
        bundle.assert_clean();
    }
}

/// A link as a source leads where it does on the host; what is no directory is bound to a file.
#[test]
fn sources_of_other_kinds() {
    need_root!();
    let mut bundle = bundle(&["/linked", "/listed/file"]);
    symlink("file", bundle.dir().join("to-file")).expect("symlink");
    symlink("dir", bundle.dir().join("to-dir")).expect("symlink");
    let fifo = bundle.dir().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    let listener =
        std::os::unix::net::UnixListener::bind(bundle.dir().join("socket")).expect("bind");
    assert!(fs::metadata(&fifo).expect("stat").file_type().is_fifo());
    let dir = bundle.path();
    for (destination, source) in
        [("/linked", "to-file"), ("/listed", "to-dir"), ("/fifo", "fifo"), ("/socket", "socket")]
    {
        bundle.push("/mounts", mount(destination, "bind", &format!("{dir}/{source}"), &["rbind"]));
    }
    bundle.push("/mounts", mount("/null", "bind", "/dev/null", &["bind"]));
    assert_eq!(bundle.run().ok(), SEEN.repeat(2));
    bundle.args(&["/runtimetest", "stat", "/fifo", "/socket", "/null"]);
    let kinds = bundle.run();
    let kinds: Vec<&str> = kinds.ok().lines().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(kinds, ["p", "s", "c"]);
    drop(listener);
}

/// What lxcfs replaces may be covered by a file, nothing else in a procfs.
#[test]
fn parts_of_proc() {
    need_root!();
    differs!(Crun | Youki, "allows mounts over /proc");
    const COVERED: &[&str] = &[
        "/proc/cpuinfo",
        "/proc/diskstats",
        "/proc/loadavg",
        "/proc/meminfo",
        "/proc/slabinfo",
        "/proc/stat",
        "/proc/swaps",
        "/proc/uptime",
        "/proc/sys/kernel/ns_last_pid",
        "/proc/sys/crypto/fips_enabled",
    ];
    let here: Vec<&str> =
        COVERED.iter().copied().filter(|path| fs::metadata(path).is_ok()).collect();
    let mut good = bundle(&here);
    // It makes some of /proc/sys read-only, which does not show what is mounted on it.
    good.unset("/linux/readonlyPaths").unset("/linux/maskedPaths");
    for path in &here {
        good.push("/mounts", mount(path, "bind", "file", &["bind"]));
    }
    assert_eq!(good.run().ok(), SEEN.repeat(here.len()));
    good.assert_clean();

    for (destination, source, link) in [
        ("/proc/self", "dir", ""),
        ("/proc/1/attr", "dir", ""),
        ("/proc/sys", "dir", ""),
        ("/proc/sys/kernel", "dir", ""),
        ("/proc/sysrq-trigger", "file", ""),
        ("/proc/version", "file", ""),
        ("/proc/uptime/../version", "file", ""),
        ("/x/../proc/self", "dir", ""),
        ("//proc//./self/attr", "dir", ""),
        ("/link/self", "dir", "/proc"),
        ("/link", "file", "/proc/version"),
        ("/link", "dir", "/proc/self/attr"),
    ] {
        let mut bundle = bundle(&["/proc/version"]);
        if !link.is_empty() {
            symlink(link, bundle.rootfs().join("link")).expect("symlink");
        }
        bundle.push("/mounts", mount(destination, "bind", source, &["bind"]));
        let output = bundle.run();
        assert_ne!(output.code, 0, "{source} over {destination} was accepted: {output}");
        if integration_tests::peer() == integration_tests::Peer::Onggi {
            output.fails_with(&["is inside /proc"]);
        }
        bundle.assert_clean();
    }
}

/// /proc itself is a procfs, a new one or the host's.
#[test]
fn the_whole_of_proc() {
    need_root!();
    differs!(Crun | Youki, "takes others, too");
    for (kind, source, options, good) in [
        ("proc", "proc", &[][..], true),
        ("none", "/proc", &["rbind"], true),
        ("bind", "/proc/sys", &["rbind"], false),
        ("bind", "dir", &["rbind"], false),
        ("tmpfs", "tmpfs", &[], false),
        ("sysfs", "sysfs", &[], false),
    ] {
        let mut bundle = bundle(&["/proc/self/comm"]);
        bundle.unset("/linux/readonlyPaths").unset("/linux/maskedPaths");
        let mounts = bundle.config["mounts"].as_array_mut().expect("mounts");
        mounts.retain(|entry| entry["destination"] != "/proc");
        bundle.push("/mounts", mount("/proc", kind, source, options));
        if kind == "none" {
            // What the process shows of itself is that of its own pid namespace.
            integration_tests::without_namespace(&mut bundle.config, "pid");
        }
        let output = bundle.run();
        if good {
            assert_eq!(output.ok(), "runtimetest\n", "{kind} {source}");
        } else {
            output
                .exits(1)
                .fails_with(&["\"/proc\" cannot be mounted because it is not of type proc"]);
        }
        bundle.assert_clean();
    }
}

/// What config.json mounts in the place of a default device stays there, as `-v /dev/urandom:/dev/random` has
/// it. What the image brings along is another matter.
#[test]
fn in_the_place_of_a_device() {
    need_root!();
    differs!(Runc | Crun | Youki, "the device covers it in a user namespace");
    for user_namespace in [false, true] {
        let mut bundle = bundle(&["/dev/zero"]);
        bundle.args(&["/runtimetest", "all", "stat", "/dev/random", "--", "cat", "/dev/zero"]);
        if user_namespace {
            bundle.user_namespace();
        }
        bundle.push("/mounts", mount("/dev/random", "bind", "/dev/urandom", &["bind"]));
        bundle.push("/mounts", mount("/x/../dev/zero", "bind", "file", &["bind"]));
        let output = bundle.run();
        let random =
            output.ok().starts_with("/dev/random c 666 ") && output.stdout.contains(" 1:9 ");
        assert!(random && output.stdout.ends_with(SEEN), "{output}");
        bundle.assert_clean();
    }
    let mut bundle = bundle(&["/etc/passwd"]);
    let mounts = bundle.config["mounts"].as_array().cloned().unwrap_or_default();
    let others = mounts.into_iter().filter(|entry| {
        entry["destination"].as_str().is_some_and(|place| !place.starts_with("/dev"))
    });
    bundle.set("/mounts", others.collect());
    fs::create_dir_all(bundle.rootfs().join("dev")).expect("mkdir");
    fs::write(bundle.rootfs().join("dev/null"), "of the image").expect("write");
    bundle.run().fails_with(&["/dev/null", "another file is there already"]);
    bundle.assert_clean();
}

/// A mount over the root directory would be out of sight, and everything else in its place.
#[test]
fn nothing_covers_the_root() {
    need_root!();
    differs!(Runc | Crun | Youki, "other words, or it becomes the root");
    for (destination, planned) in
        [("/", true), ("/..", true), ("etc/../.", true), ("/link", false), ("/link/etc/..", false)]
    {
        for kind in ["tmpfs", "bind", "cgroup"] {
            let mut bundle = bundle(&[]);
            symlink("/", bundle.rootfs().join("link")).expect("symlink");
            bundle.push("/mounts", mount(destination, kind, "dir", &[]));
            let words = ["nothing can be mounted over the root directory", "/destination"];
            bundle.run().fails_with(if planned { &words } else { &words[..1] });
            bundle.assert_clean();
        }
    }
}
