//! Random profiles, and calls at which they might go wrong.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use libseccomp::ScmpSyscall;
use seccomp::{Action, Arch, ArgCondition, Op, Profile, Rule, syscall_number};

use super::library::{agree, known_archs, their_number, theirs};
use super::{Call, OPS, token};

/// Numbers by Marsaglia's xorshift64*; the same for the same seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        // Spread, so that neighbouring seeds have nothing in common; never 0.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// Names that meet on a multiplexer, or are spelled alike elsewhere.
const SPECIAL: [&str; 12] = [
    "socket",
    "connect",
    "accept",
    "accept4",
    "sendto",
    "semop",
    "semtimedop",
    "shmat",
    "msgget",
    "socketcall",
    "ipc",
    "no_such_call",
];

pub struct Generator {
    archs: Vec<Arch>,
    names: Vec<String>,
}

impl Generator {
    pub fn new() -> Self {
        let archs = known_archs();
        let mut names: Vec<String> = Vec::new();
        for arch in &archs {
            let of_arch = |at| ScmpSyscall::from(at).get_name_by_arch(theirs(*arch)).ok();
            names.extend((0..600).filter_map(of_arch));
        }
        names.sort_unstable();
        names.dedup();
        assert!(names.len() > 400, "{}", names.len());
        Self { archs, names }
    }

    pub fn archs(&self) -> &[Arch] {
        &self.archs
    }

    pub fn profile(&self, random: &mut Random) -> (Profile, Arch) {
        let native = random.pick(&self.archs);
        let big = |arch: Arch| token(arch) & 0x4000_0000 == 0;
        let kin: Vec<Arch> =
            self.archs.iter().copied().filter(|arch| big(*arch) == big(native)).collect();
        let mut architectures: Vec<Arch> = Vec::new();
        for _ in 0..random.below(4) {
            architectures.push(random.pick(&kin));
        }
        let all: Vec<Arch> = [native].iter().chain(&architectures).copied().collect();
        let names = self.some_names(random, &all);
        let values = values(random);
        let default_action = action(random, true);
        // Some profiles have but one action beside the default, as those of engines do.
        let only = random.once_in(2).then(|| action(random, false));
        let count = if random.once_in(8) { 40 } else { random.below(10) };
        let rules = (0..count).map(|_| {
            let action = only.unwrap_or_else(|| action(random, false));
            let action = if random.once_in(12) { default_action } else { action };
            let names = (0..=random.below(3)).map(|_| names[random.below(names.len())].clone());
            let mut names: Vec<String> = names.collect();
            if action == Action::Notify {
                names.retain(|name| name != "write");
            }
            Rule { names, action, args: conditions(random, &values) }
        });
        let rules = rules.collect();
        let profile = Profile {
            default_action,
            architectures,
            flags: vec![],
            listener_path: None,
            listener_metadata: None,
            rules,
        };
        (profile, native)
    }

