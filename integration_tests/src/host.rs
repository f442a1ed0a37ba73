//! Facts of the host and the programs under test.

use crate::output::run;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

fn program(variable: &str, what: &str) -> PathBuf {
    let Some(path) = std::env::var_os(variable) else {
        panic!("set {variable} to {what}, or run the tests by `make test`");
    };
    fs::canonicalize(&path).unwrap_or_else(|e| panic!("{variable}={}: {e}", path.display()))
}

/// The runtime under test, from `RUNTIME`.
pub fn runtime() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| program("RUNTIME", "the runtime's binary"))
}

/// The in-container program, from `RUNTIMETEST`.
pub fn runtimetest() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| program("RUNTIMETEST", "the static runtimetest binary"))
}

/// A static busybox, when the host has one.
pub fn busybox() -> Option<PathBuf> {
    ["/bin/busybox", "/usr/bin/busybox"].iter().map(PathBuf::from).find(|p| p.exists())
}

/// Which runtime is under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The project's own, or an unknown one: everything is expected of it.
    Onggi,
    /// opencontainers/runc.
    Runc,
    /// containers/crun.
    Crun,
    /// youki-dev/youki.
    Youki,
}

/// Asks the runtime for its name.
pub fn peer() -> Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    *PEER.get_or_init(|| {
        let text = run(Command::new(runtime()).arg("--version")).stdout;
        match text.split_whitespace().next() {
            Some("runc") => Peer::Runc,
            Some("crun") => Peer::Crun,
            Some("youki") => Peer::Youki,
            _ => Peer::Onggi,
        }
    })
}

/// True for user 0.
pub fn has_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Prints the reason and appends it to the file named by `ONGGI_SKIP_LOG`, once.
pub fn record_skip(reason: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let line = format!("{}: {reason}", std::thread::current().name().unwrap_or("?"));
    let new = SAID.lock().map_or(true, |mut said| said.insert(line.clone()));
    if !new {
        return;
    }
    eprintln!("skipped: {line}");
    if let Some(path) = std::env::var_os("ONGGI_SKIP_LOG") {
        let file = fs::OpenOptions::new().append(true).create(true).open(path);
        // A lost line costs a count in a summary, nothing else.
        let _ = file.and_then(|mut f| f.write_all(format!("{line}\n").as_bytes()));
    }
}

/// A mask of this process, as `CapBnd`, from /proc/self/status.
pub fn capability_mask(field: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|l| u64::from_str_radix(l.trim(), 16).ok()).unwrap_or(0)
}

/// The link text of a namespace, as `net:[4026531840]`. `kind` is the name in /proc/PID/ns.
pub fn namespace_link(pid: &str, kind: &str) -> String {
    fs::read_link(format!("/proc/{pid}/ns/{kind}"))
        .map(|p| p.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Whether the kernel runs SELinux.
pub fn selinux_runs() -> bool {
    Path::new("/sys/fs/selinux/enforce").exists()
}

/// Whether SELinux's policy in force has this label; false where the kernel does not run SELinux.
pub fn selinux_knows(label: &str) -> bool {
    fs::write("/sys/fs/selinux/context", label).is_ok()
}

/// Whether the kernel runs AppArmor.
pub fn apparmor_runs() -> bool {
    fs::read("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.starts_with(b"Y"))
}

/// Serial number of the caller's session keyring, when there is one.
pub fn host_keyring() -> Option<i64> {
    run(Command::new(runtimetest()).arg("keyring")).stdout.trim().parse().ok()
}

/// Files of the host that no container may touch: content, owner, mode and names are watched.
pub struct Canary {
    dir: PathBuf,
    before: Vec<String>,
}

impl Canary {
    /// Makes a directory with a file, an empty directory and a link in it.
    pub fn new(dir: &Path) -> Self {
        let make = || -> std::io::Result<()> {
            fs::create_dir_all(dir.join("empty"))?;
            fs::write(dir.join("file"), "canary\n")?;
            std::os::unix::fs::symlink("file", dir.join("link"))
        };
        make().unwrap_or_else(|e| panic!("make canary {}: {e}", dir.display()));
        let before = snapshot(dir);
        Self { dir: dir.to_owned(), before }
    }

    /// The watched directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The watched file.
    pub fn file(&self) -> PathBuf {
        self.dir.join("file")
    }

    /// Panics when anything has changed.
    #[track_caller]
    pub fn assert_untouched(&self) {
        let now = snapshot(&self.dir);
        assert_eq!(self.before, now, "the host directory {} was changed", self.dir.display());
    }
}

fn snapshot(dir: &Path) -> Vec<String> {
    let mut rows = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(path) = todo.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        let text = if meta.is_file() {
            fs::read_to_string(&path).unwrap_or_default()
        } else {
            String::new()
        };
        let row = (meta.mode(), meta.uid(), meta.gid(), meta.rdev(), meta.ino(), meta.dev(), text);
        rows.push(format!("{} {row:?}", path.display()));
        if meta.is_dir() {
            todo.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()));
        }
    }
    rows.sort();
    rows
}
