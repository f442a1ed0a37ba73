//! What units are called, and where in the tree they are (systemd.slice(5), systemd.unit(5)).

use crate::error::{Error, Result};

/// The slice of containers that name none, by systemd instance.
const SYSTEM_SLICE: &str = "system.slice";
const USER_SLICE: &str = "user.slice";
/// What names of scopes begin with when `cgroupsPath` does not say.
const PREFIX: &str = "onggi";
const SLICE: &str = ".slice";
const SCOPE: &str = ".scope";
/// `UNIT_NAME_MAX` of systemd.
const MAX_NAME: usize = 255;

/// (slice, scope) for `linux.cgroupsPath` = `path`: `SLICE:PREFIX:NAME`, of which SLICE may be empty, or nothing.
///
/// # Errors
/// For another form, for a name that is no unit's, and for a slice in the place of the scope, which holds no processes.
pub(super) fn unit(path: Option<&str>, id: &str, user: bool) -> Result<(String, String)> {
    let default_slice = if user { USER_SLICE } else { SYSTEM_SLICE };
    let (slice, prefix, name) = match path.filter(|path| !path.is_empty()) {
        None => (default_slice, PREFIX, id),
        Some(path) => match path.split(':').collect::<Vec<_>>()[..] {
            ["", prefix, name] => (default_slice, prefix, name),
            [slice, prefix, name] => (slice, prefix, name),
            _ => {
                // In the words that people know from runc.
                return Err(Error::message(format!(
                    "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got {path:?} instead"
                )));
            }
        },
    };
    expand_slice(slice)?;
    if name.ends_with(SLICE) {
        return Err(Error::message(format!(
            "systemd slice {name:?} cannot hold the processes of a container"
        )));
    }
    let scope = if prefix.is_empty() {
        format!("{name}{SCOPE}")
    } else {
        format!("{prefix}-{name}{SCOPE}")
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    if name.is_empty() || scope.len() > MAX_NAME || !scope.bytes().all(allowed) {
        return Err(Error::message(format!("{scope:?} is not the name of a systemd unit")));
    }
    Ok((slice.to_owned(), scope))
}

/// Where a slice is below the root of its systemd: `/a.slice/a-b.slice` for `a-b.slice`, empty for `-.slice`.
///
/// # Errors
/// `invalid slice name` without the suffix, with a slash, or with an empty part.
pub(super) fn expand_slice(slice: &str) -> Result<String> {
    let invalid = || Error::message(format!("invalid slice name: {slice}"));
    let stem = slice.strip_suffix(SLICE).ok_or_else(invalid)?;
    if stem == "-" {
        return Ok(String::new());
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":_.\\@-".contains(&byte);
    if stem.split('-').any(str::is_empty) || !stem.bytes().all(allowed) || slice.len() > MAX_NAME {
        return Err(invalid());
    }
    let ends = stem.match_indices('-').map(|(at, _)| at).chain([stem.len()]);
    Ok(ends.map(|end| format!("/{}{SLICE}", &stem[..end])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let scope = |path, user| unit(path, "id", user).expect("valid");
        let names = |slice: &str, name: &str| (slice.to_owned(), name.to_owned());
        assert_eq!(scope(None, false), names("system.slice", "onggi-id.scope"));
        assert_eq!(scope(Some(""), true), names("user.slice", "onggi-id.scope"));
        assert_eq!(scope(Some("a-b.slice:docker:x"), false), names("a-b.slice", "docker-x.scope"));
        assert_eq!(scope(Some(":crio:x"), false), names("system.slice", "crio-x.scope"));
        assert_eq!(scope(Some("-.slice::x"), false), names("-.slice", "x.scope"));
    }

    #[test]
    fn bad_names() {
        let long = format!("a.slice:p:{}", "n".repeat(250));
        for path in [
            "/a/b",
            "a:b",
            "a.slice:b:c:d",
            "a:b:c",
            "a.slice:p:",
            "a.slice:p:x/y",
            "a.slice:p:x y",
            "a.slice:p:..\n",
            "../a.slice:p:x",
            "a--b.slice:p:x",
            ".slice:p:x",
            "a.slice:p:x.slice",
            &long,
        ] {
            assert!(unit(Some(path), "id", false).is_err(), "{path}");
        }
        let e = unit(Some("/a"), "id", false).expect_err("no colons");
        assert_eq!(
            e.to_string(),
            "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"/a\" instead"
        );
    }

    #[test]
    fn slices() {
        let good = [
            ("system.slice", "/system.slice"),
            ("a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice"),
            ("kubepods-pod1_2.slice", "/kubepods.slice/kubepods-pod1_2.slice"),
            ("-.slice", ""),
        ];
        for (slice, path) in good {
            assert_eq!(expand_slice(slice).as_deref(), Ok(path));
        }
        for slice in [
            "",
            ".slice",
            "a",
            "a.scope",
            "-a.slice",
            "a-.slice",
            "a--b.slice",
            "a/b.slice",
            "--.slice",
        ] {
            let e = expand_slice(slice).expect_err(slice);
            assert_eq!(e.to_string(), format!("invalid slice name: {slice}"));
        }
    }
}
