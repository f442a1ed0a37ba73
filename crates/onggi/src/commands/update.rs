//! `onggi update`

use clap::Command;
use libcontainer::{Error, lifecycle};

use super::{PLAIN, Verb, shared};

pub(super) const VERB: Verb = Verb {
    name: "update",
    about: "update container resource constraints",
    details: "Reads new limits as JSON, in the form of linux.resources of config.json, and sets those\n\
              that it names:\n\
              \n\
              \x20   # echo '{\"memory\": {\"limit\": 67108864}}' | onggi update -r - mycontainer",
    arguments: |command: Command| {
        let help = "file with the new limits, or - for standard input";
        shared::with_id(command).arg(shared::path("resources", "FILE", help).short('r'))
    },
    run: |session, matches| {
        let id = shared::checked_id(matches)?;
        let path = shared::path_of(matches, "resources")
            .ok_or_else(|| Error::message("no limits given: name a file with --resources"))?;
        lifecycle::update(&session.runtime, id, &shared::input(&path)?)?;
        Ok(0)
    },
    ..PLAIN
};
