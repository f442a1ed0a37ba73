//! What the tests share: an interpreter for the filters, and a reader for the profiles in `data`.
#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::cast_possible_truncation, reason = "halves are wanted")]
#![allow(unreachable_pub, reason = "each test is a crate of its own")]

#[cfg(target_env = "gnu")]
pub mod generate;
#[cfg(target_env = "gnu")]
pub mod library;
#[cfg(target_env = "gnu")]
pub mod plain;
#[cfg(target_env = "gnu")]
pub mod pseudo;

use seccomp::{Action, Arch, ArgCondition, Flag, Insn, MAX_INSTRUCTIONS, Op, Profile, Rule};
use serde_json::Value;

pub const OPS: [Op; 7] = [
    Op::NotEqual,
    Op::Less,
    Op::LessOrEqual,
    Op::Equal,
    Op::GreaterOrEqual,
    Op::Greater,
    Op::MaskedEqual,
];

pub const ALLOW: u32 = 0x7fff_0000;
pub const LOG: u32 = 0x7ffc_0000;
pub const TRACE: u32 = 0x7ff0_0000;
pub const NOTIFY: u32 = 0x7fc0_0000;
pub const ERRNO: u32 = 0x0005_0000;
pub const TRAP: u32 = 0x0003_0000;
pub const KILL_THREAD: u32 = 0;
pub const KILL_PROCESS: u32 = 0x8000_0000;
pub const ENOSYS: u32 = ERRNO | 38;

/// `struct seccomp_data`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    pub number: u32,
    pub token: u32,
    pub args: [u64; 6],
    pub big_endian: bool,
}

impl Call {
    pub fn new(arch: Arch, number: u32, args: [u64; 6]) -> Self {
        let token = token(arch);
        Self { number, token, args, big_endian: token & 0x4000_0000 == 0 }
    }

    fn word(&self, offset: u32) -> u32 {
        assert_eq!(offset % 4, 0);
        match offset / 4 {
            0 => self.number,
            1 => self.token,
            2 | 3 => 0,
            word => {
                let arg = self.args[(word as usize - 4) / 2];
                let high = (word % 2 == 1) != self.big_endian;
                if high { (arg >> 32) as u32 } else { arg as u32 }
            }
        }
    }
}

/// `AUDIT_ARCH_…` as the kernel's headers have them, written down apart from the crate's own.
pub fn token(arch: Arch) -> u32 {
    match arch {
        Arch::X86 => 0x4000_0003,
        Arch::X86_64 | Arch::X32 => 0xc000_003e,
        Arch::Arm => 0x4000_0028,
        Arch::Aarch64 => 0xc000_00b7,
        Arch::Mips => 0x0000_0008,
        Arch::Mips64 => 0x8000_0008,
        Arch::Mips64N32 => 0xa000_0008,
        Arch::Mipsel => 0x4000_0008,
        Arch::Mipsel64 => 0xc000_0008,
        Arch::Mipsel64N32 => 0xe000_0008,
        Arch::Ppc => 0x0000_0014,
        Arch::Ppc64 => 0x8000_0015,
        Arch::Ppc64Le => 0xc000_0015,
        Arch::S390 => 0x0000_0016,
        Arch::S390X => 0x8000_0016,
        Arch::Parisc => 0x0000_000f,
        Arch::Parisc64 => 0x8000_000f,
        Arch::Riscv64 => 0xc000_00f3,
        Arch::LoongArch64 => 0xc000_0102,
        Arch::M68k => 0x0000_0004,
        Arch::Sh => 0x4000_002a,
        Arch::Sheb => 0x0000_002a,
    }
}

/// A `SECCOMP_RET_…` value.
pub fn value_of(action: Action) -> u32 {
    match action {
        Action::KillProcess => KILL_PROCESS,
        Action::KillThread => KILL_THREAD,
        Action::Trap => TRAP,
        Action::Errno(errno) => ERRNO | u32::from(errno),
        Action::Trace(message) => TRACE | u32::from(message),
        Action::Log => LOG,
        Action::Allow => ALLOW,
        Action::Notify => NOTIFY,
    }
}

/// Whether arguments have 64 bits.
pub fn wide(arch: Arch) -> bool {
    let narrow = matches!(arch, Arch::X32 | Arch::Mips64N32 | Arch::Mipsel64N32);
    token(arch) & 0x8000_0000 != 0 && !narrow
}

/// What of a value is compared.
pub fn cut(value: u64, wide: bool) -> u64 {
    if wide { value } else { value & 0xffff_ffff }
}

