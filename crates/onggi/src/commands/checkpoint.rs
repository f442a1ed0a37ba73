//! `onggi checkpoint` and `onggi restore`, which this version does not have. Their command lines are
//! read all the same, so that what engines are told is not about a flag.

use clap::{Arg, ArgAction, Command, value_parser};
use libcontainer::Error;

use super::{PLAIN, Verb, shared};

pub(super) const CHECKPOINT: Verb = Verb {
    name: "checkpoint",
    about: "not part of this version: save a running container to files",
    details: "This version of onggi cannot do that: the verb says so, and exits with 1.",
    arguments,
    run: |_, _| Err(Error::message("checkpoint is not part of this version of onggi")),
    ..PLAIN
};

pub(super) const RESTORE: Verb = Verb {
    name: "restore",
    about: "not part of this version: run a container from such files",
    run: |_, _| Err(Error::message("restore is not part of this version of onggi")),
    ..CHECKPOINT
};

/// The flags of runc's and crun's two verbs that are on or off.
const SWITCHES: [&str; 16] = [
    "auto-dedup",
    "detach",
    "ext-unix-sk",
    "file-locks",
    "lazy-pages",
    "leave-running",
    "link-remap",
    "no-new-keyring",
    "no-pivot",
    "no-subreaper",
    "pre-dump",
    "shell-job",
    "tcp-close",
    "tcp-established",
    "tcp-skip-in-flight",
    "ext-unix",
];

/// Those with a value; it is not looked at.
const VALUES: [&str; 14] = [
    "bundle",
    "console-socket",
    "empty-ns",
    "image-path",
    "lsm-mount-context",
    "lsm-profile",
    "manage-cgroups-mode",
    "network-lock",
    "page-server",
    "parent-path",
    "pid-file",
    "preserve-fds",
    "status-fd",
    "work-path",
];

/// One letter for some.
const LETTERS: [(&str, char); 2] = [("bundle", 'b'), ("detach", 'd')];

fn arguments(command: Command) -> Command {
    let short = |arg: Arg, name| match LETTERS.iter().find(|(long, _)| *long == name) {
        Some((_, letter)) => arg.short(*letter),
        None => arg,
    };
    let switches = SWITCHES.map(|name| short(shared::switch(name, ""), name).hide(true));
    let values = VALUES.map(|name| {
        let arg = Arg::new(name).long(name).action(ArgAction::Append).hide(true);
        short(arg.value_parser(value_parser!(std::ffi::OsString)), name)
    });
    shared::with_id(command).args(switches).args(values)
}
