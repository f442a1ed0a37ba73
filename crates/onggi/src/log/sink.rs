//! Where records go: `--log`.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use libcontainer::{Error, Result};

use super::Level;

/// The journal's socket for native messages; see systemd.journal-fields(7).
const JOURNAL: &str = "/run/systemd/journal/socket";
/// The socket of syslog(3).
const SYSLOG: &str = "/dev/log";
/// What records are called where `--log` gives no name.
const NAME: &str = "onggi";
/// The facility LOG_DAEMON, as syslog(3) shifts it.
const DAEMON: u8 = 3 << 3;

/// Where records go.
#[derive(Debug)]
pub(super) enum Sink {
    /// Standard error.
    Stderr,
    /// `FILE` or `file:FILE`, at its end.
    File(File),
    /// `journald:NAME`
    Journal(String),
    /// `syslog:NAME`
    Syslog(String),
}

impl Sink {
    /// What the value of `--log` names. Only crun's three words with a colon are no part of a path.
    ///
    /// # Errors
    ///
    /// A file cannot be opened or made; a name is no text.
    pub(super) fn open(target: &OsStr) -> Result<Self> {
        let bytes = target.as_bytes();
        let name = |rest: &[u8]| match std::str::from_utf8(rest) {
            Ok("") => Ok(NAME.to_owned()),
            Ok(name) if !name.contains(char::is_control) => Ok(name.to_owned()),
            _ => Err(Error::message(format!("invalid log: bad name in {target:?}"))),
        };
        if let Some(rest) = bytes.strip_prefix(b"journald:") {
            return name(rest).map(Self::Journal);
        }
        if let Some(rest) = bytes.strip_prefix(b"syslog:") {
            return name(rest).map(Self::Syslog);
        }
        let path = Path::new(OsStr::from_bytes(bytes.strip_prefix(b"file:").unwrap_or(bytes)));
        let file = OpenOptions::new().append(true).create(true).mode(0o644).open(path);
        file.map(Self::File).map_err(|error| Error::io("open log file", path, &error))
    }

    /// Another handle to the same place.
    ///
    /// # Errors
    ///
    /// Too many files are open.
    pub(super) fn share(&self) -> Result<Self> {
        Ok(match self {
            Self::Stderr => Self::Stderr,
            Self::File(file) => {
                Self::File(file.try_clone().map_err(|error| Error::io("dup", "log file", &error))?)
            }
            Self::Journal(name) => Self::Journal(name.clone()),
            Self::Syslog(name) => Self::Syslog(name.clone()),
        })
    }

    /// Whether people see the records at once.
    pub(super) fn is_stderr(&self) -> bool {
        matches!(self, Self::Stderr)
    }

    /// Writes one record: `line` to files, `message`, which has no line end, to the others. Each is one
    /// system call, so that records of commands at work at once do not mix.
    pub(super) fn write(&self, level: Level, message: &str, line: &str) -> io::Result<()> {
        match self {
            Self::Stderr => io::stderr().write_all(line.as_bytes()),
            Self::File(file) => {
                let mut file: &File = file;
                file.write_all(line.as_bytes())
            }
            Self::Journal(name) => send(JOURNAL, &journal(level, name, message)),
            Self::Syslog(name) => send(SYSLOG, &syslog(level, name, message)),
        }
    }
}

/// Only now is the socket looked for: most commands have nothing to say.
fn send(path: &str, text: &str) -> io::Result<()> {
    UnixDatagram::unbound()?.send_to(text.as_bytes(), path).map(drop)
}

fn journal(level: Level, name: &str, message: &str) -> String {
    let priority = level.priority();
    format!("PRIORITY={priority}\nSYSLOG_IDENTIFIER={name}\nMESSAGE={message}\n")
}

/// As RFC 3164 has it, but for the time, which whoever receives it fills in.
fn syslog(level: Level, name: &str, message: &str) -> String {
    format!("<{}>{name}[{}]: {message}", DAEMON | level.priority(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let open = |text: &str| Sink::open(OsStr::new(text));
        assert!(matches!(open("journald:").unwrap(), Sink::Journal(name) if name == "onggi"));
        assert!(matches!(open("journald:a b").unwrap(), Sink::Journal(name) if name == "a b"));
        assert!(matches!(open("syslog:x").unwrap(), Sink::Syslog(name) if name == "x"));
        assert!(open("syslog:a\nPRIORITY=0").is_err());
        for path in ["/dev/null", "file:/dev/null"] {
            assert!(matches!(open(path).unwrap(), Sink::File(_)), "{path}");
        }
        let error = open("/dev/null/such:file").unwrap_err().to_string();
        assert_eq!(error, "open log file \"/dev/null/such:file\": not a directory");
    }

    #[test]
    fn records() {
        assert_eq!(
            journal(Level::Error, "box", "exec: \"x\": not found"),
            "PRIORITY=3\nSYSLOG_IDENTIFIER=box\nMESSAGE=exec: \"x\": not found\n"
        );
        let pid = std::process::id();
        assert_eq!(syslog(Level::Warning, "box", "text"), format!("<28>box[{pid}]: text"));
    }
}
