//! Pressure stall information: for how much of the time processes waited (Documentation/accounting/psi.rst).

use serde::{Serialize, Serializer};

use super::reader::Reader;
use super::{is_default, parse};
use crate::error::Result;

/// A pressure file of the v2 tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PsiStats {
    /// At least one process waited.
    #[serde(skip_serializing_if = "is_default")]
    pub some: PsiData,
    /// All processes waited.
    #[serde(skip_serializing_if = "is_default")]
    pub full: PsiData,
}

/// Shares of time in percent, over the last seconds, and the time itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PsiData {
    /// 10 s, 0 to 100.
    #[serde(serialize_with = "as_go")]
    pub avg10: f64,
    /// 60 s, 0 to 100.
    #[serde(serialize_with = "as_go")]
    pub avg60: f64,
    /// 300 s, 0 to 100.
    #[serde(serialize_with = "as_go")]
    pub avg300: f64,
    /// Microseconds since the cgroup was made.
    pub total: u64,
}

/// Go writes a whole number without its `.0`.
#[allow(clippy::trivially_copy_pass_by_ref)] // the shape that serde asks for
#[allow(clippy::cast_possible_truncation)] // only of what fits
fn as_go<S: Serializer>(value: &f64, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        serializer.serialize_i64(*value as i64)
    } else {
        serializer.serialize_f64(*value)
    }
}

/// The pressure file `name`; `None` without a v2 tree, and where PSI is not built in or switched off.
pub(super) fn read(reader: &mut Reader<'_>, name: &str) -> Result<Option<PsiStats>> {
    let Some(tree) = reader.tree() else { return Ok(None) };
    Ok(reader.text(tree, name)?.map(|text| stats(&text)))
}

/// Lines of `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`.
fn stats(text: &str) -> PsiStats {
    let mut stats = PsiStats::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let data = match words.next() {
            Some("some") => &mut stats.some,
            Some("full") => &mut stats.full,
            _ => continue,
        };
        for (key, value) in parse::pairs(words) {
            let share = || value.parse().ok().filter(|share: &f64| share.is_finite());
            match key {
                "avg10" => data.avg10 = share().unwrap_or_default(),
                "avg60" => data.avg60 = share().unwrap_or_default(),
                "avg300" => data.avg300 = share().unwrap_or_default(),
                "total" => data.total = parse::number(value).unwrap_or_default(),
                _ => {}
            }
        }
    }
    stats
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn some_and_full() {
        let text = "some avg10=1.50 avg60=12.00 avg300=0.01 total=123456\n\
                    full avg10=0.00 avg60=100.00 avg300=0.00 total=7\n";
        let found = stats(text);
        assert_eq!((found.some.avg10, found.some.avg60, found.some.avg300), (1.5, 12.0, 0.01));
        assert_eq!(found.some.total, 123_456);
        assert_eq!((found.full.avg60, found.full.total), (100.0, 7));
    }

    #[test]
    fn json_as_go_writes_it() {
        let json = |text| serde_json::to_string(&stats(text)).expect("json");
        assert_eq!(
            json("some avg10=1.50 avg60=12.00 avg300=0.01 total=3\n"),
            r#"{"some":{"avg10":1.5,"avg60":12,"avg300":0.01,"total":3}}"#
        );
        assert_eq!(json("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"), "{}");
        assert_eq!(json("odd\nfull avg10=inf avg60=nan avg300 total=-\n"), "{}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "((some|full)? (avg10=)?[0-9.e]{0,9}\n?|\\PC{0,9}){0,4}") {
            let found = stats(&text);
            prop_assert!(serde_json::to_string(&found).is_ok());
        }
    }
}
