//! `process` and `hooks`.

use serde_json::json;

use super::*;

#[test]
fn process_members() {
    let plan = good(&[(
        "/process",
        json!({
            "user": {"uid": 1, "gid": 2, "additionalGids": [3], "umask": 0o10077},
            "args": ["a"], "cwd": "/w", "terminal": true, "consoleSize": {"height": 4, "width": 5},
            "env": ["A=1", "HOME=", "B=", "A=2=3"],
            "oomScoreAdj": -1000, "apparmorProfile": "", "selinuxLabel": "l",
            "ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 7},
            "scheduler": {"policy": "SCHED_BATCH", "nice": -20, "flags": ["SCHED_RESET_ON_FORK"]},
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": u64::MAX}],
        }),
    )]);
    let process = plan.process.expect("process");
    assert_eq!(process.env, ["B=", "A=2=3"]);
    assert_eq!((process.umask, process.console_size), (Some(0o77), Some((4, 5))));
    assert_eq!((process.oom_score_adj, process.io_priority), (Some(-1000), Some(3 << 13 | 7)));
    assert_eq!((process.apparmor_profile, process.selinux_label.as_deref()), (None, Some("l")));
    let limit = &process.rlimits[0];
    assert_eq!((limit.name.as_str(), limit.resource, limit.hard), ("RLIMIT_NOFILE", 7, u64::MAX));
    let want = Scheduler { policy: 3, flags: 1, nice: -20, ..Scheduler::default() };
    assert_eq!(process.scheduler, Some(want));
    let no_terminal = good(&[("/process/consoleSize", json!({"height": 70000, "width": 1}))]);
    assert_eq!(no_terminal.process.expect("process").console_size, None);
}

#[test]
fn bad_process_members() {
    let nofile = json!({"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1});
    for (member, value, at, words) in [
        ("args", json!([]), "args", "process args cannot be empty"),
        ("args", json!(["a", "b\0"]), "args/1", "null byte"),
        ("cwd", json!("rel"), "cwd", "Cwd must be an absolute path"),
        ("cwd", json!(""), "cwd", "Cwd property must not be empty"),
        ("env", json!(["A=1", "B"]), "env/1", "missing '='"),
        ("env", json!(["=1"]), "env/0", "name cannot be empty"),
        ("env", json!(["A=\0"]), "env/0", "nul byte"),
        ("user", json!({"uid": u32::MAX}), "user/uid", "not an id"),
        ("user", json!({"gid": u32::MAX}), "user/gid", "not an id"),
        ("user", json!({"additionalGids": [0, u32::MAX]}), "user/additionalGids/1", "not an id"),
        ("oomScoreAdj", json!(1001), "oomScoreAdj", "not between -1000 and 1000"),
        ("rlimits", json!([nofile, nofile]), "rlimits/1", "listed twice"),
        (
            "rlimits",
            json!([{"type": "RLIMIT_AS", "soft": 2, "hard": 1}]),
            "rlimits/0",
            "above the hard",
        ),
        (
            "ioPriority",
            json!({"priority": 8}),
            "ioPriority/priority",
            "invalid ioPriority.Priority: 8",
        ),
        (
            "scheduler",
            json!({"policy": "SCHED_OTHER", "nice": 20}),
            "scheduler/nice",
            "invalid scheduler.nice",
        ),
        (
            "scheduler",
            json!({"policy": "SCHED_RR", "runtime": 1}),
            "scheduler/runtime",
            "SchedDeadline",
        ),
        (
            "scheduler",
            json!({"policy": "SCHED_IDLE", "priority": 1}),
            "scheduler/priority",
            "SchedFIFO",
        ),
        (
            "scheduler",
            json!({"policy": "SCHED_RR", "priority": -1}),
            "scheduler/priority",
            "negative",
        ),
        (
            "execCPUAffinity",
            json!({"initial": "0", "final": "2-1"}),
            "execCPUAffinity/final",
            "invalid range: 2-1",
        ),
    ] {
        bad(&format!("/process/{member}"), value, &format!("/process/{at}"), words);
    }
    let size = ("/process/consoleSize", json!({"width": 70000}));
    let changes = [size, ("/process/terminal", json!(true))];
    bad_with(&changes, &facts(), "/process/consoleSize/width", "more than 65535");
    let alone: oci_spec::runtime::Process =
        serde_json::from_value(json!({"user": {}, "args": [], "cwd": "/"})).expect("process");
    let error = process(&alone, &facts(), "").expect_err("no args");
    assert_eq!(error, Error::config("/args", "process args cannot be empty"));
}

#[test]
fn capabilities() {
    let all = json!(["CAP_CHOWN", "CAP_KILL", "CAP_BPF"]);
    let facts = HostFacts { last_cap: 38, ..facts() };
    let sets = json!({
        "bounding": all, "permitted": ["CAP_CHOWN", "CAP_KILL"], "effective": all,
        "inheritable": ["CAP_KILL"], "ambient": ["CAP_CHOWN", "CAP_KILL"],
    });
    let plan = try_plan(&[("/process/capabilities", sets)], &facts).expect("plan");
    let want = CapabilitySets {
        bounding: 1 | 1 << 5,
        permitted: 1 | 1 << 5,
        effective: 1 | 1 << 5,
        inheritable: 1 << 5,
        ambient: 1 << 5,
    };
    assert_eq!(plan.process.as_ref().expect("process").capabilities, want);
    warns(&plan, "ignoring unknown or unavailable capabilities: [CAP_BPF]");
    warns(&plan, "can't raise ambient capability CAP_CHOWN: ");
    let none_inherited = json!({ "permitted": all, "ambient": all });
    let facts = HostFacts { last_cap: 40, ..facts };
    let plan = try_plan(&[("/process/capabilities", none_inherited)], &facts).expect("plan");
    assert_eq!(plan.process.as_ref().expect("process").capabilities.ambient, 0);
    assert_eq!(plan.warnings, [""; 0]);
    assert_eq!(capability_number("cap_checkpoint_restore"), Some(40));
    assert_eq!((capability_number("CHOWN"), capability_number("CAP_X")), (Some(0), None));
    for (number, name) in capability_names().iter().enumerate() {
        assert_eq!(capability_number(name).map(usize::from), Some(number));
        let parsed: std::result::Result<oci_spec::runtime::Capability, _> =
            serde_json::from_value(json!(name));
        assert!(parsed.is_ok_and(|capability| format!("CAP_{capability}") == *name), "{name}");
    }
}

#[test]
fn hooks() {
    let hook = json!({"path": "/h", "args": ["h", "x"], "env": ["A=1"], "timeout": 3});
    let plan = good(&[
        ("/hooks/createRuntime", json!([hook])),
        ("/hooks/prestart", json!([{"path": "/p"}])),
    ]);
    let want = Hook {
        path: "/h".into(),
        args: vec!["h".into(), "x".into()],
        env: Some(vec!["A=1".into()]),
        timeout: Some(3),
        stdout: None,
        stderr: None,
    };
    assert_eq!(plan.hooks.create_runtime, [want]);
    assert_eq!((plan.hooks.prestart[0].timeout, &plan.hooks.prestart[0].env), (None, &None));
    bad("/hooks/poststop/0", json!({"path": "h"}), "/hooks/poststop/0/path", "absolute");
    let never = json!({"path": "/h", "timeout": 0});
    bad("/hooks/poststart/0", never, "/hooks/poststart/0/timeout", "greater than zero");
}
