//! The program, run by a small interpreter.

use std::os::fd::AsFd;

use proptest::prelude::*;

use super::super::policy::Policy;
use super::super::table::{ANY_MAJOR, ANY_MINOR, Table};
use super::super::testing::{access, any_rule, naive, rule};
use super::*;
use crate::model::{Access, DeviceKind, DeviceRule};

const LOAD_IMM_64: u8 = 0x18;

/// What the kernel would be asked, as `struct bpf_cgroup_dev_ctx`.
#[derive(Clone, Copy)]
struct Context([u32; 3]);

/// What a register holds.
#[derive(Clone, Copy)]
enum Value {
    Number(u64),
    Context,
    /// An address so many bytes into the table.
    Table(u64),
}

impl Value {
    fn number(self) -> u64 {
        let Self::Number(n) = self else { panic!("arithmetic with an address") };
        n
    }
}

/// Runs a program as the kernel would; panics where the verifier would refuse.
fn run(program: &[Insn], table: &[u64], context: Context) -> u64 {
    let mut registers = [None; 10];
    registers[usize::from(CONTEXT)] = Some(Value::Context);
    let mut at = 0_usize;
    for _ in 0..program.len() {
        let insn = program[at];
        let value = || registers[usize::from(insn.dst())].expect("a register that was set");
        let source = || registers[usize::from(insn.src())].expect("a register that was set");
        let imm = i64::from(insn.imm).cast_unsigned();
        let number = |n| Some(Value::Number(n));
        let offset = u64::try_from(insn.off).expect("forward");
        let mut jump = false;
        let result = match insn.code {
            LOAD_IMM_64 => {
                at += 1;
                Some(Value::Table(0))
            }
            LOAD_W => match source() {
                Value::Context => {
                    number(u64::from(context.0[usize::from(insn.off.cast_unsigned() / 4)]))
                }
                _ => panic!("reads four bytes elsewhere"),
            },
            LOAD_DW => match source() {
                Value::Table(byte) if (byte + offset).is_multiple_of(8) => {
                    number(table[usize::try_from((byte + offset) / 8).expect("index")])
                }
                _ => panic!("reads eight bytes elsewhere"),
            },
            MOV_IMM => number(imm),
            MOV_REG => Some(source()),
            AND_IMM => number(value().number() & imm),
            OR_IMM => number(value().number() | imm),
            OR_REG => number(value().number() | source().number()),
            XOR_REG => number(value().number() ^ source().number()),
            LSH_IMM => number(value().number() << imm),
            RSH_IMM => number(value().number() >> imm),
            MUL_REG => number(value().number().wrapping_mul(source().number())),
            ADD_REG => match source() {
                Value::Table(byte) => Some(Value::Table(byte + value().number())),
                _ => panic!("adds no address"),
            },
            JEQ_REG => {
                jump = value().number() == source().number();
                registers[usize::from(insn.dst())]
            }
            JGT_IMM => {
                jump = value().number() > imm;
                registers[usize::from(insn.dst())]
            }
            JLE_IMM => {
                jump = value().number() <= imm;
                registers[usize::from(insn.dst())]
            }
            EXIT => return registers[0].expect("an answer").number(),
            other => panic!("instruction {other:#x}"),
        };
        registers[usize::from(insn.dst())] = result;
        at += 1;
        if jump {
            at += usize::try_from(offset).expect("forward");
        }
    }
    panic!("no end")
}

/// A program and its table.
struct Filter(Vec<Insn>, Table);

impl Filter {
    fn new(rules: &[DeviceRule]) -> Self {
        let table = Table::new(&Policy::new(rules)).expect("table");
        // Which descriptor it is does not matter to the interpreter.
        Self(generate(std::io::stdin().as_fd(), table.bits), table)
    }

    fn allows(&self, kind: DeviceKind, major: u32, minor: u32, access: Access) -> bool {
        let kind = if kind == DeviceKind::Block { 1 } else { 2 };
        let bit = |has: bool, bit: u32| if has { bit } else { 0 };
        let access = bit(access.mknod, 1) | bit(access.read, 2) | bit(access.write, 4);
        run(&self.0, &self.1.words, Context([access << 16 | kind, major, minor])) == 1
    }
}

#[test]
fn operands_are_what_they_stand_for() {
    for bits in [ANY_MAJOR, ANY_MINOR, ACCESS_MASK] {
        assert_eq!(i64::from(imm(bits)).cast_unsigned(), bits);
    }
}

#[test]
fn nothing_and_everything() {
    let none = Filter::new(&[rule(false, "a *:* rwm")]);
    assert!(!none.allows(DeviceKind::Char, 1, 3, access("r")));
    let all = Filter::new(&[rule(true, "a *:* rwm")]);
    assert!(all.allows(DeviceKind::Block, 8, 0, access("rwm")));
}

#[test]
fn accesses_from_two_rules_add_up() {
    let filter = Filter::new(&[rule(true, "c 1:* r"), rule(true, "c 1:3 w")]);
    assert!(filter.allows(DeviceKind::Char, 1, 3, access("rw")));
    assert!(!filter.allows(DeviceKind::Char, 1, 3, access("rwm")));
    assert!(!filter.allows(DeviceKind::Char, 1, 4, access("rw")));
}

#[test]
fn numbers_out_of_range_pass_for_no_others() {
    let filter =
        Filter::new(&[rule(true, "c 1:* rwm"), rule(true, "b *:3 rwm"), rule(true, "c 1:3 rwm")]);
    for (major, minor) in
        [(0, 1 << 20 | 3), (1, 1 << 20 | 3), (1 << 12 | 1, 3), (u32::MAX, 3), (1 << 31, 3)]
    {
        assert!(!filter.allows(DeviceKind::Char, major, minor, access("r")), "{major}:{minor}");
    }
    assert!(!filter.allows(DeviceKind::Block, 0, u32::MAX, access("r")));
    assert!(filter.allows(DeviceKind::Char, 1, (1 << 20) - 1, access("r")));
}

#[test]
fn the_same_for_all() {
    let filter = Filter::new(&[]);
    assert_eq!(filter.0.len(), 57);
    let many: Vec<_> = (0..500).map(|n| rule(true, &format!("c 1:{n} rwm"))).collect();
    let large = Filter::new(&many);
    let differ = filter.0.iter().zip(&large.0).filter(|(a, b)| a != b).count();
    assert_eq!((large.0.len(), differ), (57, 4), "only the size of the table, in four places");
}

proptest! {
    #[test]
    fn programs_mean_what_the_rules_mean(
        rules in prop::collection::vec(any_rule(), 0..12), probe in any_rule(),
    ) {
        let filter = Filter::new(&rules);
        for kind in [DeviceKind::Char, DeviceKind::Block] {
            for (major, minor) in [(0, 0), (0, 1), (1, 0), (1, 1), (0, 7), (7, 0), (7, 7)] {
                prop_assert_eq!(
                    filter.allows(kind, major, minor, probe.access),
                    naive(&rules, kind, major, minor, probe.access)
                );
            }
        }
    }
}
