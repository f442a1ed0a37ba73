//! Log records as engines read them.
//!
//! containerd takes the last record of the file whose level is `error`; Podman reads the whole
//! file as one JSON object. So a failure is exactly one record, and a success none, unless
//! somebody asks for more with `--debug` or `--log-level`.

mod sink;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};

use libcontainer::Result;

use sink::Sink;

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// `time="…" level=error msg="…"`
    Text,
    /// `{"level":"error","msg":"…","time":"…"}`
    Json,
}

/// How much a record matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Why the command failed.
    Error,
    /// What was passed over.
    Warning,
    /// Worth to know.
    Info,
    /// What was done.
    Debug,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    /// The four letters that stand for it on a terminal.
    fn short(self) -> &'static str {
        match self {
            Self::Error => "ERRO",
            Self::Warning => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBU",
        }
    }

    /// The severity of syslog(3).
    fn priority(self) -> u8 {
        match self {
            Self::Error => 3,
            Self::Warning => 4,
            Self::Info => 6,
            Self::Debug => 7,
        }
    }
}

/// Where records go.
#[derive(Debug)]
pub(crate) struct Log {
    sink: Sink,
    format: Format,
    most: Level,
}

impl Log {
    /// Records as text on standard error, errors only.
    pub(crate) fn stderr() -> Self {
        Self { sink: Sink::Stderr, format: Format::Text, most: Level::Error }
    }

    /// Records of at most level `most` to where the value of `--log` says, or on standard error without
    /// one.
    ///
    /// # Errors
    ///
    /// A file cannot be opened or made.
    pub(crate) fn open(target: Option<&OsStr>, format: Format, most: Level) -> Result<Self> {
        let sink = target.map_or(Ok(Sink::Stderr), Sink::open)?;
        Ok(Self { sink, format, most })
    }

    /// Another handle to the same place.
    ///
    /// # Errors
    ///
    /// Too many files are open.
    pub(crate) fn share(&self) -> Result<Self> {
        Ok(Self { sink: self.sink.share()?, format: self.format, most: self.most })
    }

    /// Writes why the command failed: a record, and with `--log` also the plain message on
    /// standard error, where conmon and people look.
    pub(crate) fn error(&self, message: &str) {
        self.record(Level::Error, message);
        if !self.sink.is_stderr() {
            to_stderr(&format!("{}\n", escape(message)));
        }
    }

    /// Writes of a failure that changes nothing: a record if it was asked for, else a line on
    /// standard error. A log file must hold one record at most, and that of an error.
    pub(crate) fn warning(&self, message: &str) {
        if self.most >= Level::Warning || self.sink.is_stderr() {
            self.write(Level::Warning, message);
        } else {
            to_stderr(&format!("{}\n", escape(message)));
        }
    }

    /// Writes what was passed over, if it was asked for.
    pub(crate) fn remark(&self, message: &str) {
        self.record(Level::Warning, message);
    }

    /// Writes what was done, if it was asked for.
    pub(crate) fn debug(&self, message: &str) {
        self.record(Level::Debug, message);
    }

    /// Whether standard error is a terminal and carries no JSON.
    pub(crate) fn is_read_by_people(&self) -> bool {
        (!self.sink.is_stderr() || self.format == Format::Text) && io::stderr().is_terminal()
    }

    /// A hint for people on standard error, unless that carries JSON records.
    pub(crate) fn hint(&self, text: &str) {
        if !self.sink.is_stderr() || self.format == Format::Text {
            to_stderr(&format!("{text}\n"));
        }
    }

    fn record(&self, level: Level, message: &str) {
        if level <= self.most {
            self.write(level, message);
        }
    }

    fn write(&self, level: Level, message: &str) {
        if self.sink.is_stderr() && self.format == Format::Text && io::stderr().is_terminal() {
            to_stderr(&format!("{}[0000] {}\n", level.short(), escape(message)));
            return;
        }
        let line = record(self.format, level, message, &libcontainer::clock::now_in_seconds());
        // If that fails (a full disk, no such socket), the message on standard error is what remains.
        let written = self.sink.write(level, &escape(message), &line);
        if written.is_err() && level > Level::Error && !self.sink.is_stderr() {
            to_stderr(&line);
        }
    }
}

/// Nobody is left to tell when standard error is closed.
fn to_stderr(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// One record with its line end.
fn record(format: Format, level: Level, message: &str, time: &str) -> String {
    let level = level.name();
    match format {
        Format::Text => {
            format!("time=\"{time}\" level={level} msg={}\n", text_value(message))
        }
        Format::Json => {
            let message = serde_json::Value::from(message);
            format!("{{\"level\":\"{level}\",\"msg\":{message},\"time\":\"{time}\"}}\n")
        }
    }
}

/// Quoted unless it is one plain word, as logrus does.
fn text_value(message: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/@^+".contains(c);
    if !message.is_empty() && message.chars().all(plain) {
        return message.to_owned();
    }
    let quoted = message.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escape(&quoted))
}

/// The text without characters that steer a terminal or begin a new line: container ids, paths
/// and program names in messages come from outside.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if u32::from(c) < 0x20 || c == '\x7f' => {
                // Writing into a String cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c if c.is_control() || is_direction(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Characters that turn the direction of writing and so make text look like another.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-01-02T03:04:05Z";

    #[test]
    fn text_as_logrus_writes_it() {
        assert_eq!(
            record(Format::Text, Level::Error, "exec: \"x\": not found", TIME),
            "time=\"2026-01-02T03:04:05Z\" level=error msg=\"exec: \\\"x\\\": not found\"\n"
        );
        assert_eq!(
            record(Format::Text, Level::Warning, "plain/word", TIME),
            "time=\"2026-01-02T03:04:05Z\" level=warning msg=plain/word\n"
        );
    }

    #[test]
    fn text_is_always_one_line() {
        let line = record(Format::Text, Level::Error, "a\nlevel=error\t\x1b[31m\u{85}\\", TIME);
        assert_eq!(
            line,
            "time=\"2026-01-02T03:04:05Z\" level=error \
             msg=\"a\\nlevel=error\\t\\x1b[31m\\u0085\\\\\"\n"
        );
    }

    #[test]
    fn json_has_the_three_keys_in_order() {
        assert_eq!(
            record(Format::Json, Level::Error, "a \"b\"\n\x1b\\", TIME),
            "{\"level\":\"error\",\"msg\":\"a \\\"b\\\"\\n\\u001b\\\\\",\"time\":\"2026-01-02T03:04:05Z\"}\n"
        );
    }

    #[test]
    fn json_reads_back() {
        let message: String = (0..0x300).filter_map(char::from_u32).collect();
        let line = record(Format::Json, Level::Error, &message, TIME);
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["msg"], message);
    }

    #[test]
    fn empty_message_is_quoted() {
        assert!(record(Format::Text, Level::Error, "", TIME).ends_with("msg=\"\"\n"));
    }

    #[test]
    fn escape_leaves_other_languages_alone() {
        assert_eq!(escape("옹기 ümlaut \u{202e}"), "옹기 ümlaut \\u202e");
    }
}
