//! The error of this crate: operation + object + errno, lower case, no full stop.

use std::fmt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// What every function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong with a cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A system call that failed.
    Os {
        /// The operation, for example `write "50" to`.
        op: String,
        /// The file or directory.
        object: PathBuf,
        /// Why the kernel refused.
        errno: Errno,
    },
    /// A limit was asked for whose controller this host, or this place in its tree, lacks.
    NoController {
        /// For example `memory`.
        controller: String,
        /// What was asked for, for example `memory limit`.
        resource: String,
    },
    /// A systemd unit of that name is there already, and it is not the container's.
    UnitExists(String),
    /// systemd refused, or could not be reached; already worded.
    Systemd(String),
    /// Anything else, already worded.
    Message(String),
}

impl Error {
    pub(crate) fn os(op: impl Into<String>, object: impl AsRef<Path>, errno: Errno) -> Self {
        Self::Os { op: op.into(), object: object.as_ref().to_owned(), errno }
    }

    pub(crate) fn io(op: impl Into<String>, object: impl AsRef<Path>, e: &std::io::Error) -> Self {
        Self::os(op, object, Errno::from_raw(e.raw_os_error().unwrap_or(nix::libc::EIO)))
    }

    pub(crate) fn message(text: impl Into<String>) -> Self {
        Self::Message(text.into())
    }

    /// The errno, when a system call failed.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Os { errno, .. } => Some(*errno),
            _ => None,
        }
    }

    /// Whether the reason is a lack of rights in the wide sense: `EPERM`, `EACCES` or `EROFS`.
    pub fn is_permission(&self) -> bool {
        matches!(self.errno(), Some(Errno::EPERM | Errno::EACCES | Errno::EROFS))
    }

    /// Whether the file, directory or whole cgroup is not there (any more).
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.errno(), Some(Errno::ENOENT | Errno::ENODEV))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Os { op, object, errno } => {
                write!(f, "{op} {:?}: {}", object.display().to_string(), errno_text(*errno))
            }
            Self::NoController { controller, resource } => {
                write!(
                    f,
                    "set {resource}: cgroup controller \"{controller}\" is not available here"
                )
            }
            Self::UnitExists(unit) => {
                write!(f, "start systemd unit {unit:?}: there is another one of that name")
            }
            Self::Systemd(text) | Self::Message(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}

/// The kernel's reason, beginning in lower case.
pub(crate) fn errno_text(errno: Errno) -> String {
    match errno {
        Errno::EIO => "input/output error".into(),
        other => {
            let mut chars = other.desc().chars();
            chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wording() {
        let e = Error::os("write \"5\" to", "/sys/fs/cgroup/x/pids.max", Errno::EINVAL);
        assert_eq!(e.to_string(), "write \"5\" to \"/sys/fs/cgroup/x/pids.max\": invalid argument");
        assert_eq!(e.errno(), Some(Errno::EINVAL));
        assert!(!e.is_permission());
    }
}
