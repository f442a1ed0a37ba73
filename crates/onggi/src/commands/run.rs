//! `onggi run`

use clap::Command;
use libcontainer::lifecycle;
use libcontainer::lifecycle::options::RunOptions;

use super::{PLAIN, Verb, shared};

pub(super) const VERB: Verb = Verb {
    name: "run",
    about: "create a container, start it and wait for its end",
    details: "Exits with the status of the container's process, or 128 plus the number of the signal\n\
              that ended it. With --detach it returns as soon as the process runs.",
    arguments,
    run: |session, matches| {
        let options = RunOptions {
            create: shared::create_options(matches)?,
            detach: matches.get_flag("detach"),
            keep: matches.get_flag("keep"),
            no_subreaper: matches.get_flag("no-subreaper"),
        };
        session.prepare_root()?;
        lifecycle::run(&session.runtime, &options)
    },
    prefix: "onggi run failed: ",
    ..PLAIN
};

fn arguments(command: Command) -> Command {
    shared::with_create_flags(shared::with_id(command))
        .arg(shared::switch("detach", "do not wait for the container's end").short('d'))
        .arg(shared::switch("keep", "do not delete the container after its end"))
}
