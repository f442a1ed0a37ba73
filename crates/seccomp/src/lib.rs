//! Compiles the seccomp section of the OCI runtime-spec to a classic BPF program.
//!
//! [`compile()`] is pure: a [`Profile`] in, a [`Program`] out, no syscalls. The verdicts are those that runc gives by way
//! of libseccomp, its ENOSYS answer for syscalls newer than the profile included. The tests compare both on many
//! profiles; docs/testing.md has the table of differences.
//!
//! ```text
//! profile ──rules──▶ per architecture: (number, rules) ──compile──▶ ranges of numbers ──emit──▶ instructions
//! ```
//!
//! - `profile`: the input as plain data; `names`: the `SCMP_…` spellings
//! - `arch`, `numbers`: what the kernel calls an architecture, and its syscall numbers
//! - `rules`: which rules a syscall has on an architecture, and in which order they are asked
//! - `compile`: verdicts over the whole space of syscall numbers
//! - `emit`: an assembler that works from the end of the program, so that every jump target is known

#![forbid(unsafe_code)]

mod arch;
mod compile;
mod emit;
mod error;
mod names;
mod numbers;
mod profile;
mod program;
mod rules;

pub use compile::{compile, notifies, with_flags};
pub use error::{Error, MAX_INSTRUCTIONS};
pub use names::*;
pub use numbers::{is_syscall, syscall_number};
pub use profile::*;
pub use program::*;
