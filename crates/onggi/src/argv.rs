//! The words of a command line, brought into the one shape that clap reads.
//!
//! Engines write flags in Go's habits, which clap does not know: `-no-subreaper` for
//! `--no-subreaper`, `--detach=false`, flags after the container id for some verbs and none for
//! others. [`split`] reads these with the flag definitions of the verb's own [`Command`], so
//! there is no second list of flags, and touches neither the system nor the environment.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::{Arg, ArgAction, Command};

/// Where flags may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flags {
    /// Before, between and after the other words.
    Anywhere,
    /// Only before the first other word: what follows belongs to somebody else.
    BeforeWords,
}

/// The words, sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// Flags by their long name, with a value for those that take one; a switch that was turned
    /// off again is not there.
    pub(crate) flags: Vec<(String, Option<OsString>)>,
    /// All other words.
    pub(crate) rest: Vec<OsString>,
}

impl Words {
    /// Whether a switch is on, or a flag with a value was given.
    pub(crate) fn has(&self, long: &str) -> bool {
        self.flags.iter().any(|(name, _)| name == long)
    }

    /// `--switch`, `--flag=value`, `--`, and the rest: unambiguous for any parser.
    pub(crate) fn canonical(self) -> Vec<OsString> {
        let mut words = Vec::with_capacity(self.flags.len() + self.rest.len() + 1);
        for (name, value) in self.flags {
            let mut word = OsString::from(format!("--{name}"));
            if let Some(value) = value {
                word.push("=");
                word.push(value);
            }
            words.push(word);
        }
        words.push("--".into());
        words.extend(self.rest);
        words
    }
}

/// A flag that cannot be read. The wording is that of Go's flag package, which people search for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadFlag {
    /// No such flag.
    Unknown(String),
    /// The last word is a flag that wants a value.
    NoValue(String),
    /// `--switch=maybe`
    NotBoolean(String, String),
}

impl fmt::Display for BadFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "flag provided but not defined: -{name}"),
            Self::NoValue(name) => write!(f, "flag needs an argument: -{name}"),
            Self::NotBoolean(name, value) => {
                write!(f, "invalid value {value:?} for flag -{name}: not a boolean")
            }
        }
    }
}

/// Sorts `words` into flags of `command` and the rest.
///
/// # Errors
///
/// A flag that `command` lacks, one without its value, or a switch with a value that is no
/// boolean.
pub(crate) fn split(command: &Command, flags: Flags, words: &[OsString]) -> Result<Words, BadFlag> {
    let mut sorted = Words::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        let Some(flag) = flag_of(word) else {
            sorted.rest.push(word.clone());
            if flags == Flags::BeforeWords {
                // A `--` right behind the container id still separates, and is not the command.
                let mut words = words.as_slice();
                if words.first().is_some_and(|word| word == "--") {
                    words = &words[1..];
                }
                sorted.rest.extend_from_slice(words);
                return Ok(sorted);
            }
            continue;
        };
        let (name, value) = cut(flag);
        let name_text = || name.to_string_lossy().into_owned();
        let Some((long, arg)) = find(command, name) else {
            return Err(BadFlag::Unknown(name_text()));
        };
        if takes_value(arg) {
            let value = match value {
                Some(value) => value,
                None => words.next().cloned().ok_or_else(|| BadFlag::NoValue(name_text()))?,
            };
            sorted.flags.push((long, Some(value)));
        } else {
            let on = match &value {
                None => true,
                Some(value) => boolean(value).ok_or_else(|| {
                    BadFlag::NotBoolean(name_text(), value.to_string_lossy().into_owned())
                })?,
            };
            sorted.flags.retain(|(other, _)| *other != long);
            if on {
                sorted.flags.push((long, None));
            }
        }
    }
    sorted.rest.extend_from_slice(words.as_slice());
    Ok(sorted)
}

/// The flag without its one or two dashes; `None` for `-`, `-9` and every other word.
fn flag_of(word: &OsStr) -> Option<&OsStr> {
    let bytes = word.as_bytes().strip_prefix(b"-")?;
    match bytes.strip_prefix(b"-") {
        Some(long) => Some(OsStr::from_bytes(long)),
        None if bytes.first().is_some_and(u8::is_ascii_alphabetic) => {
            Some(OsStr::from_bytes(bytes))
        }
        None => None,
    }
}

/// `name=value` in its two parts.
fn cut(flag: &OsStr) -> (&OsStr, Option<OsString>) {
    let bytes = flag.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => {
            (OsStr::from_bytes(&bytes[..at]), Some(OsString::from_vec(bytes[at + 1..].to_vec())))
        }
        None => (flag, None),
    }
}

/// The flag of that long or one-letter name. One dash or two makes no difference, as in Go.
fn find<'a>(command: &'a Command, name: &OsStr) -> Option<(String, &'a Arg)> {
    let name = name.to_str()?;
    command.get_arguments().find_map(|arg| {
        let long = arg.get_long()?;
        let mut letter = [0; 4];
        let mut is = |short: char| short.encode_utf8(&mut letter) == name;
        let is_letter = arg.get_short().is_some_and(&mut is)
            || arg.get_all_short_aliases().is_some_and(|all| all.into_iter().any(is));
        (long == name || is_letter).then(|| (long.to_owned(), arg))
    })
}

fn takes_value(arg: &Arg) -> bool {
    !matches!(arg.get_action(), ArgAction::SetTrue)
}

/// The words for true and false that Go reads.
fn boolean(text: &OsStr) -> Option<bool> {
    match text.to_str()? {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
