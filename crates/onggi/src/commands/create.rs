//! `onggi create`

use libcontainer::lifecycle;

use super::{PLAIN, Verb, shared};

pub(super) const VERB: Verb = Verb {
    name: "create",
    about: "create a container",
    details: "Makes a container from a bundle and stops short of the user's program, which \"onggi\n\
              start\" then runs. The id is yours to choose and must be unique below the root.",
    enters_container: true,
    arguments: |command| shared::with_create_flags(shared::with_id(command)),
    run: |session, matches| {
        let options = shared::create_options(matches)?;
        session.prepare_root()?;
        lifecycle::create(&session.runtime, &options)?;
        Ok(0)
    },
    prefix: "onggi create failed: ",
    ..PLAIN
};
