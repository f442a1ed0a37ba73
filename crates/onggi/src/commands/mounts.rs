//! `onggi mounts`

use clap::{Arg, Command};
use libcontainer::lifecycle;

use super::{PLAIN, Verb, shared};

pub(super) const VERB: Verb = Verb {
    name: "mounts",
    about: "add mounts to a running container, or remove them",
    usage: "add|remove <container-id> <file>",
    details: "The file (- for standard input) holds a list of mounts as config.json has them. Sources of bind\n\
              mounts are the host's; without root only file systems can be added. Either all are made or none.\n\
              Of mounts that are to be removed only the destination counts, and copy-symlink: then a link is\n\
              removed.\n\
              \n\
              \x20   # echo '[{\"destination\": \"/data\", \"type\": \"tmpfs\"}]' | onggi mounts add mycontainer -",
    enters_container: true,
    arguments,
    run: |session, matches| {
        let id = shared::checked_id(matches)?;
        let file = shared::path_of(matches, "file").unwrap_or_default();
        let document = shared::input(&file)?;
        match matches.get_one::<String>("action").map(String::as_str) {
            Some("add") => lifecycle::add_mounts(&session.runtime, id, &document)?,
            _ => lifecycle::remove_mounts(&session.runtime, id, &document)?,
        }
        Ok(0)
    },
    ..PLAIN
};

fn arguments(command: Command) -> Command {
    let file = Arg::new("file").required(true);
    shared::with_id(command.arg(Arg::new("action").required(true).value_parser(["add", "remove"])))
        .arg(file.value_parser(clap::value_parser!(std::ffi::OsString)))
}
