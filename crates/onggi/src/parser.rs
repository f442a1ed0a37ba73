//! From words to clap's matches, with errors in the wording of runc.

use std::ffi::OsString;
use std::fmt;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::argv::{self, Flags};

/// What the words ask for.
pub(crate) enum Request {
    /// `--help`
    Help,
    /// What the flags say.
    Do(ArgMatches),
}

/// A command line that cannot be followed; the text is for the log and for people.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A command without flags or defaults of clap's own, which the normaliser would not know.
pub(crate) fn bare(name: &'static str) -> Command {
    Command::new(name)
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .disable_colored_help(true)
        .args_override_self(true)
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::SetTrue)
                .display_order(1000)
                .help("show help"),
        )
}

/// Reads `words` as the arguments of `command`.
///
/// # Errors
///
/// Unknown flags, missing or wrong values, too few or too many words.
pub(crate) fn parse(
    command: Command,
    flags: Flags,
    words: &[OsString],
) -> Result<Request, UsageError> {
    let words =
        argv::split(&command, flags, words).map_err(|error| UsageError(error.to_string()))?;
    if words.has("help") {
        return Ok(Request::Help);
    }
    check_count(&command, words.rest.len())?;
    read(command, words)
}

/// Lets clap check the values of words that are already sorted.
pub(crate) fn read(command: Command, words: argv::Words) -> Result<Request, UsageError> {
    command
        .try_get_matches_from(words.canonical())
        .map(Request::Do)
        .map_err(|error| UsageError(describe(&error)))
}

/// As many words as the verb's definition has places for.
fn check_count(command: &Command, count: usize) -> Result<(), UsageError> {
    let places = || command.get_positionals();
    let least = places().filter(|arg| arg.is_required_set()).count();
    let open = places().any(|arg| matches!(arg.get_action(), ArgAction::Append));
    let most = places().count();
    let wrong = |how: &str, number: usize| {
        let name = command.get_name();
        Err(UsageError(format!("onggi: {name:?} requires {how} {number} argument(s)")))
    };
    if !open && least == most && count != most {
        wrong("exactly", most)
    } else if count < least {
        wrong("a minimum of", least)
    } else if !open && count > most {
        wrong("a maximum of", most)
    } else {
        Ok(())
    }
}

/// Clap's complaint on one line.
fn describe(error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let flag = text(ContextKind::InvalidArg)
        .map(|arg| arg.trim_start_matches('-').split([' ', '=']).next().unwrap_or_default());
    match (error.kind(), flag, text(ContextKind::InvalidValue)) {
        (ErrorKind::ValueValidation | ErrorKind::InvalidValue, Some(word), Some(value))
            if word.starts_with('<') =>
        {
            format!("invalid value {value:?} for {word}: {}", reason(error))
        }
        (ErrorKind::ValueValidation | ErrorKind::InvalidValue, Some(flag), Some(value)) => {
            format!("invalid value {value:?} for flag -{flag}: {}", reason(error))
        }
        (ErrorKind::InvalidUtf8, ..) => "arguments must be valid UTF-8".into(),
        // The normaliser and the count leave nothing else to complain about; should clap
        // find something all the same, its first line says what.
        _ => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            line.trim_start_matches("error: ").to_owned()
        }
    }
}

/// Why a value was refused.
fn reason(error: &clap::Error) -> String {
    if let Some(ContextValue::Strings(valid)) = error.get(ContextKind::ValidValue) {
        return format!("must be one of {}", valid.join(", "));
    }
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        None => "parse error".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verb() -> Command {
        bare("verb")
            .arg(Arg::new("id").required(true))
            .arg(Arg::new("signal"))
            .arg(Arg::new("fds").long("preserve-fds").value_parser(clap::value_parser!(u32)))
            .arg(Arg::new("format").long("format").value_parser(["table", "json"]))
    }

    fn error(command: Command, words: &[&str]) -> String {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        match parse(command, Flags::Anywhere, &words) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{words:?} was accepted"),
        }
    }

    #[test]
    fn counts_in_the_words_of_runc() {
        assert_eq!(error(verb(), &[]), "onggi: \"verb\" requires a minimum of 1 argument(s)");
        assert_eq!(
            error(verb(), &["a", "b", "c"]),
            "onggi: \"verb\" requires a maximum of 2 argument(s)"
        );
        assert_eq!(error(bare("list"), &["a"]), "onggi: \"list\" requires exactly 0 argument(s)");
    }

    #[test]
    fn wrong_values_are_named() {
        assert_eq!(
            error(verb(), &["--preserve-fds=x", "id"]),
            "invalid value \"x\" for flag -preserve-fds: invalid digit found in string"
        );
        assert_eq!(
            error(verb(), &["--format", "xml", "id"]),
            "invalid value \"xml\" for flag -format: must be one of table, json"
        );
    }

    #[test]
    fn wrong_words_are_named() {
        let command = || bare("verb").arg(Arg::new("action").required(true).value_parser(["add"]));
        assert_eq!(
            error(command(), &["change"]),
            "invalid value \"change\" for <action>: must be one of add"
        );
    }

    #[test]
    fn help_wins_over_missing_words() {
        for word in ["-h", "--help", "-help"] {
            let request = parse(verb(), Flags::Anywhere, &[word.into()]);
            assert!(matches!(request, Ok(Request::Help)));
        }
    }

    #[test]
    fn definitions_are_consistent() {
        verb().debug_assert();
    }
}
