//! libseccomp as the oracle: its filters and ours give the same verdicts.
//!
//! The profile is fed to libseccomp as runc does it, the exported filter runs in the same interpreter as ours, and
//! runc's answer for syscalls newer than the profile is put before it by hand. Installed libseccomp may be years
//! old, so names that it knows otherwise than the table here are left out.
#![cfg(target_env = "gnu")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::{PipeWriter, Read};

use common::pseudo::Pseudo;
use common::{Call, ENOSYS, docker, edges, podman, token, verdict};
use libseccomp::{
    ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall,
};
use proptest::prelude::*;
use seccomp::{
    Action, Arch, ArgCondition, Insn, Op, Profile, Program, Rule, compile, syscall_number,
};

/// Architectures that every libseccomp since 2.5 knows.
const ARCHS: [(Arch, ScmpArch); 18] = [
    (Arch::X86, ScmpArch::X86),
    (Arch::X86_64, ScmpArch::X8664),
    (Arch::X32, ScmpArch::X32),
    (Arch::Arm, ScmpArch::Arm),
    (Arch::Aarch64, ScmpArch::Aarch64),
    (Arch::Mips, ScmpArch::Mips),
    (Arch::Mips64, ScmpArch::Mips64),
    (Arch::Mips64N32, ScmpArch::Mips64N32),
    (Arch::Mipsel, ScmpArch::Mipsel),
    (Arch::Mipsel64, ScmpArch::Mipsel64),
    (Arch::Mipsel64N32, ScmpArch::Mipsel64N32),
    (Arch::Ppc, ScmpArch::Ppc),
    (Arch::Ppc64, ScmpArch::Ppc64),
    (Arch::Ppc64Le, ScmpArch::Ppc64Le),
    (Arch::S390, ScmpArch::S390),
    (Arch::S390X, ScmpArch::S390X),
    (Arch::Parisc, ScmpArch::Parisc),
    (Arch::Riscv64, ScmpArch::Riscv64),
];

fn theirs(arch: Arch) -> ScmpArch {
    ARCHS.iter().find(|(ours, _)| *ours == arch).unwrap().1
}

fn action(action: Action) -> ScmpAction {
    match action {
        Action::KillProcess => ScmpAction::KillProcess,
        Action::KillThread => ScmpAction::KillThread,
        Action::Trap => ScmpAction::Trap,
        Action::Errno(errno) => ScmpAction::Errno(errno.into()),
        Action::Notify => ScmpAction::Notify,
        Action::Trace(message) => ScmpAction::Trace(message),
        Action::Log => ScmpAction::Log,
        Action::Allow => ScmpAction::Allow,
    }
}

fn comparison(condition: &ArgCondition) -> ScmpArgCompare {
    let (op, value) = match condition.op {
        Op::NotEqual => (ScmpCompareOp::NotEqual, condition.value),
        Op::Less => (ScmpCompareOp::Less, condition.value),
        Op::LessOrEqual => (ScmpCompareOp::LessOrEqual, condition.value),
        Op::Equal => (ScmpCompareOp::Equal, condition.value),
        Op::GreaterOrEqual => (ScmpCompareOp::GreaterEqual, condition.value),
        Op::Greater => (ScmpCompareOp::Greater, condition.value),
        Op::MaskedEqual => (
            ScmpCompareOp::MaskedEqual(condition.value),
            condition.value_two,
        ),
    };
    ScmpArgCompare::new(condition.index.into(), op, value)
}

fn rule(names: &[&str], action: Action, args: &[ArgCondition]) -> Rule {
    Rule {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        action,
        args: args.to_vec(),
    }
}

/// libseccomp's filter, made as runc makes it. `None` when libseccomp refuses a rule.
fn oracle(profile: &Profile, native: Arch) -> Option<ScmpFilterContext> {
    let mut filter = ScmpFilterContext::new(action(profile.default_action)).unwrap();
    if native != Arch::native() {
        filter.add_arch(theirs(native)).ok()?;
        filter.remove_arch(ScmpArch::Native).unwrap();
    }
    for arch in &profile.architectures {
        filter.add_arch(theirs(*arch)).ok()?;
    }
    for rule in &profile.rules {
        if rule.action == profile.default_action {
            continue;
        }
        let mut seen = [0; 6];
        for arg in &rule.args {
            seen[usize::from(arg.index)] += 1;
        }
        let split = seen.iter().any(|count| *count > 1);
        for name in &rule.names {
            let Ok(number) = ScmpSyscall::from_name(name) else {
                continue;
            };
            let all: Vec<_> = rule.args.iter().map(comparison).collect();
            let each = if split { 1 } else { all.len().max(1) };
            if all.is_empty() {
                filter.add_rule(action(rule.action), number).ok()?;
            }
            for part in all.chunks(each) {
                filter
                    .add_rule_conditional(action(rule.action), number, part)
                    .ok()?;
            }
        }
    }
    Some(filter)
}

