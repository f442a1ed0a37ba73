//! Filters against a plain reading of the profile, on random profiles.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Call, ENOSYS, KILL_THREAD, OPS, holds, value_of, verdict};
use proptest::prelude::*;
use seccomp::{Action, Arch, ArgCondition, Op, Profile, Rule, compile};

/// The number's name, by tables that are not ours.
fn name(arch: Arch, number: u32) -> Option<&'static str> {
    let number = number as usize;
    match arch {
        Arch::X86_64 => syscalls::x86_64::Sysno::new(number).map(|found| found.name()),
        Arch::X86 => syscalls::x86::Sysno::new(number).map(|found| found.name()),
        Arch::Aarch64 => syscalls::aarch64::Sysno::new(number).map(|found| found.name()),
        Arch::Arm => syscalls::arm::Sysno::new(number).map(|found| found.name()),
        _ => panic!("{arch:?}"),
    }
}

/// All rules with conditions have one action here, so that their order is no matter.
fn reference(profile: &Profile, native: Arch, arch: Arch, call: &Call) -> u32 {
    if arch != native && !profile.architectures.contains(&arch) {
        return KILL_THREAD;
    }
    if arch == Arch::X86_64 && call.number & 0x4000_0000 != 0 {
        return if call.number == u32::MAX {
            value_of(profile.default_action)
        } else {
            KILL_THREAD
        };
    }
    let named = |number| {
        let found = name(arch, number)?;
        let mut rules = profile.rules.iter();
        rules.any(|rule| rule.names.iter().any(|name| name == found)).then_some(number)
    };
    let largest = (0..600).filter_map(named).max().unwrap_or(0);
    let lets_pass =
        matches!(profile.default_action, Action::Allow | Action::Log | Action::Trace(_));
    if largest != 0 && call.number > largest && !lets_pass {
        return ENOSYS;
    }
    let wide = matches!(arch, Arch::X86_64 | Arch::Aarch64);
    let found = name(arch, call.number);
    let rules = profile.rules.iter().filter(|rule| {
        rule.action != profile.default_action
            && rule.names.iter().any(|name| Some(&**name) == found)
    });
    let conditional = |rule: &&&Rule| {
        let twice = |index| rule.args.iter().filter(|arg| arg.index == index).count() > 1;
        let mut conditions = rule.args.iter();
        if (0..6).any(twice) {
            conditions.any(|condition| holds(condition, &call.args, wide))
        } else {
            conditions.all(|condition| holds(condition, &call.args, wide))
        }
    };
    let rules: Vec<&Rule> = rules.collect();
    let plain = rules.iter().find(|rule| rule.args.is_empty());
    let rule = plain.or_else(|| rules.iter().find(conditional));
    value_of(rule.map_or(profile.default_action, |rule| rule.action))
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Allow),
        (1_u16..4096).prop_map(Action::Errno),
        any::<u16>().prop_map(Action::Trace),
        Just(Action::Trap),
        Just(Action::KillThread),
        Just(Action::KillProcess),
        Just(Action::Log),
    ]
}

fn operand() -> impl Strategy<Value = u64> {
    prop_oneof![
        0_u64..4,
        any::<u32>().prop_map(u64::from),
        any::<u64>(),
        (any::<u32>(), 0_u64..3).prop_map(|(high, low)| u64::from(high) << 32 | low),
        Just(u64::MAX),
    ]
}

fn condition() -> impl Strategy<Value = ArgCondition> {
    let parts = (0_u8..6, prop::sample::select(&OPS[..]), operand(), operand());
    parts.prop_map(|(index, op, value, value_two)| ArgCondition {
        index,
        op,
        // An empty mask matches always, whatever it is compared with.
        value: if op == Op::MaskedEqual { value | 1 } else { value },
        value_two,
    })
}

/// Names from all over the tables, without those that have multiplexers or are spelled otherwise elsewhere.
const NAMES: [&str; 24] = [
    "read",
    "write",
    "open",
    "openat",
    "close",
    "clone",
    "clone3",
    "futex",
    "personality",
    "prctl",
    "getpid",
    "gettid",
    "mount",
    "umount2",
    "bpf",
    "keyctl",
    "ptrace",
    "execve",
    "execveat",
    "unshare",
    "setns",
    "statx",
    "openat2",
    "no_such_call",
];

fn rule(special: Action) -> impl Strategy<Value = Rule> {
    let names = prop::sample::subsequence(&NAMES[..], 1..8);
    let args = prop_oneof![Just(Vec::new()), prop::collection::vec(condition(), 1..5),];
    (names, action(), args).prop_map(move |(names, action, args)| Rule {
        names: names.into_iter().map(str::to_owned).collect(),
        action: if args.is_empty() { action } else { special },
        args,
    })
}

fn profile() -> impl Strategy<Value = (Profile, Arch)> {
    let family = prop::sample::select(vec![
        (Arch::X86_64, vec![]),
        (Arch::X86_64, vec![Arch::X86]),
        (Arch::Aarch64, vec![Arch::Arm, Arch::Aarch64]),
        (Arch::Aarch64, vec![]),
    ]);
    let rules = action().prop_flat_map(|special| prop::collection::vec(rule(special), 0..20));
    (action(), rules, family).prop_map(|(default_action, rules, (native, architectures))| {
        let profile = Profile {
            default_action,
            architectures,
            flags: vec![],
            listener_path: None,
            listener_metadata: None,
            rules,
        };
        (profile, native)
    })
}

proptest! {
    #![proptest_config(common::random_profiles())]

    #[test]
    fn filters_do_what_the_profile_says(
        (profile, native) in profile(),
        seeds in prop::collection::vec(prop::array::uniform6(operand()), 4),
    ) {
        let program = compile(&profile, native).unwrap();
        let mut lists = seeds.clone();
        // Arguments on and beside the operands of each rule.
        for rule in profile.rules.iter().filter(|rule| !rule.args.is_empty()) {
            for by in [0_u64, 1, u64::MAX, 1 << 32] {
                let mut list = seeds[0];
                for arg in &rule.args {
                    let on = if arg.op == Op::MaskedEqual { arg.value_two } else { arg.value };
                    list[usize::from(arg.index)] = on.wrapping_add(by);
                }
                lists.push(list);
            }
        }
        for arch in [Arch::X86_64, Arch::X86, Arch::Aarch64, Arch::Arm] {
            let edges = [0x3fff_ffff, 0x4000_0000, 0x4000_0001, u32::MAX - 1, u32::MAX];
            for number in (0..480).chain(edges) {
                let special = name(arch, number).is_some_and(|name| NAMES.contains(&name));
                for args in &lists[..if special { lists.len() } else { 1 }] {
                    let call = Call::new(arch, number, *args);
                    let expected = reference(&profile, native, arch, &call);
                    let got = verdict(&program.instructions, &call);
                    prop_assert_eq!(got, expected, "{:?} {:x?} {:?}", arch, call, profile);
                }
            }
        }
    }
}
