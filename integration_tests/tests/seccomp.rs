//! seccomp by what system calls do: errno, kill, trap, log, arguments, notify.

use integration_tests::{Bundle, Peer, differs, need_root, peer};
use serde_json::{Value, json};

const ARCHES: &[&str] = &[
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_RISCV64",
];

fn native() -> Vec<&'static str> {
    let pick: &[usize] = if cfg!(target_arch = "x86_64") { &[0, 1, 2] } else { &[3, 4] };
    pick.iter().map(|i| ARCHES[*i]).collect()
}

/// Everything allowed but these rules.
fn profile(rules: Value) -> Value {
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": native(), "syscalls": rules })
}

fn with(rules: Value, args: &[&str]) -> Bundle {
    let mut bundle = Bundle::new(args);
    bundle.set("/linux/seccomp", profile(rules));
    bundle
}

#[test]
fn errno_with_and_without_a_number() {
    need_root!();
    let rules = json!([
        { "names": ["getcwd"], "action": "SCMP_ACT_ERRNO" },
        { "names": ["mkdirat", "fchdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99 },
        { "names": ["setns"], "action": "SCMP_ACT_ERRNO", "errnoRet": 0 }
    ]);
    let bundle = with(rules, &["syscall", "getcwd", "mkdirat", "fchdir", "setns", "fchmodat"]);
    let output = bundle.run();
    assert_eq!(
        output.ok(),
        "getcwd errno 1\nmkdirat errno 99\nfchdir errno 99\nsetns ok\nfchmodat errno 14\n"
    );
}

#[test]
fn kill_actions_end_the_process() {
    need_root!();
    for action in
        ["SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP"]
    {
        let bundle = with(
            json!([{ "names": ["getcwd"], "action": action }]),
            &["all", "echo", "before", "--", "syscall", "getcwd"],
        );
        let output = bundle.run();
        assert_eq!(output.code, 128 + 31, "{action}: {output}");
        assert!(
            output.stdout.starts_with("before\n") && !output.stdout.contains("getcwd"),
            "{output}"
        );
        bundle.assert_clean();
    }
}

#[test]
fn log_and_allow_let_through() {
    need_root!();
    let rules = json!([{ "names": ["getcwd"], "action": "SCMP_ACT_LOG" }, { "names": ["mkdirat"], "action": "SCMP_ACT_ALLOW" }]);
    assert_eq!(
        with(rules, &["syscall", "getcwd", "mkdirat"]).run().ok(),
        "getcwd errno 34\nmkdirat errno 14\n"
    );
}

#[test]
fn trace_without_a_tracer_is_enosys() {
    need_root!();
    let rules = json!([{ "names": ["getcwd"], "action": "SCMP_ACT_TRACE" }]);
    assert_eq!(with(rules, &["syscall", "getcwd"]).run().ok(), "getcwd errno 38\n");
}

#[test]
fn comparisons_of_arguments() {
    need_root!();
    // The probe of socket has domain -1 (all ones), fchdir has -1, mkdirat has -100 first.
    let all = u64::MAX;
    let cases: &[(&str, u64, u64, bool)] = &[
        ("SCMP_CMP_EQ", all, 0, true),
        ("SCMP_CMP_EQ", 1, 0, false),
        ("SCMP_CMP_NE", 1, 0, true),
        ("SCMP_CMP_NE", all, 0, false),
        ("SCMP_CMP_GT", all - 1, 0, true),
        ("SCMP_CMP_GT", all, 0, false),
        ("SCMP_CMP_GE", all, 0, true),
        ("SCMP_CMP_LT", all, 0, false),
        ("SCMP_CMP_LE", all, 0, true),
        ("SCMP_CMP_LE", all - 1, 0, false),
        ("SCMP_CMP_MASKED_EQ", 0xff00, 0xff00, true),
        ("SCMP_CMP_MASKED_EQ", 0xff00, 0x0f00, false),
    ];
    for (op, value, two, hit) in cases {
        let arg = json!({ "index": 0, "value": value, "valueTwo": two, "op": op });
        let bundle = with(
            json!([{ "names": ["fchdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77, "args": [arg] }]),
            &["syscall", "fchdir"],
        );
        let wanted = if *hit { "fchdir errno 77\n" } else { "fchdir errno 9\n" };
        assert_eq!(bundle.run().ok(), wanted, "{op} {value:#x} {two:#x}");
    }
}

#[test]
fn conditions_on_several_arguments_must_all_hold() {
    need_root!();
    let both = |second: u64| {
        json!([{ "names": ["mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77, "args": [
        { "index": 1, "value": 0, "op": "SCMP_CMP_EQ" }, { "index": 2, "value": second, "op": "SCMP_CMP_EQ" }] }])
    };
    assert_eq!(with(both(0), &["syscall", "mkdirat"]).run().ok(), "mkdirat errno 77\n");
    assert_eq!(with(both(1), &["syscall", "mkdirat"]).run().ok(), "mkdirat errno 14\n");
    // The same call in two rules: either is enough.
    let rules = json!([
        { "names": ["mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77, "args": [{ "index": 2, "value": 5, "op": "SCMP_CMP_EQ" }] },
        { "names": ["mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77, "args": [{ "index": 1, "value": 0, "op": "SCMP_CMP_EQ" }] }
    ]);
    assert_eq!(with(rules, &["syscall", "mkdirat"]).run().ok(), "mkdirat errno 77\n");
}

#[test]
fn default_errno() {
    need_root!();
    differs!(Youki, "other list of what it needs itself");
    let mut bundle = Bundle::new(&["syscall", "kcmp", "getcwd"]);
    let allowed: Value =
        integration_tests::capture("docker-hello").json["linux"]["seccomp"]["syscalls"][0]["names"]
            .clone();
    let names: Vec<&Value> =
        allowed.as_array().into_iter().flatten().filter(|n| *n != "getcwd").collect();
    bundle.set("/linux/seccomp", json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "architectures": native(),
        "syscalls": [{ "names": names, "action": "SCMP_ACT_ALLOW" }, { "names": ["arch_prctl", "clone3"], "action": "SCMP_ACT_ALLOW" }] }));
    if peer() == Peer::Onggi {
        // getcwd is used by some runtimes to look at the working directory: after the filter is on.
        assert_eq!(bundle.run().ok(), "kcmp errno 38\ngetcwd errno 38\n");
    }
    bundle.args(&["/runtimetest", "syscall", "kcmp"]);
    let output = bundle.run();
    assert!(peer() != Peer::Onggi || output.ok() == "kcmp errno 38\n", "{output}");
}

/// The filter is loaded as late as possible, whatever no_new_privs says.
#[test]
fn works_without_no_new_privileges() {
    need_root!();
    for nnp in [true, false] {
        let mut bundle = with(
            json!([{ "names": ["kcmp"], "action": "SCMP_ACT_ERRNO", "errnoRet": 42 }]),
            &["all", "syscall", "kcmp", "--", "status", "NoNewPrivs", "Seccomp", "Seccomp_filters"],
        );
        bundle.set("/process/noNewPrivileges", json!(nnp));
        bundle.set("/process/user", json!({ "uid": 1000, "gid": 1000 }));
        bundle.set("/process/capabilities", json!({}));
        let output = bundle.run();
        assert!(output.ok().starts_with("kcmp errno 42\n"), "{output}");
        assert!(
            output.stdout.contains(&format!("NoNewPrivs:\t{}", u8::from(nnp)))
                && output.stdout.contains("Seccomp:\t2"),
            "{output}"
        );
    }
}

#[test]
fn flags_are_taken() {
    need_root!();
    for flags in [
        json!([]),
        json!(["SECCOMP_FILTER_FLAG_LOG"]),
        json!(["SECCOMP_FILTER_FLAG_TSYNC"]),
        json!(["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]),
    ] {
        let mut bundle = with(
            json!([{ "names": ["kcmp"], "action": "SCMP_ACT_ERRNO", "errnoRet": 42 }]),
            &["syscall", "kcmp"],
        );
        bundle.set("/linux/seccomp/flags", flags.clone());
        let output = bundle.run();
        if peer() == Peer::Onggi {
            assert_eq!(output.ok(), "kcmp errno 42\n", "{flags}");
        }
    }
    let mut bundle = with(json!([{ "names": ["kcmp"], "action": "SCMP_ACT_ERRNO" }]), &["true"]);
    bundle.set("/linux/seccomp/flags", json!(["SECCOMP_FILTER_FLAG_GALAXY"]));
    if peer() == Peer::Onggi {
        bundle.run().exits(1).fails_with(&["SECCOMP_FILTER_FLAG_GALAXY"]);
    }
}

#[test]
fn unknown_system_calls_are_passed_over() {
    need_root!();
    let rules =
        json!([{ "names": ["no_such_call", "kcmp"], "action": "SCMP_ACT_ERRNO", "errnoRet": 42 }]);
    assert_eq!(with(rules, &["syscall", "kcmp"]).run().ok(), "kcmp errno 42\n");
}

#[test]
fn exec_is_under_the_same_filter() {
    need_root!();
    let bundle = with(
        json!([{ "names": ["kcmp"], "action": "SCMP_ACT_ERRNO", "errnoRet": 42 }]),
        &["sleep", "100"],
    );
    bundle.up();
    let output = bundle.exec(&["all", "syscall", "kcmp", "--", "status", "Seccomp"]);
    assert_eq!(output.ok(), "kcmp errno 42\nSeccomp:\t2\n");
    bundle.delete();
}
