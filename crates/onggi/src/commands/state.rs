//! `onggi state`

use clap::{Arg, ArgAction, ArgMatches, Command};
use libcontainer::lifecycle::options::{StateView, check_id};
use libcontainer::{Error, Result, clock, lifecycle};

use super::{PLAIN, Verb, shared};
use crate::globals::Session;
use crate::{log, output};

pub(super) const VERB: Verb = Verb {
    name: "state",
    about: "show the state of containers",
    usage: "<container-id>...",
    details: "As JSON, one container is an object, several are a list of those that exist, in the order\n\
              asked for; one that does not exist is a failure all the same. On a terminal they are shown\n\
              as text, unless --format json says otherwise.",
    arguments,
    run,
    ..PLAIN
};

fn arguments(command: Command) -> Command {
    let format =
        shared::text("format", "FORMAT", "json, or text (default on a terminal)").short('f');
    command
        .arg(Arg::new("ids").required(true).num_args(1..).action(ArgAction::Append))
        .arg(format.value_parser(["json", "text"]).hide_possible_values(true))
}

fn run(session: &Session, matches: &ArgMatches) -> Result<i32> {
    let ids = shared::texts_of(matches, "ids");
    ids.iter().try_for_each(|id| check_id(id))?;
    let as_text = match shared::text_of(matches, "format").as_deref() {
        Some(format) => format == "text",
        None => output::is_terminal(),
    };
    if let [id] = ids.as_slice() {
        let state = lifecycle::state(&session.runtime, id)?;
        let bytes =
            if as_text { text(&state).into_bytes() } else { output::json_pretty(&state, "  ")? };
        output::write(&bytes)?;
        return Ok(0);
    }
    let mut states = Vec::with_capacity(ids.len());
    let mut failures = Vec::new();
    for id in &ids {
        match lifecycle::state(&session.runtime, id) {
            Ok(state) => states.push(state),
            Err(error) => failures.push(format!("{id}: {error}")),
        }
    }
    if as_text {
        let blocks: Vec<String> = states.iter().map(text).collect();
        output::write(blocks.join("\n").as_bytes())?;
    } else {
        let mut bytes = output::json_pretty(&states, "  ")?;
        bytes.push(b'\n');
        output::write(&bytes)?;
    }
    if failures.is_empty() { Ok(0) } else { Err(Error::message(failures.join("; "))) }
}

/// What the JSON holds, a line for each.
fn text(state: &StateView) -> String {
    let pid = state.pid.to_string();
    let age = clock::ago(&state.created).map(|ago| format!(" ({ago})")).unwrap_or_default();
    let created = format!("{}{age}", state.created);
    let rows = [
        ("id", &state.id),
        ("status", &state.status),
        ("pid", &pid),
        ("created", &created),
        ("owner", &state.owner),
        ("bundle", &state.bundle),
        ("rootfs", &state.rootfs),
        ("version", &state.oci_version),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        text.push_str(&format!("{name:<9}{}\n", log::escape(value)));
    }
    for (key, value) in &state.annotations {
        text.push_str(&format!("{:<9}{}={}\n", "note", log::escape(key), log::escape(value)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_aligned_and_cannot_steer_a_terminal() {
        let state = StateView {
            oci_version: "1.3.0".into(),
            id: "x".into(),
            pid: 42,
            status: "running".into(),
            bundle: "/b\n\x1b[2J".into(),
            rootfs: "/b/rootfs".into(),
            created: "9999-01-01T00:00:00Z".into(),
            annotations: [("a.b".to_owned(), "1".to_owned())].into(),
            owner: "root".into(),
        };
        assert_eq!(
            text(&state),
            "id       x\nstatus   running\npid      42\n\
             created  9999-01-01T00:00:00Z (0 seconds ago)\nowner    root\n\
             bundle   /b\\n\\x1b[2J\nrootfs   /b/rootfs\nversion  1.3.0\nnote     a.b=1\n"
        );
    }
}
