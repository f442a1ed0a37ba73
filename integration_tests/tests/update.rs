//! `update`: its flags and what it refuses. That the values arrive is in the table of resources.rs.

use std::process::Stdio;

use integration_tests::{
    Bundle, Cgroups, Output, Peer, differs, need_cgroups, need_root, peer, skip,
};
use serde_json::json;

fn update(bundle: &Bundle, flags: &[&str]) -> Output {
    bundle.call(&[&["update"], flags, &[bundle.id.as_str()]].concat())
}

/// A controller's file, by its v1 or its v2 name.
fn read(bundle: &Bundle, controller: &str, v1: &str, v2: &str) -> String {
    Cgroups::detect().read(controller, &bundle.cgroup(), v1, v2).unwrap_or_default()
}

fn with_stdin(bundle: &Bundle, text: &str, flags: &[&str]) -> Output {
    let path = bundle.dir().join("resources.json");
    std::fs::write(&path, text).expect("write");
    let stdin = Stdio::from(std::fs::File::open(&path).expect("open"));
    let words = [&["update", "-r", "-"], flags, &[bundle.id.as_str()]].concat();
    bundle.call_with_stdin(&words, stdin)
}

#[test]
fn values_that_are_none() {
    need_cgroups!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    for (flag, value) in [
        ("cpu-period", "abc"),
        ("cpu-period", "-5"),
        ("cpu-quota", "1.5"),
        ("cpu-burst", "1k"),
        ("cpu-share", "99999999999999999999"),
        ("cpu-rt-period", "x"),
        ("cpu-rt-runtime", "x"),
        ("cpu-idle", "yes"),
        ("memory", "12q"),
        ("memory", "-2"),
        ("memory-swap", "m"),
        ("memory-reservation", "1mmb"),
        ("kernel-memory", "q"),
        ("kernel-memory-tcp", "q"),
    ] {
        let output = update(&bundle, &[&format!("--{flag}"), value]);
        output.exits(1).fails_with(&[&format!("invalid value for {flag}: ")]);
    }
    for flag in ["--pids-limit", "--blkio-weight"] {
        update(&bundle, &[flag, "many"]).fails_with(&["invalid value", flag.trim_matches('-')]);
    }
    if peer() == Peer::Onggi {
        // runc takes what is left of it in 16 bits.
        let words = ["invalid value for blkio-weight: 70000"];
        update(&bundle, &["--blkio-weight", "70000"]).exits(1).fails_with(&words);
    }
    update(&bundle, &["--nosuch", "1"]).fails_with(&["flag provided but not defined: -nosuch"]);
    bundle.delete();
}

#[test]
fn nothing_to_change_is_no_error() {
    need_cgroups!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    update(&bundle, &[]).ok();
    update(&bundle, &["--memory", "", "--cpu-period", ""]).ok();
    with_stdin(&bundle, "{}", &[]).ok();
    bundle.delete();
}

