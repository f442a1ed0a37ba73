//! From a profile to a program: a verdict for every syscall number, then a search tree over the ranges that agree.

use crate::arch::{Traits, X32_BIT};
use crate::emit::{ARCH, Emitter, Label, NUMBER, Test};
use crate::error::{Error, MAX_INSTRUCTIONS};
use crate::profile::{Action, Arch, Flag, Profile};
use crate::program::{
    FLAG_LOG, FLAG_NEW_LISTENER, FLAG_SPEC_ALLOW, FLAG_WAIT_KILLABLE_RECV, Insn, Program,
};
use crate::rules::{self, Checked, Collected, Listed, named};

/// The kernel's `MAX_ERRNO`.
pub(crate) const MAX_ERRNO: u16 = 4095;

const ENOSYS: Action = Action::Errno(38);
/// What a call from an architecture gets that the profile does not list.
const FOREIGN: Action = Action::KillThread;
/// A tracer sets this number to skip a syscall, and the filter is asked again.
const SKIPPED: u32 = u32::MAX;

/// Compiles a profile for a machine of architecture `native`, which is part of the filter whether listed or not.
///
/// `Flag::Tsync` has no effect: a container's first process has one thread when the filter is loaded.
/// `Flag::WaitKillableRecv` counts only beside a rule with `Action::Notify`, as the kernel refuses it without one.
///
/// # Errors
/// See [`Error`].
pub fn compile(profile: &Profile, native: Arch) -> Result<Program, Error> {
    validate(profile, native)?;
    let collected = rules::collect(profile, native);
    let mut emitter = Emitter::default();
    let mut sections: Vec<(u32, Label)> = Vec::with_capacity(collected.archs.len());
    // Backwards, so that the native section comes first in the program.
    for listed in collected.archs.iter().rev() {
        let token = listed.traits.token;
        if sections.iter().all(|(known, _)| *known != token) {
            let ranges = Ranges::of(profile, &collected, token)?;
            let tree = ranges.emit(&mut emitter, &ranges.list, &ranges.weights());
            sections.push((token, emitter.load(NUMBER, tree)));
        }
    }
    let mut start = emitter.ret(value(FOREIGN));
    for (token, section) in sections {
        start = emitter.branch(Test::Equal, token, section, start);
    }
    emitter.load(ARCH, start);
    let instructions = emitter.finish();
    if instructions.len() > MAX_INSTRUCTIONS {
        let instructions = instructions.len();
        return Err(Error::TooLong { instructions });
    }
    let notifies = named(profile).any(|(_, rule)| rule.action == Action::Notify);
    Ok(Program { instructions, flags: flags(profile, notifies) })
}

/// A program that is ready, with the flags of `profile`; its rules are not looked at.
pub fn with_flags(instructions: Vec<Insn>, profile: &Profile) -> Program {
    let flags = flags(profile, notifies(&instructions));
    Program { instructions, flags }
}

/// Whether a program has an instruction that returns `SECCOMP_RET_USER_NOTIF`. One that computes its answer is not seen
/// through.
pub fn notifies(instructions: &[Insn]) -> bool {
    /// `BPF_RET | BPF_K`
    const RETURN: u16 = 0x06;
    /// `SECCOMP_RET_ACTION_FULL`
    const ACTION: u32 = 0xffff_0000;
    let notify = value(Action::Notify);
    instructions.iter().any(|insn| insn.code == RETURN && insn.k & ACTION == notify)
}

fn flags(profile: &Profile, notifies: bool) -> u32 {
    let listener = if notifies { FLAG_NEW_LISTENER } else { 0 };
    let flags = profile.flags.iter().map(|flag| match flag {
        Flag::Tsync => 0,
        Flag::Log => FLAG_LOG,
        Flag::SpecAllow => FLAG_SPEC_ALLOW,
        Flag::WaitKillableRecv if notifies => FLAG_WAIT_KILLABLE_RECV,
        Flag::WaitKillableRecv => 0,
    });
    flags.fold(listener, |all, flag| all | flag)
}

fn validate(profile: &Profile, native: Arch) -> Result<(), Error> {
    let errno = |rule, action| match action {
        Action::Errno(errno) if errno > MAX_ERRNO => Err(Error::Errno { rule, errno }),
        _ => Ok(()),
    };
    errno(None, profile.default_action)?;
    if profile.default_action == Action::Notify {
        return Err(Error::NotifyByDefault);
    }
    let big = native.traits().big;
    let mut archs = profile.architectures.iter();
    if let Some(arch) = archs.find(|arch| arch.traits().big != big) {
        return Err(Error::ByteOrder { arch: arch.name() });
    }
    for (at, rule) in named(profile) {
        errno(Some(at), rule.action)?;
        if rule.action == Action::Notify && rule.names.iter().any(|name| name == "write") {
            return Err(Error::NotifyWrite { rule: at });
        }
        if rule.names.iter().any(String::is_empty) {
            return Err(Error::EmptyName { rule: at });
        }
        if let Some(arg) = rule.args.iter().find(|arg| arg.index > 5) {
            let index = arg.index;
            return Err(Error::ArgumentIndex { rule: at, index });
        }
    }
    Ok(())
}

