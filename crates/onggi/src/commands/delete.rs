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
        let id = shared::checked_id(matches)?;
        lifecycle::delete(&session.runtime, id, matches.get_flag("force"))?;
        Ok(0)
    },
    ..PLAIN
};

fn arguments(command: Command) -> Command {
    shared::with_id(command).arg(
        shared::switch("force", "kill what still runs (SIGKILL); no container is no failure")
            .short('f'),
    )
}
