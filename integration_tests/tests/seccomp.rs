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

/// The kernel takes them, and gets no others. TSYNC has no use for a process of one thread; without a word about flags
/// speculation is left as it is.
#[test]
fn flags_are_taken() {
    need_root!();
    let (log, spec_allow) = ("SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW");
    for (flags, value) in [
        (Value::Null, 4),
        (json!([]), 0),
        (json!([log]), 2),
        (json!([spec_allow]), 4),
        (json!(["SECCOMP_FILTER_FLAG_TSYNC"]), 0),
        (json!([log, spec_allow, log, "SECCOMP_FILTER_FLAG_TSYNC"]), 6),
        // Without a rule that asks there is nothing to wait for, and the kernel would refuse it.
        (json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]), 0),
    ] {
        let mut bundle = with(
            json!([{ "names": ["kcmp"], "action": "SCMP_ACT_ERRNO", "errnoRet": 42 }]),
            &["syscall", "kcmp"],
        );
        if !flags.is_null() {
            bundle.set("/linux/seccomp/flags", flags.clone());
        }
        bundle.write();
        let output = bundle.call(&["--debug", "run", "--bundle", &bundle.path(), &bundle.id]);
        if peer() == Peer::Onggi {
            assert_eq!(output.ok(), "kcmp errno 42\n", "{flags}");
            let words = format!("seccomp filter flags: {value}\"");
            assert!(output.stderr.contains(&words), "{flags}: {output}");
        }
    }
    let mut bundle = with(json!([{ "names": ["kcmp"], "action": "SCMP_ACT_ERRNO" }]), &["true"]);
    bundle.set("/linux/seccomp/flags", json!(["SECCOMP_FILTER_FLAG_GALAXY"]));
    if peer() == Peer::Onggi {
        bundle.run().exits(1).fails_with(&["SECCOMP_FILTER_FLAG_GALAXY"]);
    }
}

/// Calls beyond the newest that the profile knows are not there; those that it leaves out are denied.
#[test]
fn newer_calls_do_not_exist() {
    need_root!();
    let mut bundle = with_names_of_docker(&["syscall", "kcmp", "9999", "2000000000"]);
    let denied = "kcmp errno 1\n9999 errno 38\n2000000000 errno 38\n";
    assert_eq!(bundle.run().ok(), denied);
    bundle.set("/linux/seccomp/defaultErrnoRet", json!(6));
    assert_eq!(bundle.run().ok(), denied.replace("errno 1\n", "errno 6\n"));
    bundle.set("/linux/seccomp/defaultAction", json!("SCMP_ACT_TRACE"));
    bundle.unset("/linux/seccomp/defaultErrnoRet");
    // A tracer would know; without one no call of the kind exists.
    assert_eq!(bundle.run().ok(), denied.replace("errno 1\n", "errno 38\n"));
    let mut bundle = with_names_of_docker(&["syscall", "9999"]);
    bundle.set("/linux/seccomp/defaultAction", json!("SCMP_ACT_KILL_PROCESS"));
    assert_eq!(bundle.run().ok(), "9999 errno 38\n");
}

fn with_names_of_docker(args: &[&str]) -> Bundle {
    let mut bundle = Bundle::new(args);
    let names = &integration_tests::capture("docker-hello").json["linux"]["seccomp"]["syscalls"][0]
        ["names"];
    let more = json!(["arch_prctl", "clone3"]);
    bundle.set(
        "/linux/seccomp",
        json!({ "defaultAction": "SCMP_ACT_ERRNO", "architectures": native(), "syscalls": [
            { "names": names, "action": "SCMP_ACT_ALLOW" },
            { "names": more, "action": "SCMP_ACT_ALLOW" }] }),
    );
    bundle
}

