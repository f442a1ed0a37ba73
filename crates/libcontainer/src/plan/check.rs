//! Small checks and pointer helpers that every section shares.
//!
//! Pointers come as closures: they are only put together when there is something to report.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::error::{Error, Result};

/// `pointer/key`, with the key escaped as RFC 6901 wants it.
pub(crate) fn at(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// `pointer: text`, the form of every warning.
pub(super) fn warning(pointer: &str, text: &str) -> String {
    format!("{pointer}: {text}")
}

/// A map in the order of its names, so that of several faults the same one is told each time.
pub(super) fn in_order<T>(map: &HashMap<String, T>) -> Vec<(&String, &T)> {
    let mut list: Vec<_> = map.iter().collect();
    list.sort_unstable_by_key(|(name, _)| *name);
    list
}

/// No string of config.json may be cut short by a NUL on its way to the kernel.
pub(super) fn no_nul(text: impl AsRef<[u8]>, pointer: impl FnOnce() -> String) -> Result<()> {
    if text.as_ref().contains(&0) {
        return Err(Error::config(pointer(), "contains a null byte"));
    }
    Ok(())
}

/// [`no_nul`] for a path.
pub(super) fn no_nul_path(path: &Path, pointer: impl FnOnce() -> String) -> Result<()> {
    no_nul(path.as_os_str().as_bytes(), pointer)
}

/// A path that the runtime-spec wants absolute.
pub(super) fn absolute(path: &Path, what: &str, pointer: impl FnOnce() -> String) -> Result<()> {
    if !path.is_absolute() {
        let text = format!("{what} {:?} must be an absolute path", path.display().to_string());
        return Err(Error::config(pointer(), text));
    }
    no_nul_path(path, pointer)
}
