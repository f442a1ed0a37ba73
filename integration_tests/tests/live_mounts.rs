//! `mounts add` and `mounts remove`: mounts of a container that runs already.

use integration_tests::{Bundle, Canary, HostMount, Output, differs, need_root, run, skip};
use nix::mount::MsFlags;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

macro_rules! need_mounts {
    () => {
        need_root!();
        differs!(Runc | Crun | Youki, "has no such verb, or only later ones");
    };
}

/// A container that sleeps, with a root file system that can be written to.
fn running() -> Bundle {
    let mut bundle = Bundle::new(&["sleep", "1000"]);
    bundle.set("/root/readonly", json!(false));
    bundle
}

fn mounts(bundle: &Bundle, action: &str, list: &Value) -> Output {
    let file = bundle.dir().join("mounts.json");
    fs::write(&file, list.to_string()).expect("write the list");
    bundle.call(&["mounts", action, &bundle.id, &file.to_string_lossy()])
}

/// The line of the container's mountinfo for a mount point.
fn line(bundle: &Bundle, place: &str) -> Option<String> {
    let output = bundle.exec(&["cat", "/proc/self/mountinfo"]);
    let found = output.ok().lines().rfind(|line| line.split(' ').nth(4) == Some(place));
    found.map(str::to_owned)
}

#[test]
fn come_and_go() {
    need_mounts!();
    let bundle = running();
    fs::create_dir(bundle.dir().join("source")).expect("make the source");
    fs::write(bundle.dir().join("source/file"), "from the host\n").expect("fill the source");
    bundle.up();
    let list = json!([
        { "destination": "/new/scratch", "type": "tmpfs", "options": ["size=64k", "nosuid", "silent"] },
        { "destination": "/data", "type": "bind", "source": "source", "options": ["rbind", "ro"] },
        { "destination": "/one", "source": bundle.dir().join("source/file"), "options": ["bind"] },
    ]);
    assert_eq!(mounts(&bundle, "add", &list).ok(), "");
    let scratch = line(&bundle, "/new/scratch").expect("the tmpfs is there");
    assert!(scratch.contains("nosuid") && scratch.contains("size=64k"), "{scratch}");
    let data = line(&bundle, "/data").expect("the bind mount is there");
    assert!(data.split(' ').nth(5).is_some_and(|options| options.starts_with("ro")), "{data}");
    let output = bundle.exec(&["all", "cat", "/data/file", "--", "cat", "/one"]);
    assert_eq!(output.ok(), "from the host\nfrom the host\n");
    let refused = bundle.exec(&["write", "/data/file", "x"]);
    assert_ne!(refused.code, 0, "a read-only mount was written to: {refused}");
    bundle.exec(&["write", "/new/scratch/file", "x"]).ok();

    let host = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    assert!(!host.contains(&bundle.id), "a mount shows on the host");

    assert_eq!(mounts(&bundle, "remove", &list).ok(), "");
    for place in ["/new/scratch", "/data", "/one"] {
        assert_eq!(line(&bundle, place), None, "{place}");
    }
    mounts(&bundle, "remove", &list).exits(1).fails_with(&["nothing is mounted there"]);
    bundle.delete();
}

/// As with mounts of config.json: what the container mounts there is not for the host to see.
#[test]
fn shared_sources_have_no_peers_in_the_container() {
    need_mounts!();
    for user_namespace in [false, true] {
        let mut bundle = running();
        if user_namespace {
            bundle.user_namespace();
        }
        let source = HostMount::tmpfs(bundle.dir().join("source"));
        source.change(MsFlags::MS_SHARED);
        bundle.up();
        for options in [&["rbind", "rshared"][..], &["bind", "shared"], &["rbind"]] {
            let list = json!([{ "destination": "/data", "source": source.0, "options": options }]);
            mounts(&bundle, "add", &list).ok();
            let data = line(&bundle, "/data").expect("the bind mount is there");
            let shared = options.iter().any(|option| option.ends_with("shared"));
            assert!(data.contains(" master:"), "{options:?}, {user_namespace}: {data}");
            assert_eq!(data.contains(" shared:"), shared, "{options:?}: {data}");
            mounts(&bundle, "remove", &list).ok();
        }
        drop(source);
        bundle.delete();
    }
}

