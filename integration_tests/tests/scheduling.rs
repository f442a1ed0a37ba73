//! `process.scheduler`, `process.ioPriority` and CPUs, for the first process and for `exec`.

use integration_tests::{Bundle, Output, differs, need_root, skip};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

fn with_scheduler(args: &[&str], scheduler: &Value) -> Bundle {
    let mut bundle = Bundle::new(args);
    bundle.set("/process/scheduler", scheduler.clone());
    bundle
}

/// Whether the caller may have this policy, in its own cgroup.
fn caller_may(words: &[&str]) -> bool {
    let output = Command::new("chrt").args(words).arg("true").output();
    output.is_ok_and(|output| output.status.success())
}

/// The kernel gives a v1 cgroup no real-time budget by itself.
fn lacks_budget(output: &Output) -> bool {
    let text = &output.stderr;
    text.contains("set scheduler") && text.contains("operation not permitted")
}

#[test]
fn policies_that_share_time() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    for scheduler in [
        json!({ "policy": "SCHED_OTHER", "nice": -20 }),
        json!({ "policy": "SCHED_OTHER", "nice": 19, "flags": ["SCHED_FLAG_RESET_ON_FORK"] }),
        json!({ "policy": "SCHED_BATCH", "nice": -3 }),
        json!({ "policy": "SCHED_IDLE", "flags": ["SCHED_FLAG_RESET_ON_FORK"] }),
    ] {
        let mut bundle = with_scheduler(&["check"], &scheduler);
        // runtimetest knows the flag by the name that sched_setattr(2) has for it.
        bundle.expect["process"] = bundle.config["process"].clone();
        bundle.run_check();
    }
}

/// The specification names a policy that Linux keeps a number for and has never had.
#[test]
fn a_policy_that_no_kernel_has() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    let bundle = with_scheduler(&["true"], &json!({ "policy": "SCHED_ISO" }));
    bundle.run().exits(1).fails_with(&["set scheduler", "invalid argument"]);
    bundle.assert_clean();
}

#[test]
fn real_time_policies() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    if !caller_may(&["-f", "1"]) {
        skip!("the caller may not use real-time policies (CAP_SYS_NICE, RT_GROUP_SCHED)");
    }
    for scheduler in [
        json!({ "policy": "SCHED_FIFO", "priority": 1 }),
        json!({ "policy": "SCHED_FIFO", "priority": 99, "flags": ["SCHED_FLAG_RESET_ON_FORK"] }),
        json!({ "policy": "SCHED_RR", "priority": 50 }),
    ] {
        let mut bundle = with_scheduler(&["check"], &scheduler);
        if Path::new("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").exists() {
            let budget = json!({ "realtimePeriod": 1_000_000, "realtimeRuntime": 10_000 });
            bundle.set("/linux/resources/cpu", budget);
        }
        let output = bundle.run();
        if lacks_budget(&output) {
            skip!("a cgroup of its own gets no real-time budget here (RT_GROUP_SCHED)");
        }
        output.checked().ok();
        bundle.assert_clean();
    }
}

#[test]
fn deadline() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    let times = ["-d", "-T", "1000000", "-P", "20000000", "-D", "10000000", "0"];
    if !caller_may(&times) {
        skip!("the caller may not use SCHED_DEADLINE");
    }
    let times = json!({ "policy": "SCHED_DEADLINE", "runtime": 1_000_000, "deadline": 10_000_000, "period": 20_000_000 });
    for flags in [
        json!(["SCHED_FLAG_RESET_ON_FORK"]),
        json!(["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN"]),
    ] {
        let mut scheduler = times.clone();
        scheduler["flags"] = flags;
        let bundle = with_scheduler(&["check"], &scheduler);
        bundle.run_check();
    }
    // It has to fit: more time than there is until the deadline.
    let mut wrong = times;
    wrong["runtime"] = json!(30_000_000);
    let bundle = with_scheduler(&["true"], &wrong);
    bundle.run().exits(1).fails_with(&["set scheduler", "invalid argument"]);
    bundle.assert_clean();
}

#[test]
fn every_class_of_io_priority() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    for (class, priority) in [
        ("IOPRIO_CLASS_RT", 0),
        ("IOPRIO_CLASS_RT", 7),
        ("IOPRIO_CLASS_BE", 0),
        ("IOPRIO_CLASS_BE", 5),
        ("IOPRIO_CLASS_IDLE", 0),
    ] {
        let mut bundle = Bundle::check();
        bundle.set("/process/ioPriority", json!({ "class": class, "priority": priority }));
        bundle.run_check();
    }
}

