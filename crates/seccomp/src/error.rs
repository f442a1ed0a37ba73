//! Why a profile cannot be compiled.

use std::fmt;

/// `BPF_MAXINSNS`
pub const MAX_INSTRUCTIONS: usize = 4096;

/// A profile that no filter can be made of. Rules are counted from 0, in the order of config.json.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A rule's condition on an argument that no syscall has.
    ArgumentIndex {
        /// The rule.
        rule: usize,
        /// The index asked for; 5 is the last.
        index: u8,
    },
    /// An errno beyond the kernel's 4095.
    Errno {
        /// The rule; `None` for the default action.
        rule: Option<usize>,
        /// The value asked for.
        errno: u16,
    },
    /// A rule for a syscall without a name.
    EmptyName {
        /// The rule.
        rule: usize,
    },
    /// `SCMP_ACT_NOTIFY` as the default action: nothing could tell the agent of the listener any more.
    NotifyByDefault,
    /// `SCMP_ACT_NOTIFY` for write(2), by which the listener is passed on.
    NotifyWrite {
        /// The rule.
        rule: usize,
    },
    /// An architecture whose byte order is not the native one; no kernel runs both.
    ByteOrder {
        /// Its name in the runtime-spec.
        arch: &'static str,
    },
    /// More than the kernel takes.
    TooLong {
        /// Instructions that the filter would need, at least.
        instructions: usize,
    },
    /// Bytes that are no stored filter.
    Stored {
        /// How many there are.
        bytes: usize,
    },
}

impl Error {
    /// Where in `linux.seccomp` the cause lies, as the end of a JSON pointer; empty when it is no single place.
    pub fn place(&self) -> String {
        match self {
            Self::ArgumentIndex { rule, .. } => format!("/syscalls/{rule}/args"),
            Self::Errno { rule: Some(rule), .. } => format!("/syscalls/{rule}/errnoRet"),
            Self::Errno { rule: None, .. } => "/defaultErrnoRet".into(),
            Self::EmptyName { rule } => format!("/syscalls/{rule}/names"),
            Self::NotifyByDefault => "/defaultAction".into(),
            Self::NotifyWrite { rule } => format!("/syscalls/{rule}/action"),
            Self::ByteOrder { .. } => "/architectures".into(),
            Self::TooLong { .. } | Self::Stored { .. } => String::new(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ArgumentIndex { index, .. } => {
                write!(
                    out,
                    "argument index {index} is out of range, a syscall has arguments 0 to 5"
                )
            }
            Self::Errno { errno, .. } => {
                write!(out, "errno {errno} is out of range, the largest is 4095")
            }
            Self::EmptyName { .. } => out.write_str("a syscall name is empty"),
            Self::NotifyByDefault => {
                out.write_str("SCMP_ACT_NOTIFY cannot be used as default action")
            }
            Self::NotifyWrite { .. } => {
                out.write_str("SCMP_ACT_NOTIFY cannot be used for the write syscall")
            }
            Self::ByteOrder { arch } => {
                write!(out, "{arch} has another byte order than the native architecture")
            }
            Self::TooLong { instructions } => write!(
                out,
                "the filter needs {instructions} instructions, the kernel takes at most {}",
                MAX_INSTRUCTIONS
            ),
            Self::Stored { bytes } => write!(out, "{bytes} bytes are no stored seccomp filter"),
        }
    }
}

impl std::error::Error for Error {}
