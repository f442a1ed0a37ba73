//! pids, hugetlb, net_cls, net_prio, rdma, and files by name

use super::*;

const PIDS_ROW: Row = Row { controller: ("pids", "pids"), ..NONE };

pub(crate) const PIDS: &[Row] = &[
    Row {
        name: "pids limit",
        resources: r#"{"pids": {"limit": 42}}"#,
        flags: &["--pids-limit", "42"],
        v1: &[("pids.max", "42")],
        v2: &[("pids.max", "42")],
        ..PIDS_ROW
    },
    Row {
        name: "pids limit of 0",
        resources: r#"{"pids": {"limit": 0}}"#,
        flags: &["--pids-limit=0"],
        v1: &[("pids.max", "1")],
        v2: &[("pids.max", "1")],
        differs: &[
            // "max", or with systemd the number that it gives to all units.
            Differs { peer: "runc", values: &[ANY], why: OLD_RUNC },
            Differs { peer: "crun", values: &[ANY], why: OLD_CRUN },
        ],
        ..PIDS_ROW
    },
    Row {
        name: "no pids limit",
        resources: r#"{"pids": {"limit": -1}}"#,
        base: r#"{"pids": {"limit": 42}}"#,
        flags: &["--pids-limit", "-1"],
        v1: &[("pids.max", "max")],
        v2: &[("pids.max", "max")],
        differs: &[Differs { peer: "crun", values: &["error"], why: CRUN_NEGATIVE }],
        ..PIDS_ROW
    },
    Row {
        name: "an update that does not name the pids limit",
        resources: r#"{"pids": {}}"#,
        base: r#"{"pids": {"limit": 42}}"#,
        flags: &["--cpu-share", ""],
        v1: &[("pids.max", "42")],
        v2: &[("pids.max", "42")],
        differs: &[Differs {
            peer: "crun",
            values: &["error"],
            why: "it reads an empty number as none at all",
        }],
        ..PIDS_ROW
    },
];

pub(crate) const HUGE_PAGES: &[Row] = &[Row {
    name: "huge pages",
    controller: ("hugetlb", "hugetlb"),
    resources: r#"{"hugepageLimits": [{"pageSize": "SIZE", "limit": BYTES}]}"#,
    not_in_update: true,
    v1: &[("hugetlb.SIZE.limit_in_bytes", "BYTES"), ("hugetlb.SIZE.rsvd.limit_in_bytes", "BYTES")],
    v2: &[("hugetlb.SIZE.max", "BYTES"), ("hugetlb.SIZE.rsvd.max", "BYTES")],
    differs: &[
        Differs { peer: "runc", values: &["error"], why: RUNC_HYBRID },
        Differs {
            peer: "runc",
            values: &["9223372036854771712"],
            why: "before 1.2, without the limit on reservations",
        },
        Differs { peer: "crun", values: &["max"], why: "on v2 without the limit on reservations" },
    ],
    ..NONE
}];

pub(crate) const NETWORK: &[Row] = &[
    Row {
        name: "network class",
        controller: ("net_cls", ""),
        resources: r#"{"network": {"classID": 1048577}}"#,
        not_in_update: true,
        v1: &[("net_cls.classid", "1048577")],
        ..NONE
    },
    Row {
        name: "network priority",
        controller: ("net_prio", ""),
        resources: r#"{"network": {"priorities": [{"name": "lo", "priority": 5}]}}"#,
        not_in_update: true,
        v1: &[("net_prio.ifpriomap", "lo 5")],
        ..NONE
    },
    Row {
        name: "rdma",
        controller: ("rdma", "rdma"),
        resources: r#"{"rdma": {"RDMA": {"hcaHandles": 2, "hcaObjects": 7}}}"#,
        not_in_update: true,
        v1: &[("rdma.max", "RDMA hca_handle=2 hca_object=7")],
        v2: &[("rdma.max", "RDMA hca_handle=2 hca_object=7")],
        differs: &[Differs {
            peer: "crun",
            values: &["RDMA hca_handle=max hca_object=max"],
            why: "not set on v2",
        }],
        ..NONE
    },
];

pub(crate) const UNIFIED: &[Row] = &[
    Row {
        name: "unified: memory",
        controller: ("", "memory"),
        resources: r#"{"unified": {"memory.high": "33554432", "memory.min": "1048576", "memory.oom.group": "1"}}"#,
        v2: &[("memory.high", "33554432"), ("memory.min", "1048576"), ("memory.oom.group", "1")],
        ..NONE
    },
    Row {
        name: "unified beside limits",
        controller: ("", "memory"),
        resources: r#"{"memory": {"limit": 67108864}, "unified": {"memory.max": "134217728"}}"#,
        v2: &[("memory.max", "134217728")],
        ..NONE
    },
    Row {
        name: "unified: cpu",
        controller: ("", "cpu"),
        resources: r#"{"unified": {"cpu.weight": "42", "cpu.max": "30000 60000"}}"#,
        v2: &[("cpu.weight", "42"), ("cpu.max", "30000 60000")],
        ..NONE
    },
    Row {
        name: "unified: pids",
        controller: ("", "pids"),
        resources: r#"{"unified": {"pids.max": "77"}}"#,
        v2: &[("pids.max", "77")],
        ..NONE
    },
    Row {
        name: "unified: cpuset",
        controller: ("", "cpuset"),
        resources: r#"{"unified": {"cpuset.cpus": "0"}}"#,
        v2: &[("cpuset.cpus", "0")],
        ..NONE
    },
    Row {
        name: "unified: disks",
        controller: ("", "io"),
        resources: r#"{"unified": {"io.max": "MAJOR:MINOR rbps=1048576\nMAJOR:MINOR wiops=200"}}"#,
        v2: &[("io.max", "MAJOR:MINOR rbps=1048576 wbps=max riops=max wiops=200")],
        differs: &[Differs {
            peer: "runc",
            values: &["error"],
            why: "before 1.2, several lines in one write",
        }],
        ..NONE
    },
    Row {
        name: "unified: huge pages",
        controller: ("", "hugetlb"),
        resources: r#"{"unified": {"hugetlb.SIZE.max": "BYTES"}}"#,
        v2: &[("hugetlb.SIZE.max", "BYTES")],
        differs: &[Differs { peer: "runc", values: &["error"], why: RUNC_HYBRID }],
        ..NONE
    },
    Row {
        name: "unified: misc",
        controller: ("", "misc"),
        resources: r#"{"unified": {"misc.max": "SCARCE 1"}}"#,
        v2: &[("misc.max", "SCARCE 1")],
        ..NONE
    },
];
