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

pub mod clock;
pub mod error;
mod hooks;
mod init;
mod launch;
pub mod lifecycle;
mod notes;
pub mod plan;
mod rdt;
pub mod seal;
pub mod spec;
pub mod spelling;
mod state;
mod sync;

use std::sync::OnceLock;

pub use error::{Error, Result};
/// What annotations begin with that set properties of the container's systemd unit.
pub use libcgroups::ANNOTATION_PREFIX as UNIT_PROPERTY_ANNOTATION;
pub use notes::Notes;

/// What the crate says besides results and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Something failed that changes nothing else: a hook that may fail, state that cannot be read.
    Warning,
    /// Something in config.json was passed over.
    Remark,
    /// A step was reached. The container process tells of its own, as long as it has the log open.
    Debug,
}

type Hear = Box<dyn Fn(Notice, &str) + Send + Sync>;

struct Listener {
    hear: Hear,
    debug: bool,
}

static LISTENER: OnceLock<Listener> = OnceLock::new();

/// Says who hears notices, and whether [`Notice::Debug`] is among them. Without it nobody does; the
/// first caller wins.
pub fn on_notice(debug: bool, hear: impl Fn(Notice, &str) + Send + Sync + 'static) {
    let _ = LISTENER.set(Listener { hear: Box::new(hear), debug });
}

/// Passes a warning on.
pub(crate) fn warn(text: &str) {
    if let Some(listener) = LISTENER.get() {
        (listener.hear)(Notice::Warning, text);
    }
}

/// Passes remarks on.
pub(crate) fn remark<'a>(texts: impl IntoIterator<Item = &'a String>) {
    if let Some(listener) = LISTENER.get() {
        texts.into_iter().for_each(|text| (listener.hear)(Notice::Remark, text));
    }
}

/// Tells of a step, if anybody wants to know. The words are those of runc's own debug log where it
/// has such a step: what reads that one finds them here too.
pub(crate) fn debug(text: impl FnOnce() -> String) {
    if let Some(listener) = LISTENER.get().filter(|listener| listener.debug) {
        (listener.hear)(Notice::Debug, &text());
    }
}
