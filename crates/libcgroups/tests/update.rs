//! Changing limits of a cgroup in use.

mod common;

use common::{Own, Shell, read, skip};
use libcgroups::{Cpu, Memory, Resources};

/// A shell that holds some 30 MB of memory in the cgroup.
fn fat_shell(own: &Own) -> Shell {
    use std::io::Read;
    let mut shell = Shell::new(
        "x=$(head -c 30000000 /dev/zero | tr '\\0' a); echo ready; read -r again; echo $x >/dev/null",
    );
    own.cgroup.join(shell.pid(), false).expect("join");
    shell.go();
    let mut ready = [0; 5];
    shell.0.stdout.as_mut().expect("stdout").read_exact(&mut ready).expect("ready");
    shell
}

fn memory(limit: i64, check: bool) -> Resources {
    let memory = Memory { limit: Some(limit), check_before_update: check, ..Memory::default() };
    Resources { memory, ..Resources::default() }
}

#[test]
fn memory_limits_below_the_use_are_refused() {
    let Some(own) = Own::create() else { return };
    let Some((dir, v2)) = own.has("memory") else { return };
    let _shell = fat_shell(&own);
    let file = if v2 { "memory.max" } else { "memory.limit_in_bytes" };
    own.cgroup.apply(&memory(200 << 20, false)).expect("enough");
    let low = 16 << 20;
    let e = own.cgroup.update(&memory(low, true)).expect_err("too low").to_string();
    let expected = if v2 {
        format!("rejecting memory limit {low} <= usage ")
    } else {
        format!("unable to set memory limit to {low} (current usage: ")
    };
    assert!(e.starts_with(&expected), "{e}");
    assert_eq!(read(&dir, file), (200 << 20).to_string());
    if v2 {
        let mut resources = memory(300 << 20, true);
        resources.memory.swap = Some(low);
        let e = own.cgroup.update(&resources).expect_err("too low").to_string();
        assert!(e.starts_with(&format!("rejecting memory+swap limit {low} <= usage ")), "{e}");
    }
    own.cgroup.update(&memory(100 << 20, true)).expect("above the use");
    assert_eq!(read(&dir, file), (100 << 20).to_string());
}

/// Everything that a refused update may have touched.
fn values(own: &Own) -> Vec<String> {
    let files = [
        ("pids", "pids.max", "pids.max"),
        ("memory", "memory.limit_in_bytes", "memory.max"),
        ("memory", "memory.soft_limit_in_bytes", "memory.low"),
        ("cpu", "cpu.cfs_quota_us", "cpu.max"),
        ("cpu", "cpu.cfs_period_us", "cpu.max"),
        ("cpu", "cpu.shares", "cpu.weight"),
        ("cpu", "cpu.cfs_burst_us", "cpu.max.burst"),
        ("cpuset", "cpuset.cpus", "cpuset.cpus"),
    ];
    let present = |(controller, v1, v2)| {
        let (dir, is_v2) = own.has(controller)?;
        let file = if is_v2 { v2 } else { v1 };
        dir.join(file).exists().then(|| format!("{file} {}", read(&dir, file)))
    };
    files.into_iter().filter_map(present).collect()
}

#[test]
fn a_refused_update_changes_nothing() {
    let Some(own) = Own::create() else { return };
    let (Some((dir, v2)), Some(_)) = (own.has("cpu"), own.has("pids")) else { return };
    let burst = dir.join(if v2 { "cpu.max.burst" } else { "cpu.cfs_burst_us" }).exists();
    let memory = |mib: i64| match own.has("memory") {
        Some(_) => {
            Memory { limit: Some(mib << 20), reservation: Some(mib << 19), ..Memory::default() }
        }
        None => Memory::default(),
    };
    let limits = |pids, mib, shares, quota, period, save| Resources {
        pids_limit: Some(pids),
        memory: memory(mib),
        cpu: Cpu {
            shares: Some(shares),
            quota: Some(quota),
            period: Some(period),
            burst: burst.then_some(save),
            ..Cpu::default()
        },
        ..Resources::default()
    };
    own.cgroup.apply(&limits(50, 128, 512, 50_000, 100_000, 40_000)).expect("apply");
    let before = values(&own);
    // Memory, pids, shares are good; a period of 1 µs is not.
    own.cgroup.update(&limits(60, 64, 2048, 20_000, 1, 0)).expect_err("a bad period");
    assert_eq!(values(&own), before);
    // All is good but the last.
    let mut late = limits(70, 256, 100, 80_000, 200_000, 10_000);
    late.unified = [("nosuch.max".to_owned(), "1".to_owned())].into();
    own.cgroup.update(&late).expect_err("no such controller");
    assert_eq!(values(&own), before);
    own.cgroup.update(&limits(70, 256, 100, 80_000, 200_000, 10_000)).expect("all good");
    assert_ne!(values(&own), before);
}

#[test]
fn a_period_or_a_quota_alone_keeps_the_other() {
    let Some(own) = Own::create() else { return };
    let Some((dir, v2)) = own.has("cpu") else { return };
    let now = || match v2 {
        true => read(&dir, "cpu.max"),
        false => format!("{} {}", read(&dir, "cpu.cfs_quota_us"), read(&dir, "cpu.cfs_period_us")),
    };
    let update = |quota, period| {
        let cpu = Cpu { quota, period, ..Cpu::default() };
        own.cgroup.update(&Resources { cpu, ..Resources::default() }).expect("update");
    };
    update(Some(30_000), Some(60_000));
    update(None, Some(50_000));
    assert_eq!(now(), "30000 50000");
    update(Some(20_000), None);
    assert_eq!(now(), "20000 50000");
    update(Some(-1), None);
    assert_eq!(now(), if v2 { "max 50000" } else { "-1 50000" });
}

#[test]
fn a_weight_is_refused_when_idle_and_says_so() {
    let Some(own) = Own::create() else { return };
    let Some((dir, v2)) = own.has("cpu") else { return };
    if !dir.join("cpu.idle").exists() {
        return skip("no cpu.idle in this kernel");
    }
    let both = Cpu { idle: Some(1), shares: Some(512), ..Cpu::default() };
    let result = own.cgroup.update(&Resources { cpu: both, ..Resources::default() });
    if v2 {
        let e = result.expect_err("no weight when idle").to_string();
        assert!(e.ends_with("(cpu.idle is 1, and then there is no weight)"), "{e}");
        assert_eq!(read(&dir, "cpu.idle"), "0", "put back");
    } else {
        result.expect("shares come first on v1");
        assert_eq!(read(&dir, "cpu.idle"), "1");
    }
}
