//! Limits, read back.

mod common;

use common::{Own, read, skip};
use libcgroups::{Cpu, Cpuset, Error, HugepageLimit, Memory, Mode, Resources, ThrottleDevice};

#[test]
fn pids() {
    let Some(own) = Own::create() else { return };
    let Some((dir, _)) = own.has("pids") else {
        return;
    };
    for (limit, file) in [(50, "50"), (0, "1"), (-1, "max")] {
        let resources = Resources { pids_limit: Some(limit), ..Resources::default() };
        own.cgroup.apply(&resources).expect("apply");
        assert_eq!(read(&dir, "pids.max"), file);
    }
}

#[test]
fn memory() {
    const MIB: i64 = 1 << 20;
    let Some(own) = Own::create() else { return };
    let Some((dir, v2)) = own.has("memory") else {
        return;
    };
    let files = if v2 {
        ["memory.max", "memory.low", "memory.swap.max"]
    } else {
        ["memory.limit_in_bytes", "memory.soft_limit_in_bytes", "memory.memsw.limit_in_bytes"]
    };
    let has_swap = dir.join(files[2]).exists();
    // Up and down, so that either order of writing is needed.
    for limit in [64, 256, 32] {
        let memory = Memory {
            limit: Some(limit * MIB),
            reservation: Some(limit * MIB / 2),
            swap: has_swap.then_some(limit * MIB * 2),
            ..Memory::default()
        };
        let resources = Resources { memory, ..Resources::default() };
        own.cgroup.apply(&resources).expect("apply");
        let swap = if v2 { limit } else { limit * 2 };
        assert_eq!(read(&dir, files[0]), (limit * MIB).to_string());
        assert_eq!(read(&dir, files[1]), (limit * MIB / 2).to_string());
        if has_swap {
            assert_eq!(read(&dir, files[2]), (swap * MIB).to_string());
        }
    }
    let before = read(&dir, files[0]);
    let zero = Memory { limit: Some(0), swap: Some(0), ..Memory::default() };
    own.cgroup.apply(&Resources { memory: zero, ..Resources::default() }).expect("zeros");
    assert_eq!(read(&dir, files[0]), before, "0 leaves it alone");
    let free = Memory { limit: Some(-1), ..Memory::default() };
    own.cgroup.apply(&Resources { memory: free, ..Resources::default() }).expect("no limit");
    let unlimited = read(&dir, files[0]);
    assert!(unlimited == "max" || unlimited.parse::<u64>().is_ok_and(|n| n > 1 << 60));
}

#[test]
fn swappiness_and_oom_on_v1() {
    let Some(own) = Own::create() else { return };
    let Some((dir, v2)) = own.has("memory") else {
        return;
    };
    let memory = Memory {
        swappiness: Some(30),
        disable_oom_killer: Some(true),
        use_hierarchy: Some(true),
        ..Memory::default()
    };
    let mut resources = Resources { memory, ..Resources::default() };
    own.cgroup.apply(&resources).expect("apply");
    if v2 {
        return skip("v2 has neither");
    }
    assert_eq!(read(&dir, "memory.swappiness"), "30");
    // From Linux 5.11 on it is always 1 and takes nothing else; some later kernels have no such file.
    if dir.join("memory.use_hierarchy").exists() {
        assert_eq!(read(&dir, "memory.use_hierarchy"), "1");
    }
    assert!(read(&dir, "memory.oom_control").contains("oom_kill_disable 1"));
    resources.memory.swappiness = Some(101);
    let e = own.cgroup.apply(&resources).expect_err("too much");
    assert_eq!(e.to_string(), "invalid memory swappiness value: 101 (valid range is 0-100)");
}

