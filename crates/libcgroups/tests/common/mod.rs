//! What the tests on the real kernel share: a cgroup of their own that never stays, and processes to put in.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use libcgroups::{Access, Cgroup, DeviceKind, DeviceRule, Layout};

/// Why a test cannot run here.
pub(crate) fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

/// A cgroup under a name that nobody else has; killed and removed at the end of the test.
pub(crate) struct Own {
    pub(crate) cgroup: Cgroup,
    parent: Cgroup,
}

impl Own {
    /// Resolved only; `None` (and a line of why) where this user may make no cgroups.
    pub(crate) fn resolve() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !nix::unistd::geteuid().is_root() {
            skip("not root");
            return None;
        }
        let layout = match Layout::detect() {
            Ok(layout) => layout,
            Err(e) => {
                skip(&e.to_string());
                return None;
            }
        };
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("/onggi-test-{}-{n}", std::process::id());
        let parent = Cgroup::resolve(&layout, Some(&name), "x").expect("resolve parent");
        let cgroup = Cgroup::resolve(&layout, Some(&format!("{name}/one")), "x").expect("resolve");
        Some(Self { cgroup, parent })
    }

    /// Made as well.
    pub(crate) fn create() -> Option<Self> {
        let mut own = Self::resolve()?;
        match own.cgroup.create() {
            Ok(()) => Some(own),
            Err(e) if e.is_permission() => {
                skip(&e.to_string());
                None
            }
            Err(e) => panic!("{e}"),
        }
    }

    /// Whether the host has `controller` (v1 name) for this cgroup; says so when not.
    pub(crate) fn has(&self, controller: &str) -> Option<(PathBuf, bool)> {
        let found = self.cgroup.controller_dir(controller).filter(|(dir, v2)| {
            let v2_name = if controller == "blkio" { "io" } else { controller };
            let list = std::fs::read_to_string(dir.dir().join("cgroup.controllers"));
            !v2 || list.is_ok_and(|list| list.split_whitespace().any(|name| name == v2_name))
        });
        if found.is_none() {
            skip(&format!("no cgroup controller {controller}"));
        }
        found.map(|(dir, v2)| (dir.dir(), v2))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.cgroup.thaw();
        let _ = self.cgroup.kill_all(9);
        let removed = self.cgroup.remove().and_then(|()| self.parent.remove());
        if let Err(e) = removed {
            eprintln!("left behind: {e}");
        }
    }
}

/// A shell that waits for a line before it runs its script; gone at the end of the test.
pub(crate) struct Shell(pub(crate) Child);

impl Shell {
    pub(crate) fn new(script: &str) -> Self {
        let child = Command::new("sh")
            .args(["-c", &format!("read -r go || exit 9; {script}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh");
        Self(child)
    }

    pub(crate) fn pid(&self) -> i32 {
        self.0.id().try_into().expect("pid")
    }

    pub(crate) fn go(&mut self) {
        self.0.stdin.as_mut().expect("stdin").write_all(b"go\n").expect("go");
    }

    /// Lets it run to its end; what it printed.
    pub(crate) fn output(mut self) -> String {
        self.go();
        let mut text = String::new();
        self.0.stdout.as_mut().expect("stdout").read_to_string(&mut text).expect("read");
        self.0.wait().expect("wait");
        text
    }

    /// Whether it ends within five seconds, and by which signal.
    pub(crate) fn ends_by(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait().expect("wait") {
                return status.signal();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until the answer is yes; panics with `what` after ten seconds.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "waited ten seconds for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A control file without the newline at its end.
pub(crate) fn read(dir: &std::path::Path, file: &str) -> String {
    let path = dir.join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.trim_end().to_owned()
}

/// A rule for a character device; all numbers for `None`.
pub(crate) fn char_rule(allow: bool, numbers: Option<(u32, u32)>, access: Access) -> DeviceRule {
    DeviceRule {
        allow,
        kind: if numbers.is_none() { DeviceKind::All } else { DeviceKind::Char },
        major: numbers.map(|n| n.0),
        minor: numbers.map(|n| n.1),
        access,
    }
}