#[test]
fn the_list_may_come_from_standard_input_and_the_container_be_paused_or_created() {
    need_mounts!();
    let bundle = running();
    bundle.create().ok();
    let file = bundle.dir().join("list");
    let list = json!([{ "destination": "/a", "type": "tmpfs" }]);
    fs::write(&file, list.to_string()).expect("write the list");
    let stdin = Stdio::from(fs::File::open(&file).expect("open the list"));
    bundle.call_with_stdin(&["mounts", "add", &bundle.id, "-"], stdin).ok();
    bundle.start();
    assert!(line(&bundle, "/a").is_some());
    if bundle.call(&["pause", &bundle.id]).code == 0 {
        mounts(&bundle, "remove", &list).ok();
        bundle.call(&["resume", &bundle.id]).ok();
        assert_eq!(line(&bundle, "/a"), None);
    }
    bundle.delete();
}

/// Longer than fsconfig(2) takes them: made by mount(2), in a mount namespace that is not the container's.
#[test]
fn options_may_be_long() {
    need_mounts!();
    let bundle = running();
    bundle.up();
    let long = format!("mode={}755", "0".repeat(300));
    let list = json!([{ "destination": "/a", "type": "tmpfs", "options": [long, "ro"] }]);
    mounts(&bundle, "add", &list).ok();
    let mounted = line(&bundle, "/a").expect("the mount is there");
    assert!(mounted.contains(" ro,") && mounted.contains("mode=755"), "{mounted}");
    mounts(&bundle, "remove", &list).ok();
    bundle.delete();
}

#[test]
fn all_or_none_are_made() {
    need_mounts!();
    let bundle = running();
    bundle.up();
    let broken = [
        json!({ "destination": "/b", "type": "bind", "source": "/no/such/source", "options": ["bind"] }),
        json!({ "destination": "/b", "type": "no-such-file-system" }),
        json!({ "destination": "/b", "type": "tmpfs", "options": ["size=nonsense"] }),
        json!({ "destination": "/runtimetest", "type": "tmpfs" }),
    ];
    for entry in broken {
        let list = json!([{ "destination": "/a", "type": "tmpfs" }, entry]);
        mounts(&bundle, "add", &list).exits(1).fails_with(&[]);
        assert_eq!(line(&bundle, "/a"), None, "{list}");
    }
    bundle.delete();
}

/// What is taken away after a failure is what was made, wherever its path leads by then.
#[test]
fn a_racer_on_the_way_of_what_is_taken_back() {
    need_mounts!();
    let mut bundle = running();
    bundle.push("/mounts", json!({ "destination": "/data", "type": "tmpfs", "source": "tmpfs" }));
    fs::create_dir_all(bundle.rootfs().join("w/a")).expect("mkdir");
    fs::create_dir(bundle.rootfs().join("v")).expect("mkdir");
    symlink("/data", bundle.rootfs().join("v/a")).expect("plant a link");
    bundle.up();
    let all = || fs::read_to_string(format!("/proc/{}/mountinfo", bundle.pid())).expect("read");
    let before = all();
    let list = json!([
        { "destination": "/w/a", "type": "tmpfs" },
        { "destination": "/b", "type": "tmpfs", "options": ["size=nonsense"] },
    ]);
    let root = bundle.rootfs();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for (from, to) in [("w", "t"), ("v", "w"), ("t", "v")] {
                    let _ = fs::rename(root.join(from), root.join(to));
                }
            }
        });
        let outputs: Vec<Output> = (0..40).map(|_| mounts(&bundle, "add", &list)).collect();
        stop.store(true, Ordering::Relaxed);
        assert!(outputs.iter().all(|output| output.code == 1));
    });
    assert_eq!(all(), before, "mounts have come or gone");
    bundle.delete();
}

