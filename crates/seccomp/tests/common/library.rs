//! libseccomp, fed as runc feeds it.

use std::fs::File;
use std::io::{Read, Seek};
use std::sync::atomic::{AtomicU32, Ordering};

use libseccomp::{
    ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall,
};
use seccomp::{Action, Arch, ArgCondition, Insn, Op, Profile, Program, syscall_number};

use super::pseudo::Pseudo;
use super::{ALLOW, Call, ERRNO, KILL_PROCESS, KILL_THREAD, LOG, NOTIFY, TRACE, TRAP, token};

/// Architectures that every libseccomp since 2.5 knows.
pub const ARCHS: [(Arch, ScmpArch); 18] = [
    (Arch::X86, ScmpArch::X86),
    (Arch::X86_64, ScmpArch::X8664),
    (Arch::X32, ScmpArch::X32),
    (Arch::Arm, ScmpArch::Arm),
    (Arch::Aarch64, ScmpArch::Aarch64),
    (Arch::Mips, ScmpArch::Mips),
    (Arch::Mips64, ScmpArch::Mips64),
    (Arch::Mips64N32, ScmpArch::Mips64N32),
    (Arch::Mipsel, ScmpArch::Mipsel),
    (Arch::Mipsel64, ScmpArch::Mipsel64),
    (Arch::Mipsel64N32, ScmpArch::Mipsel64N32),
    (Arch::Ppc, ScmpArch::Ppc),
    (Arch::Ppc64, ScmpArch::Ppc64),
    (Arch::Ppc64Le, ScmpArch::Ppc64Le),
    (Arch::S390, ScmpArch::S390),
    (Arch::S390X, ScmpArch::S390X),
    (Arch::Parisc, ScmpArch::Parisc),
    (Arch::Riscv64, ScmpArch::Riscv64),
];

/// Those that came later, or that not every release numbers in the same way.
const NEWER_ARCHS: [(Arch, ScmpArch); 5] = [
    (Arch::Parisc64, ScmpArch::Parisc64),
    (Arch::LoongArch64, ScmpArch::Loongarch64),
    (Arch::M68k, ScmpArch::M68k),
    (Arch::Sh, ScmpArch::Sh),
    (Arch::Sheb, ScmpArch::Sheb),
];

/// Every architecture that the installed libseccomp knows.
pub fn known_archs() -> Vec<Arch> {
    let all = ARCHS.iter().chain(&NEWER_ARCHS);
    let known = all.filter(|(_, theirs)| {
        let mut filter = ScmpFilterContext::new(ScmpAction::Allow).unwrap();
        // Beside another byte order none can be added.
        filter.remove_arch(ScmpArch::Native).unwrap();
        filter.add_arch(*theirs).is_ok()
    });
    known.map(|(ours, _)| *ours).collect()
}

pub fn theirs(arch: Arch) -> ScmpArch {
    ARCHS.iter().chain(&NEWER_ARCHS).find(|(ours, _)| *ours == arch).unwrap().1
}

/// The number that libseccomp gives a name; from -199 to -100 for calls of socketcall(2), from -299 to -200 for those
/// of ipc(2).
pub fn their_number(name: &str, arch: Arch) -> Option<i32> {
    let number = ScmpSyscall::from_name_by_arch(name, theirs(arch));
    number.ok().map(|number| number.as_raw_syscall())
}

/// The number of the multiplexer that carries a call, and the call's number there.
pub fn multiplexer(name: &str, arch: Arch) -> Option<(u32, u64)> {
    let multiplexes = matches!(
        arch,
        Arch::X86
            | Arch::M68k
            | Arch::Mips
            | Arch::Mipsel
            | Arch::Ppc
            | Arch::Ppc64
            | Arch::Ppc64Le
            | Arch::S390
            | Arch::S390X
            | Arch::Sh
            | Arch::Sheb
    );
    let base = if matches!(arch, Arch::Mips | Arch::Mipsel) { 4000 } else { 0 };
    let number = their_number(name, arch).filter(|_| multiplexes)?;
    let call = u64::from(number.unsigned_abs() % 100);
    match number {
        -199..=-100 => Some((base + 102, call)),
        -299..=-200 => Some((base + 117, call)),
        _ => None,
    }
}

pub fn action(action: Action) -> ScmpAction {
    match action {
        Action::KillProcess => ScmpAction::KillProcess,
        Action::KillThread => ScmpAction::KillThread,
        Action::Trap => ScmpAction::Trap,
        Action::Errno(errno) => ScmpAction::Errno(errno.into()),
        Action::Notify => ScmpAction::Notify,
        Action::Trace(message) => ScmpAction::Trace(message),
        Action::Log => ScmpAction::Log,
        Action::Allow => ScmpAction::Allow,
    }
}

pub fn comparison(condition: &ArgCondition) -> ScmpArgCompare {
    let (op, value) = match condition.op {
        Op::NotEqual => (ScmpCompareOp::NotEqual, condition.value),
        Op::Less => (ScmpCompareOp::Less, condition.value),
        Op::LessOrEqual => (ScmpCompareOp::LessOrEqual, condition.value),
        Op::Equal => (ScmpCompareOp::Equal, condition.value),
        Op::GreaterOrEqual => (ScmpCompareOp::GreaterEqual, condition.value),
        Op::Greater => (ScmpCompareOp::Greater, condition.value),
        Op::MaskedEqual => (ScmpCompareOp::MaskedEqual(condition.value), condition.value_two),
    };
    ScmpArgCompare::new(condition.index.into(), op, value)
}

