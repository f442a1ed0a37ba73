//! memory

use super::*;

const MEM: Row = Row { controller: ("memory", "memory"), ..NONE };
const V1_UNLIMITED: &str = "9223372036854771712";
const V1_LIMIT: &str = "memory.limit_in_bytes";
const V1_SWAP: &str = "memory.memsw.limit_in_bytes";

pub(crate) const MEMORY: &[Row] = &[
    Row {
        name: "memory limit",
        resources: r#"{"memory": {"limit": 67108864}}"#,
        flags: &["--memory", "64m"],
        v1: &[(V1_LIMIT, "67108864")],
        v2: &[("memory.max", "67108864")],
        differs: &[Differs { peer: "crun", values: &["error"], why: CRUN_SIZES }],
        ..MEM
    },
    Row {
        name: "no memory limit",
        resources: r#"{"memory": {"limit": -1}}"#,
        base: r#"{"memory": {"limit": 33554432, "swap": 67108864}}"#,
        flags: &["--memory", "-1"],
        v1: &[(V1_LIMIT, V1_UNLIMITED), (V1_SWAP, V1_UNLIMITED)],
        v2: &[("memory.max", "max"), ("memory.swap.max", "max")],
        differs: &[Differs {
            peer: "crun",
            values: &["error", "33554432"],
            why: "it keeps the limit on swap",
        }],
        ..MEM
    },
    Row {
        name: "memory reservation",
        resources: r#"{"memory": {"reservation": 33554432}}"#,
        flags: &["--memory-reservation", "32M"],
        v1: &[("memory.soft_limit_in_bytes", "33554432")],
        v2: &[("memory.low", "33554432")],
        differs: &[Differs { peer: "crun", values: &["error"], why: CRUN_SIZES }],
        ..MEM
    },
    Row {
        name: "memory and swap",
        resources: r#"{"memory": {"limit": 67108864, "swap": 134217728}}"#,
        flags: &["--memory", "64m", "--memory-swap=128m"],
        v1: &[(V1_LIMIT, "67108864"), (V1_SWAP, "134217728")],
        v2: &[("memory.max", "67108864"), ("memory.swap.max", "67108864")],
        differs: &[Differs { peer: "crun", values: &["error"], why: CRUN_SIZES }],
        ..MEM
    },
    Row {
        name: "no swap",
        resources: r#"{"memory": {"limit": 67108864, "swap": 67108864}}"#,
        flags: &["--memory=64m", "--memory-swap=64m"],
        v1: &[(V1_LIMIT, "67108864"), (V1_SWAP, "67108864")],
        v2: &[("memory.max", "67108864"), ("memory.swap.max", "0")],
        differs: &[Differs { peer: "crun", values: &["error"], why: CRUN_SIZES }],
        ..MEM
    },
    Row {
        name: "unlimited swap",
        resources: r#"{"memory": {"limit": 67108864, "swap": -1}}"#,
        base: r#"{"memory": {"limit": 33554432, "swap": 67108864}}"#,
        flags: &["--memory", "67108864", "--memory-swap", "-1"],
        v1: &[(V1_LIMIT, "67108864"), (V1_SWAP, V1_UNLIMITED)],
        v2: &[("memory.max", "67108864"), ("memory.swap.max", "max")],
        ..MEM
    },
    Row {
        name: "memory limit, with the swap of before",
        resources: r#"{"memory": {"limit": 67108864}}"#,
        base: r#"{"memory": {"limit": 33554432, "swap": 134217728}}"#,
        flags: &["--memory", "64m"],
        v1: &[(V1_LIMIT, "67108864"), (V1_SWAP, "134217728")],
        v2: &[("memory.max", "67108864"), ("memory.swap.max", "67108864")],
        differs: &[
            Differs { peer: "runc", values: &["100663296"], why: OLD_RUNC },
            Differs {
                peer: "crun",
                values: &["100663296", "error"],
                why: "it does not keep the sum",
            },
        ],
        ..MEM
    },
    Row {
        name: "swap, with the memory limit of before",
        resources: r#"{"memory": {"swap": 134217728}}"#,
        base: r#"{"memory": {"limit": 67108864}}"#,
        flags: &["--memory-swap", "128MiB"],
        v1: &[(V1_LIMIT, "67108864"), (V1_SWAP, "134217728")],
        v2: &[("memory.max", "67108864"), ("memory.swap.max", "67108864")],
        differs: &[
            Differs { peer: "runc", values: &["error"], why: OLD_RUNC },
            Differs { peer: "crun", values: &["error"], why: "it remembers no limit" },
        ],
        ..MEM
    },
    Row {
        name: "memory and swap, both above those of before",
        resources: r#"{"memory": {"limit": 134217728, "swap": 268435456}}"#,
        base: r#"{"memory": {"limit": 33554432, "swap": 67108864}}"#,
        flags: &["--memory", "128m", "--memory-swap", "256m"],
        v1: &[(V1_LIMIT, "134217728"), (V1_SWAP, "268435456")],
        v2: &[("memory.max", "134217728"), ("memory.swap.max", "134217728")],
        differs: &[Differs { peer: "crun", values: &["error"], why: CRUN_SIZES }],
        ..MEM
    },
    Row {
        name: "memory and swap, both below those of before",
        resources: r#"{"memory": {"limit": 33554432, "swap": 67108864}}"#,
        base: r#"{"memory": {"limit": 134217728, "swap": 268435456}}"#,
        flags: &["--memory", "32m", "--memory-swap", "64m"],
        v1: &[(V1_LIMIT, "33554432"), (V1_SWAP, "67108864")],
        v2: &[("memory.max", "33554432"), ("memory.swap.max", "33554432")],
        differs: &[Differs { peer: "crun", values: &["error"], why: CRUN_SIZES }],
        ..MEM
    },
    Row {
        name: "swappiness",
        resources: r#"{"memory": {"swappiness": 30}}"#,
        not_in_update: true,
        v1: &[("memory.swappiness", "30")],
        ..MEM
    },
    Row {
        name: "no OOM killer",
        resources: r#"{"memory": {"disableOOMKiller": true}}"#,
        not_in_update: true,
        v1: &[("memory.oom_control", "oom_kill_disable 1")],
        ..MEM
    },
];
