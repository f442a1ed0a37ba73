//! `linux.maskedPaths` and `linux.readonlyPaths`.

use std::path::{Path, PathBuf};

use super::Namespace;
use super::check::absolute;
use crate::error::{Error, Result};

/// The paths of `field`, all absolute.
pub(super) fn paths(
    field: &str,
    list: Option<&Vec<String>>,
    mount: &Namespace,
) -> Result<Vec<PathBuf>> {
    let list = list.map(Vec::as_slice).unwrap_or_default();
    if !list.is_empty() && *mount == Namespace::Inherit {
        let text = "unable to restrict sys entries without a private MNT namespace";
        return Err(Error::config(format!("/linux/{field}"), text));
    }
    for (index, path) in list.iter().enumerate() {
        absolute(Path::new(path), "the path", || format!("/linux/{field}/{index}"))?;
    }
    // Doing one twice would cover the cover.
    let mut known = std::collections::HashSet::with_capacity(list.len());
    Ok(list.iter().filter(|path| known.insert(*path)).map(PathBuf::from).collect())
}