/// A `SECCOMP_RET_…` value.
fn value(action: Action) -> u32 {
    match action {
        Action::KillProcess => 0x8000_0000,
        Action::KillThread => 0,
        Action::Trap => 0x0003_0000,
        Action::Errno(errno) => 0x0005_0000 | u32::from(errno),
        Action::Notify => 0x7fc0_0000,
        Action::Trace(message) => 0x7ff0_0000 | u32::from(message),
        Action::Log => 0x7ffc_0000,
        Action::Allow => 0x7fff_0000,
    }
}

/// What a range of numbers gets.
#[derive(Debug)]
enum Verdict<'a> {
    Always(Action),
    /// Asked in this order; the default action when none matches.
    Rules(&'a Traits, Vec<Checked>),
}

/// Verdicts over all syscall numbers of one `seccomp_data.arch`, each with the number it begins at.
#[derive(Debug)]
struct Ranges<'a> {
    collected: &'a Collected<'a>,
    default: Action,
    /// Whether syscalls newer than the profile get ENOSYS: a program that finds them missing falls back to older
    /// ones, while EPERM or a signal ends it. Not where the default lets them through; a tracer knows itself.
    stub: bool,
    list: Vec<(u32, Verdict<'a>)>,
    /// Rules with conditions so far.
    size: usize,
}

impl<'a> Ranges<'a> {
    fn of(profile: &Profile, collected: &'a Collected<'a>, token: u32) -> Result<Self, Error> {
        let default = profile.default_action;
        let stub = !matches!(default, Action::Allow | Action::Log | Action::Trace(_));
        let mut ranges = Self { collected, default, stub, list: Vec::with_capacity(64), size: 0 };
        let listed = |arch| collected.archs.iter().find(|listed| listed.arch == arch);
        if token == Arch::X32.traits().token {
            ranges.two_abis(listed(Arch::X86_64), listed(Arch::X32))?;
        } else if let Some(listed) = collected.archs.iter().find(|one| one.traits.token == token) {
            ranges.one_abi(0, listed)?;
        }
        Ok(ranges)
    }

