//! Typed wrappers for the system calls that `nix` lacks, and the two handles through which
//! everything inside a container is reached: [`Root`] and [`Proc`].
//!
//! The only crate of the workspace with `unsafe`; every block says why it is sound.
#![allow(unsafe_code)]

pub mod bpf;
pub mod clone;
pub mod credentials;
pub mod fd;
pub mod mount;
mod mount_call;
pub mod mountinfo;
pub mod net;
pub mod pidfd;
pub mod prctl;
mod procfs;
mod raw;
mod regex;
mod root;
pub mod sched;
pub mod seccomp;
pub mod socket;
pub mod tty;

pub use procfs::Proc;
pub use regex::Regex;
pub use root::Root;
