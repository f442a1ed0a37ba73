//! config.json → [`Plan`]: pure, no system call.

mod model;

pub use model::*;
