//! Namespaces: new ones differ from the host's, joined ones equal the given ones.

use crate::config::Config;
use crate::report::Report;
use serde_json::Value;
use std::fs;

/// Name in config.json and in /proc/self/ns.
const KINDS: &[(&str, &str)] = &[
    ("pid", "pid"),
    ("network", "net"),
    ("mount", "mnt"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("user", "user"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

pub(crate) fn check(config: &Config, report: &mut Report) {
    let host = &config.expect["hostNamespaces"];
    let joined = &config.expect["joinedNamespaces"];
    for (kind, link) in KINDS {
        let Ok(found) = fs::read_link(format!("/proc/self/ns/{link}")) else {
            report.skip(&format!("namespace {kind}"), "no link in /proc/self/ns");
            continue;
        };
        let found = found.to_string_lossy();
        let name = format!("namespace {kind}");
        if let Some(given) = joined[kind].as_str() {
            report.equal(&name, &given, &found.as_ref());
        } else if let Some(given) = host[kind].as_str() {
            let own = config.has_namespace(kind);
            report.test(&name, (found != given) == own, || {
                format!(
                    "expected {}, found {found}, the host has {given}",
                    if own { "a new one" } else { "the host's" }
                )
            });
        }
    }
    let pid = config.list("/linux/namespaces").iter().find(|n| n["type"] == "pid");
    if pid.is_some_and(|n| n["path"].is_null()) && config.expect["process"].is_null() {
        report.equal("pid is 1 in a new pid namespace", &1, &std::process::id());
    }
    mappings(config, report);
    time_offsets(config, report);
}

fn mappings(config: &Config, report: &mut Report) {
    for (key, file) in [("uidMappings", "uid_map"), ("gidMappings", "gid_map")] {
        let wanted = config.list(&format!("/linux/{key}"));
        if wanted.is_empty() {
            continue;
        }
        let number = |v: &Value, k: &str| v[k].as_u64().unwrap_or(0);
        let wanted: Vec<_> = wanted
            .iter()
            .map(|m| [number(m, "containerID"), number(m, "hostID"), number(m, "size")])
            .collect();
        let text = fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
        let row = |line: &str| {
            line.split_whitespace().filter_map(|n| n.parse().ok()).collect::<Vec<u64>>()
        };
        let found: Vec<_> =
            text.lines().filter_map(|l| <[u64; 3]>::try_from(row(l)).ok()).collect();
        report.equal(key, &wanted, &found);
    }
}

fn time_offsets(config: &Config, report: &mut Report) {
    let Some(wanted) = config.at("/linux/timeOffsets").as_object() else {
        return;
    };
    let text = fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    for (clock, offset) in wanted {
        let seconds = offset["secs"].as_i64().unwrap_or(0);
        let nanos = offset["nanosecs"].as_i64().unwrap_or(0);
        let found: Option<Vec<i64>> = text
            .lines()
            .map(|l| l.split_whitespace().collect::<Vec<_>>())
            .find(|w| w.first() == Some(&clock.as_str()))
            .map(|w| w[1..].iter().filter_map(|n| n.parse().ok()).collect());
        report.equal(&format!("time offset {clock}"), &Some(vec![seconds, nanos]), &found);
    }
}
