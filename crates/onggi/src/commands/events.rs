//! `onggi events`

use std::os::fd::AsFd;
use std::time::Duration;

use libcontainer::lifecycle::{self, Event};
use libcontainer::{Error, Result};
use nix::errno::Errno;

use super::{PLAIN, Verb, shared};
use crate::{duration, output};

pub(super) const VERB: Verb = Verb {
    name: "events",
    about: "show what a container uses, and when it runs out of memory",
    details: "Writes lines of JSON until the container stops: \"stats\" with its use of processors, memory\n\
              and devices, once in each interval, and \"oom\" when its memory has run out. With --follow\n\
              no statistics, but \"freeze\", \"thaw\" and, last, \"exit\" with the status, as they happen.\n\
              \n\
              \x20   # onggi events --interval 1m30s mycontainer\n\
              \x20   # onggi events --stats mycontainer | jq .data.memory.usage",
    arguments: |command| {
        let help = "time between statistics, such as 300ms, 1.5h or 1m30s (default: 5s)";
        shared::with_id(command)
            .arg(shared::text("interval", "TIME", help).value_parser(duration::parse))
            .arg(shared::switch("stats", "show statistics once, then exit"))
            .arg(shared::switch("follow", "what happens to it, as it happens, and no statistics"))
    },
    run: |session, matches| {
        let id = shared::checked_id(matches)?;
        let interval = match matches.get_one::<i64>("interval") {
            None => Duration::from_secs(5),
            Some(nanos) => match u64::try_from(*nanos) {
                Ok(nanos) if nanos > 0 => Duration::from_nanos(nanos),
                _ => return Err(Error::message("duration interval must be greater than 0")),
            },
        };
        if matches.get_flag("stats") {
            return quiet(write(&lifecycle::stats(&session.runtime, id)?));
        }
        let stdout = std::io::stdout();
        if matches.get_flag("follow") {
            let mut events = lifecycle::follow(&session.runtime, id)?;
            return stream(|| events.next(stdout.as_fd()));
        }
        let mut events = lifecycle::events(&session.runtime, id, interval)?;
        stream(|| events.next(stdout.as_fd()))
    },
    ..PLAIN
};

/// Writes what comes until nothing more does.
fn stream(mut next: impl FnMut() -> Result<Option<Event>>) -> Result<i32> {
    while let Some(event) = next()? {
        if let Err(error) = write(&event) {
            return quiet(Err(error));
        }
    }
    Ok(0)
}

/// One line, in one write(2).
fn write(event: &Event) -> Result<()> {
    output::write(&output::json_line(event)?)
}

/// That nobody reads any more is the usual end of a stream, not a failure.
fn quiet(written: Result<()>) -> Result<i32> {
    match written {
        Err(error) if error.errno() != Some(Errno::EPIPE) => Err(error),
        _ => Ok(0),
    }
}
