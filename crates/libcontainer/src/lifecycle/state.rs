//! `state`

use super::{Container, Runtime, StateView};
use crate::error::Result;

/// What the container is and does.
///
/// # Errors
/// `container does not exist`
pub fn state(runtime: &Runtime, id: &str) -> Result<StateView> {
    let container = Container::load(runtime, id)?;
    Ok(container.state.view(&container.dir))
}
