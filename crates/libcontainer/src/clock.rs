//! The time of day as the state and log records show it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in UTC, as RFC 3339 with whole seconds.
pub fn now_in_seconds() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    rfc3339(since.as_secs(), 0)
}

/// Now, in UTC, as RFC 3339 with nanoseconds and no trailing zeros (Go's RFC3339Nano).
pub fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    rfc3339(since.as_secs(), since.subsec_nanos())
}

/// How long ago `time` was, as [`now`] writes it, in one word and a unit: `3 minutes ago`. `None` for
/// what is no such time; what is yet to come is now.
pub fn ago(time: &str) -> Option<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    seconds(time).map(|then| since(now.saturating_sub(then)))
}

/// Units, in seconds, from the least that is counted in them.
const UNITS: [(u64, u64, &str); 4] = [
    (2 * 86_400, 86_400, "day"),
    (2 * 3_600, 3_600, "hour"),
    (120, 60, "minute"),
    (0, 1, "second"),
];

fn since(seconds: u64) -> String {
    let (count, unit) = UNITS
        .iter()
        .find(|(least, ..)| seconds >= *least)
        .map_or((seconds, "second"), |(_, size, unit)| (seconds / size, *unit));
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// Whole seconds after the epoch of an RFC 3339 time in UTC.
fn seconds(time: &str) -> Option<u64> {
    let (date, rest) = time.strip_suffix('Z')?.split_once('T')?;
    let clock = rest.split_once('.').map_or(rest, |(clock, _)| clock);
    let three = |text: &str, separator: char| -> Option<[u64; 3]> {
        let parts: Option<Vec<u64>> = text.split(separator).map(|part| part.parse().ok()).collect();
        parts?.try_into().ok()
    };
    let [year, month, day] = three(date, '-')?;
    let [hour, minute, second] = three(clock, ':')?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || day > 31 {
        return None;
    }
    // The year begins on 1 March here, so that the odd day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day.checked_sub(1)?;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// `secs` and `nanos` after the epoch.
fn rfc3339(secs: u64, nanos: u32) -> String {
    let (days, rest) = (secs / 86_400, secs % 86_400);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    // Days to a date, counted in 400-year eras that begin on 1 March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let fraction = format!(".{nanos:09}");
    let fraction = if nanos == 0 { "" } else { fraction.trim_end_matches('0') };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

#[cfg(test)]
mod tests {
    use super::{ago, rfc3339, seconds, since};

    #[test]
    fn times_are_read_as_they_are_written() {
        for time in [0, 951_782_399, 951_782_400, 1_709_164_799, 4_107_542_399, 4_107_542_400] {
            assert_eq!(seconds(&rfc3339(time, 500)), Some(time));
            assert_eq!(seconds(&rfc3339(time, 0)), Some(time));
        }
        for time in
            ["", "Z", "2026-01-02", "2026-01-02T03:04:05", "1969-01-01T00:00:00Z", "aTb:c:dZ"]
        {
            assert_eq!(seconds(time), None, "{time}");
        }
        assert_eq!(ago("9999-01-01T00:00:00Z").as_deref(), Some("0 seconds ago"));
    }

    #[test]
    fn how_long_ago() {
        for (seconds, text) in [
            (0, "0 seconds ago"),
            (1, "1 second ago"),
            (119, "119 seconds ago"),
            (120, "2 minutes ago"),
            (7_199, "119 minutes ago"),
            (7_200, "2 hours ago"),
            (172_800, "2 days ago"),
            (40_000_000, "462 days ago"),
        ] {
            assert_eq!(since(seconds), text);
        }
    }

    #[test]
    fn dates() {
        assert_eq!(rfc3339(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_399, 500), "2000-02-28T23:59:59.0000005Z");
        assert_eq!(rfc3339(951_782_400, 120_000_000), "2000-02-29T00:00:00.12Z");
        assert_eq!(rfc3339(4_107_542_399, 1), "2100-02-28T23:59:59.000000001Z");
        assert_eq!(rfc3339(4_107_542_400, 1), "2100-03-01T00:00:00.000000001Z");
    }
}
