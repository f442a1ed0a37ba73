//! `onggi pause`

use libcontainer::lifecycle;

use super::{PLAIN, Verb, shared};

pub(super) const VERB: Verb = Verb {
    name: "pause",
    about: "suspend all processes of a container",
    run: |session, matches| {
        lifecycle::pause(&session.runtime, shared::checked_id(matches)?)?;
        Ok(0)
    },
    ..PLAIN
};
