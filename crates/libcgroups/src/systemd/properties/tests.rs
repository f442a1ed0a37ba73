use super::*;
use crate::model::{Cpu, Cpuset, DeviceRule, Memory};

fn named(list: Vec<Property>) -> Vec<(String, Value)> {
    list
}

fn pairs(expected: &[(&str, Value)]) -> Vec<(String, Value)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

#[test]
fn limits_of_a_v2_host() {
    let resources = Resources {
        memory: Memory {
            limit: Some(1 << 26),
            reservation: Some(1 << 25),
            swap: Some(1 << 27),
            ..Memory::default()
        },
        cpu: Cpu {
            shares: Some(1024),
            quota: Some(20_000),
            period: Some(50_000),
            ..Cpu::default()
        },
        cpuset: Cpuset { cpus: Some("0-1,9".into()), mems: Some("0".into()) },
        pids_limit: Some(0),
        ..Resources::default()
    };
    let expected = [
        ("MemoryMax", Value::Uint64(1 << 26)),
        ("MemoryLow", Value::Uint64(1 << 25)),
        ("MemorySwapMax", Value::Uint64(1 << 26)),
        ("CPUWeight", Value::Uint64(100)),
        ("CPUQuotaPeriodUSec", Value::Uint64(50_000)),
        ("CPUQuotaPerSecUSec", Value::Uint64(400_000)),
        ("TasksMax", Value::Uint64(1)),
        ("AllowedCPUs", Value::Bytes(vec![3, 2])),
        ("AllowedMemoryNodes", Value::Bytes(vec![1])),
    ];
    assert_eq!(limits(&resources, true).map(named), Ok(pairs(&expected)));
}

#[test]
fn limits_of_a_v1_host() {
    let mut resources = Resources::default();
    resources.memory.limit = Some(-1);
    resources.cpu.shares = Some(512);
    resources.cpu.quota = Some(-1);
    resources.block_io.weight = Some(100);
    let expected = [
        ("MemoryLimit", Value::Uint64(u64::MAX)),
        ("CPUShares", Value::Uint64(512)),
        ("BlockIOWeight", Value::Uint64(100)),
        ("CPUQuotaPerSecUSec", Value::Uint64(u64::MAX)),
    ];
    assert_eq!(limits(&resources, false).map(named), Ok(pairs(&expected)));
}

#[test]
fn nothing_asked_for() {
    assert_eq!(limits(&Resources::default(), true), Ok(vec![]));
    assert_eq!(limits(&Resources::default(), false), Ok(vec![]));
}

#[test]
fn unified_files() {
    let unified = |file: &str, text: &str| {
        let mut resources = Resources::default();
        resources.unified.insert(file.into(), text.into());
        limits(&resources, true).map(named)
    };
    let one = |name, value| Ok(pairs(&[(name, Value::Uint64(value))]));
    assert_eq!(unified("memory.high", "1000\n"), one("MemoryHigh", 1000));
    assert_eq!(unified("memory.swap.max", "max"), one("MemorySwapMax", u64::MAX));
    assert_eq!(unified("pids.max", "0"), one("TasksMax", 1));
    assert_eq!(unified("io.weight", "default 50\n8:0 70\n"), one("IOWeight", 50));
    assert_eq!(unified("io.weight", "60"), one("IOWeight", 60));
    assert_eq!(unified("io.weight", "8:0 70"), Ok(vec![]));
    assert_eq!(unified("cpu.idle", "1"), one("CPUWeight", 0));
    assert_eq!(unified("cpu.idle", "0"), Ok(vec![]));
    assert_eq!(unified("hugetlb.2MB.max", "0"), Ok(vec![]));
    let quota = [
        ("CPUQuotaPeriodUSec", Value::Uint64(10_000)),
        ("CPUQuotaPerSecUSec", Value::Uint64(500_000)),
    ];
    assert_eq!(unified("cpu.max", "5000 10000"), Ok(pairs(&quota)));
    assert_eq!(unified("cpu.max", "max"), one("CPUQuotaPerSecUSec", u64::MAX));
    for (file, text) in [("memory.max", "many"), ("cpu.max", ""), ("cpuset.cpus", "3-1")] {
        assert!(unified(file, text).is_err(), "{file} {text}");
    }
}

#[test]
fn quotas_become_whole_percents() {
    for (quota, period, rounded) in [
        (50_000, None, 50_000),
        (33_333, Some(100_000), 34_000),
        (1_001, Some(100_000), 2_000),
        (-1, None, -1),
        (0, Some(7), 0),
        (1_000, Some(3_000), 1_020),
    ] {
        assert_eq!(rounded_quota(quota, period), rounded, "{quota} {period:?}");
    }
}

proptest::proptest! {
    #[test]
    fn rounding_loosens_and_settles(quota in 1_000_i64..10_000_000, period in 1_000_u64..=1_000_000) {
        let rounded = rounded_quota(quota, Some(period));
        assert!(rounded >= quota - 1 && rounded <= quota + i64::try_from(period / 50).expect("small"));
        assert!(rounded_quota(rounded, Some(period)) - rounded <= 1);
    }
}

#[test]
fn devices() {
    let rule = |allow, kind, major, minor, access| DeviceRule { allow, kind, major, minor, access };
    let read = Access { read: true, write: false, mknod: false };
    let policy = Policy::new(&[
        rule(true, DeviceKind::Char, Some(1), Some(3), Access::ALL),
        rule(true, DeviceKind::Char, Some(136), None, read),
        rule(true, DeviceKind::All, None, None, Access { mknod: true, ..Access::default() }),
        rule(true, DeviceKind::Block, None, Some(3), read),
    ]);
    let entry =
        |device: &str, access: &str| Value::Struct(vec![Value::text(device), Value::text(access)]);
    let entries = vec![
        entry("/dev/char/1:3", "rwm"),
        entry("char-136", "r"),
        entry("char-*", "m"),
        entry("block-*", "m"),
    ];
    let list = v1_devices(&policy);
    assert_eq!(list[1], ("DevicePolicy".to_owned(), Value::text("strict")));
    assert_eq!(list[2], ("DeviceAllow".to_owned(), Value::Array("(ss)", entries)));
    let everything = Policy { default_allow: true, rules: Vec::new() };
    assert_eq!(v1_devices(&everything)[1].1, Value::text("auto"));
}
