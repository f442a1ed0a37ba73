//! Instructions.

use std::os::fd::BorrowedFd;

use super::raw;

/// One eBPF instruction as the kernel reads it (`struct bpf_insn`).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insn {
    /// Operation.
    pub code: u8,
    /// Destination register in the lower four bits, source in the upper (little endian hosts).
    pub regs: u8,
    /// Jump distance or memory offset.
    pub off: i16,
    /// Immediate operand.
    pub imm: i32,
}

impl Insn {
    /// An instruction with destination register `dst` and source register `src`.
    pub const fn new(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Self {
        let regs = if cfg!(target_endian = "little") { (src << 4) | dst } else { (dst << 4) | src };
        Self { code, regs, off, imm }
    }

    /// `dst` = the address of the value of a map that [`super::table`] made (`BPF_PSEUDO_MAP_VALUE`, Linux 5.2): one
    /// instruction that takes two places.
    ///
    /// The descriptor must be open until the program is loaded, which then holds the map itself.
    pub fn table_address(dst: u8, table: BorrowedFd<'_>) -> [Self; 2] {
        const LOAD_IMM_64: u8 = 0x18;
        const PSEUDO_MAP_VALUE: u8 = 2;
        let fd = raw(table).cast_signed();
        [Self::new(LOAD_IMM_64, dst, PSEUDO_MAP_VALUE, 0, fd), Self::new(0, 0, 0, 0, 0)]
    }

    /// The destination register.
    pub const fn dst(&self) -> u8 {
        if cfg!(target_endian = "little") { self.regs & 0xf } else { self.regs >> 4 }
    }

    /// The source register.
    pub const fn src(&self) -> u8 {
        if cfg!(target_endian = "little") { self.regs >> 4 } else { self.regs & 0xf }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_the_kernels() {
        assert_eq!(size_of::<Insn>(), 8);
        let insn = Insn::new(0xbf, 3, 9, 0, 0);
        assert_eq!((insn.dst(), insn.src()), (3, 9));
    }
}
