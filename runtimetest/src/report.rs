//! The lines that the harness reads: `ok NAME`, `not ok NAME: …`, `skip NAME: reason`.

use std::fmt::Debug;

/// Collects the outcome of the checks and prints each as it comes.
#[derive(Default)]
pub(crate) struct Report {
    failed: usize,
    passed: usize,
}

impl Report {
    /// Passes when `found` equals `expected`.
    pub(crate) fn equal<T: PartialEq + Debug>(&mut self, name: &str, expected: &T, found: &T) {
        let good = expected == found;
        self.test(name, good, || format!("expected {expected:?}, found {found:?}"));
    }

    /// Passes when `good`; otherwise prints `why()`.
    pub(crate) fn test(&mut self, name: &str, good: bool, why: impl FnOnce() -> String) {
        if good {
            self.passed += 1;
            println!("ok {name}");
        } else {
            self.failed += 1;
            println!("not ok {name}: {}", why());
        }
    }

    /// A failure found while getting at the facts.
    pub(crate) fn fail(&mut self, name: &str, why: impl Into<String>) {
        self.test(name, false, || why.into());
    }

    /// A check that cannot be made here.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        println!("skip {name}: {why}");
    }

    /// Prints the sum and gives the exit status.
    pub(crate) fn finish(self) -> i32 {
        println!("# {} passed, {} failed", self.passed, self.failed);
        i32::from(self.failed > 0)
    }
}
