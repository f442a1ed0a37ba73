//! What a person may want to do about a failure. Shown on a terminal only, never in a log.

use libcontainer::lifecycle;
use libcontainer::spelling::distance;

use crate::commands;
use crate::globals::{self, Session};

/// A failure whose text holds all of `signs`, and what helps then.
struct Hint {
    signs: &'static [&'static str],
    help: Help,
}

/// Where the text of a hint comes from.
enum Help {
    /// It is always the same.
    Text(&'static str),
    /// It depends on what is there.
    Look(fn(&Case<'_>) -> Option<String>),
}

/// What failed.
struct Case<'a> {
    session: &'a Session,
    /// The words behind the verb.
    words: &'a [String],
    message: &'a str,
}

const NO_HELPERS: &str = "the package uidmap (Debian, Ubuntu) or shadow-utils (Fedora) has it; without, \
     map only the own id, as \"onggi spec --rootless\" does";
const NO_IDS: &str = "\"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER\", as root, gives \
     a user ids to map; the range must be nobody else's";

const FOR_USERS: &str = "\"onggi spec --rootless\" writes a config.json for a normal user";

/// The first one that fits is shown.
const HINTS: &[Hint] = &[
    Hint { signs: &["container does not exist"], help: Help::Look(near_ids) },
    Hint {
        signs: &["container with given ID already exists"],
        help: Help::Text(
            "\"onggi list\" shows it; \"onggi delete ID\" removes it once it has stopped",
        ),
    },
    Hint {
        signs: &["invalid container id format"],
        help: Help::Text("an id is made of letters, digits and \"_+.-\""),
    },
    Hint {
        signs: &["invalid format option"],
        help: Help::Text("--format takes \"table\" or \"json\""),
    },
    Hint {
        signs: &["create mount point", "read-only file system"],
        help: Help::Text(
            "root.readonly of config.json is true: what is mounted later needs a place that is there",
        ),
    },
    Hint {
        signs: &["config.json", "no such file or directory"],
        help: Help::Text("\"onggi spec --bundle DIR\" writes a config.json to begin with"),
    },
    Hint {
        signs: &["open bundle"],
        help: Help::Text(
            "--bundle names the directory that holds config.json and the root filesystem",
        ),
    },
    Hint {
        signs: &["open rootfs", "no such file or directory"],
        help: Help::Text(
            "root.path of config.json, taken from the bundle, must be a directory with the \
             container's files",
        ),
    },
    Hint {
        signs: &["executable file not found in $PATH"],
        help: Help::Text(
            "the program must be in the container's root filesystem, in a directory of its PATH",
        ),
    },
    Hint {
        signs: &["cannot allocate tty"],
        help: Help::Text(
            "without a console socket: \"terminal\": false in config.json, no --tty, or no --detach",
        ),
    },
    Hint {
        signs: &["is not stopped"],
        help: Help::Text("\"onggi kill ID KILL\" stops it; \"onggi delete --force ID\" does both"),
    },
    Hint {
        signs: &["cannot exec in a stopped container"],
        help: Help::Text("\"onggi delete ID\", then \"onggi run\" makes it anew"),
    },
    Hint {
        signs: &["container not running"],
        help: Help::Text(
            "\"onggi state ID\" shows what it does; one that has stopped can be deleted",
        ),
    },
    Hint {
        signs: &["unknown signal"],
        help: Help::Text("a name such as KILL or RTMIN+3, or a number from 0 to 64"),
    },
    Hint {
        signs: &["cgroup controller", "is not available here"],
        help: Help::Text(
            "take the limit out of config.json, or see which controllers the host has: \
             /proc/cgroups, /sys/fs/cgroup/cgroup.controllers",
        ),
    },
    Hint {
        signs: &["systemd"],
        help: Help::Text("without --systemd-cgroup onggi makes the cgroups itself"),
    },
    Hint { signs: &["newuidmap not found"], help: Help::Text(NO_HELPERS) },
    Hint { signs: &["newgidmap not found"], help: Help::Text(NO_HELPERS) },
    Hint { signs: &["map user ids", "/etc/subuid"], help: Help::Text(NO_IDS) },
    Hint { signs: &["map group ids", "/etc/subgid"], help: Help::Text(NO_IDS) },
    Hint { signs: &["rootless container requires"], help: Help::Text(FOR_USERS) },
    Hint { signs: &["permission denied"], help: Help::Look(not_root) },
    Hint { signs: &["operation not permitted"], help: Help::Look(not_root) },
];

/// The hint for a failure with this message.
pub(crate) fn find(session: &Session, words: &[String], message: &str) -> Option<String> {
    let fits = |hint: &&Hint| hint.signs.iter().all(|sign| message.contains(sign));
    let hint = HINTS.iter().find(fits)?;
    match hint.help {
        Help::Text(text) => Some(text.to_owned()),
        Help::Look(look) => look(&Case { session, words, message }),
    }
}

/// Ids that differ in little from one of the words.
fn near_ids(case: &Case<'_>) -> Option<String> {
    let root = case.session.runtime.root.display();
    let Ok(ids) = lifecycle::ids(&case.session.runtime) else {
        return Some(not_yours(&root.to_string()));
    };
    if ids.is_empty() {
        return Some(format!("there are no containers below {root}; --root names another place"));
    }
    let near = case.words.iter().find_map(|word| nearest(word, ids.iter().map(String::as_str)));
    Some(match near {
        Some(id) => format!("there is one called {id:?}"),
        None => format!("\"onggi list\" shows the {} below {root}", ids.len()),
    })
}

/// The most alike of `known`, if it is alike enough.
fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = word.len() / 3 + 1;
    let begins = |name: &str| word.len() >= 3 && name.starts_with(word);
    let rate = |name: &'a str| (if begins(name) { 1 } else { distance(word, name) }, name);
    let best = known.into_iter().map(rate).min_by_key(|(distance, _)| *distance)?;
    (best.0 > 0 && best.0 <= most).then_some(best.1)
}

/// What may have been meant by the name of a command that does not exist.
pub(crate) fn for_verb(name: &str) -> String {
    match nearest(name, commands::VERBS.iter().map(|verb| verb.name)) {
        Some(verb) => format!("there is a command {verb:?}; \"onggi --help\" lists all"),
        None => "\"onggi --help\" lists the commands".into(),
    }
}

fn not_root(case: &Case<'_>) -> Option<String> {
    if nix::unistd::geteuid().is_root() {
        return None;
    }
    let root = case.session.runtime.root.display().to_string();
    Some(if case.message.contains(&root) {
        not_yours(&root)
    } else {
        format!("you are not root: {FOR_USERS}")
    })
}

fn not_yours(root: &str) -> String {
    format!("{root} is not yours: name a directory that is by --root or $XDG_RUNTIME_DIR")
}

/// For a flag that a verb does not have, but all of them together.
pub(crate) fn for_flag(verb: &str, message: &str) -> Option<String> {
    let flag = message.strip_prefix("flag provided but not defined: -")?;
    let globals = globals::command();
    let known = globals.get_arguments().find(|arg| arg.get_long() == Some(flag))?;
    Some(format!("--{} is for all commands: it stands before {verb:?}", known.get_long()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike() {
        let ids = ["web-1", "db", "0123456789abcdef"];
        for (word, want) in [
            ("web-2", Some("web-1")),
            ("wbe-1", Some("web-1")),
            ("dp", Some("db")),
            ("0123", Some("0123456789abcdef")),
            ("mail", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, ids), want, "{word}");
        }
    }
}
