//! `onggi delete`

use clap::Command;
use libcontainer::lifecycle;

use super::{PLAIN, Verb, shared};

pub(super) const VERB: Verb = Verb {
    name: "delete",
    about: "delete a container and everything that is kept for it",
    details: "The container must be stopped, or created and not yet started.",
    arguments,
    run: |session, matches| {
        let force = matches.get_flag("force");
        match shared::pattern_of(matches) {
            Some(pattern) => lifecycle::delete_matching(&session.runtime, pattern, force)?,
            None => lifecycle::delete(&session.runtime, shared::checked_id(matches)?, force)?,
        }
        Ok(0)
    },
    ..PLAIN
};

fn arguments(command: Command) -> Command {
    shared::with_id(command)
        .arg(
            shared::switch("force", "kill what still runs (SIGKILL); no container is no failure")
                .short('f'),
        )
        .arg(shared::regex())
}
