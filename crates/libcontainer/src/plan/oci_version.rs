//! `ociVersion`: SemVer 2.0.0, major version 1.

use crate::error::{Error, Result};

/// Whether this runtime can read a bundle of `version`.
///
/// # Errors
/// The version is absent, is not SemVer, or has another major version than 1.
pub(super) fn check(version: &str) -> Result<()> {
    let fail = |text: String| Err(Error::config("/ociVersion", text));
    if version.is_empty() {
        return fail("missing: the runtime-spec version, for example \"1.3.0\"".into());
    }
    match major(version) {
        None => fail(format!("{version:?} is not a semantic version such as \"1.3.0\"")),
        Some("1") => Ok(()),
        Some(_) => fail(format!("version {version:?} is not supported, only 1.x")),
    }
}

/// The major version, if `version` follows SemVer 2.0.0.
fn major(version: &str) -> Option<&str> {
    let (rest, build) = split(version, '+');
    let (core, pre) = split(rest, '-');
    let numbers: Vec<&str> = core.split('.').collect();
    let good = numbers.len() == 3
        && numbers.iter().all(|n| number(n))
        && build.is_none_or(|b| b.split('.').all(word))
        && pre.is_none_or(|p| p.split('.').all(|w| word(w) && (number(w) || !digits(w))));
    good.then(|| numbers[0])
}

fn split(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark).map_or((text, None), |(head, tail)| (head, Some(tail)))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn number(text: &str) -> bool {
    digits(text) && (text == "0" || !text.starts_with('0'))
}

fn word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn accepts_every_1_x() {
        for version in ["1.0.0", "1.0.2-dev", "1.3.0", "1.3.0+dev", "1.0.0-rc.1", "1.99.0-a-b+c.01"]
        {
            assert!(check(version).is_ok(), "{version}");
        }
    }

    #[test]
    fn refuses_others() {
        let cases = [
            "",
            "1",
            "1.0",
            "01.0.0",
            "1.0.0.0",
            "1.0.0-",
            "1.0.0-01",
            "x",
            "2.0.0",
            "0.5.0-dev",
            "v1.0.0",
        ];
        for version in cases {
            let error = check(version).expect_err(version).to_string();
            assert!(error.starts_with("config.json: /ociVersion: "), "{error}");
        }
        assert!(check("2.0.0").expect_err("2").to_string().contains("is not supported"));
    }
}
