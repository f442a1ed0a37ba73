//! An assembler that works from the end of the program to its start.
//!
//! Jumps of classic BPF go forward only. Building backwards, every target is there before the jump to it, so each
//! distance is known at once, and a conditional jump that does not reach gets an unconditional one beside it.

use crate::arch::Traits;
use crate::profile::Op;
use crate::program::Insn;
use crate::rules::{Condition, halves};

/// `BPF_LD | BPF_W | BPF_ABS`
const LOAD: u16 = 0x20;
/// `BPF_ALU | BPF_AND | BPF_K`
const AND: u16 = 0x54;
/// `BPF_RET | BPF_K`
const RETURN: u16 = 0x06;
/// `BPF_JMP | BPF_JA`
const JUMP: u16 = 0x05;

/// Conditional jumps, `BPF_JMP | … | BPF_K`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Test {
    Equal = 0x15,
    Greater = 0x25,
    GreaterOrEqual = 0x35,
}

/// Offsets in `struct seccomp_data`.
pub(crate) const NUMBER: u32 = 0;
pub(crate) const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

/// An instruction, counted from the end of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label(usize);

/// How far a return may be before a new one is cheaper than a longer jump.
const NEAR: usize = 200;

/// The program so far, last instruction first.
#[derive(Debug, Default)]
pub(crate) struct Emitter {
    backwards: Vec<Insn>,
    /// The latest return of each value.
    returns: Vec<(u32, Label)>,
}

impl Emitter {
    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Label {
        self.backwards.push(Insn { code, jt, jf, k });
        Label(self.backwards.len() - 1)
    }

    /// Instructions between the one pushed next and a target.
    fn distance(&self, target: Label) -> usize {
        self.backwards.len() - 1 - target.0
    }

    /// Ends the filter with a `SECCOMP_RET_…` value.
    pub(crate) fn ret(&mut self, value: u32) -> Label {
        let known = self.returns.iter().position(|(other, _)| *other == value);
        if let Some(known) = known
            && self.backwards.len() - self.returns[known].1.0 < NEAR
        {
            return self.returns[known].1;
        }
        let label = self.push(RETURN, 0, 0, value);
        match known {
            Some(known) => self.returns[known].1 = label,
            None => self.returns.push((value, label)),
        }
        label
    }

    fn jump(&mut self, target: Label) -> Label {
        // Past u32 the program is far beyond the limit that `finish`'s caller checks.
        let distance = u32::try_from(self.distance(target)).unwrap_or(u32::MAX);
        self.push(JUMP, 0, 0, distance)
    }

    /// A target within the reach of a conditional jump, even when one more jump is put between.
    fn reach(&mut self, target: Label) -> Label {
        if self.distance(target) < usize::from(u8::MAX) { target } else { self.jump(target) }
    }

    /// Compares the accumulator with `k`.
    pub(crate) fn branch(&mut self, test: Test, k: u32, yes: Label, no: Label) -> Label {
        if yes == no {
            return yes;
        }
        let yes = self.reach(yes);
        let no = self.reach(no);
        let skip = |emitter: &Self, to| u8::try_from(emitter.distance(to)).unwrap_or(u8::MAX);
        let (jt, jf) = (skip(self, yes), skip(self, no));
        self.push(test as u16, jt, jf, k)
    }

    /// An instruction that goes on to the next one.
    fn then(&mut self, code: u16, k: u32, next: Label) -> Label {
        if self.distance(next) != 0 {
            self.jump(next);
        }
        self.push(code, 0, 0, k)
    }

    /// Loads a word of `struct seccomp_data`.
    pub(crate) fn load(&mut self, offset: u32, next: Label) -> Label {
        self.then(LOAD, offset, next)
    }

    /// Decides one condition on an argument.
    pub(crate) fn condition(
        &mut self,
        arch: &Traits,
        condition: &Condition,
        yes: Label,
        no: Label,
    ) -> Label {
        match condition.op {
            Op::Equal | Op::MaskedEqual => self.equal(arch, condition, yes, no),
            Op::NotEqual => self.equal(arch, condition, no, yes),
            Op::GreaterOrEqual => self.order(Test::GreaterOrEqual, arch, condition, yes, no),
            Op::Less => self.order(Test::GreaterOrEqual, arch, condition, no, yes),
            Op::Greater => self.order(Test::Greater, arch, condition, yes, no),
            Op::LessOrEqual => self.order(Test::Greater, arch, condition, no, yes),
        }
    }

    fn equal(&mut self, arch: &Traits, condition: &Condition, yes: Label, no: Label) -> Label {
        let (low_at, high_at) = halves_at(arch, condition.arg);
        let (mask_low, mask_high) = halves(condition.mask);
        let (low, high) = halves(condition.value);
        let yes = self.equal_half(low_at, mask_low, low, yes, no);
        if arch.wide { self.equal_half(high_at, mask_high, high, yes, no) } else { yes }
    }

    fn equal_half(&mut self, at: u32, mask: u32, value: u32, yes: Label, no: Label) -> Label {
        if mask == 0 {
            return yes;
        }
        let mut label = self.branch(Test::Equal, value, yes, no);
        if mask != u32::MAX {
            label = self.then(AND, mask, label);
        }
        self.load(at, label)
    }

    /// Compares one argument with several values that have the high half in common; each has its `SECCOMP_RET_…` value.
    pub(crate) fn values(
        &mut self,
        arch: &Traits,
        values: impl DoubleEndedIterator<Item = (Condition, u32)>,
        no: Label,
    ) -> Label {
        let mut label = no;
        let mut common = None;
        for (condition, value) in values.rev() {
            let yes = self.ret(value);
            let (low, high) = halves(condition.value);
            label = self.branch(Test::Equal, low, yes, label);
            common = Some((condition.arg, high));
        }
        let Some((arg, high)) = common else { return no };
        let (low_at, high_at) = halves_at(arch, arg);
        label = self.load(low_at, label);
        if arch.wide {
            label = self.branch(Test::Equal, high, label, no);
            label = self.load(high_at, label);
        }
        label
    }

    /// `test` is for the low half, or for all of a narrow argument.
    fn order(
        &mut self,
        test: Test,
        arch: &Traits,
        condition: &Condition,
        yes: Label,
        no: Label,
    ) -> Label {
        let (low_at, high_at) = halves_at(arch, condition.arg);
        let (low, high) = halves(condition.value);
        let label = self.branch(test, low, yes, no);
        let low = self.load(low_at, label);
        if !arch.wide {
            return low;
        }
        let label = if high == 0 {
            // Nothing is less than 0, so what is not equal is greater.
            self.branch(Test::Equal, 0, low, yes)
        } else {
            let label = self.branch(Test::Equal, high, low, no);
            self.branch(Test::Greater, high, yes, label)
        };
        self.load(high_at, label)
    }

    /// The program, first instruction first.
    pub(crate) fn finish(mut self) -> Vec<Insn> {
        self.backwards.reverse();
        self.backwards
    }
}

/// Offsets of an argument's low and high half.
fn halves_at(arch: &Traits, arg: u8) -> (u32, u32) {
    let at = ARGUMENTS + 8 * u32::from(arg);
    if arch.big { (at + 4, at) } else { (at, at + 4) }
}
