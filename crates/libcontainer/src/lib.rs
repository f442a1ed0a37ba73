//! Makes an OCI bundle a running, confined process.

pub mod error;
pub mod plan;
pub mod spec;

pub use error::{Error, Result};
