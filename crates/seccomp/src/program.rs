//! The result: instructions and flags for seccomp(2).

use crate::error::{Error, MAX_INSTRUCTIONS};

/// `SECCOMP_FILTER_FLAG_LOG`
pub const FLAG_LOG: u32 = 1 << 1;
/// `SECCOMP_FILTER_FLAG_SPEC_ALLOW`
pub const FLAG_SPEC_ALLOW: u32 = 1 << 2;
/// `SECCOMP_FILTER_FLAG_NEW_LISTENER`
pub const FLAG_NEW_LISTENER: u32 = 1 << 3;
/// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`
pub const FLAG_WAIT_KILLABLE_RECV: u32 = 1 << 5;

/// `struct sock_filter`: one instruction of classic BPF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Insn {
    /// Operation.
    pub code: u16,
    /// Instructions to skip when a condition holds.
    pub jt: u8,
    /// Instructions to skip when it does not.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// A filter as seccomp(2) takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// At least one and at most [`MAX_INSTRUCTIONS`].
    pub instructions: Vec<Insn>,
    /// `SECCOMP_FILTER_FLAG_…` bits; with [`FLAG_NEW_LISTENER`] seccomp(2) returns a notification fd.
    pub flags: u32,
}

impl Program {
    /// The instructions as the array of `struct sock_filter` in memory, byte order of this machine, without the flags.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.instructions.len() * size_of::<Insn>());
        for insn in &self.instructions {
            bytes.extend(insn.code.to_ne_bytes());
            bytes.extend([insn.jt, insn.jf]);
            bytes.extend(insn.k.to_ne_bytes());
        }
        bytes
    }

    /// The reverse of [`Program::to_bytes`].
    ///
    /// # Errors
    /// [`Error::Stored`] when the bytes are not a whole number of instructions, none, or more than the kernel takes.
    /// Whether the instructions make sense is for the kernel to say.
    pub fn from_bytes(bytes: &[u8], flags: u32) -> Result<Self, Error> {
        let (insns, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() || insns.is_empty() || insns.len() > MAX_INSTRUCTIONS {
            return Err(Error::Stored { bytes: bytes.len() });
        }
        let instructions = insns
            .iter()
            .map(|&[c0, c1, jt, jf, k0, k1, k2, k3]| Insn {
                code: u16::from_ne_bytes([c0, c1]),
                jt,
                jf,
                k: u32::from_ne_bytes([k0, k1, k2, k3]),
            })
            .collect();
        Ok(Self { instructions, flags })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_there_and_back() {
        let program = Program {
            instructions: vec![
                Insn { code: 0x15, jt: 1, jf: 2, k: 0xc000_003e },
                Insn { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 },
            ],
            flags: FLAG_LOG,
        };
        let bytes = program.to_bytes();
        assert_eq!(bytes.len(), 16);
        assert_eq!(Program::from_bytes(&bytes, FLAG_LOG), Ok(program));
        for wrong in [0, 7, 8 * (MAX_INSTRUCTIONS + 1)] {
            let bytes = vec![0; wrong];
            assert_eq!(Program::from_bytes(&bytes, 0), Err(Error::Stored { bytes: wrong }));
        }
    }
}
