//! The eBPF program of type `BPF_PROG_TYPE_CGROUP_DEVICE` that answers from a [`Table`](super::table::Table).
//!
//! The kernel runs it at each open and mknod of a device; it answers 1 for "go on", 0 for `EPERM`. It is asked by
//! `struct bpf_cgroup_dev_ctx`: a word with the accesses in the upper half and the kind in the lower, the major and
//! the minor number.
//!
//! ```text
//! r3 = accesses asked for, r7 = kind, major and minor number as an entry of the table has them
//! four times, with r7 as it is, for any minor, for any major, for any of both:
//!     r9 = the entry in the place for r7, exclusive-or r7
//!     if only bits for accesses are left in r9: they are what is allowed, answer whether r3 has others
//! answer 0
//! ```
//!
//! It is the same for all containers but for the size of the table, and so is the time that the verifier takes, which
//! is most of what device rules cost. It calls no helper of the kernel.

use std::os::fd::BorrowedFd;

use sys::bpf::Insn;

use super::table::{
    ACCESS_MASK, ANY_MAJOR, ANY_MINOR, BLOCK, CHAR, KIND_SHIFT, MAJOR_SHIFT, MAX_MINOR, MINOR_SHIFT,
};

const ANSWER: u8 = 0;
/// The context at first, which is read before the table is.
const MULTIPLIER: u8 = 1;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
const WANTED: u8 = 3;
const MINOR: u8 = 4;
const EXACT: u8 = 5;
const TABLE: u8 = 6;
const KEY: u8 = 7;
const PLACE: u8 = 8;
const FOUND: u8 = 9;

// Instruction codes: class | operation | source. All operands have 64 bits but that of LOAD_W.
const LOAD_W: u8 = 0x61;
const LOAD_DW: u8 = 0x79;
const MOV_IMM: u8 = 0xb7;
const MOV_REG: u8 = 0xbf;
const AND_IMM: u8 = 0x57;
const OR_IMM: u8 = 0x47;
const OR_REG: u8 = 0x4f;
const XOR_REG: u8 = 0xaf;
const LSH_IMM: u8 = 0x67;
const RSH_IMM: u8 = 0x77;
const ADD_REG: u8 = 0x0f;
const MUL_REG: u8 = 0x2f;
const JEQ_REG: u8 = 0x1d;
const JGT_IMM: u8 = 0x25;
const JLE_IMM: u8 = 0xb5;
const EXIT: u8 = 0x95;

/// Bytes of a word of the table, and the power of two that they are.
const WORD: i16 = 8;
const WORD_SHIFT: u32 = 3;

/// The program for a table of 2 to the power of `bits` places.
pub(super) fn generate(table: BorrowedFd<'_>, bits: u32) -> Vec<Insn> {
    let mut program = Vec::with_capacity(64);
    read_context(&mut program);
    let to_deny_large = program.len() - 1;
    program.extend(Insn::table_address(TABLE, table));
    program.push(op(LOAD_DW, MULTIPLIER, TABLE, 0, 0));

    let variants: [&[Insn]; 4] = [
        &[op(MOV_REG, EXACT, KEY, 0, 0)],
        &[op(OR_IMM, KEY, 0, 0, imm(ANY_MINOR))],
        &[op(MOV_REG, KEY, EXACT, 0, 0), op(OR_IMM, KEY, 0, 0, imm(ANY_MAJOR))],
        &[op(OR_IMM, KEY, 0, 0, imm(ANY_MINOR))],
    ];
    let mut to_hit = [0; 4];
    for (variant, jump) in variants.iter().zip(&mut to_hit) {
        program.extend_from_slice(variant);
        find(bits, &mut program);
        *jump = program.len();
        program.push(op(JLE_IMM, FOUND, 0, 0, imm(ACCESS_MASK)));
    }
    // Not there at last: jumps over the verdict.
    let [.., last] = to_hit;
    program[last] = op(JGT_IMM, FOUND, 0, 3, imm(ACCESS_MASK));
    let hit = program.len();
    program.extend([
        op(OR_REG, WANTED, FOUND, 0, 0),
        op(MOV_IMM, ANSWER, 0, 0, 1),
        op(JEQ_REG, WANTED, FOUND, 1, 0),
    ]);
    let deny = program.len();
    program.extend([op(MOV_IMM, ANSWER, 0, 0, 0), op(EXIT, 0, 0, 0, 0)]);
    for (from, to) in [(to_deny_large, deny), (to_hit[0], hit), (to_hit[1], hit), (to_hit[2], hit)]
    {
        // A few dozen at most.
        #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
        let distance = (to - from - 1) as i16;
        program[from].off = distance;
    }
    program
}

/// Takes the context apart; the last instruction is a jump still to be aimed, for a minor number that would run over
/// into the major one.
fn read_context(program: &mut Vec<Insn>) {
    program.extend([
        op(LOAD_W, KIND, CONTEXT, 0, 0),
        op(LOAD_W, KEY, CONTEXT, 4, 0),
        op(LOAD_W, MINOR, CONTEXT, 8, 0),
        op(MOV_REG, WANTED, KIND, 0, 0),
        shift(RSH_IMM, WANTED, 16),
        op(AND_IMM, KIND, 0, 0, imm(BLOCK | CHAR)),
        shift(LSH_IMM, KEY, MAJOR_SHIFT - MINOR_SHIFT),
        op(OR_REG, KEY, MINOR, 0, 0),
        shift(LSH_IMM, KEY, MINOR_SHIFT - KIND_SHIFT),
        op(OR_REG, KEY, KIND, 0, 0),
        shift(LSH_IMM, KEY, KIND_SHIFT),
        op(JGT_IMM, MINOR, 0, 0, MAX_MINOR.cast_signed()),
    ]);
}

/// Puts what is in the place for the key, without the key, into FOUND.
fn find(bits: u32, program: &mut Vec<Insn>) {
    program.extend([
        op(MOV_REG, PLACE, KEY, 0, 0),
        op(MUL_REG, PLACE, MULTIPLIER, 0, 0),
        shift(RSH_IMM, PLACE, u64::BITS - bits),
        shift(LSH_IMM, PLACE, WORD_SHIFT),
        op(ADD_REG, PLACE, TABLE, 0, 0),
        op(LOAD_DW, FOUND, PLACE, WORD, 0),
        op(XOR_REG, FOUND, KEY, 0, 0),
    ]);
}

/// Bits as an operand, of which instructions take 32 and extend the sign.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the upper bits are those of the sign, see the tests"
)]
const fn imm(bits: u64) -> i32 {
    bits as i32
}

const fn op(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Insn {
    Insn::new(code, dst, src, off, imm)
}

const fn shift(code: u8, register: u8, by: u32) -> Insn {
    Insn::new(code, register, 0, 0, by.cast_signed())
}

#[cfg(test)]
mod tests;
