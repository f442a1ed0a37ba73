//! Which rules a syscall has on one architecture, and in which order they are asked.
//!
//! The facts about libseccomp that make its verdicts, and so ours:
//! - of several rules without conditions the first holds, and it holds against every rule with conditions;
//! - rules with conditions are asked in an order of their own, not in that of the profile: see [`insert`];
//! - a rule with two conditions on one argument counts as one rule for each of its conditions (runc's reading);
//! - an architecture with 32-bit arguments sees the low half only, of argument and of profile;
//! - a mask of 0 always matches, and the value compared with is masked too.

use std::ops::Range;

use crate::arch::Traits;
use crate::numbers;
use crate::profile::{Action, Arch, ArgCondition, Op, Profile, Rule};

/// A profile's rules, sorted out.
#[derive(Debug)]
pub(crate) struct Collected<'a> {
    pub(crate) alternatives: Vec<Alternative<'a>>,
    /// The native architecture first, then in the order of the profile; each once.
    pub(crate) archs: Vec<Listed>,
}

/// An architecture of the profile.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) arch: Arch,
    pub(crate) traits: Traits,
    /// Sorted.
    pub(crate) entries: Vec<Entry>,
    /// The largest number that the profile names, whatever for; 0 when it names none. Multiplexed calls count (runc
    /// leaves them out, and so denies some that a rule allows).
    pub(crate) largest: u32,
}

/// A syscall number and a rule for it. Sorted, a number's rules stand together in the order of the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) number: u32,
    /// Index in `Collected::alternatives`.
    pub(crate) alternative: usize,
    /// When the number is a multiplexer's: its first argument.
    pub(crate) call: Option<u8>,
}

/// The rules that do something; one without names is none.
pub(crate) fn named(profile: &Profile) -> impl Iterator<Item = (usize, &Rule)> {
    let rules = profile.rules.iter().enumerate();
    rules.filter(|(_, rule)| !rule.names.is_empty())
}

/// Finds each rule's numbers on each architecture. Unknown names are passed over.
pub(crate) fn collect(profile: &Profile, native: Arch) -> Collected<'_> {
    let mut archs: Vec<Listed> = Vec::with_capacity(1 + profile.architectures.len());
    for &arch in [native].iter().chain(&profile.architectures) {
        if archs.iter().all(|listed| listed.arch != arch) {
            archs.push(Listed {
                arch,
                traits: arch.traits(),
                entries: Vec::with_capacity(512),
                largest: 0,
            });
        }
    }
    let mut alternatives = Vec::with_capacity(profile.rules.len());
    for (_, rule) in named(profile) {
        let first = alternatives.len();
        // A rule that says what the default says only makes its syscalls known.
        if rule.action != profile.default_action {
            alternatives.extend(split(rule));
        }
        for syscall in rule.names.iter().filter_map(|name| numbers::find(name)) {
            for listed in &mut archs {
                listed.add(syscall, first..alternatives.len());
            }
        }
    }
    for listed in &mut archs {
        listed.entries.sort_unstable();
    }
    Collected { alternatives, archs }
}

impl Listed {
    fn add(&mut self, syscall: numbers::Syscall, alternatives: Range<usize>) {
        let direct = syscall.number(&self.traits);
        let multiplexed = syscall.multiplexed(&self.traits);
        let direct = direct.map(|number| (number, None));
        let multiplexed = multiplexed.map(|(number, call)| (number, Some(call)));
        for (number, call) in direct.into_iter().chain(multiplexed) {
            self.largest = self.largest.max(number);
            self.entries.extend(alternatives.clone().map(|alternative| Entry {
                number,
                alternative,
                call,
            }));
        }
    }
}

/// One alternative of a rule: all its conditions must hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alternative<'a> {
    pub(crate) action: Action,
    pub(crate) conditions: &'a [ArgCondition],
}

