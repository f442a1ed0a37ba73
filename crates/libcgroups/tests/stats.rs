//! Statistics and out-of-memory events of cgroups on this host.

mod common;

use common::{Own, Shell};
use nix::errno::Errno;
use nix::poll::{PollTimeout, poll};

#[test]
fn use_shows() {
    let Some(own) = Own::create() else { return };
    let before = own.cgroup.stats().expect("of an empty cgroup");
    let shell = Shell::new("i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; read -r end");
    own.cgroup.join(shell.pid(), false).expect("join");
    let stats = own.cgroup.stats().expect("stats");
    if let Some((_, v2)) = own.has("pids") {
        assert_eq!((before.pids.current, stats.pids.current), (0, 1));
        assert_eq!(stats.pids.limit, 0, "none (v2: {v2})");
    }
    if let Some((_, v2)) = own.has("memory") {
        assert!(stats.memory.usage.limit > 1 << 40, "no limit: {:?}", stats.memory);
        assert!(stats.memory.raw.contains_key(if v2 { "anon" } else { "rss" }));
    }
    if let Some((dir, false)) = own.has("cpuset") {
        assert_eq!(stats.cpuset.cpus.len(), count(&common::read(&dir, "cpuset.cpus")));
    }
    if own.has("hugetlb").is_some() {
        assert!(stats.hugetlb.values().all(|size| size.usage == 0), "{:?}", stats.hugetlb);
    }
    let user = |stats: &libcgroups::Stats| stats.cpu.usage.total;
    let idle = user(&stats);
    let mut shell = shell;
    shell.go();
    common::wait_for("processor time", || {
        user(&own.cgroup.stats().expect("stats")) > idle + 1_000_000
    });
}

/// How many numbers a list such as `0-3,7` has.
fn count(list: &str) -> usize {
    let number = |text: &str| text.parse::<usize>().expect("a number");
    list.split(',')
        .map(|part| part.split_once('-').map_or(1, |(a, b)| number(b) - number(a) + 1))
        .sum()
}

#[test]
fn limits_show() {
    let Some(own) = Own::create() else { return };
    let Some((dir, v2)) = own.has("memory") else { return };
    let file = if v2 { "memory.max" } else { "memory.limit_in_bytes" };
    std::fs::write(dir.join(file), "33554432").expect("limit");
    let memory = own.cgroup.stats().expect("stats").memory;
    assert_eq!(memory.usage.limit, 33_554_432);
    if let Some((dir, _)) = own.has("pids") {
        std::fs::write(dir.join("pids.max"), "17").expect("limit");
        assert_eq!(own.cgroup.stats().expect("stats").pids.limit, 17);
    }
}

#[test]
fn a_cgroup_that_is_not_there_is_an_error() {
    let Some(own) = Own::resolve() else { return };
    let e = own.cgroup.stats().expect_err("never made");
    assert_eq!(e.errno(), Some(Errno::ENOENT), "{e}");
    assert!(e.to_string().starts_with("read statistics of cgroup \"/"), "{e}");
}

#[test]
fn pressure_shows_where_the_kernel_has_it() {
    let Some(own) = Own::create() else { return };
    let stats = own.cgroup.stats().expect("stats");
    let file = own.cgroup.v2().map(|dir| dir.dir().join("cpu.pressure"));
    let readable = file.is_some_and(|file| std::fs::read(file).is_ok());
    assert_eq!(stats.cpu.psi.is_some(), readable);
    assert_eq!(stats.memory.psi.is_some(), readable);
    assert_eq!(stats.blkio.psi.is_some(), readable);
}

#[test]
fn lack_of_memory_is_told_and_the_end_is_not() {
    let Some(own) = Own::create() else { return };
    let Some((dir, v2)) = own.has("memory") else { return };
    let mut watch = own.cgroup.watch_oom().expect("watch");
    let wait = |watch: &libcgroups::OomWatch, patience: u16| {
        let mut fds = [watch.interest()];
        poll(&mut fds, PollTimeout::from(patience)).expect("poll") > 0
    };
    assert!(!wait(&watch, 50), "nothing has happened");
    assert_eq!(watch.happened(), Ok(false));
    let file = if v2 { "memory.max" } else { "memory.limit_in_bytes" };
    std::fs::write(dir.join(file), "16777216").expect("limit");
    let swap =
        if v2 { ("memory.swap.max", "0") } else { ("memory.memsw.limit_in_bytes", "16777216") };
    // Where swap is not counted there is none to be taken away.
    let _ = std::fs::write(dir.join(swap.0), swap.1);
    let mut shell = Shell::new("x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo ${#x}");
    own.cgroup.join(shell.pid(), false).expect("join");
    shell.go();
    assert!(wait(&watch, 10_000), "woken");
    common::wait_for("the event", || watch.happened().expect("happened"));
    drop(shell);
    while watch.happened().expect("happened") {}
    common::wait_for("the removal", || own.cgroup.remove().is_ok());
    assert!(!own.cgroup.exists());
    assert!(v2 || wait(&watch, 10_000), "v1 tells of the removal");
    match watch.happened() {
        Ok(happened) => assert!(!v2 && !happened, "which is not for lack of memory"),
        Err(e) => assert!(v2 && e.errno() == Some(Errno::ENODEV), "{e}"),
    }
}

#[test]
fn without_a_memory_controller_nothing_can_be_watched() {
    let Some(own) = Own::resolve() else { return };
    let e = own.cgroup.watch_oom().expect_err("not there");
    assert!(e.to_string().contains("\"memory\" is not available"), "{e}");
}
