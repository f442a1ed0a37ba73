//! What of a document was passed over: told, or with `--strict` refused.

use crate::error::{Error, Result};

/// What was passed over so far, each as `pointer: text`.
#[derive(Debug, Default)]
pub struct Notes {
    strict: bool,
    list: Vec<String>,
}

impl Notes {
    /// None yet; with `strict` each will be an error.
    pub fn new(strict: bool) -> Self {
        Self { strict, list: Vec::new() }
    }

    /// Whether notes are errors.
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// Notes more. A place is noted once: `--strict` may have found it before the planner does.
    pub fn add(&mut self, notes: impl IntoIterator<Item = String>) {
        for note in notes {
            let pointer = |note: &str| note.split_once(": ").map(|(at, _)| at.to_owned());
            let known = |other: &String| pointer(other) == pointer(&note);
            if !(self.strict && self.list.iter().any(known)) {
                self.list.push(note);
            }
        }
    }

    /// All notes so far, in order.
    pub fn list(&self) -> &[String] {
        &self.list
    }

    /// With `--strict`, puts the notes before an error, so that all is told at once.
    ///
    /// # Errors
    /// That of `result`.
    pub fn before<T>(&self, result: Result<T>) -> Result<T> {
        match result {
            Err(error) if self.strict && !self.list.is_empty() => {
                Err(self.refusal(Some(error.to_string())))
            }
            result => result,
        }
    }

    /// Tells the notes to whoever listens; with `--strict` they are an error.
    ///
    /// # Errors
    /// With `--strict`, if there are any: one line each.
    pub fn settle(self) -> Result<()> {
        if self.strict && !self.list.is_empty() {
            return Err(self.refusal(None));
        }
        crate::remark(&self.list);
        Ok(())
    }

    fn refusal(&self, last: Option<String>) -> Error {
        let lines = self.list.iter().cloned().chain(last).collect();
        Error::Strict { places: self.list.len(), lines }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strict_notes_are_errors() {
        let mut notes = Notes::new(false);
        notes.add(["/a: b".into()]);
        let failed: Result<()> = notes.before(Err(Error::message("c")));
        assert_eq!(failed, Err(Error::message("c")));
        assert_eq!(notes.settle(), Ok(()));
        assert_eq!(Notes::new(true).settle(), Ok(()));
    }

    #[test]
    fn all_are_told_at_once() {
        let mut notes = Notes::new(true);
        notes.add(["/a: b".into()]);
        let failed: Result<()> = notes.before(Err(Error::message("c")));
        let text = "--strict: 1 place is not applied as written: /a: b; c";
        assert_eq!(failed.expect_err("strict").to_string(), text);
        notes.add(["/d: e".into()]);
        // A place that is known already.
        notes.add(["/a: f".into()]);
        let text = "--strict: 2 places are not applied as written: /a: b; /d: e";
        assert_eq!(notes.settle().expect_err("strict").to_string(), text);
    }
}
