//! `process.rlimits`, `oomScoreAdj`, `scheduler`, `ioPriority`.

use crate::config::{Config, list, strings};
use crate::raw;
use crate::report::Report;
use serde_json::Value;

/// setrlimit(2) numbers, the same on x86_64, aarch64 and riscv64.
const RESOURCES: &[&str] = &[
    "RLIMIT_CPU",
    "RLIMIT_FSIZE",
    "RLIMIT_DATA",
    "RLIMIT_STACK",
    "RLIMIT_CORE",
    "RLIMIT_RSS",
    "RLIMIT_NPROC",
    "RLIMIT_NOFILE",
    "RLIMIT_MEMLOCK",
    "RLIMIT_AS",
    "RLIMIT_LOCKS",
    "RLIMIT_SIGPENDING",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_RTPRIO",
    "RLIMIT_RTTIME",
];

const POLICIES: &[&str] = &[
    "SCHED_OTHER",
    "SCHED_FIFO",
    "SCHED_RR",
    "SCHED_BATCH",
    "SCHED_ISO",
    "SCHED_IDLE",
    "SCHED_DEADLINE",
];

const FLAGS: &[(&str, u64)] = &[
    ("SCHED_FLAG_RESET_ON_FORK", 0x01),
    ("SCHED_FLAG_RECLAIM", 0x02),
    ("SCHED_FLAG_DL_OVERRUN", 0x04),
    ("SCHED_FLAG_KEEP_POLICY", 0x08),
    ("SCHED_FLAG_KEEP_PARAMS", 0x10),
    ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20),
    ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
];

pub(crate) fn check(config: &Config, report: &mut Report) {
    let process = config.process();
    for limit in list(&process["rlimits"]) {
        let kind = limit["type"].as_str().unwrap_or_default();
        let name = format!("rlimit {kind}");
        let Some(number) = RESOURCES.iter().position(|r| *r == kind) else {
            report.fail(&name, "no such limit");
            continue;
        };
        let wanted = (limit["soft"].as_u64().unwrap_or(0), limit["hard"].as_u64().unwrap_or(0));
        match raw::rlimit(u32::try_from(number).unwrap_or(0)) {
            Ok(found) => report.equal(&name, &wanted, &found),
            Err(errno) => report.fail(&name, format!("prlimit: errno {errno}")),
        }
    }
    if let Some(wanted) = process["oomScoreAdj"].as_i64() {
        match std::fs::read_to_string("/proc/self/oom_score_adj") {
            Ok(text) => report.equal("oomScoreAdj", &wanted.to_string().as_str(), &text.trim()),
            Err(why) => report.fail("oomScoreAdj", why.to_string()),
        }
    }
    scheduler(&process["scheduler"], report);
    io_priority(&process["ioPriority"], report);
}

fn scheduler(wanted: &Value, report: &mut Report) {
    let Some(policy) = wanted["policy"].as_str() else {
        return;
    };
    let found = match raw::sched_attr() {
        Ok(found) => found,
        Err(errno) => return report.fail("scheduler", format!("sched_getattr: errno {errno}")),
    };
    let name = POLICIES.get(found.policy as usize).copied().unwrap_or("?");
    report.equal("scheduler policy", &policy, &name);
    let flags = strings(&wanted["flags"])
        .iter()
        .filter_map(|f| FLAGS.iter().find(|(n, _)| n == f))
        .fold(0, |m, (_, bit)| m | bit);
    // KEEP_* speak about the call, they are not kept by the kernel.
    report.equal("scheduler flags", &(flags & 0x07), &(found.flags & 0x07));
    let number = |key: &str| wanted[key].as_i64().unwrap_or(0);
    match policy {
        "SCHED_OTHER" | "SCHED_BATCH" => {
            report.equal("scheduler nice", &number("nice"), &i64::from(found.nice))
        }
        "SCHED_FIFO" | "SCHED_RR" => {
            report.equal("scheduler priority", &number("priority"), &i64::from(found.priority))
        }
        "SCHED_DEADLINE" => report.equal(
            "scheduler deadline",
            &[number("runtime"), number("deadline"), number("period")],
            &[found.runtime, found.deadline, found.period].map(|n| i64::try_from(n).unwrap_or(-1)),
        ),
        _ => {}
    }
}

fn io_priority(wanted: &Value, report: &mut Report) {
    let classes = ["", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"];
    let Some(class) = wanted["class"].as_str().and_then(|c| classes.iter().position(|n| *n == c))
    else {
        return;
    };
    let priority = wanted["priority"].as_i64().unwrap_or(0);
    match raw::syscall(libc::SYS_ioprio_get, [1, 0, 0, 0, 0]) {
        Ok(found) => {
            report.equal("ioPriority", &(class as i64, priority), &(found >> 13, found & 0x1fff))
        }
        Err(errno) => report.fail("ioPriority", format!("ioprio_get: errno {errno}")),
    }
}
