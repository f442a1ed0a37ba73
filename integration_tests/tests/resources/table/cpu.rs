//! cpu and cpuset

use super::*;

const CPU_ROW: Row = Row { controller: ("cpu", "cpu"), ..NONE };
const CPUSET_ROW: Row = Row { controller: ("cpuset", "cpuset"), ..NONE };

pub(crate) const CPU: &[Row] = &[
    Row {
        name: "least shares",
        resources: r#"{"cpu": {"shares": 2}}"#,
        flags: &["--cpu-share", "2"],
        v1: &[("cpu.shares", "2")],
        v2: &[("cpu.weight", "1")],
        ..CPU_ROW
    },
    Row {
        name: "half the usual shares",
        resources: r#"{"cpu": {"shares": 512}}"#,
        flags: &["--cpu-share=512"],
        v1: &[("cpu.shares", "512")],
        v2: &[("cpu.weight", "59")],
        differs: &[
            Differs { peer: "runc", values: &["20"], why: STRAIGHT_LINE },
            Differs { peer: "crun", values: &["20"], why: STRAIGHT_LINE },
        ],
        ..CPU_ROW
    },
    Row {
        name: "usual shares",
        resources: r#"{"cpu": {"shares": 1024}}"#,
        flags: &["--cpu-share", "1024"],
        v1: &[("cpu.shares", "1024")],
        v2: &[("cpu.weight", "100")],
        differs: &[
            Differs { peer: "runc", values: &["39"], why: STRAIGHT_LINE },
            Differs { peer: "crun", values: &["39"], why: STRAIGHT_LINE },
        ],
        ..CPU_ROW
    },
    Row {
        name: "most shares",
        resources: r#"{"cpu": {"shares": 262144}}"#,
        flags: &["--cpu-share", "262144"],
        v1: &[("cpu.shares", "262144")],
        v2: &[("cpu.weight", "10000")],
        ..CPU_ROW
    },
    Row {
        name: "cpu quota and period",
        resources: r#"{"cpu": {"quota": 20000, "period": 50000}}"#,
        flags: &["--cpu-quota", "20000", "--cpu-period", "50000"],
        v1: &[("cpu.cfs_quota_us", "20000"), ("cpu.cfs_period_us", "50000")],
        v2: &[("cpu.max", "20000 50000")],
        ..CPU_ROW
    },
    Row {
        name: "cpu quota",
        resources: r#"{"cpu": {"quota": 30000}}"#,
        flags: &["--cpu-quota=30000"],
        v1: &[("cpu.cfs_quota_us", "30000"), ("cpu.cfs_period_us", "100000")],
        v2: &[("cpu.max", "30000 100000")],
        ..CPU_ROW
    },
    Row {
        name: "cpu period",
        resources: r#"{"cpu": {"period": 40000}}"#,
        flags: &["--cpu-period", "40000"],
        v1: &[("cpu.cfs_quota_us", "-1"), ("cpu.cfs_period_us", "40000")],
        v2: &[("cpu.max", "max 40000")],
        ..CPU_ROW
    },
    Row {
        name: "cpu quota, with the period of before",
        resources: r#"{"cpu": {"quota": 30000}}"#,
        base: r#"{"cpu": {"quota": 20000, "period": 50000}}"#,
        flags: &["--cpu-quota", "30000"],
        v1: &[("cpu.cfs_quota_us", "30000"), ("cpu.cfs_period_us", "50000")],
        v2: &[("cpu.max", "30000 50000")],
        differs: &[Differs { peer: "crun", values: &["30000 100000"], why: CRUN_FORGETS }],
        ..CPU_ROW
    },
    Row {
        name: "cpu period, with the quota of before",
        resources: r#"{"cpu": {"period": 40000}}"#,
        base: r#"{"cpu": {"quota": 20000, "period": 50000}}"#,
        flags: &["--cpu-period", "40000"],
        v1: &[("cpu.cfs_quota_us", "20000"), ("cpu.cfs_period_us", "40000")],
        v2: &[("cpu.max", "20000 40000")],
        differs: &[Differs { peer: "crun", values: &["max 40000"], why: CRUN_FORGETS }],
        ..CPU_ROW
    },
    Row {
        name: "no cpu quota",
        resources: r#"{"cpu": {"quota": -1}}"#,
        base: r#"{"cpu": {"quota": 20000, "period": 50000}}"#,
        flags: &["--cpu-quota", "-1"],
        v1: &[("cpu.cfs_quota_us", "-1"), ("cpu.cfs_period_us", "50000")],
        v2: &[("cpu.max", "max 50000")],
        differs: &[Differs { peer: "crun", values: &["error", "20000 50000"], why: CRUN_NEGATIVE }],
        ..CPU_ROW
    },
    Row {
        name: "cpu burst",
        resources: r#"{"cpu": {"quota": 50000, "period": 100000, "burst": 40000}}"#,
        flags: &["--cpu-quota=50000", "--cpu-period=100000", "--cpu-burst=40000"],
        v1: &[("cpu.cfs_burst_us", "40000")],
        v2: &[("cpu.max.burst", "40000")],
        differs: &[
            Differs { peer: "runc", values: &["0", "error"], why: OLD_RUNC },
            Differs { peer: "crun", values: &["0", "error"], why: OLD_CRUN },
        ],
        ..CPU_ROW
    },
    Row {
        name: "no cpu burst",
        resources: r#"{"cpu": {"burst": 0}}"#,
        base: r#"{"cpu": {"quota": 50000, "period": 100000, "burst": 40000}}"#,
        flags: &["--cpu-burst", "0"],
        v1: &[("cpu.cfs_burst_us", "0"), ("cpu.cfs_quota_us", "50000")],
        v2: &[("cpu.max.burst", "0"), ("cpu.max", "50000 100000")],
        differs: &[
            Differs { peer: "runc", values: &["error"], why: OLD_RUNC },
            Differs { peer: "crun", values: &["error"], why: OLD_CRUN },
        ],
        ..CPU_ROW
    },
    Row {
        name: "cpu idle",
        resources: r#"{"cpu": {"idle": 1}}"#,
        flags: &["--cpu-idle", "1"],
        v1: &[("cpu.idle", "1")],
        v2: &[("cpu.idle", "1")],
        differs: &[
            Differs { peer: "runc", values: &["0", "error"], why: OLD_RUNC },
            Differs { peer: "crun", values: &["error"], why: OLD_CRUN },
        ],
        ..CPU_ROW
    },
    Row {
        name: "cpu idle, with shares before",
        resources: r#"{"cpu": {"idle": 1}}"#,
        base: r#"{"cpu": {"shares": 512}}"#,
        flags: &["--cpu-idle", "1"],
        v1: &[("cpu.idle", "1")],
        v2: &[("cpu.idle", "1")],
        differs: &[
            Differs { peer: "runc", values: &["0", "error"], why: OLD_RUNC },
            Differs { peer: "crun", values: &["error"], why: OLD_CRUN },
        ],
        ..CPU_ROW
    },
    Row {
        name: "cpu idle no more",
        resources: r#"{"cpu": {"idle": 0}}"#,
        base: r#"{"cpu": {"idle": 1}}"#,
        flags: &["--cpu-idle=0"],
        v1: &[("cpu.idle", "0")],
        v2: &[("cpu.idle", "0")],
        differs: &[
            Differs { peer: "runc", values: &["error"], why: OLD_RUNC },
            Differs { peer: "crun", values: &["error"], why: OLD_CRUN },
        ],
        ..CPU_ROW
    },
    Row {
        name: "realtime",
        controller: ("cpu", ""),
        resources: r#"{"cpu": {"realtimeRuntime": 5000, "realtimePeriod": 500000}}"#,
        flags: &["--cpu-rt-runtime", "5000", "--cpu-rt-period", "500000"],
        v1: &[("cpu.rt_runtime_us", "5000"), ("cpu.rt_period_us", "500000")],
        ..NONE
    },
    Row {
        name: "cpus",
        resources: r#"{"cpu": {"cpus": "0"}}"#,
        flags: &["--cpuset-cpus", "0"],
        v1: &[("cpuset.cpus", "0")],
        v2: &[("cpuset.cpus", "0")],
        ..CPUSET_ROW
    },
    Row {
        name: "memory nodes",
        resources: r#"{"cpu": {"mems": "0"}}"#,
        flags: &["--cpuset-mems", "0"],
        v1: &[("cpuset.mems", "0")],
        v2: &[("cpuset.mems", "0")],
        ..CPUSET_ROW
    },
];
