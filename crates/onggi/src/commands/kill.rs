//! `onggi kill`

use clap::{Arg, Command};
use libcontainer::{Error, lifecycle};

use super::{PLAIN, Verb, shared};
use crate::argv::Flags;
use crate::signal;

pub(super) const VERB: Verb = Verb {
    name: "kill",
    about: "send a signal (default: SIGTERM) to the init process of a container",
    usage: "<container-id> [signal]",
    details: "Signals go by name, in any case and with or without SIG, or by number:\n\
              \n\
              \x20   # onggi kill mycontainer KILL\n\
              \x20   # onggi kill --regex '^web-[0-9]+$' TERM",
    flags: Flags::BeforeWords,
    arguments,
    run: |session, matches| {
        let name = shared::text_of(matches, "signal").unwrap_or_else(|| "SIGTERM".into());
        let number = signal::parse(&name)
            .ok_or_else(|| Error::message(format!("unknown signal {name:?}")))?;
        let all = matches.get_flag("all");
        match shared::pattern_of(matches) {
            Some(pattern) => lifecycle::kill_matching(&session.runtime, pattern, number, all)?,
            None => lifecycle::kill(&session.runtime, shared::checked_id(matches)?, number, all)?,
        }
        Ok(0)
    },
    ..PLAIN
};

fn arguments(command: Command) -> Command {
    shared::with_id(command)
        .arg(Arg::new("signal"))
        .arg(shared::switch("all", "signal every process of the container").short('a'))
        .arg(shared::regex())
}
