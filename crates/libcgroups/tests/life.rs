//! Making, joining, freezing, killing and removing cgroups on this host.

mod common;

use std::time::{Duration, Instant};

use common::{Own, Shell, read, skip};
use libcgroups::{Layout, Mode};
use nix::errno::Errno;

#[test]
fn made_and_removed() {
    let Some(mut own) = Own::resolve() else {
        return;
    };
    assert!(!own.cgroup.exists());
    own.cgroup.create().expect("create");
    assert!(own.cgroup.exists());
    assert!(own.cgroup.dirs().all(|d| d.dir().is_dir()));
    own.cgroup.create().expect("an empty one is taken over");
    own.cgroup.remove().expect("remove");
    assert!(own.cgroup.dirs().all(|d| !d.dir().exists()));
    own.cgroup.remove().expect("nothing to remove is no error");
}

#[test]
fn a_cgroup_in_use_is_refused_and_left_alone() {
    let Some(mut own) = Own::create() else { return };
    let shell = Shell::new("exit 0");
    own.cgroup.join(shell.pid(), false).expect("join");
    for text in [own.cgroup.create(), own.cgroup.check_vacant()].map(|r| r.expect_err("in use")) {
        assert!(
            text.to_string().starts_with("container's cgroup is not empty: 1 process(es) found"),
            "{text}"
        );
    }
    assert_eq!(own.cgroup.pids(), Ok(vec![shell.pid()]));
    let e = own.cgroup.remove().expect_err("busy");
    assert_eq!(e.errno(), Some(Errno::EBUSY));
}

#[test]
fn a_failed_create_leaves_nothing() {
    let Some(mut own) = Own::resolve() else {
        return;
    };
    // The last hierarchy is in use, so those before it are made in vain.
    let last = own.cgroup.dirs().last().expect("a hierarchy").dir();
    std::fs::create_dir_all(&last).expect("mkdir");
    let shell = Shell::new("exit 0");
    let _ = std::fs::write(last.join("cpuset.cpus"), "0");
    let _ = std::fs::write(last.join("cpuset.mems"), "0");
    std::fs::write(last.join("cgroup.procs"), shell.pid().to_string()).expect("join");
    own.cgroup.create().expect_err("in use");
    for dir in own.cgroup.dirs().filter(|d| d.dir() != last) {
        assert!(!dir.dir().exists(), "{:?}", dir.dir());
        let parent = dir.dir().parent().expect("parent").to_owned();
        assert!(!parent.exists(), "{parent:?}");
    }
    drop(shell);
    let deadline = Instant::now() + Duration::from_secs(1);
    while std::fs::remove_dir(&last).is_err() && Instant::now() < deadline {}
}

#[test]
fn joined_everywhere() {
    let Some(own) = Own::create() else { return };
    let shell = Shell::new("cat /proc/self/cgroup");
    own.cgroup.join(shell.pid(), false).expect("join");
    let seen = shell.output();
    for dir in own.cgroup.dirs() {
        let line = format!(":{}:{}", dir.controllers.join(","), dir.in_hierarchy());
        assert!(seen.lines().any(|l| l.ends_with(&line)), "{line} not in {seen}");
    }
}

#[test]
fn joined_by_itself() {
    let Some(own) = Own::create() else { return };
    let files = own.cgroup.join_files().expect("open");
    assert_eq!(files.len(), own.cgroup.v1().len());
    if files.is_empty() {
        return skip("no v1 hierarchies");
    }
    // printf is built in: it is the shell itself that writes.
    let writes: Vec<_> = files.iter().map(|f| format!("printf 0 >{}", f.path.display())).collect();
    let shell = Shell::new(&format!("{} && cat /proc/self/cgroup", writes.join(" && ")));
    let pid = shell.pid();
    let seen = shell.output();
    for dir in own.cgroup.v1() {
        let line = format!(":{}:{}", dir.controllers.join(","), dir.in_hierarchy());
        assert!(seen.lines().any(|l| l.ends_with(&line)), "{pid}: {line} not in {seen}");
    }
}

#[test]
fn v2_directory() {
    let Some(own) = Own::create() else { return };
    let fd = own.cgroup.v2_dir_fd().expect("open");
    assert_eq!(fd.is_some(), own.cgroup.mode() != Mode::V1);
}

#[test]
fn frozen_and_thawed() {
    let Some(own) = Own::create() else { return };
    assert_eq!(own.cgroup.is_frozen(), Ok(false));
    let mut shell = Shell::new("exit 0");
    own.cgroup.join(shell.pid(), false).expect("join");
    own.cgroup.freeze().expect("freeze");
    assert_eq!(own.cgroup.is_frozen(), Ok(true));
    shell.go();
    std::thread::sleep(Duration::from_millis(50));
    assert!(shell.0.try_wait().expect("wait").is_none(), "it runs though frozen");
    own.cgroup.kill_all(15).expect("a signal to be delivered later");
    assert_eq!(own.cgroup.is_frozen(), Ok(true), "stays frozen");
    own.cgroup.thaw().expect("thaw");
    assert_eq!(own.cgroup.is_frozen(), Ok(false));
    shell.ends_by();
}