#[test]
fn a_document_alone_counts() {
    need_cgroups!();
    if !Cgroups::detect().has("pids") {
        skip!("no pids controller");
    }
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let flags = ["--pids-limit", "9", "--cpu-period", "nonsense"];
    with_stdin(&bundle, r#"{"pids": {"limit": 50}}"#, &flags).ok();
    assert_eq!(read(&bundle, "pids", "pids.max", "pids.max"), "50");
    let missing = ["--resources", "/nonexistent"];
    update(&bundle, &missing).exits(1).fails_with(&["/nonexistent", "no such file"]);
    with_stdin(&bundle, r#"{"pids":"#, &[]).exits(1);
    with_stdin(&bundle, r#"{"pids": {"limit": "5"}}"#, &[]).exits(1);
    assert_eq!(read(&bundle, "pids", "pids.max", "pids.max"), "50");
    bundle.delete();
}

#[test]
fn all_flags_at_once() {
    need_cgroups!();
    if !["pids", "memory", "cpu"].into_iter().all(|name| Cgroups::detect().has(name)) {
        skip!("no pids, memory and cpu controllers");
    }
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let flags = [
        &["--pids-limit", "77", "-memory", "64m", "--memory-reservation=32MiB"][..],
        &["--cpu-share", "512", "--cpu-quota", "20000", "--cpu-period", "40000"],
    ];
    update(&bundle, &flags.concat()).ok();
    let v2 = !Cgroups::detect().is_v1("cpu");
    let cpu = if v2 { ("20000 40000", "59") } else { ("20000", "512") };
    assert_eq!(read(&bundle, "pids", "pids.max", "pids.max"), "77");
    assert_eq!(read(&bundle, "memory", "memory.limit_in_bytes", "memory.max"), "67108864");
    assert_eq!(read(&bundle, "memory", "memory.soft_limit_in_bytes", "memory.low"), "33554432");
    assert_eq!(read(&bundle, "cpu", "cpu.cfs_quota_us", "cpu.max"), cpu.0);
    assert_eq!(read(&bundle, "cpu", "cpu.shares", "cpu.weight"), cpu.1);
    bundle.delete();
}

#[test]
fn one_bad_value_keeps_them_all() {
    need_cgroups!();
    differs!(Runc | Crun | Youki, "what is set before the bad value stays, or part of it");
    if !["pids", "cpu"].into_iter().all(|name| Cgroups::detect().has(name)) {
        skip!("no pids and cpu controllers");
    }
    let mut bundle = Bundle::new(&["sleep", "100"]);
    bundle.set("/linux/resources/pids", json!({ "limit": 40 }));
    bundle.set("/linux/resources/cpu", json!({ "quota": 50_000, "period": 100_000 }));
    bundle.up();
    // The kernel takes no period below a millisecond.
    update(&bundle, &["--pids-limit", "60", "--cpu-period", "1", "--cpu-quota", "30000"]).exits(1);
    assert_eq!(read(&bundle, "pids", "pids.max", "pids.max"), "40");
    let v2 = !Cgroups::detect().is_v1("cpu");
    let quota = if v2 { "50000 100000" } else { "50000" };
    assert_eq!(read(&bundle, "cpu", "cpu.cfs_quota_us", "cpu.max"), quota);
    bundle.delete();
}

#[test]
fn what_is_ignored_and_what_is_not_there() {
    need_cgroups!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    for flag in ["--kernel-memory", "--kernel-memory-tcp"] {
        let output = update(&bundle, &[flag, "64m"]);
        let warning = "Kernel memory settings are ignored and will be removed";
        assert!(output.code == 0 && output.stderr.contains(warning), "{output}");
    }
    let rdt = std::path::Path::new("/sys/fs/resctrl/info");
    for (flag, kind, words) in [
        ("--l3-cache-schema", "L3", "Intel RDT/CAT: l3 cache schema is not enabled"),
        ("--mem-bw-schema", "MB", "Intel RDT/MBA: memory bandwidth schema is not enabled"),
    ] {
        let words = match rdt.join(kind).exists() {
            true => "updating a non-existent Intel RDT configuration is not supported",
            false => words,
        };
        update(&bundle, &[flag, "x"]).exits(1).fails_with(&[words]);
    }
    let help = bundle.call(&["update", "--help"]);
    assert!(help.ok().contains("--mem-bw-schema") && !help.stdout.contains("--kernel-memory"));
    bundle.delete();
}

#[test]
fn only_a_container_that_runs() {
    need_cgroups!();
    let mut bundle = Bundle::new(&["true"]);
    bundle.unset("/linux/resources/memory");
    update(&bundle, &[]).fails_with(&["container does not exist"]);
    bundle.up();
    bundle.wait_status("stopped");
    update(&bundle, &["--pids-limit", "5"]).exits(1).fails_with(&["container not running"]);
    bundle.delete();
}

/// `create` would write over what it changes, or it over what `create` writes.
#[test]
fn not_before_it_is_created() {
    need_cgroups!();
    differs!(Runc | Crun | Youki, "others may, and lose it");
    let mut bundle = Bundle::new(&["sleep", "100"]);
    let update = bundle.command(&["update", "--cpu-share", "512", &bundle.id]);
    let words = std::iter::once(update.get_program()).chain(update.get_args());
    let words: Vec<_> = words.map(|word| format!("'{}'", word.display())).collect();
    let said = bundle.dir().join("said");
    let line = format!("{} 2> '{}' || true", words.join(" "), said.display());
    let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", line] });
    bundle.set("/hooks", json!({ "createRuntime": [hook] }));
    bundle.create().ok();
    let said = std::fs::read_to_string(said).expect("read");
    assert!(said.contains("cannot update a container that is being created"), "{said}");
    assert_eq!(bundle.status(), "created");
    bundle.delete();
}

/// Each remembers what it has changed, and forgets nothing of what others have.
#[test]
fn several_at_once() {
    need_root!();
    if !Cgroups::detect().has("memory") {
        skip!("no memory controller");
    }
    differs!(Runc | Crun | Youki, "only we remember device rules");
    let mut bundle = Bundle::new(&["sleep", "100"]);
    let rules = |minor: u32| {
        json!({ "devices": [
            { "allow": false, "access": "rwm" },
            { "allow": true, "type": "c", "major": 240, "minor": minor, "access": "rwm" },
        ] })
    };
    bundle.set("/linux/resources/devices", rules(0)["devices"].clone());
    bundle.up();
    let remembered = || {
        let text = std::fs::read(bundle.state_root().join(&bundle.id).join("state.json"));
        let state: serde_json::Value = serde_json::from_slice(&text.expect("read")).expect("json");
        state["devices"].clone()
    };
    let first = remembered();
    for minor in 1..=20 {
        let path = bundle.dir().join("resources.json");
        std::fs::write(&path, rules(minor).to_string()).expect("write");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                update(&bundle, &["-r", &path.to_string_lossy()]).ok();
            });
            for limit in 1..=3 {
                let limit = format!("{}m", 64 + limit + 3 * minor);
                let bundle = &bundle;
                scope.spawn(move || {
                    update(bundle, &["--memory", &limit]).ok();
                });
            }
        });
        assert_ne!(remembered(), first, "device rules of before update {minor}");
    }
    bundle.delete();
}

/// `checkBeforeUpdate` on v2; on v1 the kernel says no by itself.
#[test]
fn memory_below_the_use() {
    need_cgroups!();
    if !Cgroups::detect().has("memory") {
        skip!("no memory controller");
    }
    let bundle = Bundle::new(&["hold", "40", "100"]);
    bundle.up().wait_log("holding");
    update(&bundle, &["--memory", "200m"]).ok();
    let low = r#"{"memory": {"limit": 16777216, "checkBeforeUpdate": true}}"#;
    let words = match Cgroups::detect().is_v1("memory") {
        true => "unable to set memory limit to 16777216 (current usage: ",
        false => "rejecting memory limit 16777216 <= usage ",
    };
    with_stdin(&bundle, low, &[]).exits(1).fails_with(&[words]);
    assert_eq!(read(&bundle, "memory", "memory.limit_in_bytes", "memory.max"), "209715200");
    assert_eq!(bundle.status(), "running");
    bundle.delete();
}