#[test]
fn cpu() {
    let Some(own) = Own::create() else { return };
    let Some((dir, v2)) = own.has("cpu") else {
        return;
    };
    let cpu = |shares, quota, period| Resources {
        cpu: Cpu { shares, quota, period, ..Cpu::default() },
        ..Resources::default()
    };
    let state = || {
        if v2 {
            (read(&dir, "cpu.weight"), read(&dir, "cpu.max"))
        } else {
            let max =
                format!("{} {}", read(&dir, "cpu.cfs_quota_us"), read(&dir, "cpu.cfs_period_us"));
            (read(&dir, "cpu.shares"), max)
        }
    };
    let pick = |v1: &str, unified: &str| {
        if v2 { unified.to_owned() } else { v1.to_owned() }
    };
    own.cgroup.apply(&cpu(Some(512), Some(50_000), Some(100_000))).expect("apply");
    assert_eq!(state(), (pick("512", "59"), "50000 100000".into()));
    own.cgroup.apply(&cpu(Some(0), Some(0), Some(50_000))).expect("the period alone");
    assert_eq!(state(), (pick("512", "59"), "50000 50000".into()));
    own.cgroup.apply(&cpu(None, Some(20_000), None)).expect("the quota alone");
    assert_eq!(state().1, "20000 50000");
    own.cgroup.apply(&cpu(None, Some(-1), None)).expect("no limit");
    assert_eq!(state().1, pick("-1 50000", "max 50000"));
    own.cgroup.apply(&cpu(Some(1), None, None)).map_or_else(
        |e| assert_eq!(e.to_string(), "the minimum allowed cpu-shares is 2"),
        |()| assert!(v2),
    );
}

#[test]
fn cpu_burst_and_idle() {
    let Some(own) = Own::create() else { return };
    let Some((dir, v2)) = own.has("cpu") else {
        return;
    };
    let (burst, idle) = (if v2 { "cpu.max.burst" } else { "cpu.cfs_burst_us" }, "cpu.idle");
    if !dir.join(burst).exists() || !dir.join(idle).exists() {
        return skip("an old kernel");
    }
    // The burst is more than the quota in force (none), so it can only be set after the new one.
    let cpu = Cpu {
        quota: Some(50_000),
        period: Some(100_000),
        burst: Some(40_000),
        idle: Some(1),
        ..Cpu::default()
    };
    own.cgroup.apply(&Resources { cpu, ..Resources::default() }).expect("apply");
    assert_eq!((read(&dir, burst), read(&dir, idle)), ("40000".into(), "1".into()));
}

#[test]
fn cpuset() {
    let Some(own) = Own::create() else { return };
    let Some((dir, _)) = own.has("cpuset") else {
        return;
    };
    let cpuset = Cpuset { cpus: Some("0".into()), mems: Some("0".into()) };
    own.cgroup.apply(&Resources { cpuset, ..Resources::default() }).expect("apply");
    assert_eq!((read(&dir, "cpuset.cpus"), read(&dir, "cpuset.mems")), ("0".into(), "0".into()));
}

/// A disk of this host.
fn disk() -> Option<(i64, i64)> {
    std::fs::read_dir("/sys/block").ok()?.flatten().find_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        if name.starts_with("ram") || name.starts_with("loop") || name.starts_with("zram") {
            return None;
        }
        let numbers = std::fs::read_to_string(entry.path().join("dev")).ok()?;
        let (major, minor) = numbers.trim().split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    })
}

#[test]
fn block_io_rates() {
    let Some(mut own) = Own::create() else { return };
    let Some((dir, v2)) = own.has("blkio") else {
        return;
    };
    let Some((major, minor)) = disk() else {
        return skip("no disk");
    };
    let device = |rate| vec![ThrottleDevice { major, minor, rate }];
    let mut resources = Resources::default();
    resources.block_io.read_bps = device(1_048_576);
    resources.block_io.write_iops = device(500);
    own.cgroup.apply(&resources).expect("apply");
    if v2 {
        let line = format!("{major}:{minor} rbps=1048576 wbps=max riops=max wiops=500");
        assert_eq!(read(&dir, "io.max"), line);
    } else {
        let file = |name: &str| read(&dir, &format!("blkio.throttle.{name}_device"));
        assert_eq!(file("read_bps"), format!("{major}:{minor} 1048576"));
        assert_eq!(file("write_iops"), format!("{major}:{minor} 500"));
    }
    resources.block_io.read_bps = device(0);
    resources.block_io.write_iops = device(0);
    own.cgroup.apply(&resources).expect("take away");
    let file = if v2 { "io.max" } else { "blkio.throttle.read_bps_device" };
    assert_eq!(read(&dir, file), "");
    own.cgroup.create().expect("still vacant");
}

