//! Generated programs, run by a small interpreter.

use proptest::prelude::*;

use super::super::testing::{access, any_rule, naive, rule};
use super::*;

const DEV_BLOCK: i32 = 1;

/// Runs a program as the kernel would; panics where the verifier would refuse.
fn run(program: &[Insn], ctx: DevCtx) -> u32 {
    let mut registers = [None; 11];
    let mut at = 0_usize;
    for _ in 0..program.len() {
        let insn = program[at];
        let dst = usize::from(insn.dst());
        let value = || registers[dst].expect("a register that was set");
        let source = || registers[usize::from(insn.src())].expect("a register that was set");
        let imm = insn.imm.cast_unsigned();
        let mut jump = false;
        match insn.code {
            LOAD_W => {
                assert_eq!(insn.src(), R1, "only the context can be read");
                registers[dst] = Some(match insn.off {
                    0 => ctx.access_type,
                    4 => ctx.major,
                    8 => ctx.minor,
                    other => panic!("read at {other}"),
                });
            }
            AND_IMM => registers[dst] = Some(value() & imm),
            SHL_IMM => registers[dst] = Some(value() << imm),
            OR_REG => registers[dst] = Some(value() | source()),
            MOV_REG => registers[dst] = Some(source()),
            SHR_IMM => registers[dst] = Some(value() >> imm),
            MOV_IMM => registers[dst] = Some(imm),
            JNE_IMM => jump = value() != imm,
            JLE_IMM => jump = value() <= imm,
            JSET_IMM => jump = value() & imm != 0,
            JUMP => jump = true,
            EXIT => return registers[0].expect("an answer"),
            other => panic!("instruction {other:#x}"),
        }
        at += 1;
        if jump {
            at += usize::try_from(insn.off).expect("forward");
        }
    }
    panic!("no end")
}

fn program(rules: &[DeviceRule]) -> Vec<Insn> {
    generate(&Policy::new(rules)).expect("program")
}

fn ask(program: &[Insn], kind: DeviceKind, major: u32, minor: u32, access: Access) -> bool {
    let kind = if kind == DeviceKind::Block { DEV_BLOCK } else { DEV_CHAR };
    let access_type = ((access_bits(access) << 16) | kind).cast_unsigned();
    run(program, DevCtx { access_type, major, minor }) == 1
}

#[test]
fn nothing_and_everything() {
    let none = program(&[rule(false, "a *:* rwm")]);
    assert!(!ask(&none, DeviceKind::Char, 1, 3, access("r")));
    let all = program(&[rule(true, "a *:* rwm")]);
    assert!(ask(&all, DeviceKind::Block, 8, 0, access("rwm")));
}

#[test]
fn accesses_from_two_rules_add_up() {
    let code = program(&[rule(true, "c 1:* r"), rule(true, "c 1:3 w")]);
    assert!(ask(&code, DeviceKind::Char, 1, 3, access("rw")));
    assert!(!ask(&code, DeviceKind::Char, 1, 3, access("rwm")));
    assert!(!ask(&code, DeviceKind::Char, 1, 4, access("rw")));
}

#[test]
fn numbers_out_of_range_pass_for_nothing() {
    let mut rules = [rule(true, "a *:* rwm"), rule(false, "c 1:3 rwm")];
    rules[1].minor = Some(u32::MAX);
    for rules in [&rules[..], &rules[..1]] {
        let code = program(rules);
        assert!(!ask(&code, DeviceKind::Char, 0, 1 << 20, access("r")));
        assert!(!ask(&code, DeviceKind::Char, 1 << 12, 0, access("r")));
        assert!(ask(&code, DeviceKind::Char, (1 << 12) - 1, (1 << 20) - 1, access("r")));
    }
}

#[test]
fn a_program_is_as_long_as_it_must_be() {
    let rule = |n| DeviceRule { minor: Some(n), ..rule(true, "c 1:0 rwm") };
    let rules: Vec<_> = (0..20).map(rule).collect();
    assert_eq!(program(&rules).len(), 16 + 20 * 3 + 2 * 2);
    let many: Vec<_> = (0..20_000).map(rule).collect();
    generate(&Policy { default_allow: false, rules: many }).expect_err("too long");
}

proptest! {
    #[test]
    fn programs_mean_what_the_rules_mean(
        rules in prop::collection::vec(any_rule(), 0..12), probe in any_rule(),
    ) {
        let code = program(&rules);
        for kind in [DeviceKind::Char, DeviceKind::Block] {
            for (major, minor) in [(0, 0), (0, 1), (1, 0), (1, 1), (7, 7)] {
                prop_assert_eq!(
                    ask(&code, kind, major, minor, probe.access),
                    naive(&rules, kind, major, minor, probe.access)
                );
            }
        }
    }
}
