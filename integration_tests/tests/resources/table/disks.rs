//! blkio and io

use super::*;

const DISK: Row = Row { controller: ("blkio", "io"), ..NONE };

pub(crate) const DISKS: &[Row] = &[
    Row {
        name: "bytes read",
        resources: r#"{"blockIO": {"throttleReadBpsDevice": [{"major": MAJOR, "minor": MINOR, "rate": 1048576}]}}"#,
        v1: &[("blkio.throttle.read_bps_device", "MAJOR:MINOR 1048576")],
        v2: &[("io.max", "MAJOR:MINOR rbps=1048576 wbps=max riops=max wiops=max")],
        differs: &[Differs { peer: "runc", values: &[""], why: OLD_RUNC }],
        ..DISK
    },
    Row {
        name: "bytes written",
        resources: r#"{"blockIO": {"throttleWriteBpsDevice": [{"major": MAJOR, "minor": MINOR, "rate": 2097152}]}}"#,
        v1: &[("blkio.throttle.write_bps_device", "MAJOR:MINOR 2097152")],
        v2: &[("io.max", "MAJOR:MINOR rbps=max wbps=2097152 riops=max wiops=max")],
        differs: &[Differs { peer: "runc", values: &[""], why: OLD_RUNC }],
        ..DISK
    },
    Row {
        name: "reads",
        resources: r#"{"blockIO": {"throttleReadIOPSDevice": [{"major": MAJOR, "minor": MINOR, "rate": 100}]}}"#,
        v1: &[("blkio.throttle.read_iops_device", "MAJOR:MINOR 100")],
        v2: &[("io.max", "MAJOR:MINOR rbps=max wbps=max riops=100 wiops=max")],
        differs: &[Differs { peer: "runc", values: &[""], why: OLD_RUNC }],
        ..DISK
    },
    Row {
        name: "writes",
        resources: r#"{"blockIO": {"throttleWriteIOPSDevice": [{"major": MAJOR, "minor": MINOR, "rate": 200}]}}"#,
        v1: &[("blkio.throttle.write_iops_device", "MAJOR:MINOR 200")],
        v2: &[("io.max", "MAJOR:MINOR rbps=max wbps=max riops=max wiops=200")],
        differs: &[Differs { peer: "runc", values: &[""], why: OLD_RUNC }],
        ..DISK
    },
    Row {
        name: "one rate more",
        resources: r#"{"blockIO": {"throttleWriteIOPSDevice": [{"major": MAJOR, "minor": MINOR, "rate": 200}]}}"#,
        base: r#"{"blockIO": {"throttleReadBpsDevice": [{"major": MAJOR, "minor": MINOR, "rate": 1048576}]}}"#,
        v1: &[
            ("blkio.throttle.read_bps_device", "MAJOR:MINOR 1048576"),
            ("blkio.throttle.write_iops_device", "MAJOR:MINOR 200"),
        ],
        v2: &[("io.max", "MAJOR:MINOR rbps=1048576 wbps=max riops=max wiops=200")],
        differs: &[Differs {
            peer: "runc",
            values: &["", "MAJOR:MINOR rbps=1048576 wbps=max riops=max wiops=max"],
            why: OLD_RUNC,
        }],
        ..DISK
    },
    Row {
        name: "no rate any more",
        resources: r#"{"blockIO": {"throttleReadBpsDevice": [{"major": MAJOR, "minor": MINOR, "rate": 0}]}}"#,
        base: r#"{"blockIO": {"throttleReadBpsDevice": [{"major": MAJOR, "minor": MINOR, "rate": 1048576}]}}"#,
        v1: &[("blkio.throttle.read_bps_device", "")],
        v2: &[("io.max", "")],
        differs: &[
            Differs {
                peer: "runc",
                values: &[
                    "MAJOR:MINOR 1048576",
                    "MAJOR:MINOR rbps=1048576 wbps=max riops=max wiops=max",
                ],
                why: OLD_RUNC,
            },
            Differs { peer: "runc", values: &["error"], why: ZERO_RATE },
            Differs { peer: "crun", values: &["error"], why: ZERO_RATE },
        ],
        ..DISK
    },
    Row {
        name: "block I/O weight",
        resources: r#"{"blockIO": {"weight": 500}}"#,
        flags: &["--blkio-weight", "500"],
        differs: &[Differs {
            peer: "crun",
            values: &["error"],
            why: "versions up to 1.21 know blkio.weight alone, which kernels have lost with CFQ",
        }],
        v1: &[("blkio.bfq.weight", "500"), ("blkio.weight", "500")],
        v2: &[("io.bfq.weight", "default 500"), ("io.weight", "default 4950")],
        ..DISK
    },
    Row {
        name: "block I/O weight of a disk",
        resources: r#"{"blockIO": {"weightDevice": [{"major": MAJOR, "minor": MINOR, "weight": 300}]}}"#,
        v1: &[
            ("blkio.bfq.weight_device", "MAJOR:MINOR 300"),
            ("blkio.weight_device", "MAJOR:MINOR 300"),
        ],
        v2: &[("io.bfq.weight", "MAJOR:MINOR 300"), ("io.weight", "MAJOR:MINOR 2930")],
        differs: &[Differs { peer: "runc", values: &["default 100"], why: OLD_RUNC }],
        ..DISK
    },
];
