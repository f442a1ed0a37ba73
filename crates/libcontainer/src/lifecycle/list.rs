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
    let entries = match std::fs::read_dir(&runtime.root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| Error::io("read", &runtime.root, &error))?,
    };
    let mut ids: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|id| check_id(id).is_ok())
        .collect();
    ids.sort_unstable();
    let mut views = Vec::with_capacity(ids.len());
    for id in ids {
        match Container::load(runtime, &id) {
            Ok(container) => views.push(container.state.view(&container.dir)),
            Err(error) => crate::warn(&format!("load container {id}: {error}")),
        }
    }
    Ok(views)
}
