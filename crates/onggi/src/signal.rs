//! Signals by name and number.

use std::str::FromStr;

use nix::sys::signal::Signal;

/// The kernel's first real-time signal, as engines count them (a libc keeps some for itself).
const REALTIME_MIN: i32 = 34;
/// The kernel's last signal.
const REALTIME_MAX: i32 = 64;

/// Second names that nix does not know.
const ALIASES: [(&str, Signal); 3] =
    [("SIGIOT", Signal::SIGABRT), ("SIGCLD", Signal::SIGCHLD), ("SIGPOLL", Signal::SIGIO)];

/// The number of `KILL`, `SIGKILL`, `sigkill`, `9`, `RTMIN+3` and the like.
///
/// 0, which only asks whether the process is there, is a signal like the others.
pub(crate) fn parse(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (0..=REALTIME_MAX).contains(&number).then_some(number);
    }
    let mut name = text.to_ascii_uppercase();
    if !name.starts_with("SIG") {
        name.insert_str(0, "SIG");
    }
    if let Some((_, signal)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return Some(*signal as i32);
    }
    match Signal::from_str(&name) {
        Ok(signal) => Some(signal as i32),
        Err(_) => realtime(&name),
    }
}

/// `SIGRTMIN`, `SIGRTMIN+n`, `SIGRTMAX` and `SIGRTMAX-n`: systemd's containers are stopped with
/// `SIGRTMIN+3`.
fn realtime(name: &str) -> Option<i32> {
    let (base, offset, sign) = match name.strip_prefix("SIGRTMIN") {
        Some(offset) => (REALTIME_MIN, offset, '+'),
        None => (REALTIME_MAX, name.strip_prefix("SIGRTMAX")?, '-'),
    };
    if offset.is_empty() {
        return Some(base);
    }
    let digits = offset.strip_prefix(sign)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let offset: i32 = digits.parse().ok()?;
    let number = if sign == '+' { base.checked_add(offset)? } else { base.checked_sub(offset)? };
    (REALTIME_MIN..=REALTIME_MAX).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn names_and_numbers() {
        for (text, number) in [
            ("KILL", 9),
            ("SIGKILL", 9),
            ("sigkill", 9),
            ("Term", 15),
            ("9", 9),
            ("0", 0),
            ("64", 64),
            ("SIGIOT", 6),
            ("winch", 28),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("rtmin+30", 64),
            ("RTMAX-1", 63),
        ] {
            assert_eq!(parse(text), Some(number), "{text}");
        }
    }

    #[test]
    fn nonsense() {
        for text in [
            "",
            "SIG",
            "FOO",
            "-9",
            "65",
            "9x",
            "RTMIN+31",
            "RTMAX+1",
            "RTMIN-1",
            "RTMIN+",
            "RTMIN++1",
            "RTMIN+99999999999",
            "RTMAX-31",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
