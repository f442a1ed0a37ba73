//! A plain reading of a profile: which answers its rules allow for a call, in whatever order they are asked.
//!
//! The numbers come from libseccomp, which is not what the compiler takes them from.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use seccomp::{Action, Arch, ArgCondition, Op, Profile, Rule};

use super::library::{multiplexer, their_number};
use super::{Call, ENOSYS, KILL_THREAD, cut, holds, token, value_of};

const X32_BIT: u32 = 0x4000_0000;

/// A profile with the numbers that its names have on one architecture.
struct Section<'a> {
    arch: Arch,
    /// Number, first argument of a multiplexer, and the rule.
    rules: Vec<(u32, Option<u64>, &'a Rule)>,
    largest: u32,
    /// Without the multiplexers, as runc counts.
    largest_direct: u32,
}

/// What may be answered.
pub struct Answers {
    /// Any of these; more than one where rules contradict each other.
    pub any: Vec<u32>,
    /// The same without the change that is made to runc's answer for newer calls: see [`Plain::answers`].
    pub by_runc: Option<u32>,
    /// The rules with conditions on this number.
    pub conditional: Vec<Vec<ArgCondition>>,
    /// Arguments have 64 bits.
    pub wide: bool,
}

pub struct Plain<'a> {
    profile: &'a Profile,
    sections: Vec<Section<'a>>,
}

impl<'a> Plain<'a> {
    pub fn new(profile: &'a Profile, native: Arch) -> Self {
        let mut archs = vec![native];
        archs.extend(&profile.architectures);
        let sections = archs.into_iter().map(|arch| Section::new(profile, arch)).collect();
        Self { profile, sections }
    }

    /// Calls of socketcall(2) and ipc(2) that a rule names make the number of these known here. runc leaves them out
    /// when it looks for the largest number, and so denies as unknown what a rule allows.
    pub fn answers(&self, call: &Call) -> Answers {
        let default = value_of(self.profile.default_action);
        let answer =
            |answer| Answers { any: vec![answer], by_runc: None, conditional: vec![], wide: false };
        let same_token = |section: &&Section<'_>| token(section.arch) == call.token;
        let x86 = token(Arch::X86_64) == call.token;
        let x32 = self.sections.iter().any(|section| section.arch == Arch::X32);
        let wanted = |section: &&Section<'_>| {
            !x86 || (section.arch == Arch::X32) == (call.number & X32_BIT != 0)
        };
        let Some(section) = self.sections.iter().filter(same_token).find(wanted) else {
            let known = self.sections.iter().any(|section| same_token(&section));
            // A tracer's way to skip a call is no x32 call. With x32 in the profile libseccomp tests no bit.
            return match known {
                true if call.number == u32::MAX && !x32 => answer(default),
                true if x32 && call.number >= 2 * X32_BIT => answer(default),
                _ => answer(KILL_THREAD),
            };
        };
        let lets_pass =
            matches!(self.profile.default_action, Action::Allow | Action::Log | Action::Trace(_));
        let setup = matches!(section.arch, Arch::S390 | Arch::S390X) && call.number == 0;
        let newer = |largest| !lets_pass && largest != 0 && (call.number > largest || setup);
        if newer(section.largest) {
            return answer(ENOSYS);
        }
        if x86 && call.number >= 2 * X32_BIT && !x32 {
            // Neither of the two, so foreign, but for -1.
            return answer(if call.number == u32::MAX { default } else { KILL_THREAD });
        }
        let mut answers = section.rules(call, default);
        answers.by_runc = newer(section.largest_direct).then_some(ENOSYS);
        answers
    }
}

impl<'a> Section<'a> {
    fn new(profile: &'a Profile, arch: Arch) -> Self {
        let mut section = Self { arch, rules: vec![], largest: 0, largest_direct: 0 };
        for rule in &profile.rules {
            for name in &rule.names {
                // libseccomp has no number of its own for what a multiplexer also carries.
                let theirs = their_number(name, arch).and_then(|number| u32::try_from(number).ok());
                let carried = multiplexer(name, arch);
                let direct = theirs.or(carried.and_then(|_| seccomp::syscall_number(name, arch)));
                let carried = carried.map(|(number, call)| (number, Some(call)));
                for (number, call) in direct.map(|number| (number, None)).into_iter().chain(carried)
                {
                    section.largest = section.largest.max(number);
                    if rule.action != profile.default_action {
                        section.rules.push((number, call, rule));
                    }
                }
                section.largest_direct = section.largest_direct.max(theirs.unwrap_or(0));
            }
        }
        section
    }

    fn rules(&self, call: &Call, default: u32) -> Answers {
        let wide = super::wide(self.arch);
        let mut any = Vec::new();
        let mut conditional = Vec::new();
        for (number, first, rule) in &self.rules {
            if *number != call.number {
                continue;
            }
            for mut conditions in alternatives(rule) {
                if let Some(first) = first {
                    conditions.retain(|condition| condition.index != 0);
                    let value_two = 0;
                    conditions.push(ArgCondition {
                        index: 0,
                        op: Op::Equal,
                        value: *first,
                        value_two,
                    });
                }
                conditions.retain(|condition| !always(condition, wide));
                if conditions.is_empty() {
                    let any = vec![value_of(rule.action)];
                    return Answers { any, by_runc: None, conditional: vec![], wide };
                }
                if conditions.iter().all(|condition| holds(condition, &call.args, wide)) {
                    any.push(value_of(rule.action));
                }
                conditional.push(conditions);
            }
        }
        any.sort_unstable();
        any.dedup();
        if any.is_empty() {
            any.push(default);
        }
        Answers { any, by_runc: None, conditional, wide }
    }
}

/// runc takes a rule with two conditions on one argument for one rule for each condition.
fn alternatives(rule: &Rule) -> Vec<Vec<ArgCondition>> {
    let twice = |index| rule.args.iter().filter(|arg| arg.index == index).count() > 1;
    if (0..6).any(twice) {
        rule.args.iter().map(|arg| vec![*arg]).collect()
    } else {
        vec![rule.args.clone()]
    }
}

/// A mask of nothing.
fn always(condition: &ArgCondition, wide: bool) -> bool {
    condition.op == Op::MaskedEqual && cut(condition.value, wide) == 0
}
