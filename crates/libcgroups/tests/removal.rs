//! Removing, taking back, and what a frozen parent or a lost directory does to it.

mod common;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::{Own, Shell, skip};
use libcgroups::Cgroup;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{Uid, chown};

/// A cgroup below our own that is frozen for the time of the test.
struct FrozenParent(PathBuf, &'static str);

impl FrozenParent {
    fn new(own: &Own) -> Option<Self> {
        let Some((dir, v2)) = own.cgroup.controller_dir("freezer") else {
            skip("no freezer");
            return None;
        };
        let (file, frozen, thawed) =
            if v2 { ("cgroup.freeze", "1", "0") } else { ("freezer.state", "FROZEN", "THAWED") };
        let path = dir.dir().parent().expect("parent").join(file);
        if !path.exists() {
            skip("a kernel that cannot freeze");
            return None;
        }
        std::fs::write(&path, frozen).expect("freeze");
        Some(Self(path, thawed))
    }

    fn name(&self) -> String {
        self.0.parent().expect("parent").display().to_string()
    }
}

impl Drop for FrozenParent {
    fn drop(&mut self) {
        let _ = std::fs::write(&self.0, self.1);
    }
}

#[test]
fn nothing_is_made_below_a_frozen_parent() {
    let Some(mut own) = Own::create() else { return };
    let Some(parent) = FrozenParent::new(&own) else { return };
    own.cgroup.remove().expect("remove");
    let e = own.cgroup.create().expect_err("frozen").to_string();
    let expected = format!("container's cgroup is frozen with its parent {:?}", parent.name());
    assert_eq!(e, expected);
    assert!(own.cgroup.dirs().all(|d| !d.dir().exists()));
}

#[test]
fn below_a_parent_that_froze_later() {
    let Some(own) = Own::create() else { return };
    let mut shell = Shell::new("exec sleep 100");
    own.cgroup.join(shell.pid(), false).expect("join");
    shell.go();
    let Some(parent) = FrozenParent::new(&own) else { return };
    let deadline = Instant::now() + Duration::from_secs(5);
    while own.cgroup.is_frozen() == Ok(false) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(own.cgroup.is_frozen(), Ok(true));
    assert_eq!(own.cgroup.frozen_parent().map(|p| p.display().to_string()), Some(parent.name()));
    own.cgroup.thaw().expect("no error");
    assert_eq!(own.cgroup.is_frozen(), Ok(true), "not ours to thaw");
    own.cgroup.kill_all(9).expect("kill");
    if own.cgroup.freezer_holds_the_dead() {
        std::thread::sleep(Duration::from_millis(50));
        assert!(shell.0.try_wait().expect("wait").is_none(), "dead though frozen");
        drop(parent);
    }
    assert_eq!(shell.ends_by(), Some(9));
}

#[test]
fn made_parents_are_taken_back() {
    let Some(mut own) = Own::resolve() else { return };
    own.cgroup.create().expect("create");
    own.cgroup.undo().expect("undo");
    for dir in own.cgroup.dirs() {
        let parent = dir.dir().parent().expect("parent").to_owned();
        assert!(!dir.dir().exists() && !parent.exists(), "{parent:?}");
    }
}

#[test]
fn parents_that_were_there_stay() {
    let Some(mut own) = Own::create() else { return };
    own.cgroup.remove().expect("remove");
    own.cgroup.create().expect("create again");
    own.cgroup.undo().expect("undo");
    for dir in own.cgroup.dirs() {
        assert!(!dir.dir().exists() && dir.dir().parent().expect("parent").exists());
    }
}

#[test]
fn sub_cgroups_of_other_users_and_threaded_ones_go_too() {
    let Some(own) = Own::create() else { return };
    for dir in own.cgroup.dirs() {
        let sub = dir.dir().join("theirs");
        std::fs::create_dir_all(sub.join("a/b")).expect("mkdir");
        for path in [&sub, &sub.join("a"), &sub.join("a/b")] {
            chown(path, Some(Uid::from_raw(4242)), None).expect("chown");
        }
    }
    if let Some(v2) = own.cgroup.v2() {
        let threaded = v2.dir().join("threads");
        std::fs::create_dir_all(threaded.join("below")).expect("mkdir");
        std::fs::write(threaded.join("cgroup.type"), "threaded").expect("threaded");
        std::fs::write(threaded.join("below/cgroup.type"), "threaded").expect("threaded");
    }
    own.cgroup.remove().expect("remove");
    assert!(own.cgroup.dirs().all(|d| !d.dir().exists()));
}

/// Time that removing took while the only process, in a sub-cgroup of its own, was told to end after 80 ms.
fn removed_after(cgroup: &Cgroup) -> Duration {
    let dirs: Vec<_> = cgroup.dirs().map(|d| d.dir().join("sub")).collect();
    for dir in &dirs {
        std::fs::create_dir(dir).expect("mkdir");
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let value = std::fs::read(dir.join("..").join(file)).unwrap_or_default();
            let _ = std::fs::write(dir.join(file), value);
        }
    }
    let mut shell = Shell::new("exec sleep 0.08");
    for dir in &dirs {
        std::fs::write(dir.join("cgroup.procs"), shell.pid().to_string()).expect("join");
    }
    shell.go();
    let begin = Instant::now();
    cgroup.remove().expect("remove");
    begin.elapsed()
}