#[test]
fn links_of_the_root_file_system_lead_nowhere_else() {
    need_mounts!();
    let bundle = running();
    let canary = Canary::new(&bundle.dir().join("canary"));
    let outside = canary.dir();
    let up =
        Path::new("../../../../../../../../..").join(outside.strip_prefix("/").expect("absolute"));
    for (name, target) in [("absolute", outside.to_owned()), ("relative", up)] {
        symlink(&target, bundle.rootfs().join(name)).expect("plant a link");
    }
    bundle.up();
    for place in ["/absolute", "/relative", "/absolute/new", "/relative/file"] {
        let list = json!([{ "destination": place, "type": "tmpfs" }]);
        // A refusal is as good as a mount inside.
        if mounts(&bundle, "add", &list).code == 0 {
            mounts(&bundle, "remove", &list).ok();
        }
    }
    // A link of the kernel's own, to the root of the host's process.
    bundle.exec(&["readlink", "/proc/self/exe"]).ok();
    for place in ["/proc/self/root/magic", "/proc/1/root/magic", "/proc/self/cwd"] {
        let list = json!([{ "destination": place, "type": "tmpfs" }]);
        mounts(&bundle, "add", &list).exits(1).fails_with(&[]);
        mounts(&bundle, "remove", &list).exits(1).fails_with(&[]);
    }
    canary.assert_untouched();
    let host = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    assert!(!host.contains(&*outside.to_string_lossy()), "a mount was made on the host");
    bundle.delete();
}

#[test]
fn what_confines_cannot_be_taken_away() {
    need_mounts!();
    let mut bundle = running();
    let masked = "/proc/timer_list";
    bundle.set("/linux/maskedPaths", json!([masked, "/sys/firmware"]));
    symlink("/proc", bundle.rootfs().join("link")).expect("plant a link");
    bundle.up();
    for place in ["/", "/dev", "/proc", "/sys", masked, "/link/timer_list", "/x/../proc/timer_list"]
    {
        let list = json!([{ "destination": place }]);
        mounts(&bundle, "remove", &list).exits(1).fails_with(&["unmount"]);
    }
    assert!(line(&bundle, masked).is_some(), "the mask is gone");
    for entry in [
        json!({ "destination": "/", "type": "tmpfs" }),
        json!({ "destination": "/x", "type": "cgroup" }),
        json!({ "destination": "/tmp", "options": ["remount", "rw"] }),
        json!({ "destination": "/proc/self", "type": "tmpfs" }),
        json!({ "destination": "/link", "type": "tmpfs" }),
        json!({ "type": "tmpfs" }),
        json!("text"),
    ] {
        mounts(&bundle, "add", &json!([entry])).exits(1).fails_with(&[]);
    }
    bundle.delete();
}

/// A disk that holds one file, `who`, for as long as the value lives.
struct Disk(String);

