//! `onggi resume`

use libcontainer::lifecycle;

use super::{PLAIN, Verb, shared};

pub(super) const VERB: Verb = Verb {
    name: "resume",
    about: "let the processes of a paused container go on",
    run: |session, matches| {
        lifecycle::resume(&session.runtime, shared::checked_id(matches)?)?;
        Ok(0)
    },
    ..PLAIN
};