    /// x86_64 and x32 share a token; the numbers of x32 have a bit of their own.
    fn two_abis(
        &mut self,
        x86_64: Option<&'a Listed>,
        x32: Option<&'a Listed>,
    ) -> Result<(), Error> {
        match x86_64 {
            Some(listed) => self.one_abi(0, listed)?,
            None => self.begin(0, FOREIGN),
        }
        match x32 {
            Some(listed) => self.one_abi(X32_BIT, listed)?,
            None => self.begin(X32_BIT, FOREIGN),
        }
        // No kernel has such numbers. By the same bit they are newer calls of one ABI or the other.
        let newer = |abi: Option<&'a Listed>| match abi.map(|listed| self.newest(listed)) {
            Some(Some(_)) => ENOSYS,
            _ if x32.is_some() => self.default,
            _ => FOREIGN,
        };
        let (clear, set) = (newer(x86_64), newer(x32));
        self.begin(2 * X32_BIT, clear);
        self.begin(3 * X32_BIT, set);
        if x32.is_none() {
            self.begin(SKIPPED, self.default);
        }
        Ok(())
    }

    /// The last number that is not answered with ENOSYS for being newer than the profile.
    fn newest(&self, listed: &'a Listed) -> Option<u32> {
        (self.stub && listed.largest != 0).then_some(listed.largest)
    }

    fn one_abi(&mut self, first: u32, listed: &'a Listed) -> Result<(), Error> {
        let newest = self.newest(listed);
        self.begin(first, self.default);
        for group in listed.entries.chunk_by(|a, b| a.number == b.number) {
            let number = group[0].number;
            let verdict = self.verdict(listed, group)?;
            self.push(number, verdict);
            self.begin(number + 1, self.default);
        }
        if let Some(newest) = newest {
            self.begin(newest + 1, ENOSYS);
            if matches!(listed.arch, Arch::S390 | Arch::S390X) {
                self.no_setup();
            }
        }
        Ok(())
    }

    /// On s390, number 0 (setup, long gone) also stands for numbers that the kernel does not know.
    fn no_setup(&mut self) {
        if self.list.get(1).is_none_or(|(start, _)| *start != 1) {
            self.list.insert(1, (1, Verdict::Always(self.default)));
        }
        self.list[0].1 = Verdict::Always(ENOSYS);
    }

    /// The rules of one syscall number.
    fn verdict(
        &mut self,
        listed: &'a Listed,
        group: &[rules::Entry],
    ) -> Result<Verdict<'a>, Error> {
        let mut ordered = Vec::new();
        for (turn, entry) in group.iter().enumerate() {
            let alternative = &self.collected.alternatives[entry.alternative];
            let checked = Checked::new(alternative, entry.call, &listed.traits, turn);
            if checked.conditions.is_empty() {
                return Ok(Verdict::Always(checked.action));
            }
            rules::insert(&mut ordered, checked);
            // A rule is an instruction at least; to put far too many in order would take long.
            let instructions = self.size + ordered.len();
            if instructions > MAX_INSTRUCTIONS {
                return Err(Error::TooLong { instructions });
            }
        }
        self.size += ordered.len();
        Ok(Verdict::Rules(&listed.traits, ordered))
    }

    fn begin(&mut self, start: u32, action: Action) {
        self.push(start, Verdict::Always(action));
    }

    /// From `start` on; a range that turns out empty vanishes, and one like its neighbour becomes part of it.
    fn push(&mut self, start: u32, verdict: Verdict<'a>) {
        self.list.pop_if(|(last, _)| *last == start);
        if let (Some((_, Verdict::Always(last))), Verdict::Always(new)) =
            (self.list.last(), &verdict)
            && last == new
        {
            return;
        }
        self.list.push((start, verdict));
    }

    /// The weight of all ranges before each, and of all.
    fn weights(&self) -> Vec<u64> {
        let ends = self.list.iter().skip(1).map(|(start, _)| *start).chain([u32::MAX]);
        let each = self.list.iter().zip(ends).map(|((start, _), end)| weight(*start, end));
        let sums = each.scan(0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        [0].into_iter().chain(sums).collect()
    }

    /// Searches the number, already in the accumulator. Cuts where about as many calls are on one side as on the
    /// other, so that what is asked most often takes the fewest steps. `weights` are those of `ranges`.
    fn emit(&self, emitter: &mut Emitter, ranges: &[(u32, Verdict<'a>)], weights: &[u64]) -> Label {
        match ranges {
            [] => emitter.ret(value(self.default)),
            [(_, verdict)] => self.leaf(emitter, verdict),
            // A lone number between equals.
            [(_, Verdict::Always(below)), (number, verdict), (next, Verdict::Always(above))]
                if below == above && *next == number + 1 =>
            {
                let no = emitter.ret(value(*above));
                let yes = self.leaf(emitter, verdict);
                emitter.branch(Test::Equal, *number, yes, no)
            }
            _ => {
                let cut = middle(weights, ranges.len());
                let (below, above) = ranges.split_at(cut);
                let yes = self.emit(emitter, above, &weights[cut..]);
                let no = self.emit(emitter, below, &weights[..=cut]);
                emitter.branch(Test::GreaterOrEqual, above[0].0, yes, no)
            }
        }
    }

    fn leaf(&self, emitter: &mut Emitter, verdict: &Verdict<'a>) -> Label {
        let (traits, rules) = match verdict {
            Verdict::Always(action) => return emitter.ret(value(*action)),
            Verdict::Rules(traits, rules) => (traits, rules),
        };
        let mut next = emitter.ret(value(self.default));
        for alike in rules.chunk_by(Checked::alike).rev() {
            next = match alike {
                [rule] => {
                    let mut yes = emitter.ret(value(rule.action));
                    for condition in rule.conditions.iter().rev() {
                        yes = emitter.condition(traits, condition, yes, next);
                    }
                    yes
                }
                rules => {
                    let rules = rules.iter().map(|rule| (rule.conditions[0], value(rule.action)));
                    emitter.values(traits, rules, next)
                }
            };
        }
        next
    }
}

/// How often calls of a range of numbers are made, for want of knowledge by how many they are. Hardly ever those of
/// x32, and those that no kernel knows.
fn weight(start: u32, end: u32) -> u64 {
    const WIDEST: u32 = 1024;
    const RARE: u64 = 1;
    const EACH: u64 = 16;
    let width = end.saturating_sub(start);
    if start & X32_BIT != 0 || width > WIDEST { RARE } else { EACH * u64::from(width) }
}

/// Where to cut `count` ranges, at least two, so that neither side is empty.
fn middle(weights: &[u64], count: usize) -> usize {
    let (first, last) = (weights[0], weights[count]);
    let half = first + (last - first) / 2;
    let above = weights[1..count].partition_point(|sum| *sum < half) + 1;
    // The cut before may be nearer.
    let uneven = |cut: usize| weights[cut].abs_diff(half);
    let nearer = above > 1 && (above == count || uneven(above - 1) <= uneven(above));
    if nearer { above - 1 } else { above }
}