#[test]
fn waits_for_the_last_process_and_no_longer() {
    let Some(own) = Own::create() else { return };
    let time = removed_after(&own.cgroup);
    assert!(time >= Duration::from_millis(60), "{time:?}");
    // v1 looks again after at most 64 ms; v2 is woken. The rest is for a busy machine.
    assert!(time < Duration::from_millis(700), "{time:?}");
    assert!(own.cgroup.dirs().all(|d| !d.dir().exists()));
}

#[test]
fn a_lost_cgroup_is_named() {
    let Some(own) = Own::create() else { return };
    own.cgroup.remove().expect("remove");
    let limits = libcgroups::Resources { pids_limit: Some(5), ..Default::default() };
    let Some(dir) = own.cgroup.main_dir() else { return skip("no cgroup") };
    let gone = format!("the container's cgroup {:?} is gone", dir.dir().display().to_string());
    let failures = [
        own.cgroup.freeze().err(),
        own.cgroup.apply(&limits).err(),
        own.cgroup.update(&limits).err(),
        own.cgroup.pids().err(),
    ];
    for failure in failures.into_iter().flatten() {
        assert_eq!(own.cgroup.explain(failure).to_string(), gone);
    }
    own.cgroup.kill_all(9).expect("nobody is in it");
    own.cgroup.remove().expect("nothing to remove");
}

/// Whoever has a cgroup may have made others below it that no path of the kernel's length leads to.
#[test]
fn however_deep_it_goes() {
    let Some(own) = Own::create() else { return };
    let main = own.cgroup.main_dir().expect("a directory").dir();
    let mut shells = Vec::new();
    for (name, levels) in [("x".repeat(250), 40), ("y".to_owned(), 1100)] {
        let mut at = OwnedFd::from(std::fs::File::open(&main).expect("open"));
        for _ in 0..levels {
            nix::sys::stat::mkdirat(&at, name.as_str(), Mode::S_IRWXU).expect("mkdir");
            let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
            at = openat(&at, name.as_str(), flags, Mode::empty()).expect("open");
        }
        let mut shell = Shell::new("exec sleep 100");
        let procs = openat(&at, "cgroup.procs", OFlag::O_WRONLY, Mode::empty()).expect("open");
        nix::unistd::write(procs, shell.pid().to_string().as_bytes()).expect("join");
        shell.go();
        shells.push(shell);
    }
    let pids = own.cgroup.pids().expect("list processes");
    assert!(pids.len() == 2 && pids.iter().all(|pid| shells.iter().any(|s| s.pid() == *pid)));
    own.cgroup.remove().expect_err("there are processes");
    own.cgroup.kill_all(9).expect("kill");
    drop(shells);
    own.cgroup.remove().expect("remove");
    assert!(own.cgroup.dirs().all(|dir| !dir.dir().exists()));
}