/// What `export` writes.
fn exported(export: impl FnOnce(&PipeWriter)) -> Vec<u8> {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let reading = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| bytes).unwrap()
    });
    export(&writer);
    drop(writer);
    reading.join().unwrap()
}

fn bpf(filter: &mut ScmpFilterContext) -> Vec<Insn> {
    // As runc does for long profiles; without it, the BPF is wrong more often.
    filter.set_ctl_optimize(2).unwrap();
    let bytes = exported(|to| filter.export_bpf(to).unwrap());
    Program::from_bytes(&bytes, 0).unwrap().instructions
}

fn pseudo(filter: &ScmpFilterContext) -> Pseudo {
    let bytes = exported(|to| filter.export_pfc(to).unwrap());
    Pseudo::parse(&String::from_utf8(bytes).unwrap())
}

fn name(arch: Arch) -> String {
    arch.name().trim_start_matches("SCMP_ARCH_").to_lowercase()
}

/// What runc puts before libseccomp's filter, mended.
struct Stub(Vec<(Arch, u32)>);

impl Stub {
    fn new(profile: &Profile, native: Arch) -> Self {
        let mut largest = Vec::new();
        let permissive = matches!(
            profile.default_action,
            Action::Allow | Action::Log | Action::Trace(_)
        );
        for arch in [native].iter().chain(&profile.architectures) {
            let numbers = profile.rules.iter().flat_map(|rule| &rule.names);
            // runc leaves out what socketcall(2) and ipc(2) do, so on some profiles it denies what a rule allows.
            let numbers = numbers.flat_map(|name| {
                let number = ScmpSyscall::from_name_by_arch(name, theirs(*arch));
                let base = if token(*arch) & 0x3fff_ffff == 8 {
                    4000
                } else {
                    0
                };
                let multiplexer = match number.map_or(0, ScmpSyscall::as_raw_syscall) {
                    -199..=-100 => Some(base + 102),
                    -299..=-200 => Some(base + 117),
                    _ => None,
                };
                [syscall_number(name, *arch), multiplexer]
                    .into_iter()
                    .flatten()
            });
            match numbers.max() {
                Some(number) if number > 0 && !permissive => largest.push((*arch, number)),
                _ => {}
            }
        }
        Self(largest)
    }

    fn hits(&self, call: &Call) -> bool {
        self.0.iter().any(|(arch, largest)| {
            let abi = match arch {
                Arch::X86_64 => call.number & 0x4000_0000 == 0,
                Arch::X32 => call.number & 0x4000_0000 != 0,
                _ => true,
            };
            let setup = matches!(arch, Arch::S390 | Arch::S390X) && call.number == 0;
            token(*arch) == call.token && abi && (call.number > *largest || setup)
        })
    }
}

/// Compares both filters at each number of interest, with each of the argument lists. `false`: nothing to compare.
///
/// `exact` includes the BPF of libseccomp; else only what it means that to do is compared.
fn compare(profile: &Profile, native: Arch, arguments: &[[u64; 6]], exact: bool) -> bool {
    let Some(mut oracle) = oracle(profile, native) else {
        return false;
    };
    let pseudo = pseudo(&oracle);
    let theirs = exact.then(|| bpf(&mut oracle));
    let program = compile(profile, native).unwrap();
    let stub = Stub::new(profile, native);
    let plain: Vec<u32> = (0..700)
        .chain(3990..4700)
        .chain([5000, 5100, 6000, 0x0f_0001, 0x0f_0005])
        .chain((0..600).map(|number| 0x4000_0000 + number))
        .chain([0x7fff_ffff, 0x8000_0000, 0xbfff_ffff, 0xc000_0000])
        .chain([u32::MAX - 1, u32::MAX])
        .collect();
    let rules = profile.rules.iter().filter(|rule| !rule.args.is_empty());
    let conditional: Vec<String> = rules.flat_map(|rule| rule.names.clone()).collect();
    for (arch, _) in ARCHS {
        let mut with_arguments: Vec<u32> = conditional
            .iter()
            .filter_map(|name| syscall_number(name, arch))
            .collect();
        with_arguments.extend([102, 117, 4102, 4117]);
        with_arguments.sort_unstable();
        with_arguments.dedup();
        let few = plain.iter().map(|number| (*number, &arguments[..1]));
        let many = with_arguments.iter().map(|number| (*number, arguments));
        for (number, lists) in few.chain(many) {
            for args in lists {
                let call = Call::new(arch, number, *args);
                let expected = if stub.hits(&call) {
                    ENOSYS
                } else {
                    let meant = pseudo.verdict(&name(arch), &call);
                    let does = theirs.as_ref().map(|theirs| verdict(theirs, &call));
                    assert_eq!(
                        does.unwrap_or(meant),
                        meant,
                        "{arch:?} on {native:?}, {call:x?}"
                    );
                    meant
                };
                let got = verdict(&program.instructions, &call);
                assert_eq!(
                    got, expected,
                    "{arch:?} on {native:?}, {call:x?}: {got:#x} for {expected:#x}\n{profile:?}"
                );
            }
        }
    }
    true
}

