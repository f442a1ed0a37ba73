//! Container ids. They become names of directories and cgroups, so they are narrow.

use libcontainer::{Error, Result};

/// Checks that `id` is of the characters `A-Z a-z 0-9 _ + - .` and neither `.` nor `..`.
///
/// # Errors
///
/// It is empty or has another character; in the words that engines know.
pub(crate) fn check(id: &str) -> Result<()> {
    if id.is_empty() {
        return Err(Error::message("container id cannot be empty"));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-.".contains(&byte);
    if id == "." || id == ".." || !id.bytes().all(allowed) {
        return Err(Error::message(format!("invalid container id format: {id:?}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn good_ids() {
        for id in ["a", "A-Z_0+9.x", "...", "-a", "0123456789abcdef"] {
            assert!(check(id).is_ok(), "{id}");
        }
    }

    #[test]
    fn bad_ids() {
        for id in ["", ".", "..", "a/b", "../x", "a b", "a\n", "a\0b", "ü", "a%20", "a:b", "a@b"] {
            assert!(check(id).is_err(), "{id:?}");
        }
    }
}
