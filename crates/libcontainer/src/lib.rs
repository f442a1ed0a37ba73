//! Makes an OCI bundle a running, confined process.
//!
//! ```text
//! config.json ─spec─▶ Spec ─plan─▶ Plan ─launch─▶ one clone3 ─▶ init ─execve─▶ the user's program
//! ```
//!
//! - `spec/` reads config.json; `plan/` makes it plain data, pure and checked
//! - `launch/` the runtime's side of making a process, `init/` the process's own
//! - `state/` what is remembered between commands; `lifecycle/` the operations on it
#![forbid(unsafe_code)]

mod clock;
pub mod error;
mod hooks;
mod init;
mod launch;
pub mod lifecycle;
pub mod plan;
pub mod spec;
mod state;
mod sync;

use std::sync::OnceLock;

pub use error::{Error, Result};

static WARN: OnceLock<fn(&str)> = OnceLock::new();

/// Says who hears warnings: what was passed over, and failures that change nothing. Without it
/// nobody does. The first caller wins.
pub fn on_warning(listener: fn(&str)) {
    let _ = WARN.set(listener);
}

/// Passes a warning on.
pub(crate) fn warn(text: &str) {
    if let Some(listener) = WARN.get() {
        listener(text);
    }
}
