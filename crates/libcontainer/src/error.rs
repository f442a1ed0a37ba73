//! The one error shape of the crate: operation + object + errno, lower case, no full stop.

use std::fmt;
use std::path::Path;

use nix::errno::Errno;

/// What every function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure, worded for a person and for the engines that match on runtime messages.
///
/// It is reported once, at the edge, by the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A rule of the runtime-spec that config.json (or process.json) breaks.
    Config {
        /// JSON pointer (RFC 6901) to the offending place, for example `/mounts/7/options/2`.
        pointer: String,
        /// What is wrong there.
        message: String,
    },
    /// A system call that failed.
    Os {
        /// The operation, for example `mount "proc"`.
        op: String,
        /// What it was applied to, printed quoted; empty when there is nothing to name.
        object: String,
        /// Why the kernel refused.
        errno: Errno,
    },
    /// execve(2) of the user's program failed, when all was set up; already worded.
    Program(String),
    /// What `--strict` refuses, each as `pointer: text`, and behind it an error that there was besides; never empty.
    Strict {
        /// How many places are not applied as written.
        places: usize,
        /// One line for each, and one for the error.
        lines: Vec<String>,
    },
    /// Anything else, already worded.
    Message(String),
}

impl Error {
    /// A rule of the spec broken at `pointer`.
    pub fn config(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Config { pointer: pointer.into(), message: message.into() }
    }

    /// A failed system call `op` on `object`.
    pub fn os(op: impl Into<String>, object: impl AsRef<Path>, errno: Errno) -> Self {
        Self::Os { op: op.into(), object: object.as_ref().display().to_string(), errno }
    }

    /// A failed operation of the standard library; an error without an errno counts as `EIO`.
    pub fn io(op: impl Into<String>, object: impl AsRef<Path>, error: &std::io::Error) -> Self {
        Self::os(op, object, Errno::from_raw(error.raw_os_error().unwrap_or(nix::libc::EIO)))
    }

    /// A failure with its own wording.
    pub fn message(text: impl Into<String>) -> Self {
        Self::Message(text.into())
    }

    /// The same failure with `prefix: ` before its text.
    #[must_use]
    pub fn context(self, prefix: &str) -> Self {
        Self::Message(format!("{prefix}: {self}"))
    }

    /// The text before the lines of [`Error::Strict`].
    pub fn strict_head(places: usize) -> String {
        let subject = if places == 1 { "1 place is" } else { &format!("{places} places are") };
        format!("--strict: {subject} not applied as written")
    }

    /// The errno, when a system call failed.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Os { errno, .. } => Some(*errno),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config { pointer, message } if pointer.is_empty() => {
                write!(f, "config.json: {message}")
            }
            Self::Config { pointer, message } => write!(f, "config.json: {pointer}: {message}"),
            Self::Os { op, object, errno } if object.is_empty() => {
                write!(f, "{op}: {}", errno_text(*errno))
            }
            Self::Os { op, object, errno } => {
                write!(f, "{op} {object:?}: {}", errno_text(*errno))
            }
            Self::Strict { places, lines } => {
                write!(f, "{}: {}", Self::strict_head(*places), lines.join("; "))
            }
            Self::Program(text) | Self::Message(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}

/// The kernel's reason in the spelling that engines match on (lower case, as Go prints it).
pub fn errno_text(errno: Errno) -> String {
    match errno {
        Errno::EIO => "input/output error".into(),
        Errno::ELOOP => "too many levels of symbolic links".into(),
        other => {
            let text = other.desc();
            let mut chars = text.chars();
            match chars.next() {
                Some(first) => first.to_lowercase().chain(chars).collect(),
                None => String::new(),
            }
        }
    }
}