/// Only names that the installed libseccomp numbers as we do on all of these architectures.
fn agreed(mut profile: Profile, native: Arch) -> Profile {
    let archs: Vec<Arch> = [native]
        .into_iter()
        .chain(profile.architectures.clone())
        .collect();
    for rule in &mut profile.rules {
        rule.names.retain(|name| agree(name, &archs));
    }
    profile
}

fn agree(name: &str, archs: &[Arch]) -> bool {
    archs.iter().all(|arch| {
        let theirs = ScmpSyscall::from_name_by_arch(name, theirs(*arch));
        let Ok(theirs) = theirs else { return false };
        let theirs = theirs.as_raw_syscall();
        // Numbers from -100 to -299 stand for calls of the multiplexers.
        (-299..=-100).contains(&theirs) || u32::try_from(theirs).ok() == syscall_number(name, *arch)
    })
}

#[test]
fn the_numbers_agree() {
    let mut known = 0;
    for (arch, theirs) in ARCHS {
        // Looked up by number without the base of x32 and MIPS, by name with it.
        let names = (0..600).filter_map(|at| ScmpSyscall::from(at).get_name_by_arch(theirs).ok());
        for name in names {
            let number = ScmpSyscall::from_name_by_arch(&name, theirs).unwrap();
            let number = u32::try_from(number.as_raw_syscall());
            if let Ok(number) = number {
                assert_eq!(syscall_number(&name, arch), Some(number), "{name} {arch:?}");
                known += 1;
            }
        }
    }
    assert!(known > 5000, "{known}");
}

#[test]
fn the_profiles_of_the_engines() {
    let arguments: Vec<[u64; 6]> = edges(&[8, 9, 16, 0x2_0000, 0x7e02_0000])
        .into_iter()
        .flat_map(|value| {
            [
                [value; 6],
                [value, 0, 0, 0, 0, 0],
                [1, value, 9, 0, 0, 0],
                [16, 0, value, 0, 0, 0],
            ]
        })
        .collect();
    let mut compared = 0;
    for profile in [docker(), podman()] {
        for (native, others) in [
            (Arch::X86_64, vec![Arch::X86, Arch::X32]),
            (Arch::X86_64, vec![Arch::X86_64]),
            (Arch::X86_64, vec![]),
            (Arch::Aarch64, vec![Arch::Arm]),
            (Arch::S390X, vec![Arch::S390]),
            (Arch::Ppc64Le, vec![]),
            (Arch::Mips64, vec![Arch::Mips, Arch::Mips64N32]),
            (Arch::Mipsel, vec![Arch::Mipsel64, Arch::Mipsel64N32]),
            (Arch::Riscv64, vec![]),
        ] {
            let profile = Profile {
                architectures: others,
                ..profile.clone()
            };
            compared += usize::from(compare(&agreed(profile, native), native, &arguments, true));
        }
    }
    // libseccomp refuses Podman's profile where socketcall makes its rules for socket contradict each other.
    assert!(compared >= 14, "{compared}");
}

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => Just(Action::Allow),
        2 => (1_u16..4).prop_map(Action::Errno),
        1 => Just(Action::Trap),
        1 => Just(Action::KillProcess),
        1 => Just(Action::Log),
        1 => Just(Action::Trace(9)),
        1 => Just(Action::Notify),
    ]
}

fn any_default() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Errno(1)),
        Just(Action::Errno(38)),
        Just(Action::Allow),
        Just(Action::KillThread),
        Just(Action::KillProcess),
        Just(Action::Trap),
        Just(Action::Log),
        Just(Action::Trace(3)),
    ]
}

