//! The verbs, one file each.

mod checkpoint;
mod completion;
mod create;
mod delete;
mod events;
mod exec;
mod features;
mod info;
mod kill;
mod list;
mod mounts;
mod pause;
mod ps;
mod resume;
mod run;
mod shared;
mod spec;
mod start;
mod state;
mod update;
mod wait;

use std::ffi::OsStr;

use clap::{ArgMatches, Command};
use libcontainer::Result;

use crate::argv::Flags;
use crate::globals::Session;
use crate::parser;

/// A verb: what it is called, what it takes, what it does.
pub(crate) struct Verb {
    /// The word on the command line.
    pub(crate) name: &'static str,
    /// What it does, for the list of verbs.
    pub(crate) about: &'static str,
    /// The words behind its flags.
    pub(crate) usage: &'static str,
    /// More about it, for its own help page.
    pub(crate) details: &'static str,
    /// Where its flags may stand.
    pub(crate) flags: Flags,
    /// Whether a process of it goes into a container.
    pub(crate) enters_container: bool,
    /// Adds its flags and words to the definition.
    pub(crate) arguments: fn(Command) -> Command,
    /// Does it, and returns the exit code.
    pub(crate) run: fn(&Session, &ArgMatches) -> Result<i32>,
    /// Stands before the message of a failure.
    pub(crate) prefix: &'static str,
    /// The exit code of a failure.
    pub(crate) failed: i32,
}

impl Verb {
    /// The definition that the parser and the help page read.
    pub(crate) fn command(&self) -> Command {
        (self.arguments)(parser::bare(self.name))
    }
}

/// What most verbs have in common.
const PLAIN: Verb = Verb {
    name: "",
    about: "",
    enters_container: false,
    usage: "<container-id>",
    details: "",
    flags: Flags::Anywhere,
    arguments: shared::with_id,
    run: |_, _| Ok(0),
    prefix: "",
    failed: 1,
};

/// All verbs, in the order of the help page.
pub(crate) const VERBS: &[&Verb] = &[
    &checkpoint::CHECKPOINT,
    &completion::VERB,
    &create::VERB,
    &delete::VERB,
    &events::VERB,
    &exec::VERB,
    &kill::VERB,
    &list::VERB,
    &mounts::VERB,
    &pause::VERB,
    &ps::VERB,
    &checkpoint::RESTORE,
    &resume::VERB,
    &run::VERB,
    &spec::VERB,
    &start::VERB,
    &state::VERB,
    &update::VERB,
    &wait::VERB,
    &features::VERB,
    &info::VERB,
];

/// The verb of that name.
pub(crate) fn find(name: &OsStr) -> Option<&'static Verb> {
    VERBS.iter().copied().find(|verb| name == verb.name)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::argv;
    use crate::globals;
    use crate::parser::Request;

    #[test]
    fn definitions_are_consistent() {
        for verb in VERBS {
            verb.command().debug_assert();
            // The normaliser knows switches and values, and finds flags by their long name.
            for arg in verb.command().get_arguments().filter(|arg| !arg.is_positional()) {
                assert!(arg.get_long().is_some(), "{}: {}", verb.name, arg.get_id());
            }
        }
    }

    /// The matches of a whole command line.
    fn read(line: &str) -> (&'static str, ArgMatches) {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let sorted = argv::split(&globals::command(), Flags::BeforeWords, &words).expect(line);
        let (name, words) = sorted.rest.split_first().expect(line);
        let verb = find(name).expect(line);
        match parser::parse(verb.command(), verb.flags, words) {
            Ok(Request::Do(matches)) => (verb.name, matches),
            Ok(Request::Help) => panic!("{line}: help"),
            Err(error) => panic!("{line}: {error}"),
        }
    }

    #[test]
    fn recorded_command_lines_of_engines() {
        let mut seen = 0;
        for recorded in [
            include_str!("../../tests/data/containerd.argv"),
            include_str!("../../tests/data/cri.argv"),
            include_str!("../../tests/data/docker.argv"),
            include_str!("../../tests/data/podman.argv"),
        ] {
            for line in recorded.lines().filter(|line| *line != "--version") {
                let (verb, matches) = read(line);
                let name = if verb == "state" { "ids" } else { "container-id" };
                let id = matches.get_one::<String>(name).expect(line);
                assert!(["ID", "d", "k"].contains(&id.as_str()), "{verb}: {line}");
                seen += 1;
            }
        }
        assert!(seen > 40, "{seen} lines");
    }

    #[test]
    fn exec_leaves_the_command_alone() {
        let (_, matches) = read("exec -t -e A=1,2 --env=B ID ls -la --env x -- y");
        let command: Vec<_> = matches.get_many::<String>("command").unwrap().collect();
        assert_eq!(command, ["ls", "-la", "--env", "x", "--", "y"]);
        let env: Vec<_> = matches.get_many::<String>("env").unwrap().collect();
        assert_eq!(env, ["A=1,2", "B"]);
    }

    #[test]
    fn single_dash_flags() {
        let (_, matches) = read("-root=/x run -no-subreaper --bundle B ID");
        assert!(matches.get_flag("no-subreaper"));
        assert_eq!(matches.get_one::<OsString>("bundle").unwrap(), "B");
    }
}
