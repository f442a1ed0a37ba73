//! The spellings of the runtime-spec. The same tables serve the reader of config.json and the `features` verb.

use crate::profile::{Action, Arch, Flag, Op};

/// EPERM, the errno when a profile names none.
const EPERM: u16 = 1;

/// Every action, with the errno it has when the profile names none.
pub const ACTIONS: &[(&str, Action)] = &[
    ("SCMP_ACT_ALLOW", Action::Allow),
    ("SCMP_ACT_ERRNO", Action::Errno(EPERM)),
    ("SCMP_ACT_KILL", Action::KillThread),
    ("SCMP_ACT_KILL_PROCESS", Action::KillProcess),
    ("SCMP_ACT_KILL_THREAD", Action::KillThread),
    ("SCMP_ACT_LOG", Action::Log),
    ("SCMP_ACT_NOTIFY", Action::Notify),
    ("SCMP_ACT_TRACE", Action::Trace(EPERM)),
    ("SCMP_ACT_TRAP", Action::Trap),
];

/// Every operator.
pub const OPERATORS: &[(&str, Op)] = &[
    ("SCMP_CMP_EQ", Op::Equal),
    ("SCMP_CMP_GE", Op::GreaterOrEqual),
    ("SCMP_CMP_GT", Op::Greater),
    ("SCMP_CMP_LE", Op::LessOrEqual),
    ("SCMP_CMP_LT", Op::Less),
    ("SCMP_CMP_MASKED_EQ", Op::MaskedEqual),
    ("SCMP_CMP_NE", Op::NotEqual),
];

/// Every architecture.
pub const ARCHITECTURES: &[(&str, Arch)] = &[
    ("SCMP_ARCH_AARCH64", Arch::Aarch64),
    ("SCMP_ARCH_ARM", Arch::Arm),
    ("SCMP_ARCH_LOONGARCH64", Arch::LoongArch64),
    ("SCMP_ARCH_M68K", Arch::M68k),
    ("SCMP_ARCH_MIPS", Arch::Mips),
    ("SCMP_ARCH_MIPS64", Arch::Mips64),
    ("SCMP_ARCH_MIPS64N32", Arch::Mips64N32),
    ("SCMP_ARCH_MIPSEL", Arch::Mipsel),
    ("SCMP_ARCH_MIPSEL64", Arch::Mipsel64),
    ("SCMP_ARCH_MIPSEL64N32", Arch::Mipsel64N32),
    ("SCMP_ARCH_PARISC", Arch::Parisc),
    ("SCMP_ARCH_PARISC64", Arch::Parisc64),
    ("SCMP_ARCH_PPC", Arch::Ppc),
    ("SCMP_ARCH_PPC64", Arch::Ppc64),
    ("SCMP_ARCH_PPC64LE", Arch::Ppc64Le),
    ("SCMP_ARCH_RISCV64", Arch::Riscv64),
    ("SCMP_ARCH_S390", Arch::S390),
    ("SCMP_ARCH_S390X", Arch::S390X),
    ("SCMP_ARCH_SH", Arch::Sh),
    ("SCMP_ARCH_SHEB", Arch::Sheb),
    ("SCMP_ARCH_X32", Arch::X32),
    ("SCMP_ARCH_X86", Arch::X86),
    ("SCMP_ARCH_X86_64", Arch::X86_64),
];

/// Every flag.
pub const FLAGS: &[(&str, Flag)] = &[
    ("SECCOMP_FILTER_FLAG_LOG", Flag::Log),
    ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", Flag::SpecAllow),
    ("SECCOMP_FILTER_FLAG_TSYNC", Flag::Tsync),
    ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", Flag::WaitKillableRecv),
];

fn value<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    let found = table.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value)
}

fn name<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    let found = table.iter().find(|(_, known)| known == value);
    found.map_or("", |(name, _)| name)
}

impl Arch {
    /// From `SCMP_ARCH_…`.
    pub fn from_name(name: &str) -> Option<Self> {
        value(ARCHITECTURES, name)
    }

    /// To `SCMP_ARCH_…`.
    pub fn name(self) -> &'static str {
        name(ARCHITECTURES, &self)
    }
}

impl Op {
    /// From `SCMP_CMP_…`.
    pub fn from_name(name: &str) -> Option<Self> {
        value(OPERATORS, name)
    }

    /// To `SCMP_CMP_…`.
    pub fn name(self) -> &'static str {
        name(OPERATORS, &self)
    }
}

impl Flag {
    /// From `SECCOMP_FILTER_FLAG_…`.
    pub fn from_name(name: &str) -> Option<Self> {
        value(FLAGS, name)
    }

    /// To `SECCOMP_FILTER_FLAG_…`.
    pub fn name(self) -> &'static str {
        name(FLAGS, &self)
    }
}

impl Action {
    /// From `SCMP_ACT_…`, with the errno or message that it has when none is given.
    pub fn from_name(name: &str) -> Option<Self> {
        value(ACTIONS, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_there_and_back() {
        for (name, arch) in ARCHITECTURES {
            assert_eq!((Arch::from_name(name), arch.name()), (Some(*arch), *name));
        }
        for (name, op) in OPERATORS {
            assert_eq!((Op::from_name(name), op.name()), (Some(*op), *name));
        }
        for (name, flag) in FLAGS {
            assert_eq!((Flag::from_name(name), flag.name()), (Some(*flag), *name));
        }
        assert_eq!(Arch::from_name("SCMP_ARCH_VAX"), None);
        assert_eq!(Arch::from_name("x86_64"), None);
    }

    #[test]
    fn actions_by_name() {
        assert_eq!(Action::from_name("SCMP_ACT_ERRNO"), Some(Action::Errno(1)));
        assert_eq!(Action::from_name("SCMP_ACT_KILL"), Some(Action::KillThread));
        assert_eq!(Action::from_name("SCMP_ACT_PANIC"), None);
    }
}
