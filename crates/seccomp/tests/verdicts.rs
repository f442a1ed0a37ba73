//! Verdicts, one matter at a time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{
    ALLOW, Call, ENOSYS, ERRNO, KILL_PROCESS, KILL_THREAD, LOG, NOTIFY, TRACE, TRAP, docker, edges,
    podman, run, verdict,
};
use seccomp::{
    ARCHITECTURES, Action, Arch, ArgCondition, Error, FLAG_LOG, FLAG_NEW_LISTENER, FLAG_SPEC_ALLOW,
    FLAG_WAIT_KILLABLE_RECV, Flag, MAX_INSTRUCTIONS, Op, Profile, Rule, compile, syscall_number,
};

const EPERM: u32 = ERRNO | 1;

fn rule(names: &[&str], action: Action, args: &[ArgCondition]) -> Rule {
    Rule {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        action,
        args: args.to_vec(),
    }
}

fn arg(index: u8, op: Op, value: u64, value_two: u64) -> ArgCondition {
    ArgCondition { index, op, value, value_two }
}

fn profile(default_action: Action, architectures: &[Arch], rules: &[Rule]) -> Profile {
    Profile {
        default_action,
        architectures: architectures.to_vec(),
        flags: vec![],
        listener_path: None,
        listener_metadata: None,
        rules: rules.to_vec(),
    }
}

/// The verdict for a syscall by name.
fn ask(profile: &Profile, native: Arch, arch: Arch, name: &str, args: &[u64]) -> u32 {
    let number = syscall_number(name, arch).unwrap();
    ask_number(profile, native, arch, number, args)
}

fn ask_number(profile: &Profile, native: Arch, arch: Arch, number: u32, args: &[u64]) -> u32 {
    let program = compile(profile, native).unwrap();
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    verdict(&program.instructions, &Call::new(arch, number, all))
}

#[test]
fn each_action_has_its_value() {
    for (action, value) in [
        (Action::KillProcess, KILL_PROCESS),
        (Action::KillThread, KILL_THREAD),
        (Action::Trap, TRAP),
        (Action::Errno(0), ERRNO),
        (Action::Errno(4095), ERRNO | 4095),
        (Action::Notify, NOTIFY),
        (Action::Trace(65535), TRACE | 65535),
        (Action::Log, LOG),
        (Action::Allow, ALLOW),
    ] {
        let profile = profile(Action::Errno(1), &[], &[rule(&["mkdir", "getpid"], action, &[])]);
        let ask = |name| ask(&profile, Arch::X86_64, Arch::X86_64, name, &[]);
        assert_eq!(ask("getpid"), value, "{action:?}");
        assert_eq!(ask("mkdir"), value, "{action:?}");
        assert_eq!(ask("rmdir"), ENOSYS, "{action:?}: 84, after mkdir");
        assert_eq!(ask("read"), EPERM, "{action:?}");
    }
}