const VALUES: [u64; 12] = [
    0,
    1,
    2,
    5,
    0xf0,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0005,
    0x2_0000_0001,
    0xf0_0000_0000,
    0x8000_0000_0000_0000,
    u64::MAX,
];

fn any_condition(ops: &'static [Op]) -> impl Strategy<Value = ArgCondition> {
    let value = || prop::sample::select(&VALUES[..]);
    let op = prop::sample::select(ops);
    let condition = (0_u8..6, op, value(), value());
    condition.prop_map(|(index, op, value, value_two)| ArgCondition {
        index,
        op,
        value,
        value_two,
    })
}

const EVERY_OP: [Op; 7] = [
    Op::NotEqual,
    Op::Less,
    Op::LessOrEqual,
    Op::Equal,
    Op::GreaterOrEqual,
    Op::Greater,
    Op::MaskedEqual,
];

/// Few names, so that rules meet; some have multiplexers, some lack on this or that architecture.
const NAMES: [&str; 14] = [
    "read",
    "write",
    "clone",
    "socket",
    "sendto",
    "accept",
    "shmat",
    "semop",
    "personality",
    "open",
    "fadvise64",
    "socketcall",
    "memfd_create",
    "getpid",
];

const FAMILIES: [(Arch, &[Arch]); 9] = [
    (Arch::X86_64, &[]),
    (Arch::X86_64, &[Arch::X86, Arch::X32]),
    (Arch::X86_64, &[Arch::X86_64, Arch::X32]),
    (Arch::X86, &[]),
    (Arch::Aarch64, &[Arch::Arm]),
    (Arch::S390X, &[Arch::S390]),
    (Arch::Ppc64, &[Arch::Ppc]),
    (Arch::Mips64, &[Arch::Mips, Arch::Mips64N32]),
    (Arch::Riscv64, &[]),
];

fn profiles(
    actions: impl Strategy<Value = Action> + 'static,
    ops: &'static [Op],
    conditions: usize,
) -> impl Strategy<Value = (Profile, Arch)> {
    let names = prop::sample::subsequence(&NAMES[..], 1..3);
    let args = prop::collection::vec(any_condition(ops), 0..=conditions);
    let rule = (names, actions, args).prop_map(|(names, action, args)| {
        let mut rule = rule(&names, action, &args);
        if action == Action::Notify {
            rule.names.retain(|name| name != "write");
        }
        rule
    });
    let rules = prop::collection::vec(rule, 0..12);
    let family = prop::sample::select(&FAMILIES[..]);
    (any_default(), rules, family).prop_map(|(default_action, rules, (native, others))| {
        let profile = Profile {
            default_action,
            architectures: others.to_vec(),
            flags: vec![],
            listener_path: None,
            listener_metadata: None,
            rules,
        };
        (agreed(profile, native), native)
    })
}

/// Lists of arguments on and beside the values that conditions have.
fn arguments(mut seed: u64) -> Vec<[u64; 6]> {
    let mut argument = || {
        // Knuth's linear congruential generator; its high bits are the random ones.
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let pick = (seed >> 40) as usize;
        VALUES[pick % VALUES.len()]
            .wrapping_add((seed >> 36) % 3)
            .wrapping_sub(1)
    };
    (0..40)
        .map(|_| std::array::from_fn(|_| argument()))
        .collect()
}

/// The operators whose rules go on where a comparison holds. libseccomp's search for superfluous rules confuses the
/// others with them when rules have several conditions, and drops rules that say something new.
const POSITIVE: [Op; 4] = [Op::Equal, Op::GreaterOrEqual, Op::Greater, Op::MaskedEqual];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// One action: rules with conditions are alternatives.
    #[test]
    fn one_action_many_conditions(
        (profile, native) in profiles(Just(Action::Trace(77)), &POSITIVE, 3),
        seed in any::<u64>().no_shrink(),
    ) {
        compare(&profile, native, &arguments(seed), false);
    }

    /// Several actions, one condition to a rule: the order in which libseccomp asks rules shows.
    #[test]
    fn many_actions_one_condition(
        (profile, native) in profiles(any_action(), &EVERY_OP, 1),
        seed in any::<u64>().no_shrink(),
    ) {
        compare(&profile, native, &arguments(seed), false);
    }

    /// Several actions and conditions.
    #[test]
    fn many_actions_many_conditions(
        (profile, native) in profiles(any_action(), &POSITIVE, 3),
        seed in any::<u64>().no_shrink(),
    ) {
        compare(&profile, native, &arguments(seed), false);
    }
}
