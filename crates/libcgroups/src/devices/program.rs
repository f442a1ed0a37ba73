//! A policy as an eBPF program of type `BPF_PROG_TYPE_CGROUP_DEVICE`.
//!
//! The kernel runs it at each open and mknod of a device with a [`DevCtx`]; it answers 1 for "go on", 0 for `EPERM`.
//!
//! ```text
//! r2 = type, r3 = accesses still to be answered, r4 = major, r5 = minor, r6 = both numbers in one
//! one list for character devices, one for block devices; in it for each rule, the last one first:
//!     unless the numbers are the rule's:  go to the next rule
//!     deny:   if r3 has an access of the rule: answer 0
//!     allow:  take the rule's accesses out of r3; if none is left: answer 1
//! answer the default
//! ```
//!
//! Loading is the slow part, as the verifier walks every path anew for which it knows something else of a register.
//! Two lists, and one comparison for both numbers, leave one path from rule to rule: the time grows with the number
//! of rules and not with its square (20 rules: 40 µs instead of 200).

use sys::bpf::Insn;

use super::policy::Policy;
use crate::error::{Error, Result};
use crate::model::{Access, DeviceKind, DeviceRule};

/// `struct bpf_cgroup_dev_ctx`, what a program is asked.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct DevCtx {
    /// Accesses in the upper half (mknod 1, read 2, write 4), kind in the lower (block 1, char 2).
    pub access_type: u32,
    /// Device number.
    pub major: u32,
    /// Device number.
    pub minor: u32,
}

const ACC_MKNOD: i32 = 1;
const ACC_READ: i32 = 2;
const ACC_WRITE: i32 = 4;
const ACC_ALL: i32 = ACC_MKNOD | ACC_READ | ACC_WRITE;
const DEV_CHAR: i32 = 2;

/// How many bits device numbers have (`MINORBITS` of the kernel, and the rest of a `dev_t`).
const MINOR_BITS: u32 = 20;
const MAX_MINOR: u32 = (1 << MINOR_BITS) - 1;
const MAX_MAJOR: u32 = (1 << (32 - MINOR_BITS)) - 1;

const R0: u8 = 0;
const R1: u8 = 1;
const TYPE: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const NUMBERS: u8 = 6;

// Instruction codes: class | operation | source, all with 32-bit operands (JMP32 is of Linux 5.1).
const LOAD_W: u8 = 0x61;
const AND_IMM: u8 = 0x54;
const SHL_IMM: u8 = 0x64;
const SHR_IMM: u8 = 0x74;
const OR_REG: u8 = 0x4c;
const MOV_IMM: u8 = 0xb4;
const MOV_REG: u8 = 0xbc;
const JNE_IMM: u8 = 0x56;
const JLE_IMM: u8 = 0xb6;
const JSET_IMM: u8 = 0x46;
const JUMP: u8 = 0x05;
const EXIT: u8 = 0x95;

/// The program for a policy.
///
/// # Errors
/// For more than about ten thousand rules, over which no jump reaches.
pub fn generate(policy: &Policy) -> Result<Vec<Insn>> {
    let mut program = vec![
        Insn::new(LOAD_W, TYPE, R1, 0, 0),
        Insn::new(MOV_REG, ACCESS, TYPE, 0, 0),
        Insn::new(AND_IMM, TYPE, 0, 0, 0xffff),
        Insn::new(SHR_IMM, ACCESS, 0, 0, 16),
        Insn::new(LOAD_W, MAJOR, R1, 4, 0),
        Insn::new(LOAD_W, MINOR, R1, 8, 0),
    ];
    // Numbers that do not fit together must not pass for others.
    for (register, max) in [(MAJOR, MAX_MAJOR), (MINOR, MAX_MINOR)] {
        program.push(Insn::new(JLE_IMM, register, 0, 2, max.cast_signed()));
        answer(false, &mut program);
    }
    program.extend([
        Insn::new(MOV_REG, NUMBERS, MAJOR, 0, 0),
        Insn::new(SHL_IMM, NUMBERS, 0, 0, MINOR_BITS.cast_signed()),
        Insn::new(OR_REG, NUMBERS, MINOR, 0, 0),
    ]);
    let char_rules = list(policy, DeviceKind::Char);
    let to_block_rules = i16::try_from(char_rules.len())
        .map_err(|_| Error::message("set device rules: too many for one program"))?;
    program.push(Insn::new(JNE_IMM, TYPE, 0, to_block_rules, DEV_CHAR));
    program.extend(char_rules);
    program.extend(list(policy, DeviceKind::Block));
    Ok(program)
}

fn answer(allow: bool, program: &mut Vec<Insn>) {
    program.push(Insn::new(MOV_IMM, R0, 0, 0, i32::from(allow)));
    program.push(Insn::new(EXIT, 0, 0, 0, 0));
}

/// The rules about one kind of device, to the end.
fn list(policy: &Policy, kind: DeviceKind) -> Vec<Insn> {
    let mut program = Vec::new();
    let about = |rule: &&DeviceRule| rule.kind == kind || rule.kind == DeviceKind::All;
    for rule in policy.rules.iter().rev().filter(about) {
        let test = match (rule.major, rule.minor) {
            // No device has such a number.
            (Some(major), _) if major > MAX_MAJOR => continue,
            (_, Some(minor)) if minor > MAX_MINOR => continue,
            (Some(major), Some(minor)) => Some((NUMBERS, major << MINOR_BITS | minor)),
            (Some(major), None) => Some((MAJOR, major)),
            (None, Some(minor)) => Some((MINOR, minor)),
            (None, None) => None,
        };
        let verdict = verdict(rule);
        if let Some((register, value)) = test {
            // At most 4.
            #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
            let over = verdict.len() as i16;
            program.push(Insn::new(JNE_IMM, register, 0, over, value.cast_signed()));
        }
        program.extend(verdict);
        if test.is_none() && rule.access == Access::ALL {
            // The verifier refuses what nothing leads to.
            return program;
        }
    }
    answer(policy.default_allow, &mut program);
    program
}

/// What to do for a device that the rule is about; falls through when that leaves the question open.
fn verdict(rule: &DeviceRule) -> Vec<Insn> {
    let mut program = Vec::with_capacity(4);
    let bits = access_bits(rule.access);
    if bits != ACC_ALL && rule.allow {
        program.push(Insn::new(AND_IMM, ACCESS, 0, 0, ACC_ALL & !bits));
        program.push(Insn::new(JNE_IMM, ACCESS, 0, 2, 0));
    } else if bits != ACC_ALL {
        program.push(Insn::new(JSET_IMM, ACCESS, 0, 1, bits));
        program.push(Insn::new(JUMP, 0, 0, 2, 0));
    }
    answer(rule.allow, &mut program);
    program
}

/// The kernel's bits for accesses.
fn access_bits(access: Access) -> i32 {
    let bit = |has: bool, bit: i32| if has { bit } else { 0 };
    bit(access.mknod, ACC_MKNOD) | bit(access.read, ACC_READ) | bit(access.write, ACC_WRITE)
}

#[cfg(test)]
mod tests;
