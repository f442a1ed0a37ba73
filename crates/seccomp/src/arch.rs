//! What the kernel and the filter need to know of an architecture.

use crate::profile::Arch;

/// `__AUDIT_ARCH_64BIT`
const WIDE: u32 = 0x8000_0000;
/// `__AUDIT_ARCH_LE`
const LITTLE: u32 = 0x4000_0000;
/// `__AUDIT_ARCH_CONVENTION_MIPS64_N32`
const N32: u32 = 0x2000_0000;

/// The bit that marks the number of an x32 call.
pub(crate) const X32_BIT: u32 = 0x4000_0000;

/// An architecture as a filter sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traits {
    /// `seccomp_data.arch`, an `AUDIT_ARCH_…` value.
    pub(crate) token: u32,
    /// The column of the number table.
    pub(crate) column: usize,
    /// Added to the number in the table.
    pub(crate) base: u32,
    /// Arguments have 64 bits. On the others only the low half of an argument counts.
    pub(crate) wide: bool,
    /// Big-endian: the high half of an argument lies first.
    pub(crate) big: bool,
    /// socketcall(2) and ipc(2) stand for whole families of syscalls.
    pub(crate) multiplexed: bool,
}

impl Arch {
    /// The architecture that this program was built for.
    pub const fn native() -> Self {
        NATIVE
    }

    pub(crate) const fn traits(self) -> Traits {
        // The ELF machine numbers are those of <linux/elf-em.h>.
        let (token, column, base, multiplexed) = match self {
            Self::X86 => (3 | LITTLE, 0, 0, true),
            Self::X86_64 => (62 | WIDE | LITTLE, 1, 0, false),
            Self::X32 => (62 | WIDE | LITTLE, 2, X32_BIT, false),
            Self::Arm => (40 | LITTLE, 3, 0, false),
            Self::Aarch64 => (183 | WIDE | LITTLE, 4, 0, false),
            Self::LoongArch64 => (258 | WIDE | LITTLE, 5, 0, false),
            Self::M68k => (4, 6, 0, true),
            Self::Mips => (8, 7, 4000, true),
            Self::Mipsel => (8 | LITTLE, 7, 4000, true),
            Self::Mips64 => (8 | WIDE, 8, 5000, false),
            Self::Mipsel64 => (8 | WIDE | LITTLE, 8, 5000, false),
            Self::Mips64N32 => (8 | WIDE | N32, 9, 6000, false),
            Self::Mipsel64N32 => (8 | WIDE | LITTLE | N32, 9, 6000, false),
            Self::Parisc => (15, 10, 0, false),
            Self::Parisc64 => (15 | WIDE, 11, 0, false),
            Self::Ppc => (20, 12, 0, true),
            Self::Ppc64 => (21 | WIDE, 13, 0, true),
            Self::Ppc64Le => (21 | WIDE | LITTLE, 13, 0, true),
            Self::Riscv64 => (243 | WIDE | LITTLE, 14, 0, false),
            Self::S390 => (22, 15, 0, true),
            Self::S390X => (22 | WIDE, 16, 0, true),
            Self::Sh => (42 | LITTLE, 17, 0, true),
            Self::Sheb => (42, 17, 0, true),
        };
        // The token of x32 and n32 says "64 bit" for the kernel's sake; their arguments have 32.
        let narrow = matches!(self, Self::X32 | Self::Mips64N32 | Self::Mipsel64N32);
        Traits {
            token,
            column,
            base,
            wide: token & WIDE != 0 && !narrow,
            big: token & LITTLE == 0,
            multiplexed,
        }
    }
}

const BIG_HOST: bool = cfg!(target_endian = "big");

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
const NATIVE: Arch = Arch::X86_64;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "32"))]
const NATIVE: Arch = Arch::X32;
#[cfg(target_arch = "x86")]
const NATIVE: Arch = Arch::X86;
#[cfg(target_arch = "aarch64")]
const NATIVE: Arch = Arch::Aarch64;
#[cfg(target_arch = "arm")]
const NATIVE: Arch = Arch::Arm;
#[cfg(target_arch = "riscv64")]
const NATIVE: Arch = Arch::Riscv64;
#[cfg(target_arch = "loongarch64")]
const NATIVE: Arch = Arch::LoongArch64;
#[cfg(target_arch = "s390x")]
const NATIVE: Arch = Arch::S390X;
#[cfg(target_arch = "m68k")]
const NATIVE: Arch = Arch::M68k;
#[cfg(target_arch = "powerpc")]
const NATIVE: Arch = Arch::Ppc;
#[cfg(target_arch = "powerpc64")]
const NATIVE: Arch = if BIG_HOST { Arch::Ppc64 } else { Arch::Ppc64Le };
#[cfg(target_arch = "mips")]
const NATIVE: Arch = if BIG_HOST { Arch::Mips } else { Arch::Mipsel };
#[cfg(all(target_arch = "mips64", target_pointer_width = "64"))]
const NATIVE: Arch = if BIG_HOST { Arch::Mips64 } else { Arch::Mipsel64 };
#[cfg(all(target_arch = "mips64", target_pointer_width = "32"))]
const NATIVE: Arch = if BIG_HOST { Arch::Mips64N32 } else { Arch::Mipsel64N32 };

// A program built for one byte order and told of the other would read arguments wrongly without any error.
const _: () = assert!(BIG_HOST == NATIVE.traits().big);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_those_of_the_audit_header() {
        for (arch, token) in [
            (Arch::X86, 0x4000_0003),
            (Arch::X86_64, 0xc000_003e),
            (Arch::X32, 0xc000_003e),
            (Arch::Arm, 0x4000_0028),
            (Arch::Aarch64, 0xc000_00b7),
            (Arch::Mips64N32, 0xa000_0008),
            (Arch::Ppc64Le, 0xc000_0015),
            (Arch::S390X, 0x8000_0016),
            (Arch::Riscv64, 0xc000_00f3),
            (Arch::LoongArch64, 0xc000_0102),
        ] {
            assert_eq!(arch.traits().token, token, "{arch:?}");
        }
        assert!(!Arch::X32.traits().wide && !Arch::Mips64N32.traits().wide);
        assert!(Arch::Mips64.traits().wide && Arch::Mips64.traits().big);
    }
}
