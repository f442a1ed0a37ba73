//! Flags that several verbs have.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use libcontainer::lifecycle::options::{CreateOptions, check_id};
use libcontainer::{Error, Result};

/// The name of the word that every verb on one container takes.
const ID: &str = "container-id";

/// As much of a document as is read: engines send some hundred bytes.
const MAX_INPUT: u64 = 1 << 20;

/// A flag without a value.
pub(super) fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// A flag with a value of any bytes.
pub(super) fn path(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).value_parser(value_parser!(OsString)).help(help)
}

/// A flag with a text.
pub(super) fn text(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

/// A flag with a text that may be given often; commas are part of the text.
pub(super) fn texts(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    text(name, value, help).action(ArgAction::Append)
}

/// `--console-socket`
pub(super) fn console_socket() -> Arg {
    path("console-socket", "SOCKET", "send the master of the terminal to this Unix socket")
}

/// `--preserve-fds`
pub(super) fn preserve_fds() -> Arg {
    text("preserve-fds", "N", "pass on N more file descriptors (stdio + $LISTEN_FDS + N)")
        .value_parser(value_parser!(u32))
}

/// `--format`, whose values are checked when the output is written.
pub(super) fn format() -> Arg {
    text("format", "FORMAT", "table (default) or json").short('f')
}

/// Adds the container id.
pub(super) fn with_id(command: Command) -> Command {
    command.arg(Arg::new(ID).required(true))
}

/// The container id, checked.
///
/// # Errors
///
/// It is no id.
pub(super) fn checked_id(matches: &ArgMatches) -> Result<&str> {
    let id = matches.get_one::<String>(ID).map(String::as_str).unwrap_or_default();
    check_id(id)?;
    Ok(id)
}

/// `--regex`
pub(super) fn regex() -> Arg {
    let help = "the id is a POSIX extended regular expression: all containers that match";
    switch("regex", help).short('r')
}

/// What stands in the place of the id, with `--regex`.
pub(super) fn pattern_of(matches: &ArgMatches) -> Option<&str> {
    matches.get_flag("regex").then(|| matches.get_one::<String>(ID).map(String::as_str)).flatten()
}

/// A path as given; an empty one counts as not given.
pub(super) fn path_of(matches: &ArgMatches, name: &str) -> Option<PathBuf> {
    matches.get_one::<OsString>(name).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The same as an absolute path, since operations may work in another directory.
///
/// # Errors
///
/// The current directory is gone.
pub(super) fn absolute(matches: &ArgMatches, name: &str) -> Result<Option<PathBuf>> {
    path_of(matches, name).map(make_absolute).transpose()
}

fn make_absolute(path: PathBuf) -> Result<PathBuf> {
    std::path::absolute(&path).map_err(|error| Error::io("resolve path", &path, &error))
}

/// A text as given; an empty one counts as not given.
pub(super) fn text_of(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.get_one::<String>(name).filter(|text| !text.is_empty()).cloned()
}

/// All texts of a flag that may be given often, or of the words behind the id.
pub(super) fn texts_of(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.get_many::<String>(name).map(|texts| texts.cloned().collect()).unwrap_or_default()
}

/// The number of `--preserve-fds`.
pub(super) fn preserve_fds_of(matches: &ArgMatches) -> u32 {
    matches.get_one("preserve-fds").copied().unwrap_or_default()
}

/// Adds the flags of `create`, which `run` has too.
pub(super) fn with_create_flags(command: Command) -> Command {
    command
        .arg(path("bundle", "DIR", "the bundle (default: the current directory)").short('b'))
        .arg(path("config", "FILE", "read FILE instead of the bundle's config.json").short('f'))
        .arg(console_socket())
        .arg(path("pidfd-socket", "SOCKET", "send a pidfd of the init process to this Unix socket"))
        .arg(path("pid-file", "FILE", "write the process id of the init process to FILE"))
        .arg(switch("no-pivot", "change the root without pivot_root, for a root on a ramdisk"))
        .arg(switch("no-new-keyring", "keep the session keyring of the caller"))
        .arg(preserve_fds())
        .arg(switch("no-subreaper", "do not collect orphaned processes of the container"))
}

/// What the flags of `create` say.
///
/// # Errors
///
/// The id is no id, or the current directory is gone.
pub(super) fn create_options(matches: &ArgMatches) -> Result<CreateOptions> {
    Ok(CreateOptions {
        id: checked_id(matches)?.to_owned(),
        bundle: make_absolute(path_of(matches, "bundle").unwrap_or_else(|| ".".into()))?,
        config: absolute(matches, "config")?,
        // Sockets stay as they were given: a long absolute path does not fit into an address.
        console_socket: path_of(matches, "console-socket"),
        pid_file: absolute(matches, "pid-file")?,
        pidfd_socket: path_of(matches, "pidfd-socket"),
        no_pivot: matches.get_flag("no-pivot"),
        no_new_keyring: matches.get_flag("no-new-keyring"),
        preserve_fds: preserve_fds_of(matches),
    })
}

/// A document, from a file or, as `-`, from standard input.
///
/// # Errors
///
/// It cannot be read.
pub(super) fn input(path: &Path) -> Result<Vec<u8>> {
    let fail = |error: std::io::Error| Error::io("read", path, &error);
    let mut text = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().take(MAX_INPUT).read_to_end(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(MAX_INPUT).read_to_end(&mut text))
    }
    .map_err(fail)?;
    Ok(text)
}
