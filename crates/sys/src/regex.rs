//! POSIX extended regular expressions, by the C library's regcomp(3) and regexec(3).

use std::ffi::CStr;
use std::mem::MaybeUninit;

use nix::libc::{REG_EXTENDED, REG_NOSUB, regcomp, regerror, regex_t, regexec, regfree};

use crate::raw::c_str;

/// A compiled pattern. It matches anywhere in a text, unless it says `^` and `$`.
pub struct Regex(Box<regex_t>);

impl Regex {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// What the C library says about a pattern that is none.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let text = c_str(pattern).map_err(|_| "NUL byte in it".to_owned())?;
        let mut compiled = Box::new(MaybeUninit::<regex_t>::zeroed());
        // SAFETY: both outlive the call; regcomp fills in what it is given.
        let code =
            unsafe { regcomp(compiled.as_mut_ptr(), text.as_ptr(), REG_EXTENDED | REG_NOSUB) };
        if code == 0 {
            // SAFETY: filled in, as the result says; it was zeroed before, so no byte is uninit.
            return Ok(Self(unsafe { compiled.assume_init() }));
        }
        let mut message = [0_u8; 128];
        // SAFETY: writes at most the given size and a NUL byte within it. After a failure only the
        // code is looked at.
        unsafe {
            regerror(code, compiled.as_ptr(), message.as_mut_ptr().cast(), message.len());
        }
        let message = CStr::from_bytes_until_nul(&message).unwrap_or_default();
        Err(message.to_string_lossy().to_lowercase())
    }

    /// Whether the pattern is found in `text`.
    pub fn matches(&self, text: &str) -> bool {
        let Ok(text) = c_str(text) else { return false };
        // SAFETY: compiled by regcomp, and no room for matches is claimed.
        unsafe { regexec(&raw const *self.0, text.as_ptr(), 0, std::ptr::null_mut(), 0) == 0 }
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: compiled by regcomp, freed once.
        unsafe { regfree(&raw mut *self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::Regex;

    #[test]
    fn extended_syntax() {
        for (pattern, text, matches) in [
            ("web", "a-web-1", true),
            ("^web", "a-web-1", false),
            ("^web-[0-9]+$", "web-12", true),
            ("^web-[0-9]+$", "web-12x", false),
            ("^(a|b)c?$", "b", true),
            ("", "anything", true),
            (".", "", false),
        ] {
            assert_eq!(Regex::new(pattern).map(|r| r.matches(text)), Ok(matches), "{pattern}");
        }
    }

    #[test]
    fn bad_patterns_are_told() {
        for pattern in ["(", "[a", "a\0b"] {
            let Err(message) = Regex::new(pattern) else { panic!("{pattern:?} was taken") };
            assert!(!message.is_empty(), "{pattern:?}");
        }
    }
}