/// libseccomp's filter, made as runc makes it. `None` when libseccomp refuses a rule.
pub fn filter(profile: &Profile, native: Arch) -> Option<ScmpFilterContext> {
    let mut filter = ScmpFilterContext::new(action(profile.default_action)).ok()?;
    if native != Arch::native() {
        // Before the other is there, whose byte order may differ.
        filter.remove_arch(ScmpArch::Native).unwrap();
        filter.add_arch(theirs(native)).ok()?;
    }
    for arch in &profile.architectures {
        filter.add_arch(theirs(*arch)).ok()?;
    }
    for rule in &profile.rules {
        if rule.action == profile.default_action {
            continue;
        }
        let mut seen = [0; 6];
        for arg in &rule.args {
            seen[usize::from(arg.index)] += 1;
        }
        let split = seen.iter().any(|count| *count > 1);
        for name in &rule.names {
            let Ok(number) = ScmpSyscall::from_name(name) else {
                continue;
            };
            let all: Vec<_> = rule.args.iter().map(comparison).collect();
            let each = if split { 1 } else { all.len().max(1) };
            if all.is_empty() {
                filter.add_rule(action(rule.action), number).ok()?;
            }
            for part in all.chunks(each) {
                filter.add_rule_conditional(action(rule.action), number, part).ok()?;
            }
        }
    }
    Some(filter)
}

/// What `export` writes. A file, not a pipe: libseccomp keeps the descriptor open when it fails.
pub fn exported(export: impl FnOnce(&File) -> bool) -> Option<Vec<u8>> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("seccomp-oracle-{}-{count}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut options = File::options();
    let mut file = options.read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let done = export(&file);
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    done.then_some(bytes)
}

pub fn bpf(filter: &mut ScmpFilterContext, native: Arch) -> Vec<Insn> {
    // As runc does for long profiles; without it, the BPF is wrong more often.
    bpf_optimized(filter, native, 2)
}

/// `level` 1 lists the numbers one by one, 2 makes a search tree.
pub fn bpf_optimized(filter: &mut ScmpFilterContext, native: Arch, level: u32) -> Vec<Insn> {
    let foreign = (token(native) & 0x4000_0000 == 0) != cfg!(target_endian = "big");
    filter.set_ctl_optimize(level).unwrap();
    let bytes = exported(|to| filter.export_bpf(to).is_ok()).unwrap();
    let mut program = Program::from_bytes(&bytes, 0).unwrap().instructions;
    // It is written in the byte order of the architectures that it is for.
    if foreign {
        for insn in &mut program {
            (insn.code, insn.k) = (insn.code.swap_bytes(), insn.k.swap_bytes());
            // But for some of the answers.
            if insn.code == 6 && !is_answer(insn.k) {
                insn.k = insn.k.swap_bytes();
            }
        }
    }
    program
}

fn is_answer(value: u32) -> bool {
    match value & 0xffff_0000 {
        ERRNO | TRACE => true,
        KILL_PROCESS | KILL_THREAD | TRAP | NOTIFY | LOG | ALLOW => value & 0xffff == 0,
        _ => false,
    }
}

pub fn pseudo(filter: &ScmpFilterContext) -> Option<Pseudo> {
    let bytes = exported(|to| filter.export_pfc(to).is_ok())?;
    Some(Pseudo::parse(&String::from_utf8(bytes).unwrap()))
}

pub fn name(arch: Arch) -> String {
    arch.name().trim_start_matches("SCMP_ARCH_").to_lowercase()
}

/// What runc puts before libseccomp's filter, mended.
pub struct Stub(Vec<(Arch, u32)>);

impl Stub {
    pub fn new(profile: &Profile, native: Arch) -> Self {
        let mut largest = Vec::new();
        let permissive =
            matches!(profile.default_action, Action::Allow | Action::Log | Action::Trace(_));
        for arch in [native].iter().chain(&profile.architectures) {
            let numbers = profile.rules.iter().flat_map(|rule| &rule.names);
            // runc leaves out what socketcall(2) and ipc(2) do, so on some profiles it denies what a rule allows.
            let numbers = numbers.flat_map(|name| {
                let multiplexer = multiplexer(name, *arch).map(|(number, _)| number);
                [syscall_number(name, *arch), multiplexer].into_iter().flatten()
            });
            match numbers.max() {
                Some(number) if number > 0 && !permissive => largest.push((*arch, number)),
                _ => {}
            }
        }
        Self(largest)
    }

    pub fn hits(&self, call: &Call) -> bool {
        self.0.iter().any(|(arch, largest)| {
            let abi = match arch {
                Arch::X86_64 => call.number & 0x4000_0000 == 0,
                Arch::X32 => call.number & 0x4000_0000 != 0,
                _ => true,
            };
            let setup = matches!(arch, Arch::S390 | Arch::S390X) && call.number == 0;
            token(*arch) == call.token && abi && (call.number > *largest || setup)
        })
    }
}

/// Only names that the installed libseccomp numbers as we do on all of these architectures.
pub fn agreed(mut profile: Profile, native: Arch) -> Profile {
    let archs: Vec<Arch> = [native].into_iter().chain(profile.architectures.clone()).collect();
    for rule in &mut profile.rules {
        rule.names.retain(|name| agree(name, &archs));
    }
    profile
}

pub fn agree(name: &str, archs: &[Arch]) -> bool {
    archs.iter().all(|arch| {
        let theirs = ScmpSyscall::from_name_by_arch(name, theirs(*arch));
        let Ok(theirs) = theirs else { return false };
        let theirs = theirs.as_raw_syscall();
        // Numbers from -100 to -299 stand for calls of the multiplexers.
        (-299..=-100).contains(&theirs) || u32::try_from(theirs).ok() == syscall_number(name, *arch)
    })
}
