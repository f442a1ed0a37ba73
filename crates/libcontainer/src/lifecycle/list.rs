//! `list`

use super::options::check_id;
use super::{Container, Runtime, StateView};
use crate::error::{Error, Result};

/// All containers, by id. One whose state cannot be read is passed over with a warning: it must not
/// hide the others.
///
/// # Errors
/// When the root directory cannot be read.
pub fn list(runtime: &Runtime) -> Result<Vec<StateView>> {
    let ids = ids(runtime)?;
    let mut views = Vec::with_capacity(ids.len());
    for id in ids {
        match Container::load(runtime, &id) {
            Ok(container) => views.push(container.state.view(&container.dir)),
            Err(error) => crate::warn(&format!("load container {id}: {error}")),
        }
    }
    Ok(views)
}

/// The ids of all containers, sorted, without a look at any of them.
///
/// # Errors
/// When the root directory cannot be read.
pub fn ids(runtime: &Runtime) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(&runtime.root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| Error::io("read", &runtime.root, &error))?,
    };
    let mut ids: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|id| check_id(id).is_ok())
        .collect();
    ids.sort_unstable();
    Ok(ids)
}

/// The ids in which `pattern`, a POSIX extended regular expression, is found.
///
/// # Errors
/// When the pattern is none; as [`ids`].
pub fn matching(runtime: &Runtime, pattern: &str) -> Result<Vec<String>> {
    let regex = sys::Regex::new(pattern).map_err(|text| {
        Error::message(format!("invalid regular expression {pattern:?}: {text}"))
    })?;
    let mut ids = ids(runtime)?;
    ids.retain(|id| regex.matches(id));
    Ok(ids)
}
