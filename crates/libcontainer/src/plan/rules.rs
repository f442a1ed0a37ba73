//! Rules of the runtime-spec as tables: one pure function each, with the heading that it is under.
//!
//! A section's file holds its rules beside what resolves it. docs/spec-conformance.md lists them, and a test breaks each.

use crate::error::{Error, Result};

/// One rule for a section of type `T`.
pub(super) struct Rule<T: ?Sized> {
    /// What must hold.
    pub(super) rule: &'static str,
    /// File and heading of the runtime-spec.
    pub(super) source: &'static str,
    /// How a section breaks it.
    pub(super) check: fn(&T) -> Option<Fault>,
}

/// Where below its section something is wrong, as the end of a JSON pointer, and what.
pub(super) struct Fault {
    at: String,
    text: String,
}

impl Fault {
    pub(super) fn new(at: impl Into<String>, text: impl Into<String>) -> Self {
        Self { at: at.into(), text: text.into() }
    }

    /// [`Fault::new`], if something holds.
    pub(super) fn when(holds: bool, at: &str, text: &str) -> Option<Self> {
        holds.then(|| Self::new(at, text))
    }
}

/// Checks a section; `pointer` is where it stands.
///
/// # Errors
/// The first rule that is broken.
pub(super) fn keep<T: ?Sized>(rules: &[Rule<T>], section: &T, pointer: &str) -> Result<()> {
    match rules.iter().find_map(|rule| (rule.check)(section)) {
        Some(fault) => Err(Error::config(format!("{pointer}{}", fault.at), fault.text)),
        None => Ok(()),
    }
}
