//! `linux.seccomp`.

use serde_json::{Value, json};

use super::*;

#[test]
fn seccomp_profile() {
    use ::seccomp::{Action, Arch, Flag, Op};
    let profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_NATIVE", "SCMP_ARCH_X32"],
        "syscalls": [{
            "names": ["a"], "action": "SCMP_ACT_TRACE", "errnoRet": 9,
            "args": [{"index": 5, "value": u64::MAX, "valueTwo": 3, "op": "SCMP_CMP_MASKED_EQ"}],
        }],
    });
    let plan = good(&[("/linux/seccomp", profile)]).seccomp.expect("profile");
    assert_eq!((plan.default_action, plan.rules[0].action), (Action::Errno(38), Action::Trace(9)));
    assert_eq!((plan.architectures, plan.flags), (vec![Arch::X32], vec![Flag::SpecAllow]));
    let condition = plan.rules[0].args[0];
    assert_eq!((condition.index, condition.op, condition.value), (5, Op::MaskedEqual, u64::MAX));
    let bare = good(&[("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_KILL", "flags": []}))]);
    let bare = bare.seccomp.expect("profile");
    assert_eq!((bare.default_action, bare.flags), (Action::KillThread, vec![]));

    let with = |syscall: Value| json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [syscall]});
    let notify = json!({"names": ["write"], "action": "SCMP_ACT_NOTIFY"});
    for (profile, at, words) in [
        (
            json!({"defaultAction": "SCMP_ACT_NOTIFY"}),
            "defaultAction",
            "cannot be used as default action",
        ),
        (
            json!({"defaultAction": "SCMP_ACT_KILL", "defaultErrnoRet": 1}),
            "defaultErrnoRet",
            "not take an errno",
        ),
        (
            json!({"defaultAction": "SCMP_ACT_KILL", "listenerMetadata": "m"}),
            "listenerMetadata",
            "listenerPath",
        ),
        (with(json!({"names": [], "action": "SCMP_ACT_LOG"})), "syscalls/0/names", "at least one"),
        (with(notify), "syscalls/0/names", "SCMP_ACT_NOTIFY cannot be used for the write syscall"),
        (
            with(json!({"names": ["a"], "action": "SCMP_ACT_NOTIFY"})),
            "syscalls/0/action",
            "listenerPath",
        ),
        (
            with(json!({"names": ["a"], "action": "SCMP_ACT_LOG", "errnoRet": 1})),
            "syscalls/0/errnoRet",
            "SCMP_ACT_LOG does not take an errno",
        ),
        (
            with(json!({"names": ["a"], "action": "SCMP_ACT_LOG",
                "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]})),
            "syscalls/0/args/0/index",
            "not between 0 and 5",
        ),
    ] {
        bad("/linux/seccomp", profile, &format!("/linux/seccomp/{at}"), words);
    }
}
