//! `onggi completion`

use clap::{Arg, Command};

use super::{PLAIN, Verb};
use crate::output;

pub(super) const VERB: Verb = Verb {
    name: "completion",
    about: "print a script that completes command lines in a shell",
    usage: "bash|zsh|fish",
    details: "make install puts them where shells find them. By hand, in bash:\n\
              \n\
              \x20   # source <(onggi completion bash)",
    arguments: |command: Command| {
        command.arg(Arg::new("shell").required(true).value_parser(["bash", "zsh", "fish"]))
    },
    run: |_, matches| {
        let script = match matches.get_one::<String>("shell").map(String::as_str) {
            Some("bash") => include_str!("../../../../completions/onggi.bash"),
            Some("zsh") => include_str!("../../../../completions/_onggi"),
            _ => include_str!("../../../../completions/onggi.fish"),
        };
        output::write(script.as_bytes())?;
        Ok(0)
    },
    ..PLAIN
};