/// Splits a rule as runc does.
fn split(rule: &Rule) -> impl Iterator<Item = Alternative<'_>> {
    let all = &rule.args;
    let twice = all
        .iter()
        .enumerate()
        .any(|(at, one)| all[..at].iter().any(|other| other.index == one.index));
    let each = if twice { 1 } else { all.len().max(1) };
    // `chunks` of nothing gives nothing, but no conditions are one alternative.
    let none = all.is_empty().then_some(&all[..]);
    let parts = none.into_iter().chain(all.chunks(each));
    parts.map(|conditions| Alternative { action: rule.action, conditions })
}

/// A condition as one architecture sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Condition {
    pub(crate) arg: u8,
    pub(crate) op: Op,
    pub(crate) mask: u64,
    /// Within the mask.
    pub(crate) value: u64,
}

/// A rule as one architecture sees it.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) action: Action,
    /// By argument; each argument at most once.
    pub(crate) conditions: Vec<Condition>,
    /// What libseccomp would compare, in its order.
    steps: Vec<Step>,
    /// Place in the order in which the rules came.
    turn: usize,
}

impl Checked {
    /// `call` is the first argument of a multiplexer; it takes the place of the rule's own condition on that.
    pub(crate) fn new(
        alternative: &Alternative<'_>,
        call: Option<u8>,
        arch: &Traits,
        turn: usize,
    ) -> Self {
        let width = if arch.wide { u64::MAX } else { u64::from(u32::MAX) };
        let own = alternative.conditions.iter().filter_map(|condition| {
            let (mask, value) = match condition.op {
                Op::MaskedEqual => (condition.value & width, condition.value_two),
                _ => (width, condition.value),
            };
            let arg = condition.index;
            (mask != 0 && !(arg == 0 && call.is_some())).then_some(Condition {
                arg,
                op: condition.op,
                mask,
                value: value & mask,
            })
        });
        let call =
            call.map(|call| Condition { arg: 0, op: Op::Equal, mask: width, value: call.into() });
        let mut conditions: Vec<_> = call.into_iter().chain(own).collect();
        conditions.sort_by_key(|condition| condition.arg);
        let mut steps = Vec::with_capacity(2 * conditions.len());
        for condition in &conditions {
            Step::push(&mut steps, condition, arch.wide);
        }
        Self { action: alternative.action, conditions, steps, turn }
    }
}

impl Checked {
    /// Both compare one argument with one value, and the high halves of the values are the same.
    pub(crate) fn alike(&self, other: &Self) -> bool {
        match (&self.conditions[..], &other.conditions[..]) {
            ([one], [two]) => {
                (one.op, two.op) == (Op::Equal, Op::Equal)
                    && one.arg == two.arg
                    && halves(one.value).1 == halves(two.value).1
            }
            _ => false,
        }
    }
}

/// A comparison of 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    /// Later arguments are asked first, and of one argument the high half.
    place: u8,
    /// Single values are asked before upper bounds, and those before lower bounds.
    rank: u8,
    compare: Compare,
    /// The rule goes on where the comparison fails.
    negated: bool,
    value: u32,
    mask: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Equal,
    MaskedEqual,
    Greater,
    GreaterOrEqual,
}

impl Step {
    fn push(steps: &mut Vec<Self>, condition: &Condition, wide: bool) {
        let (rank, compare, negated) = match condition.op {
            Op::Equal => (3, Compare::Equal, false),
            Op::NotEqual => (3, Compare::Equal, true),
            Op::MaskedEqual => (3, Compare::MaskedEqual, false),
            Op::LessOrEqual => (2, Compare::Greater, true),
            Op::Less => (2, Compare::GreaterOrEqual, true),
            Op::Greater => (1, Compare::Greater, false),
            Op::GreaterOrEqual => (1, Compare::GreaterOrEqual, false),
        };
        let (value, value_high) = halves(condition.value);
        let (mask, mask_high) = halves(condition.mask);
        let low = Self { place: 2 * condition.arg, rank, compare, negated, value, mask };
        if wide {
            steps.push(Self {
                place: low.place + 1,
                // High halves are compared alike, whatever side of the bound the rule is for.
                compare: match compare {
                    Compare::GreaterOrEqual => Compare::Greater,
                    other => other,
                },
                negated: false,
                value: value_high,
                mask: mask_high,
                ..low
            });
        }
        steps.push(low);
    }