/// `exec` gives the container's own, and a process file another.
#[test]
fn exec_has_the_containers_or_its_own() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    let mut bundle = with_scheduler(&["sleep", "1000"], &json!({ "policy": "SCHED_BATCH" }));
    bundle.set("/process/ioPriority", json!({ "class": "IOPRIO_CLASS_BE", "priority": 6 }));
    bundle.up();
    let policy = |output: &Output| {
        let line = output.ok().rsplit(')').next().unwrap_or_default().to_owned();
        // Field 41 of /proc/PID/stat; after the name comes field 3.
        line.split_whitespace().nth(38).map(str::to_owned)
    };
    assert_eq!(policy(&bundle.exec(&["cat", "/proc/self/stat"])), Some("3".into()));
    let file = bundle.dir().join("process.json");
    let process = json!({
        "args": ["/runtimetest", "cat", "/proc/self/stat"], "cwd": "/", "user": {},
        "scheduler": { "policy": "SCHED_IDLE" },
    });
    fs::write(&file, process.to_string()).expect("write");
    let output = bundle.call(&["exec", "--process", &file.to_string_lossy(), &bundle.id]);
    assert_eq!(policy(&output), Some("5".into()));
    bundle.delete();
}

/// An engine that is pinned to one CPU does not pin its containers.
#[test]
fn the_callers_cpus_are_not_the_containers() {
    need_root!();
    differs!(Runc | Crun | Youki, "not in older ones");
    let bundle = Bundle::new(&["status", "Cpus_allowed_list"]);
    let all = bundle.run().ok().to_owned();
    if !all.contains(['-', ',']) {
        skip!("one processor");
    }
    bundle.write();
    let inner = bundle.command(&["run", "--bundle", &bundle.path(), &bundle.id]);
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let output = integration_tests::run(&mut command);
    assert_eq!(output.ok(), all);
    bundle.assert_clean();
}

/// The numbers of the first two processors that this process may use.
fn two_cpus() -> Option<(u32, u32)> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim();
    let mut cpus = list.split(',').flat_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        first.parse::<u32>().unwrap_or(0)..=last.parse::<u32>().unwrap_or(0)
    });
    Some((cpus.next()?, cpus.next()?))
}

#[test]
fn cpu_affinity_of_exec() {
    need_root!();
    differs!(Runc | Crun | Youki, "only newer ones have it");
    let Some((first, second)) = two_cpus() else { skip!("one processor") };
    let mut bundle = Bundle::new(&["sleep", "1000"]);
    bundle.set("/process/execCPUAffinity", json!({ "initial": "", "final": format!("{second}") }));
    bundle.up();
    let list = |output: &str| output.trim_end().rsplit('\t').next().map(str::to_owned);
    let fields = ["status", "Cpus_allowed_list"];
    assert_eq!(list(bundle.exec(&fields).ok()), Some(second.to_string()));
    // The first process is not meant.
    let init = fs::read_to_string(format!("/proc/{}/status", bundle.pid())).expect("read");
    let own = init.lines().find(|line| line.starts_with("Cpus_allowed_list"));
    assert_ne!(own.and_then(list), Some(second.to_string()));

    let file = bundle.dir().join("process.json");
    for (affinity, want) in [
        (json!({ "initial": format!("{first}") }), format!("{first}")),
        (
            json!({ "initial": format!("{second}"), "final": format!("{first}") }),
            format!("{first}"),
        ),
        (json!({ "final": format!(" {first}, {second} ,") }), String::new()),
    ] {
        let process = json!({
            "args": ["/runtimetest", "status", "Cpus_allowed_list"], "cwd": "/", "user": {},
            "execCPUAffinity": affinity
        });
        fs::write(&file, process.to_string()).expect("write");
        let path = file.to_string_lossy();
        let output = bundle.call(&["--debug", "exec", "--process", &path, &bundle.id]);
        if want.is_empty() {
            assert!(list(output.ok()).is_some_and(|list| list.len() > 1), "{output}");
            continue;
        }
        assert_eq!(list(output.ok()), Some(want), "{output}");
        // Where it began shows in the log of its first step.
        if let Some(initial) = affinity["initial"].as_str().and_then(|cpu| cpu.parse::<u32>().ok())
        {
            let mask = format!("affinity: {:#x}", 1_u64 << initial);
            assert!(output.stderr.contains(&mask), "{output}");
        }
    }
    // No processor that there is.
    let process = json!({ "args": ["/x"], "cwd": "/", "execCPUAffinity": { "initial": "8191" } });
    fs::write(&file, process.to_string()).expect("write");
    let output = bundle.call(&["exec", "--process", &file.to_string_lossy(), &bundle.id]);
    output.exits(255).fails_with(&["set initial CPU affinity", "invalid argument"]);
    bundle.delete();
}