/// A condition read plainly.
pub fn holds(condition: &ArgCondition, args: &[u64; 6], wide: bool) -> bool {
    let arg = cut(args[usize::from(condition.index)], wide);
    let (one, two) = (cut(condition.value, wide), cut(condition.value_two, wide));
    match condition.op {
        Op::NotEqual => arg != one,
        Op::Less => arg < one,
        Op::LessOrEqual => arg <= one,
        Op::Equal => arg == one,
        Op::GreaterOrEqual => arg >= one,
        Op::Greater => arg > one,
        Op::MaskedEqual => arg & one == two & one,
    }
}

/// The verdict of a filter, and how many instructions it took. As strict as the kernel's checker.
pub fn run(program: &[Insn], call: &Call) -> (u32, usize) {
    assert!(!program.is_empty() && program.len() <= MAX_INSTRUCTIONS);
    let (mut at, mut accumulator, mut steps) = (0, 0_u32, 0);
    loop {
        let insn = program[at];
        at += 1;
        steps += 1;
        let mut jump = |taken| at += usize::from(if taken { insn.jt } else { insn.jf });
        match insn.code {
            0x20 => accumulator = call.word(insn.k),
            0x54 => accumulator &= insn.k,
            0x05 => at += insn.k as usize,
            0x15 => jump(accumulator == insn.k),
            0x25 => jump(accumulator > insn.k),
            0x35 => jump(accumulator >= insn.k),
            0x45 => jump(accumulator & insn.k != 0),
            0x06 => return (insn.k, steps),
            other => panic!("instruction {other:#x}"),
        }
        assert!(at < program.len(), "jump to {at} of {}", program.len());
    }
}

pub fn verdict(program: &[Insn], call: &Call) -> u32 {
    run(program, call).0
}

/// Reads a `linux.seccomp` section.
pub fn profile(json: &str) -> Profile {
    let json: Value = serde_json::from_str(json).unwrap();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let number = |value: &Value| value.as_u64().map(|number| u16::try_from(number).unwrap());
    let action = |value: &Value, name: &str, errno: &str| {
        let action = Action::from_name(value[name].as_str().unwrap()).unwrap();
        match (action, number(&value[errno])) {
            (Action::Errno(_), Some(errno)) => Action::Errno(errno),
            (Action::Trace(_), Some(message)) => Action::Trace(message),
            (action, _) => action,
        }
    };
    Profile {
        default_action: action(&json, "defaultAction", "defaultErrnoRet"),
        architectures: list(&json["architectures"])
            .iter()
            .map(|name| Arch::from_name(name.as_str().unwrap()).unwrap())
            .collect(),
        flags: list(&json["flags"])
            .iter()
            .map(|name| Flag::from_name(name.as_str().unwrap()).unwrap())
            .collect(),
        listener_path: None,
        listener_metadata: None,
        rules: list(&json["syscalls"])
            .iter()
            .map(|rule| Rule {
                names: list(&rule["names"])
                    .iter()
                    .map(|name| name.as_str().unwrap().to_owned())
                    .collect(),
                action: action(rule, "action", "errnoRet"),
                args: list(&rule["args"])
                    .iter()
                    .map(|arg| ArgCondition {
                        index: u8::try_from(arg["index"].as_u64().unwrap()).unwrap(),
                        op: Op::from_name(arg["op"].as_str().unwrap()).unwrap(),
                        value: arg["value"].as_u64().unwrap(),
                        value_two: arg["valueTwo"].as_u64().unwrap_or(0),
                    })
                    .collect(),
            })
            .collect(),
    }
}

pub fn docker() -> Profile {
    profile(include_str!("../data/docker.json"))
}

pub fn podman() -> Profile {
    profile(include_str!("../data/podman.json"))
}

/// Few cases, as each is compared at thousands of calls; `PROPTEST_CASES` asks for more.
pub fn random_profiles() -> proptest::test_runner::Config {
    let default = proptest::test_runner::Config::default();
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    proptest::test_runner::Config {
        cases: if asked { default.cases } else { 64 },
        failure_persistence: None,
        // Profiles that libseccomp refuses.
        max_global_rejects: 200_000,
        ..default
    }
}

/// Values around the edges of halves, and around those given.
pub fn edges(around: &[u64]) -> Vec<u64> {
    let mut values = vec![0, 1, 0xffff_ffff, 0x1_0000_0000, 0x8000_0000, u64::MAX];
    for &value in around {
        for high in [0, 1 << 32, u64::MAX << 32] {
            let near = [
                value,
                value.wrapping_add(1),
                value.wrapping_sub(1),
                !value,
                value << 32,
                value >> 32,
            ];
            values.extend(near.map(|near| near ^ high));
        }
    }
    values.sort_unstable();
    values.dedup();
    values
}
