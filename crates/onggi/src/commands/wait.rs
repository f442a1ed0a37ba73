//! `onggi wait`

use libcontainer::lifecycle;

use super::{PLAIN, Verb, shared};
use crate::output;

pub(super) const VERB: Verb = Verb {
    name: "wait",
    about: "wait for the end of a container",
    details: "Waits for the end of the container's first process, whichever process created it. Prints its\n\
              exit status, or 128 plus the number of the signal that ended it, and exits with the same. When\n\
              the status cannot be told (somebody had waited for the process before, or does so now under\n\
              Linux older than 6.15), standard output stays empty, and the exit status is 255.\n\
              \n\
              \x20   # onggi start mycontainer; onggi wait mycontainer",
    run: |session, matches| {
        let status = lifecycle::wait(&session.runtime, shared::checked_id(matches)?)?;
        output::write(format!("{status}\n").as_bytes())?;
        Ok(status)
    },
    prefix: "wait failed: ",
    failed: 255,
    ..PLAIN
};
