//! Man pages and shell completions, made from the definitions that the parser reads. They are files of the
//! repository, compared with what is made here; `make pages` writes them anew.

mod bash;
mod fish;
mod man;
mod zsh;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};

use crate::commands::{VERBS, Verb};
use crate::globals;

/// What stands in the place of a value or word, for who completes it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// The id of a container that is there.
    Container,
    /// One of these words.
    Word(Vec<String>),
    /// Nobody knows.
    Text,
}

/// A flag as it is shown.
struct Flag {
    long: String,
    short: Option<char>,
    help: String,
    /// The name of its value and what that is; `None` for a switch.
    value: Option<(String, Kind)>,
}

/// The flags that help shows.
fn flags(command: &Command) -> Vec<Flag> {
    let shown = command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set());
    shown.map(flag).collect()
}

fn flag(arg: &Arg) -> Flag {
    let name = arg.get_value_names().and_then(|names| names.first());
    let name = name.map(ToString::to_string).unwrap_or_default();
    let value =
        (!matches!(arg.get_action(), ArgAction::SetTrue)).then(|| (name.clone(), kind(arg, &name)));
    Flag {
        long: arg.get_long().unwrap_or_default().to_owned(),
        short: arg.get_short(),
        help: arg.get_help().map(ToString::to_string).unwrap_or_default(),
        value,
    }
}

fn kind(arg: &Arg, name: &str) -> Kind {
    let words: Vec<String> =
        arg.get_possible_values().iter().map(|word| word.get_name().to_owned()).collect();
    let of = |words: &[&str]| Kind::Word(words.iter().map(|word| (*word).to_owned()).collect());
    match (arg.get_id().as_str(), name) {
        _ if !words.is_empty() => Kind::Word(words),
        ("container-id" | "ids", _) => Kind::Container,
        ("file", _) | (_, "FILE" | "SOCKET") => Kind::File,
        // That one is the container's.
        ("cwd", _) => Kind::Text,
        (_, "DIR") => Kind::Directory,
        ("log-format", _) => of(&["text", "json"]),
        ("log-level", _) => of(&["error", "warning", "info", "debug"]),
        ("cgroup-manager", _) => of(&["cgroupfs", "systemd", "disabled"]),
        ("rootless", _) => of(&["true", "false", "auto"]),
        ("format", _) => of(&["table", "json"]),
        ("signal", _) => {
            of(&["TERM", "KILL", "INT", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT"])
        }
        _ => Kind::Text,
    }
}

/// What the words of a verb are. `create` and `run` take an id that is not there yet.
fn words(verb: &Verb) -> Vec<Kind> {
    let new = ["create", "run"].contains(&verb.name);
    let of = |arg: &Arg| match kind(arg, "") {
        Kind::Container if new => Kind::Text,
        kind => kind,
    };
    verb.command().get_positionals().map(of).collect()
}

/// All pages by their path in the repository.
fn pages() -> BTreeMap<PathBuf, String> {
    let mut pages = BTreeMap::new();
    let mut add = |path: String, text: String| pages.insert(PathBuf::from(path), text);
    add("man/onggi.1".into(), man::overview());
    for verb in VERBS {
        add(format!("man/onggi-{}.1", verb.name), man::verb(verb));
    }
    add("completions/onggi.bash".into(), bash::script());
    add("completions/_onggi".into(), zsh::script());
    add("completions/onggi.fish".into(), fish::script());
    pages
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn files_are_what_the_parser_says() {
    let pages = pages();
    if std::env::var_os("UPDATE").is_some() {
        for (path, text) in &pages {
            fs::write(root().join(path), text).unwrap();
        }
    }
    for (path, text) in &pages {
        let found = fs::read_to_string(root().join(path)).unwrap_or_default();
        assert!(found == *text, "{} is out of date: make pages", path.display());
    }
    for dir in ["man", "completions"] {
        for entry in fs::read_dir(root().join(dir)).unwrap() {
            let path = Path::new(dir).join(entry.unwrap().file_name());
            assert!(pages.contains_key(&path), "{} is nobody's", path.display());
        }
    }
}

#[test]
fn every_verb_and_flag_is_on_a_page() {
    let pages = pages();
    let text = |path: &str| pages[Path::new(path)].replace("\\-", "-");
    for verb in VERBS {
        let page = text(&format!("man/onggi-{}.1", verb.name));
        for flag in flags(&verb.command()) {
            assert!(page.contains(&format!("--{}", flag.long)), "{} --{}", verb.name, flag.long);
        }
        assert!(text("man/onggi.1").contains(&format!("onggi-{}(1)", verb.name)));
        for script in ["completions/onggi.bash", "completions/_onggi", "completions/onggi.fish"] {
            assert!(text(script).contains(verb.name), "{script} {}", verb.name);
        }
    }
    for flag in flags(&globals::command()) {
        assert!(text("man/onggi.1").contains(&format!("--{}", flag.long)), "{}", flag.long);
    }
}