#[test]
fn block_io_weight() {
    let Some(own) = Own::create() else { return };
    let Some((dir, v2)) = own.has("blkio") else {
        return;
    };
    let mut resources = Resources::default();
    resources.block_io.weight = Some(500);
    let bfq = if v2 { "io.bfq.weight" } else { "blkio.bfq.weight" };
    let plain = if v2 { "io.weight" } else { "blkio.weight" };
    let result = own.cgroup.apply(&resources);
    match [plain, bfq].iter().rev().find(|f| dir.join(f).exists()) {
        Some(file) => {
            result.expect("apply");
            let weight = if *file == "io.weight" { "4950" } else { "500" };
            assert!(read(&dir, file).ends_with(weight));
        }
        None => {
            assert!(result.expect_err("no such file").to_string().contains("weight"));
            skip("no block io weights in this kernel");
        }
    }
}

#[test]
fn huge_pages_and_unified() {
    let Some(own) = Own::create() else { return };
    let Some((dir, v2)) = own.has("hugetlb") else {
        return;
    };
    let limit = HugepageLimit { page_size: "2MB".into(), limit: 4 << 20 };
    let mut resources = Resources { hugepage_limits: vec![limit], ..Resources::default() };
    own.cgroup.apply(&resources).expect("apply");
    let file = if v2 { "hugetlb.2MB.max" } else { "hugetlb.2MB.limit_in_bytes" };
    assert_eq!(read(&dir, file), (4 << 20).to_string());
    resources.hugepage_limits[0].page_size = "../x".into();
    own.cgroup.apply(&resources).expect_err("not a size");
    if v2 {
        let unified = [("hugetlb.2MB.max".to_owned(), "2097152".to_owned())].into();
        own.cgroup.apply(&Resources { unified, ..Resources::default() }).expect("unified");
        assert_eq!(read(&dir, file), "2097152");
    }
}

#[test]
fn unified_without_the_controller() {
    let Some(own) = Own::create() else { return };
    let unified = [("nosuch.max".to_owned(), "1".to_owned())].into();
    let e = own.cgroup.apply(&Resources { unified, ..Resources::default() }).expect_err("none");
    if own.cgroup.mode() == Mode::V1 {
        assert_eq!(e.to_string(), "invalid configuration: cannot use unified on cgroup v1");
    } else {
        assert_eq!(
            e.to_string(),
            "invalid configuration: set unified resource \"nosuch.max\": cgroup controller \"nosuch\" is not available in the v2 hierarchy"
        );
    }
}

#[test]
fn a_limit_without_its_controller() {
    let Some(own) = Own::create() else { return };
    let cases = [
        (
            "memory",
            "memory limit",
            Resources {
                memory: Memory { limit: Some(1 << 26), ..Memory::default() },
                ..Resources::default()
            },
        ),
        ("pids", "pids limit", Resources { pids_limit: Some(9), ..Resources::default() }),
        (
            "cpu",
            "cpu quota",
            Resources { cpu: Cpu { quota: Some(9000), ..Cpu::default() }, ..Resources::default() },
        ),
        (
            "net_cls",
            "network class id",
            Resources {
                network: libcgroups::Network { class_id: Some(1), priorities: vec![] },
                ..Resources::default()
            },
        ),
    ];
    for (controller, resource, resources) in cases {
        if own.has(controller).is_some() {
            continue;
        }
        let expected =
            Error::NoController { controller: controller.into(), resource: resource.into() };
        assert_eq!(own.cgroup.apply(&resources), Err(expected));
    }
    // Nothing asked for, nothing missed.
    let free = Resources {
        memory: Memory { limit: Some(-1), swap: Some(-1), ..Memory::default() },
        pids_limit: Some(-1),
        cpu: Cpu { shares: Some(0), quota: Some(-1), ..Cpu::default() },
        ..Resources::default()
    };
    own.cgroup.apply(&free).expect("no limits need no controllers");
}