#[test]
fn killed_with_children_even_when_frozen() {
    let Some(own) = Own::create() else { return };
    for freeze in [false, true] {
        let mut shell = Shell::new("sleep 100 & sleep 100 & echo ready; wait");
        own.cgroup.join(shell.pid(), false).expect("join");
        shell.go();
        let deadline = Instant::now() + Duration::from_secs(5);
        while own.cgroup.pids().expect("pids").len() < 3 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(own.cgroup.pids().expect("pids").len(), 3);
        if freeze {
            own.cgroup.freeze().expect("freeze");
        }
        own.cgroup.kill_all(9).expect("kill");
        assert_eq!(shell.ends_by(), Some(9));
        if freeze {
            own.cgroup.thaw().expect("thaw");
        }
    }
    own.cgroup.remove().expect("remove waits for the dead");
}

#[test]
fn other_signals_reach_everybody() {
    let Some(own) = Own::create() else { return };
    let mut shell = Shell::new("exec sleep 100");
    own.cgroup.join(shell.pid(), false).expect("join");
    // A real-time signal, for which there is no name.
    own.cgroup.kill_all(40).expect("signal");
    assert_eq!(shell.ends_by(), Some(40));
}

#[test]
fn sub_cgroups_go_too() {
    let Some(own) = Own::create() else { return };
    let mut sub = own.cgroup.sub_cgroup(&["deep/er"]).expect("sub");
    sub.create().expect("create");
    assert!(sub.exists());
    own.cgroup.remove().expect("remove");
    assert!(own.cgroup.dirs().chain(sub.dirs()).all(|d| !d.dir().exists()));
}

#[test]
fn beside_an_init_that_moved_down() {
    let Some(own) = Own::create() else { return };
    let Some(v2) = own.cgroup.v2() else {
        return skip("no v2 tree");
    };
    let down = v2.dir().join("init.scope");
    std::fs::create_dir(&down).expect("mkdir");
    let shell = Shell::new("exit 0");
    std::fs::write(down.join("cgroup.procs"), shell.pid().to_string()).expect("move");
    let beside = own.cgroup.beside(shell.pid()).expect("beside");
    assert_eq!(beside.v2().map(libcgroups::Dir::dir), Some(down));
    let outside = own.cgroup.beside(1).expect_err("outside");
    assert!(outside.to_string().starts_with("find cgroup of process 1"), "{outside}");
}

#[test]
fn below_a_threaded_cgroup() {
    let Some(mut own) = Own::resolve() else { return };
    let Some(v2) = own.cgroup.v2() else { return skip("no v2 tree") };
    let threaded = v2.dir().with_file_name("threaded");
    std::fs::create_dir_all(&threaded).expect("mkdir");
    std::fs::write(threaded.join("cgroup.type"), "threaded").expect("make threaded");
    own.cgroup.create().expect("create");
    let shell = Shell::new("exit 0");
    own.cgroup.join(shell.pid(), false).expect("join");
    assert_eq!(own.cgroup.pids(), Ok(vec![shell.pid()]));
    std::fs::remove_dir(threaded).expect("rmdir");
}

#[test]
fn handed_to_the_containers_user() {
    use std::os::unix::fs::MetadataExt;
    let Some(own) = Own::create() else { return };
    own.cgroup.delegate(4242).expect("delegate");
    let Some(dir) = own.cgroup.v2().map(libcgroups::Dir::dir) else { return };
    let owner = |path: &std::path::Path| std::fs::metadata(path).expect("stat").uid();
    if own.cgroup.mode() != Mode::V2 {
        return assert_eq!(owner(&dir), 0, "not where v1 does the work");
    }
    let list = std::fs::read_to_string("/sys/kernel/cgroup/delegate").unwrap_or_default();
    let given = |name: &str| name == "cgroup.procs" || list.lines().any(|line| line == name);
    assert_eq!(owner(&dir), 4242);
    for entry in std::fs::read_dir(&dir).expect("list").map(|entry| entry.expect("entry")) {
        let name = entry.file_name().into_string().expect("name");
        let expected = if given(&name) { 4242 } else { 0 };
        assert_eq!(owner(&entry.path()), expected, "{name}");
    }
}

#[test]
fn new_cpusets_take_processes() {
    let Some(own) = Own::create() else { return };
    let Some((dir, v2)) = own.has("cpuset") else {
        return;
    };
    if v2 {
        return skip("v2 cpusets inherit by themselves");
    }
    assert_eq!(read(&dir, "cpuset.cpus"), read(dir.parent().expect("parent"), "cpuset.cpus"));
    assert!(!read(&dir, "cpuset.mems").is_empty());
}

#[test]
fn missing_cgroups_are_told_apart() {
    let Some(own) = Own::resolve() else { return };
    assert_eq!(own.cgroup.pids().expect_err("missing").errno(), Some(Errno::ENOENT));
    assert_eq!(own.cgroup.is_frozen(), Ok(false));
    own.cgroup.check_vacant().expect("vacant");
    own.cgroup.kill_all(9).expect("nobody is in it");
}

#[test]
fn views_name_real_directories() {
    let Some(own) = Own::create() else { return };
    let layout = Layout::detect().expect("layout");
    let views = own.cgroup.mount_views(&layout);
    let v1 = views.v1.iter().map(|v| (&v.host_mount_point, &v.host_dir));
    let v2 = views.v2.iter().map(|v| (&v.host_mount_point, &v.host_dir));
    for (mount, dir) in v1.chain(v2) {
        assert!(dir.is_dir() && dir.starts_with(mount), "{dir:?}");
    }
    assert_eq!(views.v1.is_empty(), own.cgroup.mode() == Mode::V2);
}
