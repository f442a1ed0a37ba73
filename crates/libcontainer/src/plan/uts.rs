//! `hostname` and `domainname`.

use super::Namespace;
use super::check::no_nul;
use crate::error::{Error, Result};

/// The name to set, if any; `field` is `hostname` or `domainname`.
pub(super) fn name(field: &str, value: Option<&str>, uts: &Namespace) -> Result<Option<String>> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let pointer = || format!("/{field}");
    if *uts == Namespace::Inherit {
        let text = format!("unable to set {field} without a private UTS namespace");
        return Err(Error::config(pointer(), text));
    }
    if value.len() > 64 {
        return Err(Error::config(pointer(), format!("{field} must be at most 64 bytes long")));
    }
    no_nul(value, pointer)?;
    Ok(Some(value.to_owned()))
}