/// Calls of x32 have numbers of their own, and are foreign unless it is listed.
#[test]
#[cfg(target_arch = "x86_64")]
fn x32_calls_have_rules_of_their_own() {
    need_root!();
    let (getcwd, fchdir) = ("1073741903", "1073741905");
    let mut bundle = with(
        json!([{ "names": ["getcwd"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77 }]),
        &["syscall", "getcwd", getcwd, fchdir],
    );
    let output = bundle.run();
    let start = format!("getcwd errno 77\n{getcwd} errno 77\n{fchdir} ");
    assert!(output.ok().starts_with(&start), "{output}");
    bundle.set("/linux/seccomp/architectures", json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]));
    let output = bundle.run();
    assert_eq!((output.code, &*output.stdout), (128 + 31, "getcwd errno 77\n"), "{output}");
}

/// A filter for all architectures of this machine's byte order is taken by the kernel; one of the other order is not
/// made.
#[test]
fn every_architecture_is_known() {
    need_root!();
    differs!(Runc, "knows fewer architectures");
    differs!(Crun, "knows fewer architectures");
    let all =
        "AARCH64 ARM LOONGARCH64 MIPSEL MIPSEL64 MIPSEL64N32 PPC64LE RISCV64 SH X32 X86 X86_64";
    let all: Vec<String> = all.split(' ').map(|name| format!("SCMP_ARCH_{name}")).collect();
    let mut bundle = with_names_of_docker(&["syscall", "kcmp", "9999"]);
    bundle.set("/linux/seccomp/architectures", json!(all));
    assert_eq!(bundle.run().ok(), "kcmp errno 1\n9999 errno 38\n");
    for big in "M68K MIPS MIPS64 MIPS64N32 PARISC PARISC64 PPC PPC64 S390 S390X SHEB".split(' ') {
        let name = format!("SCMP_ARCH_{big}");
        bundle.set("/linux/seccomp/architectures", json!([name]));
        let words = [&name, "byte order", "/linux/seccomp/architectures"];
        bundle.run().exits(1).fails_with(&words);
    }
    bundle.assert_clean();
}

#[test]
fn broken_profiles_are_refused_by_place() {
    need_root!();
    differs!(Runc, "other words");
    differs!(Crun, "other words");
    differs!(Youki, "other words");
    let rule = |more: Value| {
        let mut rule = json!({ "names": ["kcmp"], "action": "SCMP_ACT_ERRNO" });
        let fields = more.as_object().cloned().unwrap_or_default();
        fields.into_iter().for_each(|(name, value)| rule[name] = value);
        json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] })
    };
    let condition =
        |index: u32, op: &str| rule(json!({ "args": [{ "index": index, "value": 1, "op": op }] }));
    let many: Vec<Value> = (0..5000_u64)
        .map(|value| {
            json!({ "names": ["kcmp"], "action": "SCMP_ACT_ERRNO",
            "args": [{ "index": 1, "value": value << 32 | value, "op": "SCMP_CMP_EQ" }] })
        })
        .collect();
    for (profile, words) in [
        (json!({ "defaultAction": "SCMP_ACT_MAYBE" }), "SCMP_ACT_MAYBE"),
        (
            json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096 }),
            "/linux/seccomp/defaultErrnoRet",
        ),
        (
            json!({ "defaultAction": "SCMP_ACT_LOG", "defaultErrnoRet": 1 }),
            "/linux/seccomp/defaultErrnoRet",
        ),
        (rule(json!({ "errnoRet": 4096 })), "/linux/seccomp/syscalls/0/errnoRet"),
        (
            rule(json!({ "action": "SCMP_ACT_KILL", "errnoRet": 1 })),
            "/linux/seccomp/syscalls/0/errnoRet",
        ),
        (rule(json!({ "names": [] })), "/linux/seccomp/syscalls/0/names"),
        (rule(json!({ "names": [""] })), "/linux/seccomp/syscalls/0/names"),
        (condition(6, "SCMP_CMP_EQ"), "/linux/seccomp/syscalls/0/args/0/index"),
        (condition(0, "SCMP_CMP_ALMOST"), "SCMP_CMP_ALMOST"),
        (
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": many }),
            "the kernel takes at most 4096",
        ),
        (
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "m" }),
            "/linux/seccomp/listenerMetadata",
        ),
    ] {
        let mut bundle = Bundle::new(&["true"]);
        bundle.set("/linux/seccomp", profile);
        bundle.run().exits(1).fails_with(&[words]);
        bundle.assert_clean();
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
