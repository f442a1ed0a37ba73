//! `onggi`, the command: arguments in, exit code and text out.
//!
//! Every verb is one file in `commands/`; what it does is one file in `libcontainer::lifecycle`.
//! Starting up is most of what the quick verbs cost, so only the definition of the verb that was
//! asked for is ever built.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod argv;
mod commands;
mod duration;
mod globals;
mod help;
mod hints;
mod log;
mod output;
#[cfg(test)]
mod pages;
mod parser;
mod signal;
mod version;

use std::ffi::OsString;

use clap::ArgMatches;

use commands::Verb;
use globals::Session;
use libcontainer::{Error, Notice};
use log::Log;
use parser::{Request, UsageError};

/// Exit code of everything that fails, but for the failures below.
const FAILED: i32 = 1;
/// Exit code for a verb that does not exist.
const NO_SUCH_VERB: i32 = 3;

fn main() {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    // A first look, before anything costly is done that would have to be done again. Whatever it
    // overlooks or fails at is seen to once the command line is understood.
    if words.iter().any(|word| commands::find(word).is_some_and(|verb| verb.enters_container)) {
        let _ = libcontainer::seal::ensure();
    }
    std::process::exit(run(&words));
}

/// Follows a whole command line and returns the exit code.
fn run(words: &[OsString]) -> i32 {
    let command = globals::command();
    let sorted = match argv::split(&command, argv::Flags::BeforeWords, words) {
        Ok(sorted) => sorted,
        Err(error) => return misused(&Log::stderr(), &error.to_string(), "onggi --help"),
    };
    // The verb is not clap's business: the definitions above are of the global options only.
    let (globals, rest) = (argv::Words { flags: sorted.flags, rest: Vec::new() }, sorted.rest);
    if globals.has("help") {
        return print(&help::overview());
    }
    if globals.has("version") {
        return print(&version::text());
    }
    let Some((name, words)) = rest.split_first() else {
        return print(&help::overview());
    };
    let matches = match parser::read(command, globals) {
        Ok(Request::Do(matches)) => matches,
        Ok(Request::Help) => return print(&help::overview()),
        Err(error) => return misused(&Log::stderr(), &error.to_string(), "onggi --help"),
    };
    let log = match globals::log(&matches) {
        Ok(log) => log,
        Err(error) => return failed(&Log::stderr(), "", &error, FAILED),
    };
    match commands::find(name) {
        Some(verb) => follow(verb, words, &matches, log),
        None if name == "help" || name == "h" => help_on(words, &log),
        None => no_such_verb(name, &log),
    }
}

/// Runs one verb.
fn follow(verb: &Verb, words: &[OsString], globals: &ArgMatches, log: Log) -> i32 {
    if verb.enters_container
        && let Err(error) = libcontainer::seal::ensure()
    {
        return failed(&log, verb.prefix, &error, verb.failed);
    }
    let matches = match parser::parse(verb.command(), verb.flags, words) {
        Ok(Request::Do(matches)) => matches,
        Ok(Request::Help) => return print(&help::verb(verb)),
        Err(error) => return verb_misused(verb, &log, &error),
    };
    match log.share() {
        Ok(log) => libcontainer::on_notice(log.wants_debug(), move |notice, text| match notice {
            Notice::Warning => log.warning(text),
            Notice::Remark => log.remark(text),
            Notice::Debug => log.debug(text),
        }),
        Err(error) => return failed(&log, verb.prefix, &error, verb.failed),
    }
    let session = match Session::new(globals, log) {
        Ok(session) => session,
        Err((log, error)) => return failed(&log, "", &error, FAILED),
    };
    // Not the words: those of exec can carry secrets.
    let root = &session.runtime.root;
    session.log.debug(&format!("onggi {} {}: root {root:?}", version::VERSION, verb.name));
    match (verb.run)(&session, &matches) {
        Ok(status) => {
            session.log.debug(&format!("{}: exit status {status}", verb.name));
            status
        }
        Err(error) => {
            let status = failed(&session.log, verb.prefix, &error, verb.failed);
            advise(&session, words, &error);
            status
        }
    }
}

/// Tells a person what may help.
fn advise(session: &Session, words: &[OsString], error: &Error) {
    if !session.log.is_read_by_people() {
        return;
    }
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(hint) = hints::find(session, &words, &error.to_string()) {
        show_hint(&session.log, &hint);
    }
}

fn show_hint(log: &Log, hint: &str) {
    log.hint(&format!("hint: {}", version::by_name(hint)));
}

/// `onggi help [VERB]`
fn help_on(words: &[OsString], log: &Log) -> i32 {
    match words.first() {
        None => print(&help::overview()),
        Some(name) => match commands::find(name) {
            Some(verb) => print(&help::verb(verb)),
            None => no_such_verb(name, log),
        },
    }
}

fn no_such_verb(name: &OsString, log: &Log) -> i32 {
    let name = name.to_string_lossy();
    log.error(&format!("No help topic for '{name}'"));
    if log.is_read_by_people() {
        show_hint(log, &hints::for_verb(&name));
    }
    NO_SUCH_VERB
}

fn verb_misused(verb: &Verb, log: &Log, error: &UsageError) -> i32 {
    let message = error.to_string();
    let status = misused(log, &message, &format!("onggi {} --help", verb.name));
    if log.is_read_by_people()
        && let Some(hint) = hints::for_flag(verb.name, &message)
    {
        show_hint(log, &hint);
    }
    status
}

/// Reports a command line that cannot be followed, and what shows how it should be.
fn misused(log: &Log, message: &str, help: &str) -> i32 {
    log.error(message);
    log.hint(&format!("Incorrect usage; see \"{}\".", version::by_name(help)));
    FAILED
}

/// Reports why something failed: the one place where that is done.
fn failed(log: &Log, prefix: &str, error: &Error, status: i32) -> i32 {
    let message = format!("{}{error}", version::by_name(prefix));
    match error {
        Error::Program(text) => log.program_error(&message, text),
        Error::Strict { places, lines } if log.is_read_by_people() => {
            log.error(&format!("{}{}", version::by_name(prefix), Error::strict_head(*places)));
            lines.iter().for_each(|line| log.hint(&format!("  {}", log::escape(line))));
        }
        _ => log.error(&message),
    }
    status
}

/// Prints a page; its exit code.
fn print(text: &str) -> i32 {
    match output::write(text.as_bytes()) {
        Ok(()) => 0,
        Err(error) => failed(&Log::stderr(), "", &error, FAILED),
    }
}
