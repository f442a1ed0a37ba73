//! `onggi start`

use libcontainer::lifecycle;

use super::{PLAIN, Verb, shared};

pub(super) const VERB: Verb = Verb {
    name: "start",
    about: "run the user's program of a created container",
    run: |session, matches| {
        lifecycle::start(&session.runtime, shared::checked_id(matches)?)?;
        Ok(0)
    },
    ..PLAIN
};
