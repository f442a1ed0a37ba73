//! Numbers and sizes of `update`, as runc reads them.

use std::num::IntErrorKind;
use std::str::FromStr;

use clap::ArgMatches;
use libcontainer::{Error, Result};

use super::shared;

/// A whole number from 0 on; `None` when the flag was not given or is empty.
///
/// # Errors
/// It is no such number.
pub(super) fn unsigned(matches: &ArgMatches, name: &str) -> Result<Option<u64>> {
    with(matches, name, integer)
}

/// A whole number.
///
/// # Errors
/// It is none.
pub(super) fn signed(matches: &ArgMatches, name: &str) -> Result<Option<i64>> {
    with(matches, name, integer)
}

/// Bytes, with or without a unit; -1 for no limit.
///
/// # Errors
/// It is no size.
pub(super) fn bytes(matches: &ArgMatches, name: &str) -> Result<Option<i64>> {
    with(matches, name, |text| if text == "-1" { Ok(-1) } else { size(text) })
}

fn with<T>(
    matches: &ArgMatches,
    name: &str,
    parse: fn(&str) -> std::result::Result<T, String>,
) -> Result<Option<T>> {
    let Some(text) = shared::text_of(matches, name) else { return Ok(None) };
    let value = parse(&text);
    value.map(Some).map_err(|why| Error::message(format!("invalid value for {name}: {why}")))
}

fn integer<T: FromStr<Err = std::num::ParseIntError>>(
    text: &str,
) -> std::result::Result<T, String> {
    text.parse().map_err(|error: std::num::ParseIntError| {
        let why = match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("parsing {text:?}: {why}")
    })
}

/// A size as Docker writes it: a decimal number, perhaps a blank, perhaps `b` or one of k, m, g, t, p (powers of
/// 1024, in any case) with `b` or `ib` behind it or not.
fn size(text: &str) -> std::result::Result<i64, String> {
    let end = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ');
    let end = end.ok_or_else(|| format!("invalid size: '{text}'"))?;
    let (number, unit) = text.split_at(end + 1);
    let number = number.strip_suffix(' ').unwrap_or(number);
    let value: f64 = number.parse().map_err(|_| format!("parsing {number:?}: invalid syntax"))?;
    if value < 0.0 {
        return Err(format!("invalid size: '{text}'"));
    }
    let factor = factor(unit).ok_or_else(|| format!("invalid suffix: '{unit}'"))?;
    let value = value * factor;
    // Just below 2^63, the largest that fits.
    if value.is_finite() && value < 9_223_372_036_854_774_784.0 {
        // Whole bytes, in range.
        #[allow(clippy::cast_possible_truncation)]
        return Ok(value as i64);
    }
    Err(format!("parsing {text:?}: value out of range"))
}

/// What the unit stands for.
fn factor(unit: &str) -> Option<f64> {
    let unit = unit.to_ascii_lowercase();
    let power = match unit.as_bytes().first() {
        None => return Some(1.0),
        Some(b'b') => return (unit.len() == 1).then_some(1.0),
        Some(first) => b"kmgtp".iter().position(|letter| letter == first)?,
    };
    let known = matches!(unit.get(1..), Some("" | "b" | "ib"));
    known.then(|| 1024_f64.powi(i32::try_from(power).unwrap_or(0) + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("67108864", 67_108_864),
            ("32b", 32),
            ("32 B", 32),
            ("512m", 512 << 20),
            ("512M", 512 << 20),
            ("1GiB", 1 << 30),
            ("1.5G", 3 << 29),
            (".5k", 512),
            ("5.", 5),
            ("1 kb", 1024),
            ("2t", 2 << 40),
            ("2PiB", 2 << 50),
            ("1e3", 1000),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for (text, why) in [
            ("", "invalid size: ''"),
            ("m", "invalid size: 'm'"),
            ("-5", "invalid size: '-5'"),
            ("5x", "invalid suffix: 'x'"),
            ("5bb", "invalid suffix: 'bb'"),
            ("5ki", "invalid suffix: 'ki'"),
            ("5kibb", "invalid suffix: 'kibb'"),
            ("5é", "invalid suffix: 'é'"),
            ("1.2.3", "parsing \"1.2.3\": invalid syntax"),
            (" 5", "parsing \" 5\": invalid syntax"),
            ("9000000000g", "parsing \"9000000000g\": value out of range"),
        ] {
            assert_eq!(size(text), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn integers() {
        assert_eq!(integer::<i64>("-1"), Ok(-1));
        assert_eq!(integer::<u64>("-1"), Err("parsing \"-1\": invalid syntax".into()));
        assert_eq!(integer::<u64>("1k"), Err("parsing \"1k\": invalid syntax".into()));
        let large = "99999999999999999999";
        assert_eq!(integer::<u64>(large), Err(format!("parsing {large:?}: value out of range")));
    }
}
