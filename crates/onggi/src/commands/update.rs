//! `onggi update`

use std::fs::File;
use std::io::Read;
use std::path::Path;

use clap::Command;
use libcontainer::{Error, Result, lifecycle};

use super::{PLAIN, Verb, shared};

/// As much of the resources as is read: engines send some hundred bytes.
const MAX_INPUT: u64 = 1 << 20;

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
        lifecycle::update(&session.runtime, id, &input(&path)?)?;
        Ok(0)
    },
    ..PLAIN
};

/// The document, from a file or standard input.
fn input(path: &Path) -> Result<Vec<u8>> {
    let fail = |error: std::io::Error| Error::io("read", path, &error);
    let mut text = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().take(MAX_INPUT).read_to_end(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(MAX_INPUT).read_to_end(&mut text))
    }
    .map_err(fail)?;
    Ok(text)
}