impl Disk {
    /// `None` where the host has no block device to give, or cannot make the file system.
    fn new(dir: &Path, who: &str) -> Option<Self> {
        let (image, content) = (dir.join(who), dir.join(format!("of-{who}")));
        fs::create_dir(&content).expect("mkdir");
        fs::write(content.join("who"), who).expect("write");
        let words = ["-q", "-t", "ext4", "-O", "^has_journal", "-d"];
        let mut make = Command::new("mke2fs");
        make.args(words).arg(&content).arg(&image).arg("1m");
        let made = make.output().is_ok_and(|output| output.status.success());
        let words = ["--find", "--show", "--read-only"];
        let found = run(Command::new("losetup").args(words).arg(&image));
        (made && found.code == 0).then(|| Self(found.stdout.trim().to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = run(Command::new("losetup").args(["--detach", &self.0]));
    }
}

/// A disk is the host's, whatever has its name in the container.
#[test]
fn block_devices_are_those_of_the_host() {
    need_mounts!();
    let filesystems = fs::read_to_string("/proc/filesystems").expect("read");
    if !filesystems.lines().any(|line| line == "\text4") {
        skip!("no ext4 here");
    }
    let mut bundle = running();
    bundle.capabilities(&["CAP_MKNOD"]);
    let disks = ["asked", "other"].map(|who| Disk::new(bundle.dir(), who));
    let [Some(asked), Some(other)] = &disks else { skip!("no disks to be had") };
    bundle.up();
    let list =
        json!([{ "destination": "/m", "type": "ext4", "source": asked.0, "options": ["ro"] }]);
    for planted in [false, true] {
        if planted {
            let number = fs::metadata(&other.0).expect("stat").rdev();
            let (major, minor) = (number >> 8 & 0xfff, number & 0xff);
            let node = [asked.0.as_str(), "b", &major.to_string(), &minor.to_string()];
            bundle.exec(&[&["mknod"], &node[..]].concat()).ok();
        }
        mounts(&bundle, "add", &list).ok();
        assert_eq!(bundle.exec(&["cat", "/m/who"]).ok(), "asked");
        let mounted = line(&bundle, "/m").expect("the mount is there");
        assert!(mounted.contains(" ro,") && !mounted.contains("shared:"), "{mounted}");
        mounts(&bundle, "remove", &list).ok();
    }
    bundle.delete();
}

#[test]
fn in_a_user_namespace() {
    need_mounts!();
    let mut bundle = running();
    bundle.user_namespace();
    bundle.up();
    let source = bundle.dir().join("source");
    fs::create_dir(&source).expect("make the source");
    fs::write(source.join("file"), "shared\n").expect("fill the source");
    let list = json!([
        { "destination": "/scratch", "type": "tmpfs", "options": ["iversion"] },
        { "destination": "/data", "type": "bind", "source": source, "options": ["bind"] },
    ]);
    mounts(&bundle, "add", &list).ok();
    bundle.exec(&["write", "/scratch/file", "x"]).ok();
    assert_eq!(bundle.exec(&["cat", "/data/file"]).ok(), "shared\n");
    mounts(&bundle, "remove", &list).ok();
    assert_eq!(line(&bundle, "/scratch"), None);
    bundle.delete();
}

/// Options of crun for links: what is made at a link is what is taken away, and not what it leads to.
#[test]
fn links_at_the_ends() {
    need_mounts!();
    for user_namespace in [false, true] {
        let mut bundle = running();
        if user_namespace {
            bundle.user_namespace();
        }
        let dir = bundle.dir();
        fs::write(dir.join("file"), "of the host\n").expect("write");
        symlink("/data", dir.join("source")).expect("symlink");
        symlink("/data", bundle.rootfs().join("place")).expect("symlink");
        symlink("/data", bundle.rootfs().join("there")).expect("symlink");
        bundle.up();
        let data = json!([{ "destination": "/data", "type": "tmpfs" }]);
        mounts(&bundle, "add", &data).ok();
        let entry = |destination, source, word| json!({ "destination": destination, "source": source, "options": ["bind", word] });
        let list = json!([
            entry("/copied", "source", "copy-symlink"),
            entry("/itself", "source", "src-nofollow"),
            entry("/place", "file", "dest-nofollow"),
        ]);
        mounts(&bundle, "add", &list).ok();
        let links = ["readlink", "/copied", "/itself", "/there"];
        let output = bundle.exec(&[&["all", "cat", "/place", "--"], &links[..]].concat());
        assert_eq!(output.ok(), "of the host\n/data\n/data\n/data\n");
        mounts(&bundle, "remove", &list).ok();
        assert!(line(&bundle, "/data").is_some(), "what links lead to was unmounted");
        let gone = bundle.exec(&["readlink", "/copied"]);
        assert!(gone.exits(1).stderr.contains("No such file"), "{gone}");
        assert_eq!(bundle.exec(&["stat", "/itself"]).ok().split(' ').nth(1), Some("f"));
        assert_eq!(bundle.exec(&["readlink", "/place"]).ok(), "/data\n");

        // Taken back after a failure: the link that was made, not the one that was there.
        let broken = json!([
            entry("/copied", "source", "copy-symlink"),
            entry("/there", "source", "copy-symlink"),
            { "destination": "/a", "type": "no-such-file-system" },
        ]);
        mounts(&bundle, "add", &broken).exits(1).fails_with(&["no-such-file-system"]);
        assert_eq!(bundle.exec(&["readlink", "/copied"]).code, 1);
        assert_eq!(bundle.exec(&["readlink", "/there"]).ok(), "/data\n");
        assert!(line(&bundle, "/data").is_some(), "what links lead to was unmounted");
        // A link is followed where it is not what is mounted, as ever.
        mounts(&bundle, "remove", &json!([{ "destination": "/there" }])).ok();
        assert_eq!(line(&bundle, "/data"), None);
        bundle.delete();
    }
}

#[test]
fn only_where_something_runs() {
    need_mounts!();
    let bundle = Bundle::new(&["true"]);
    let list = json!([{ "destination": "/a", "type": "tmpfs" }]);
    mounts(&bundle, "add", &list).exits(1).fails_with(&["does not exist"]);
    bundle.up();
    bundle.wait_status("stopped");
    mounts(&bundle, "add", &list).exits(1).fails_with(&["not running"]);
    let id = &bundle.id;
    bundle
        .call(&["mounts", "change", id, "-"])
        .exits(1)
        .fails_with(&["must be one of add, remove"]);
    bundle.call(&["mounts", "add", id]).exits(1).fails_with(&["requires exactly 3"]);
    bundle.delete();
}
