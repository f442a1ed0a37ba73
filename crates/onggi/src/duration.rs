//! Durations as Go writes them: `300ms`, `1.5h`, `1m30s`, `-5s`.

/// Names of units, in nanoseconds. The two micro signs are U+00B5 and U+03BC.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1000),
    ("\u{b5}s", 1000),
    ("\u{3bc}s", 1000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Nanoseconds, at most some 292 years in either direction.
///
/// # Errors
/// In the words of Go's `time.ParseDuration`, which people search for.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, mut behind) = digits(rest);
        let mut fraction = "";
        if let Some(point) = behind.strip_prefix('.') {
            (fraction, behind) = digits(point);
        }
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let end = behind.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(behind.len());
        let (name, behind) = behind.split_at(end);
        if name.is_empty() {
            return Err(format!("time: missing unit in duration {text:?}"));
        }
        let Some((_, unit)) = UNITS.iter().find(|(known, _)| *known == name) else {
            return Err(format!("time: unknown unit {name:?} in duration {text:?}"));
        };
        let part = nanoseconds(whole, fraction, *unit).ok_or_else(invalid)?;
        total = total.checked_add(part).ok_or_else(invalid)?;
        rest = behind;
    }
    let signed =
        if negative { 0_i64.checked_sub_unsigned(total) } else { i64::try_from(total).ok() };
    signed.ok_or_else(invalid)
}

/// `WHOLE.FRACTION` units; `None` when they are too many. Less than a nanosecond is cut off.
fn nanoseconds(whole: &str, fraction: &str, unit: u64) -> Option<u64> {
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // No unit has more than 13 digits of nanoseconds, so further digits mean nothing.
    let digits = fraction.get(..fraction.len().min(15))?;
    let numerator: u128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let denominator = 10_u128.pow(u32::try_from(digits.len()).ok()?);
    let part = u64::try_from(numerator * u128::from(unit) / denominator).ok()?;
    whole.checked_mul(unit)?.checked_add(part)
}

/// The digits at the beginning of `text`, and what follows them.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn durations_of_go() {
        for (text, nanos) in [
            ("0", 0),
            ("-0", 0),
            ("5s", 5_000_000_000),
            ("+5s", 5_000_000_000),
            ("-5s", -5_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("300ms", 300_000_000),
            ("1m30s", 90_000_000_000),
            ("1h15m30.918273645s", 4_530_918_273_645),
            ("11us", 11_000),
            ("11\u{b5}s", 11_000),
            ("11\u{3bc}s", 11_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("0.3333333333333333333h", 1_200_000_000_000 - 1),
            ("0.1ns", 0),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
        ] {
            assert_eq!(parse(text), Ok(nanos), "{text}");
        }
    }

    #[test]
    fn errors_of_go() {
        for (text, error) in [
            ("", "time: invalid duration \"\""),
            ("-", "time: invalid duration \"-\""),
            ("s", "time: invalid duration \"s\""),
            (".", "time: invalid duration \".\""),
            (".s", "time: invalid duration \".s\""),
            ("..5s", "time: invalid duration \"..5s\""),
            ("1s..2s", "time: invalid duration \"1s..2s\""),
            ("1.2.3s", "time: missing unit in duration \"1.2.3s\""),
            (".5.5s", "time: missing unit in duration \".5.5s\""),
            ("+-5s", "time: invalid duration \"+-5s\""),
            ("5 s", "time: unknown unit \" s\" in duration \"5 s\""),
            ("5", "time: missing unit in duration \"5\""),
            ("1.5", "time: missing unit in duration \"1.5\""),
            ("5s5", "time: missing unit in duration \"5s5\""),
            ("1d", "time: unknown unit \"d\" in duration \"1d\""),
            ("1S", "time: unknown unit \"S\" in duration \"1S\""),
            ("9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\""),
            ("99999999999999999999h", "time: invalid duration \"99999999999999999999h\""),
            ("3000000h", "time: invalid duration \"3000000h\""),
        ] {
            assert_eq!(parse(text), Err(error.to_owned()), "{text:?}");
        }
    }
}
