//! `silent`, `loud`, `iversion` and `noiversion`: flags of mount(2) that fsconfig(2) has no words for.

use integration_tests::{Bundle, differs, mount, need_root, need_strace, run, skip, strace};
use nix::libc::O_NONBLOCK;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

/// A block device of zeros, for as long as the value lives.
struct Loop(String);

impl Loop {
    /// `None` where the host has none to give.
    fn new(file: &Path) -> Option<Self> {
        fs::write(file, vec![0; 1 << 20]).expect("write");
        let found =
            run(Command::new("losetup").args(["--find", "--show", "--read-only"]).arg(file));
        (found.code == 0).then(|| Self(found.stdout.trim().to_owned()))
    }

    fn name(&self) -> &str {
        self.0.trim_start_matches("/dev/")
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = run(Command::new("losetup").args(["--detach", &self.0]));
    }
}

/// How many messages `action` brings into the kernel's log that name `device`.
fn messages(device: &str, action: impl FnOnce()) -> Option<usize> {
    let mut log = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open("/dev/kmsg").ok()?;
    log.seek(SeekFrom::End(0)).ok()?;
    action();
    let mut count = 0;
    let mut record = [0; 8192];
    loop {
        match log.read(&mut record) {
            Ok(length) => {
                count += usize::from(String::from_utf8_lossy(&record[..length]).contains(device));
            }
            // Overwritten before it was read.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(_) => return Some(count),
        }
    }
}

/// Why a file system cannot be mounted stands in the kernel's log, unless it is to be silent.
#[test]
fn silent_and_loud() {
    need_root!();
    let filesystems = fs::read_to_string("/proc/filesystems").expect("read");
    if !filesystems.lines().any(|line| line == "\text4") {
        skip!("no ext4 here");
    }
    for user in [&["loud"][..], &["silent"], &["silent", "loud"], &["loud", "silent", "ro"]] {
        let mut bundle = Bundle::new(&["true"]);
        let Some(device) = Loop::new(&bundle.dir().join("disk")) else {
            skip!("no loop device to be had");
        };
        bundle.set("/linux/resources/devices", json!([{ "allow": true, "access": "rwm" }]));
        let options = [&["ro"], user].concat();
        bundle.push("/mounts", mount("/m", "ext4", &device.0, &options));
        let Some(count) = messages(device.name(), || {
            bundle.run().fails_with(&[]);
        }) else {
            skip!("the kernel's log cannot be read");
        };
        let silent = user.contains(&"silent") && user.last() != Some(&"loud");
        // Making the device may leave a message, but before.
        assert_eq!(count == 0, silent, "{user:?}: {count}");
        bundle.assert_clean();
    }
}

/// The words are taken for a bind mount, a file system and a remount alike, and the file system, which would
/// refuse what it does not know, is told nothing of them. All else is as without them.
#[test]
fn all_words_leave_the_rest_alone() {
    need_root!();
    differs!(Crun | Youki, "hand them to the file system");
    for user_namespace in [false, true] {
        let mut bundle =
            Bundle::new(&["all", "cat", "/proc/self/mountinfo", "--", "ls", "/m/both"]);
        bundle.set("/root/readonly", json!(false));
        fs::create_dir_all(bundle.rootfs().join("m/both/kept")).expect("mkdir");
        if user_namespace {
            bundle.user_namespace();
            bundle.own_tree(&bundle.rootfs().join("m"), 100_000);
        }
        let words = ["silent", "iversion"];
        let shown = ["nosuid", "noexec", "nosymfollow", "noatime", "lazytime", "size=64k,mode=711"];
        let source = bundle.dir().to_string_lossy().into_owned();
        for (target, options) in [
            ("/m/none", &shown[..]),
            ("/m/both", &[&shown[..], &words, &["ro", "tmpcopyup"]].concat()),
            ("/m/off", &[&shown[..], &["loud", "noiversion"]].concat()),
        ] {
            bundle.push("/mounts", mount(target, "tmpfs", "of-its-own", options));
        }
        bundle
            .push("/mounts", mount("/m/bind", "bind", &source, &[&["bind"], &words[..]].concat()));
        let again = [&["remount", "nodev"], &words[..]].concat();
        bundle.push("/mounts", mount("/m/off", "tmpfs", "tmpfs", &again));
        let output = bundle.run();
        assert!(output.ok().ends_with("\nkept\n"), "{output}");
        // Options, kind, source and options of the file system of the last mount at a place.
        let line = |target: &str| -> BTreeSet<&str> {
            let mut lines = output.stdout.lines();
            let line = lines.rfind(|line| line.split(' ').nth(4) == Some(target)).expect("a mount");
            let (left, right) = line.split_once(" - ").expect("a line of mountinfo");
            let words = left.split(' ').nth(5).into_iter().chain(right.split(' '));
            words.flat_map(|word| word.split(',')).collect()
        };
        let plain = line("/m/none");
        assert!(
            plain.is_superset(&["nosuid", "nosymfollow", "noatime", "lazytime", "mode=711"].into())
        );
        let changed = |target: &str| -> Vec<String> {
            line(target).symmetric_difference(&plain).map(|word| (*word).to_owned()).collect()
        };
        assert_eq!(changed("/m/both"), ["ro", "rw"].map(str::to_owned)[..1]);
        assert_eq!(changed("/m/off"), ["nodev"]);
        line("/m/bind");
        bundle.assert_clean();
    }
}

/// The flags reach the kernel, in the one call that takes them; the process that makes it goes with the runtime.
#[test]
fn flags_reach_mount_2() {
    need_root!();
    differs!(Runc | Crun | Youki, "make other calls");
    need_strace!();
    let mut bundle = Bundle::new(&["true"]);
    bundle.set("/root/readonly", json!(false));
    for (target, word) in [("/m/a", "silent"), ("/m/b", "iversion"), ("/m/c", "loud")] {
        bundle.push("/mounts", mount(target, "tmpfs", word, &["size=64k", word]));
    }
    bundle.write();
    let trace = bundle.dir().join("trace");
    let options = ["-f", "-e", "trace=mount,prctl", "-o", &trace.to_string_lossy()];
    run(&mut strace(&bundle, &options, &["run", "--bundle", &bundle.path(), &bundle.id])).ok();
    let text = fs::read_to_string(&trace).expect("the trace");
    let call =
        |source: &str| text.lines().find(|line| line.contains(&format!("mount(\"{source}\"")));
    for (word, flag) in [("silent", "MS_SILENT"), ("iversion", "MS_I_VERSION")] {
        let line = call(word).unwrap_or_else(|| panic!("{word}: {text}"));
        assert!(line.contains(flag), "{word}: {text}");
        let pid = line.split(' ').next();
        let mut own = text.lines().filter(|line| line.split(' ').next() == pid);
        assert!(own.any(|line| line.contains("PR_SET_PDEATHSIG, SIGKILL")), "{word}: {text}");
    }
    assert_eq!(call("loud"), None, "made by the new calls");
    bundle.assert_clean();
}
