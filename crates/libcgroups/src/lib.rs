//! Control groups for containers: v1, hybrid and v2 hosts through one interface.

mod model;

pub use model::*;
