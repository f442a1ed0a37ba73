//! Capabilities, seen after the execve(2) of this program, see capabilities(7).

use crate::config::{Config, strings};
use crate::report::Report;
use crate::status::Status;
use serde_json::Value;

/// In the order of their numbers.
const NAMES: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

pub(crate) fn check(config: &Config, report: &mut Report) {
    let process = config.process();
    let caps = &process["capabilities"];
    if caps.is_null() {
        return report.skip("capabilities", "not configured");
    }
    let status = match Status::read() {
        Ok(status) => status,
        Err(why) => return report.fail("capabilities", why),
    };
    let host = config.expect["hostBounding"]
        .as_str()
        .and_then(|s| u64::from_str_radix(s, 16).ok())
        .unwrap_or(u64::MAX);
    let set = |name: &str| mask(&caps[name]) & host;
    let (bounding, inheritable) = (set("bounding"), set("inheritable"));
    // The kernel raises an ambient capability only when it is permitted and inheritable.
    let ambient = set("ambient") & inheritable & set("permitted");

    let uid = process["user"]["uid"].as_u64().unwrap_or(0);
    let mut permitted = ambient;
    if uid == 0 {
        // execve by root gives everything in the bounding set, unless no_new_privs caps it.
        permitted = bounding | inheritable;
        if process["noNewPrivileges"] == true {
            permitted &= set("permitted");
        }
        permitted |= ambient;
    }
    let wanted = [
        ("CapBnd", bounding),
        ("CapInh", inheritable),
        ("CapPrm", permitted),
        ("CapEff", permitted),
        ("CapAmb", ambient),
    ];
    for (field, expected) in wanted {
        let found = status.mask(field);
        report.test(&format!("capabilities {field}"), found == expected, || {
            format!("expected {}, found {}", text(expected), text(found))
        });
    }
}

fn mask(names: &Value) -> u64 {
    strings(names)
        .iter()
        .filter_map(|n| NAMES.iter().position(|m| m == n))
        .fold(0, |m, bit| m | 1 << bit)
}

fn text(mask: u64) -> String {
    let names: Vec<_> =
        NAMES.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, n)| *n).collect();
    format!("{mask:016x} [{}]", names.join(" "))
}