    /// Few, so that rules meet.
    fn some_names(&self, random: &mut Random, archs: &[Arch]) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..1 + random.below(6) {
            let name = if random.once_in(4) {
                random.pick(&SPECIAL).to_owned()
            } else {
                self.names[random.below(self.names.len())].clone()
            };
            if name == "no_such_call" || agree(&name, archs) || none(&name, archs) {
                names.push(name);
            }
        }
        if names.is_empty() {
            names.push("read".to_owned());
        }
        names
    }

    /// Calls at and beside every number and value of the profile, on each architecture.
    pub fn calls(&self, random: &mut Random, profile: &Profile, native: Arch) -> Vec<(Arch, Call)> {
        let mut archs = vec![native, random.pick(&self.archs)];
        archs.extend(&profile.architectures);
        let around = |value: u64| [value, value.wrapping_add(1), value.wrapping_sub(1)];
        let mut values = vec![0, 1, 2, u64::MAX];
        for condition in profile.rules.iter().flat_map(|rule| &rule.args) {
            values.extend(around(condition.value));
            values.extend(around(condition.value_two));
            values.push(condition.value ^ 1 << 32);
        }
        let mut calls = Vec::new();
        for arch in archs {
            let mut numbers = vec![0, 1, 102, 117, 4102, 4117, 599, 0x3fff_ffff, 0x4000_0000];
            numbers.extend([0x4000_0066, 0x7fff_ffff, 0x8000_0000, 0xc000_0000, u32::MAX - 1]);
            numbers.extend([u32::MAX, random.next() as u32, random.below(600) as u32]);
            for name in profile.rules.iter().flat_map(|rule| &rule.names) {
                let Some(number) = syscall_number(name, arch) else { continue };
                numbers.extend([number, number + 1, number.wrapping_sub(1)]);
                numbers.extend([number | 0x4000_0000, number | 0x8000_0000]);
            }
            numbers.sort_unstable();
            numbers.dedup();
            for number in numbers {
                calls.push((arch, Call::new(arch, number, [0; 6])));
                for _ in 0..4 {
                    let args = std::array::from_fn(|_| random.pick(&values));
                    calls.push((arch, Call::new(arch, number, args)));
                }
                for rule in &profile.rules {
                    if rule.args.is_empty() || !random.once_in(2) {
                        continue;
                    }
                    calls.push((arch, Call::new(arch, number, near(random, rule, &values))));
                }
            }
        }
        calls
    }
}

/// Arguments that all of a rule's conditions are at the edge of.
fn near(random: &mut Random, rule: &Rule, values: &[u64]) -> [u64; 6] {
    let mut args = std::array::from_fn(|_| random.pick(values));
    // What a multiplexer carries.
    if random.once_in(2) {
        args[0] = random.below(25) as u64;
    }
    for condition in &rule.args {
        let value = match condition.op {
            Op::MaskedEqual => {
                condition.value_two & condition.value | random.next() & !condition.value
            }
            _ => condition.value.wrapping_add(random.below(3) as u64).wrapping_sub(1),
        };
        let value = if random.once_in(8) { value ^ 1 << random.below(64) } else { value };
        args[usize::from(condition.index)] = value;
    }
    args
}

fn none(name: &str, archs: &[Arch]) -> bool {
    archs.iter().all(|arch| {
        syscall_number(name, *arch).is_none()
            && their_number(name, *arch).is_none_or(|number| number < -299)
    })
}

fn action(random: &mut Random, default: bool) -> Action {
    match random.below(if default { 8 } else { 9 }) {
        0 | 1 => Action::Allow,
        2 => Action::Errno(random.pick(&[1, 2, 38, 4094])),
        3 => Action::Errno(1),
        4 => Action::KillThread,
        5 => Action::KillProcess,
        6 => Action::Trap,
        7 if random.once_in(2) => Action::Log,
        7 => Action::Trace(random.pick(&[1, 7, u16::MAX])),
        _ => Action::Notify,
    }
}

/// The values that a profile's conditions are about.
fn values(random: &mut Random) -> Vec<u64> {
    let edges = [
        0,
        1,
        0xffff_ffff,
        0x1_0000_0000,
        0x1_0000_0001,
        0x8000_0000,
        1 << 63,
        u64::MAX,
        u64::MAX - 1,
        0xffff_ffff_0000_0000,
        0x7e02_0000,
    ];
    (0..1 + random.below(6))
        .map(|_| match random.below(4) {
            0 => random.next(),
            1 => random.next() >> random.below(64),
            _ => random.pick(&edges).wrapping_add(random.below(3) as u64),
        })
        .collect()
}

fn conditions(random: &mut Random, values: &[u64]) -> Vec<ArgCondition> {
    let count = random.pick(&[0, 0, 1, 1, 1, 2, 3, 6]);
    let single = random.once_in(2);
    let condition = |at: u8| {
        let index = if random.once_in(8) { 0 } else { (at + random.below(6) as u8) % 6 };
        let op =
            if single { random.pick(&[Op::Equal, Op::MaskedEqual]) } else { random.pick(&OPS) };
        ArgCondition { index, op, value: random.pick(values), value_two: random.pick(values) }
    };
    (0..count).map(condition).collect()
}
