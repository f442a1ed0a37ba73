//! Reading config.json, and writing the first one.

mod locate;
mod mend;
mod template;

use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use oci_spec::runtime::{LinuxResources, Mount, Process, Spec};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use template::{Template, template};

use crate::error::{Error, Result};

/// Mends a document that the strict parse refused, and notes what it passed over.
type Mend = fn(&mut Value, &mut Vec<String>);

/// Reads config.json.
///
/// # Errors
/// The file cannot be read, is no JSON, or has a value of a wrong type; the last two name line, column and,
/// where it is known, the place as a JSON pointer.
pub fn load(path: &Path) -> Result<Spec> {
    load_with_warnings(path).map(|(spec, _)| spec)
}

/// [`load`], with what was passed over in a document that bends the rules.
///
/// # Errors
/// As for [`load`].
pub fn load_with_warnings(path: &Path) -> Result<(Spec, Vec<String>)> {
    read(path, mend::spec)
}

/// Reads the file of `exec --process`; the second value is what was passed over.
///
/// # Errors
/// As for [`load`].
pub fn load_process(path: &Path) -> Result<(Process, Vec<String>)> {
    read(path, mend::process)
}

/// Parses what `update --resources` is given; the second value is what was passed over.
///
/// # Errors
/// As for [`load`].
pub fn parse_resources(text: &[u8]) -> Result<(LinuxResources, Vec<String>)> {
    let path = Path::new("resources");
    let mut document: Value =
        serde_json::from_slice(text).map_err(|error| Fault::new(text, &error).into_error(path))?;
    mend::resources(&mut document);
    serde_json::from_value(document)
        .map(|resources| (resources, Vec::new()))
        .map_err(|error| Error::message(format!("parse resources: {error}")))
}

/// Parses a list of mounts, in the form of `mounts` of config.json. `path` is for messages.
///
/// # Errors
/// As for [`load`].
pub fn parse_mounts(text: &[u8], path: &Path) -> Result<Vec<Mount>> {
    parse_with(text, path, |_, _| {}).map(|(mounts, _)| mounts)
}

/// Parses config.json from memory. `path` is for messages.
///
/// # Errors
/// As for [`load`].
pub fn parse(text: &[u8], path: &Path) -> Result<(Spec, Vec<String>)> {
    parse_with(text, path, mend::spec)
}

fn read<T: DeserializeOwned>(path: &Path, mend: Mend) -> Result<(T, Vec<String>)> {
    parse_with(&read_document(path)?, path, mend)
}

/// Largest document that is read; engines write some ten kilobytes.
const MAX_DOCUMENT: u64 = 16 << 20;

/// The bytes of a file or pipe. A FIFO without a writer is empty rather than waited for.
fn read_document(path: &Path) -> Result<Vec<u8>> {
    let fail = |error: std::io::Error| Error::io("open", path, &error);
    let mut options = std::fs::OpenOptions::new();
    options.read(true).custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY);
    let file = options.open(path).map_err(fail)?;
    // A pipe that has a writer is waited for: it may be the output of a command.
    fcntl(&file, FcntlArg::F_SETFL(OFlag::empty()))
        .map_err(|errno| Error::os("open", path, errno))?;
    // One read(2) for most; the length is a hint, and 0 for a pipe.
    let length = file.metadata().map_or(0, |meta| meta.len().min(MAX_DOCUMENT));
    let mut text = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    file.take(MAX_DOCUMENT + 1).read_to_end(&mut text).map_err(fail)?;
    if text.len() as u64 > MAX_DOCUMENT {
        return Err(Error::message(format!("read {path:?}: larger than {MAX_DOCUMENT} bytes")));
    }
    Ok(text)
}

fn parse_with<T: DeserializeOwned>(
    text: &[u8],
    path: &Path,
    mend: Mend,
) -> Result<(T, Vec<String>)> {
    match serde_json::from_slice(text) {
        Ok(value) => Ok((value, Vec::new())),
        Err(error) => second_try(text, mend, error).map_err(|fault| fault.into_error(path)),
    }
}

/// What is wrong with a document, and where.
#[derive(Debug, PartialEq)]
struct Fault {
    position: Option<(usize, usize)>,
    pointer: Option<String>,
    text: String,
}

impl Fault {
    fn new(text: &[u8], error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let full = error.to_string();
        let tail = format!(" at line {line} column {column}");
        // In broken JSON there is no reliable path.
        let pointer = error.is_data().then(|| locate::pointer_at(text, offset(text, line, column)));
        let words = pointer.as_deref().and_then(known_words).unwrap_or_default();
        let plain = full.strip_suffix(&tail).unwrap_or(&full);
        Self { position: Some((line, column)), text: format!("{words}{plain}"), pointer }
    }

    fn into_error(self, path: &Path) -> Error {
        let mut message = format!("parse {:?}: ", path.display().to_string());
        if let Some((line, column)) = self.position {
            message += &format!("line {line}, column {column}: ");
        }
        if let Some(pointer) = self.pointer.filter(|pointer| !pointer.is_empty()) {
            message += &format!("{pointer}: ");
        }
        Error::Message(message + &self.text)
    }
}

/// What runc says of a wrong name in some places; scripts look for it.
fn known_words(pointer: &str) -> Option<&'static str> {
    match pointer.strip_prefix("/linux/memoryPolicy")? {
        "" | "/mode" => Some("invalid memory policy mode: "),
        rest if rest.starts_with("/flags/") => Some("invalid memory policy flag: "),
        _ => None,
    }
}

/// Byte offset of a place that serde_json counts from line 1 and, after the first byte, column 1.
fn offset(text: &[u8], line: usize, column: usize) -> usize {
    let start = |lines: usize| {
        let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        ends.map(|(index, _)| index + 1).nth(lines - 1)
    };
    let start = line.checked_sub(1).filter(|lines| *lines > 0).and_then(start).unwrap_or(0);
    start.saturating_add(column)
}

fn second_try<T: DeserializeOwned>(
    text: &[u8],
    mend: Mend,
    first: serde_json::Error,
) -> std::result::Result<(T, Vec<String>), Fault> {
    let fault = Fault::new(text, &first);
    let Ok(mut document) = serde_json::from_slice::<Value>(text) else {
        return Err(fault);
    };
    let before = document.clone();
    let mut warnings = Vec::new();
    mend(&mut document, &mut warnings);
    if document == before {
        return Err(fault);
    }
    // Through text again, because only then does an error tell its place.
    let Ok(mended) = serde_json::to_vec(&document) else {
        return Err(fault);
    };
    match serde_json::from_slice(&mended) {
        Ok(value) => Ok((value, warnings)),
        Err(error) => {
            let second = Fault::new(&mended, &error);
            // The first fault may have been one that was mended; only the original's position counts.
            let same = second.pointer == fault.pointer && second.text == fault.text;
            Err(if same { fault } else { Fault { position: None, ..second } })
        }
    }
}

#[cfg(test)]
mod tests;
