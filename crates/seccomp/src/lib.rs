//! Compiles the seccomp section of the OCI runtime-spec to classic BPF.

mod profile;

pub use profile::*;
