//! Standard output: what a command was asked for, and nothing else.

use std::io::{self, IsTerminal, Write};

use libcontainer::{Error, Result};
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::PrettyFormatter;

/// Whether a person reads it.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Writes `bytes` to standard output.
///
/// # Errors
///
/// The other end is closed or full.
pub(crate) fn write(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| Error::io("write to standard output", "", &error))
}

/// `value` as JSON on one line.
///
/// # Errors
///
/// It cannot be written as JSON.
pub(crate) fn json_line<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec(value).map_err(not_json)?;
    text.push(b'\n');
    Ok(text)
}

/// `value` as JSON on many lines, without a line end behind the last.
///
/// # Errors
///
/// It cannot be written as JSON.
pub(crate) fn json_pretty<T: Serialize>(value: &T, indent: &str) -> Result<Vec<u8>> {
    let mut text = Vec::with_capacity(1024);
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    value.serialize(&mut Serializer::with_formatter(&mut text, formatter)).map_err(not_json)?;
    Ok(text)
}

fn not_json(error: serde_json::Error) -> Error {
    Error::message(format!("encode JSON: {error}"))
}
