//! Reading config.json and parts of it, and writing the first one.

mod duplicates;
mod locate;
mod mend;
mod objects;
mod strict;
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
use crate::notes::Notes;

/// Which part of config.json a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Config,
    /// `process`, for `exec --process`.
    Process,
    /// `linux.resources`, for `update --resources`.
    Resources,
    /// `mounts`, for `mounts add` and `mounts remove`.
    Mounts,
}

impl Part {
    /// Where it stands in config.json, as a JSON pointer.
    const fn at(self) -> &'static str {
        match self {
            Self::Config => "",
            Self::Process => "/process",
            Self::Resources => "/linux/resources",
            Self::Mounts => "/mounts",
        }
    }
}

/// Reads config.json.
///
/// # Errors
/// The file cannot be read, is no JSON, or has a value of a wrong type; the last two name line, column and,
/// where it is known, the place as a JSON pointer.
pub fn load(path: &Path) -> Result<Spec> {
    load_with(path, &mut Notes::default())
}

/// [`load`], with notes of what was passed over in a document that bends the rules.
///
/// # Errors
/// As for [`load`].
pub fn load_with(path: &Path, notes: &mut Notes) -> Result<Spec> {
    parse_with(&read_document(path)?, path, Part::Config, notes)
}

/// Reads the file of `exec --process`.
///
/// # Errors
/// As for [`load`].
pub fn load_process(path: &Path, notes: &mut Notes) -> Result<Process> {
    parse_with(&read_document(path)?, path, Part::Process, notes)
}

/// Parses what `update --resources` is given.
///
/// # Errors
/// As for [`load`].
pub fn parse_resources(text: &[u8], notes: &mut Notes) -> Result<LinuxResources> {
    parse_with(text, Path::new("resources"), Part::Resources, notes)
}

/// Parses a list of mounts, in the form of `mounts` of config.json. `path` is for messages.
///
/// # Errors
/// As for [`load`].
pub fn parse_mounts(text: &[u8], path: &Path, notes: &mut Notes) -> Result<Vec<Mount>> {
    parse_with(text, path, Part::Mounts, notes)
}

/// Parses config.json from memory; the second value is what was passed over. `path` is for messages.
///
/// # Errors
/// As for [`load`].
pub fn parse(text: &[u8], path: &Path) -> Result<(Spec, Vec<String>)> {
    let mut notes = Notes::default();
    let spec = parse_with(text, path, Part::Config, &mut notes)?;
    Ok((spec, notes.list().to_vec()))
}

/// What `--strict` refuses in a document whatever the planner says of it, each as `pointer: text`.
pub fn findings(text: &[u8], part: Part) -> Vec<String> {
    strict::findings(text, part)
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

/// A part of config.json by oci-spec's types.
trait Document: DeserializeOwned {
    /// The limits in it.
    fn resources(&self) -> Option<&LinuxResources> {
        None
    }

    /// Whether its types may have lost what the text says: they read a pids limit that is not there as 0, which is
    /// one since runtime-spec 1.3.
    fn may_mislead(&self) -> bool {
        let pids = self.resources().and_then(|resources| resources.pids().as_ref());
        pids.is_some_and(|pids| pids.limit() == 0)
    }
}

impl Document for Spec {
    fn resources(&self) -> Option<&LinuxResources> {
        self.linux().as_ref().and_then(|linux| linux.resources().as_ref())
    }
}

impl Document for LinuxResources {
    fn resources(&self) -> Option<&LinuxResources> {
        Some(self)
    }
}

impl Document for Process {}
impl Document for Vec<Mount> {}

fn parse_with<T: Document>(text: &[u8], path: &Path, part: Part, notes: &mut Notes) -> Result<T> {
    if notes.is_strict() {
        notes.add(strict::findings(text, part));
    }
    let parsed = match objects::from_slice(text) {
        Ok(value) if !T::may_mislead(&value) => Ok((value, Vec::new())),
        Ok(value) => Ok((translated(text, part).unwrap_or(value), Vec::new())),
        Err(error) => second_try(text, part, error).map_err(|fault| fault.into_error(path)),
    };
    let (value, mended) = notes.before(parsed)?;
    // With `--strict` these are among the findings.
    if !notes.is_strict() {
        notes.add(mended);
    }
    Ok(value)
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

/// A document that is right, in words that oci-spec's types have.
fn translated<T: DeserializeOwned>(text: &[u8], part: Part) -> Option<T> {
    let mut document: Value = serde_json::from_slice(text).ok()?;
    mend::translate(&mut document, part);
    serde_json::from_value(document).ok()
}

fn second_try<T: DeserializeOwned>(
    text: &[u8],
    part: Part,
    first: serde_json::Error,
) -> std::result::Result<(T, Vec<String>), Fault> {
    let fault = Fault::new(text, &first);
    let Ok(mut document) = serde_json::from_slice::<Value>(text) else {
        return Err(fault);
    };
    let before = document.clone();
    let mut warnings = Vec::new();
    mend::mend(&mut document, part, &mut warnings);
    if document == before {
        return Err(fault);
    }
    // Through text again, because only then does an error tell its place.
    let Ok(mended) = serde_json::to_vec(&document) else {
        return Err(fault);
    };
    match objects::from_slice(&mended) {
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
