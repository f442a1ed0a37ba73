//! The number table against the tables of the `syscalls` crate, which come from the kernel's headers by another way.
//!
//! That crate gives 64-bit architectures the `…_time64` calls of 32-bit ones, spells some names otherwise and names
//! unused numbers, so a name may be missing here. A number that differs may not be.

use seccomp::{Arch, syscall_number};

macro_rules! check {
    ($($module:ident $arch:ident)*) => {
        let mut differ = Vec::new();
        let (mut same, mut missing) = (0, 0);
        $(
            for number in 0..7000_u32 {
                let Some(known) = syscalls::$module::Sysno::new(number as usize) else {
                    continue;
                };
                match syscall_number(known.name(), Arch::$arch) {
                    None => missing += 1,
                    Some(ours) if ours == number => same += 1,
                    Some(ours) => differ.push((stringify!($arch), known.name(), number, ours)),
                }
            }
        )*
        assert_eq!(differ, []);
        assert!(same > 4000 && missing < 70, "{same} the same, {missing} missing");
    };
}

#[test]
fn the_tables_agree() {
    check! {
        x86 X86
        x86_64 X86_64
        arm Arm
        aarch64 Aarch64
        mips Mips
        mips64 Mips64
        powerpc Ppc
        powerpc64 Ppc64
        riscv64 Riscv64
        s390x S390X
        loongarch64 LoongArch64
    }
}
