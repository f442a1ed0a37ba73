//! /proc/self/status as a table of words.

use std::collections::BTreeMap;

/// Field name to text after the colon, trimmed.
pub(crate) struct Status(BTreeMap<String, String>);

impl Status {
    /// Reads the status of this process.
    pub(crate) fn read() -> Result<Self, String> {
        let text = std::fs::read_to_string("/proc/self/status")
            .map_err(|e| format!("read /proc/self/status: {e}"))?;
        let pair =
            |line: &str| line.split_once(':').map(|(k, v)| (k.to_owned(), v.trim().to_owned()));
        Ok(Self(text.lines().filter_map(pair).collect()))
    }

    /// The text of a field, empty when the kernel has none.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.0.get(field).map_or("", String::as_str)
    }

    /// A capability mask (`CapInh` …).
    pub(crate) fn mask(&self, field: &str) -> u64 {
        u64::from_str_radix(self.text(field), 16).unwrap_or(0)
    }

    /// White-space separated numbers (`Uid`, `Groups`).
    pub(crate) fn numbers(&self, field: &str) -> Vec<u64> {
        self.text(field).split_whitespace().filter_map(|n| n.parse().ok()).collect()
    }
}