#[test]
fn each_operator_at_its_edges() {
    let values = [
        0,
        1,
        7,
        0xffff_fffe,
        0xffff_ffff,
        0x1_0000_0000,
        0x1_0000_0007,
        0x7fff_ffff_ffff_ffff,
        u64::MAX - 1,
        u64::MAX,
    ];
    type Holds = fn(u64, u64) -> bool;
    let operators: [(Op, Holds); 6] = [
        (Op::NotEqual, |a, b| a != b),
        (Op::Less, |a, b| a < b),
        (Op::LessOrEqual, |a, b| a <= b),
        (Op::Equal, |a, b| a == b),
        (Op::GreaterOrEqual, |a, b| a >= b),
        (Op::Greater, |a, b| a > b),
    ];
    for native in [Arch::X86_64, Arch::S390X, Arch::X86, Arch::Mips, Arch::X32] {
        let wide = matches!(native, Arch::X86_64 | Arch::S390X);
        let cut = |value: u64| if wide { value } else { value & 0xffff_ffff };
        let number = syscall_number("prctl", native).unwrap();
        for (op, holds) in operators {
            for value in values {
                for index in 0..6 {
                    let rule = rule(&["prctl"], Action::Allow, &[arg(index, op, value, 0)]);
                    let program = compile(&profile(Action::Trap, &[], &[rule]), native).unwrap();
                    for got in edges(&[value]) {
                        let mut args = [0xdead_beef_dead_beef; 6];
                        args[usize::from(index)] = got;
                        let call = Call::new(native, number, args);
                        let expected = if holds(cut(got), cut(value)) { ALLOW } else { TRAP };
                        assert_eq!(
                            verdict(&program.instructions, &call),
                            expected,
                            "{native:?} {got:#x} {op:?} {value:#x}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn masks_in_either_half() {
    for (mask, wanted) in [
        (0xf0, 0x50),
        (0xf0, 0x5f),
        (0xf000_0000_0000, 0x5000_0000_0000),
        (0xff_0000_00ff, 0x12_0000_0034),
        (u64::MAX, 0x1_0000_0001),
        (0xffff_ffff, 3),
        (0xffff_ffff_0000_0000, 3 << 32),
    ] {
        let rule = rule(&["clone"], Action::Allow, &[arg(2, Op::MaskedEqual, mask, wanted)]);
        let profile = profile(Action::Trap, &[], &[rule]);
        for got in edges(&[mask, wanted, wanted & mask, wanted | !mask]) {
            let expected = if got & mask == wanted & mask { ALLOW } else { TRAP };
            let args = [0, 0, got];
            assert_eq!(
                ask(&profile, Arch::X86_64, Arch::X86_64, "clone", &args),
                expected,
                "{got:#x} & {mask:#x} == {wanted:#x}"
            );
        }
    }
}

#[test]
fn all_conditions_of_a_rule_must_hold() {
    let args = [arg(0, Op::Equal, 1, 0), arg(2, Op::Greater, 5, 0), arg(5, Op::NotEqual, 9, 0)];
    let profile = profile(Action::Trap, &[], &[rule(&["prctl"], Action::Allow, &args)]);
    let ask = |args: &[u64]| ask(&profile, Arch::X86_64, Arch::X86_64, "prctl", args);
    assert_eq!(ask(&[1, 0, 6, 0, 0, 0]), ALLOW);
    assert_eq!(ask(&[2, 0, 6, 0, 0, 0]), TRAP);
    assert_eq!(ask(&[1, 0, 5, 0, 0, 0]), TRAP);
    assert_eq!(ask(&[1, 0, 6, 0, 0, 9]), TRAP);
}

#[test]
fn two_conditions_on_one_argument_are_alternatives() {
    let args = [arg(0, Op::Equal, 1, 0), arg(0, Op::Equal, 2, 0), arg(1, Op::Equal, 3, 0)];
    let profile = profile(Action::Trap, &[], &[rule(&["prctl"], Action::Allow, &args)]);
    let ask = |args: &[u64]| ask(&profile, Arch::X86_64, Arch::X86_64, "prctl", args);
    for args in [[1, 0], [2, 0], [7, 3]] {
        assert_eq!(ask(&args), ALLOW, "{args:?}");
    }
    assert_eq!(ask(&[3, 0]), TRAP);
}

#[test]
fn a_rule_without_conditions_holds_against_those_with() {
    let narrow = rule(&["prctl"], Action::Trap, &[arg(0, Op::Equal, 1, 0)]);
    let first = rule(&["prctl"], Action::Allow, &[]);
    let second = rule(&["prctl"], Action::Log, &[]);
    for rules in [[narrow.clone(), first.clone(), second.clone()], [first, narrow, second]] {
        let profile = profile(Action::Errno(1), &[], &rules);
        for value in [0, 1] {
            let got = ask(&profile, Arch::X86_64, Arch::X86_64, "prctl", &[value]);
            assert_eq!(got, ALLOW);
        }
    }
}

#[test]
fn contradictions_go_to_the_special_rule_and_then_to_the_earlier() {
    let one = arg(0, Op::Equal, 1, 0);
    let two = arg(1, Op::Equal, 2, 0);
    let rules = [
        rule(&["prctl"], Action::Trap, &[one, two]),
        rule(&["prctl"], Action::Allow, &[one]),
        rule(&["prctl"], Action::Log, &[one]),
    ];
    let profile = profile(Action::Errno(1), &[], &rules);
    let ask = |args: &[u64]| ask(&profile, Arch::X86_64, Arch::X86_64, "prctl", args);
    assert_eq!(ask(&[1, 2]), TRAP);
    assert_eq!(ask(&[1, 3]), ALLOW);
    assert_eq!(ask(&[2, 2]), EPERM);
}

#[test]
fn foreign_architectures_are_killed() {
    let profile =
        profile(Action::Allow, &[Arch::X86_64], &[rule(&["mkdir"], Action::Errno(1), &[])]);
    let ask = |arch, number| ask_number(&profile, Arch::X86_64, arch, number, &[]);
    assert_eq!(ask(Arch::X86_64, 83), EPERM);
    assert_eq!(ask(Arch::X86_64, 0), ALLOW);
    assert_eq!(ask(Arch::X86, 3), KILL_THREAD);
    assert_eq!(ask(Arch::Aarch64, 3), KILL_THREAD);
    assert_eq!(ask(Arch::X32, 0x4000_0000 + 83), KILL_THREAD);
    assert_eq!(ask(Arch::X32, 0x7fff_ffff), KILL_THREAD);
    assert_eq!(ask(Arch::X86_64, u32::MAX), ALLOW, "skipped by a tracer");
}

#[test]
fn x32_beside_x86_64() {
    let profile =
        profile(Action::Errno(1), &[Arch::X32], &[rule(&["ioctl", "getpid"], Action::Allow, &[])]);
    let ask = |number| ask_number(&profile, Arch::X86_64, Arch::X86_64, number, &[]);
    const X32: u32 = 0x4000_0000;
    assert_eq!((ask(16), ask(39)), (ALLOW, ALLOW));
    assert_eq!((ask(X32 + 514), ask(X32 + 39)), (ALLOW, ALLOW));
    assert_eq!((ask(17), ask(X32 + 16)), (EPERM, EPERM));
    assert_eq!((ask(40), ask(514), ask(X32 + 515)), (ENOSYS, ENOSYS, ENOSYS));
    assert_eq!(ask(X32 + 513), EPERM);
}

#[test]
fn newer_syscalls_are_enosys_unless_the_default_lets_them_through() {
    for (default_action, newer) in [
        (Action::Errno(1), ENOSYS),
        (Action::KillProcess, ENOSYS),
        (Action::KillThread, ENOSYS),
        (Action::Trap, ENOSYS),
        (Action::Allow, ALLOW),
        (Action::Log, LOG),
        (Action::Trace(1), TRACE | 1),
    ] {
        // A rule that only repeats the default still says that the profile knows the syscall.
        let known = rule(&["openat2"], default_action, &[]);
        let profile = profile(default_action, &[], &[known]);
        let ask = |number| ask_number(&profile, Arch::X86_64, Arch::X86_64, number, &[]);
        assert_ne!(ask(437), ENOSYS, "{default_action:?}");
        assert_ne!(ask(0), ENOSYS, "{default_action:?}");
        assert_eq!(ask(438), newer, "{default_action:?}");
        assert_eq!(ask(100_000), newer, "{default_action:?}");
    }
    // Nothing known, nothing newer.
    let empty = profile(Action::Errno(1), &[], &[rule(&["no_such_call"], Action::Allow, &[])]);
    assert_eq!(ask_number(&empty, Arch::X86_64, Arch::X86_64, 999, &[]), EPERM);
}

#[test]
fn setup_stands_for_unknown_calls_on_s390() {
    let profile = profile(Action::Errno(1), &[], &[rule(&["read"], Action::Allow, &[])]);
    let ask = |number| ask_number(&profile, Arch::S390X, Arch::S390X, number, &[]);
    assert_eq!([ask(0), ask(1), ask(2), ask(3), ask(4)], [ENOSYS, EPERM, EPERM, ALLOW, ENOSYS]);
}

#[test]
fn multiplexers_follow_the_calls_they_carry() {
    let conditional = rule(&["socket"], Action::Allow, &[arg(0, Op::NotEqual, 40, 0)]);
    let plain = rule(&["shmat", "accept"], Action::Allow, &[]);
    let profile = profile(Action::Errno(1), &[Arch::X86], &[conditional, plain]);
    let ask = |number, args: &[u64]| ask_number(&profile, Arch::X86_64, Arch::X86, number, args);
    assert_eq!((ask(359, &[1]), ask(359, &[40])), (ALLOW, EPERM));
    // The family lies in memory where no filter can see it.
    assert_eq!((ask(102, &[1]), ask(102, &[5]), ask(102, &[2])), (ALLOW, ALLOW, EPERM));
    assert_eq!((ask(117, &[21]), ask(117, &[22])), (ALLOW, EPERM));
    assert_eq!(ask(397, &[]), ALLOW);
}

#[test]
fn every_architecture_compiles() {
    for (name, arch) in ARCHITECTURES {
        let profile = profile(
            Action::Errno(1),
            &[*arch],
            &[rule(&["read", "clone", "close"], Action::Allow, &[arg(1, Op::Equal, 5, 0)])],
        );
        for wanted in ["read", "clone", "close"] {
            let value = [0, 5];
            assert_eq!(ask(&profile, *arch, *arch, wanted, &value), ALLOW, "{name}");
            assert_eq!(ask(&profile, *arch, *arch, wanted, &[]), EPERM, "{name}");
        }
    }
}

#[test]
fn flags() {
    let notify = rule(&["mount"], Action::Notify, &[]);
    let flags = |flags: &[Flag], rules: &[Rule]| {
        let mut profile = profile(Action::Allow, &[], rules);
        profile.flags = flags.to_vec();
        compile(&profile, Arch::X86_64).unwrap().flags
    };
    assert_eq!(flags(&[], &[]), 0);
    assert_eq!(flags(&[Flag::Tsync, Flag::WaitKillableRecv], &[]), 0);
    assert_eq!(flags(&[Flag::Log, Flag::SpecAllow], &[]), FLAG_LOG | FLAG_SPEC_ALLOW);
    assert_eq!(
        flags(&[Flag::WaitKillableRecv], &[notify]),
        FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV
    );
}

#[test]
fn what_is_refused() {
    let refused = |profile: &Profile| compile(profile, Arch::X86_64).unwrap_err();
    let with = |rule| profile(Action::Errno(1), &[], &[rule]);
    let error = refused(&with(rule(&["read"], Action::Allow, &[arg(6, Op::Equal, 0, 0)])));
    assert_eq!(error, Error::ArgumentIndex { rule: 0, index: 6 });
    assert_eq!(error.place(), "/syscalls/0/args");
    assert_eq!(
        error.to_string(),
        "argument index 6 is out of range, a syscall has arguments 0 to 5"
    );
    let error = refused(&with(rule(&["read", "write"], Action::Notify, &[])));
    assert_eq!(error, Error::NotifyWrite { rule: 0 });
    assert_eq!(refused(&profile(Action::Notify, &[], &[])), Error::NotifyByDefault);
    let error = refused(&profile(Action::Errno(4096), &[], &[]));
    assert_eq!(
        (error.place(), error.to_string()),
        ("/defaultErrnoRet".into(), "errno 4096 is out of range, the largest is 4095".into())
    );
    assert_eq!(refused(&with(rule(&[""], Action::Allow, &[]))), Error::EmptyName { rule: 0 });
    let error = refused(&profile(Action::Allow, &[Arch::S390X], &[]));
    assert_eq!(
        error.to_string(),
        "SCMP_ARCH_S390X has another byte order than the native architecture"
    );
}

#[test]
fn long_filters_jump_far_and_too_long_ones_are_refused() {
    let many = |count: u64| {
        let rules: Vec<Rule> = (0..count)
            .map(|value| {
                rule(
                    &["prctl", "clone"],
                    Action::Allow,
                    &[arg(0, Op::Equal, value << 32 | value, 0)],
                )
            })
            .collect();
        profile(Action::Errno(1), &[Arch::X86], &rules)
    };
    let profile = many(300);
    let program = compile(&profile, Arch::X86_64).unwrap();
    assert!(program.instructions.len() > 3 * 255);
    for name in ["prctl", "clone"] {
        for value in [0, 1, 150, 298, 299, 300] {
            let expected = if value < 300 { ALLOW } else { EPERM };
            assert_eq!(
                ask(&profile, Arch::X86_64, Arch::X86_64, name, &[value << 32 | value]),
                expected
            );
            assert_eq!(ask(&profile, Arch::X86_64, Arch::X86, name, &[value]), expected);
        }
    }
    for count in [2000, 20_000] {
        let error = compile(&many(count), Arch::X86_64).unwrap_err();
        assert!(
            matches!(error, Error::TooLong { instructions } if instructions > MAX_INSTRUCTIONS)
        );
    }
}

#[test]
fn the_filters_of_the_engines_are_short_and_fast() {
    for (profile, length) in [(docker(), 330), (podman(), 420)] {
        let program = compile(&profile, Arch::X86_64).unwrap();
        assert!(program.instructions.len() <= length, "{}", program.instructions.len());
        let steps = (0..460).map(|number| {
            let call = Call::new(Arch::X86_64, number, [0; 6]);
            run(&program.instructions, &call).1
        });
        let steps: Vec<usize> = steps.collect();
        let longest = steps.iter().max().unwrap();
        assert!(*longest <= 24, "{longest}");
        println!(
            "{} instructions, a call takes {} of them on average",
            program.instructions.len(),
            steps.iter().sum::<usize>() / steps.len()
        );
    }
}
