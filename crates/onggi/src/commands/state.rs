//! `onggi state`

use libcontainer::lifecycle;

use super::{PLAIN, Verb, shared};
use crate::output;

pub(super) const VERB: Verb = Verb {
    name: "state",
    about: "output the state of a container as JSON",
    run: |session, matches| {
        let state = lifecycle::state(&session.runtime, shared::checked_id(matches)?)?;
        output::write(&output::json_pretty(&state, "  ")?)?;
        Ok(0)
    },
    ..PLAIN
};