    fn same(&self, other: &Self) -> bool {
        Self { rank: other.rank, ..*self } == *other
    }

    /// The same comparison, for the other outcome.
    fn opposite(&self, other: &Self) -> bool {
        Self { negated: !self.negated, ..*self }.same(other)
    }

    /// Asked after `other`.
    fn after(&self, other: &Self) -> bool {
        let by_value =
            if self.rank == 2 { self.value > other.value } else { self.value < other.value };
        (self.place, self.rank) < (other.place, other.rank)
            || (self.place, self.rank) == (other.place, other.rank) && by_value
    }
}

/// Puts a rule where libseccomp would ask it.
///
/// Rules form a tree there: those that begin with the same comparison share it and are ordered by the next one. The
/// list here is that tree read from top to bottom. A rule that an earlier one makes superfluous is left out, and the
/// other way round. Where libseccomp refuses a profile, as it takes two rules to contradict each other, the more
/// special one is asked first here, and of two with the same conditions the earlier.
pub(crate) fn insert(rules: &mut Vec<Checked>, new: Checked) {
    let (mut start, mut end) = (0, rules.len());
    for (depth, step) in new.steps.iter().enumerate() {
        // Within start..end all rules share what comes before `depth`.
        if rules[start..end].iter().any(|rule| rule.steps.len() == depth) {
            return;
        }
        match place(rules, start..end, depth, step) {
            Place::Shared(range) => (start, end) = (range.start, range.end),
            Place::Before(at) => {
                rules.insert(at, new);
                return;
            }
        }
    }
    // All the rules in start..end say the same and perhaps more.
    let shared = &rules[start..end];
    if shared.iter().any(|rule| rule.steps.len() == new.steps.len()) {
        return;
    }
    if shared.iter().all(|rule| rule.action == new.action) {
        rules.splice(start..end, [new]);
    } else {
        rules.insert(end, new);
    }
}

/// Where a step belongs among rules that share all before it.
enum Place {
    /// These begin with it.
    Shared(Range<usize>),
    /// None does.
    Before(usize),
}

fn place(rules: &[Checked], range: Range<usize>, depth: usize, step: &Step) -> Place {
    let mut at = range.start;
    while let Some(theirs) = rules[at..range.end].first().map(|rule| &rule.steps[depth]) {
        // One comparison, with a way on for either outcome.
        let kin = |other: &Step| other.same(theirs) || other.opposite(theirs);
        let end = at + count(&rules[at..range.end], depth, kin);
        if kin(step) {
            let other = count(&rules[at..end], depth, |other| !other.same(step));
            let start = at + other;
            let same = count(&rules[start..end], depth, |other| other.same(step));
            return if same > 0 { Place::Shared(start..start + same) } else { Place::Before(end) };
        }
        // It stands where the first rule put it.
        let first = rules[at..end].iter().min_by_key(|rule| rule.turn);
        if first.is_some_and(|rule| rule.steps[depth].after(step)) {
            return Place::Before(at);
        }
        at = end;
    }
    Place::Before(range.end)
}

/// How many rules at the start have such a step at this depth.
fn count(rules: &[Checked], depth: usize, such: impl Fn(&Step) -> bool) -> usize {
    let here = |rule: &&Checked| rule.steps.get(depth).is_some_and(&such);
    rules.iter().take_while(here).count()
}

/// Low and high half of a number.
pub(crate) fn halves(value: u64) -> (u32, u32) {
    #[allow(clippy::cast_possible_truncation, reason = "the low half is wanted")]
    (value as u32, (value >> 32) as u32)
}
