//! What the runtime-spec has and this runtime has not yet: refused, never passed over.

use crate::error::Error;

/// Refuses an id-mapped mount.
pub(super) fn idmapped_mount(pointer: String) -> Error {
    Error::config(pointer, "an id-mapped mount is not supported")
}
