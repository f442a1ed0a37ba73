//! A static program to be put into a container's root file system.
//!
//! - `runtimetest [check] [CONFIG]` compares everything that can be seen from inside with
//!   config.json (default `/config.json`) and prints one line per check.
//! - `runtimetest TOOL ARG…`, or a link named `TOOL` to it, is a small tool (`echo`, `cat`,
//!   `sleep`, …), so that a test bundle needs no other file.

mod checks;
mod config;
mod mountinfo;
mod raw;
mod report;
mod status;
mod tools;

use std::process::exit;

fn main() {
    let args: Vec<String> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    let base = args.first().and_then(|a| a.rsplit('/').next()).unwrap_or_default();
    let code = if tools::is_tool(base) {
        tools::run(
            &args
                .iter()
                .enumerate()
                .map(|(i, a)| if i == 0 { base } else { a })
                .collect::<Vec<_>>(),
        )
    } else {
        let rest: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
        match rest.first() {
            Some(name) if tools::is_tool(name) => tools::run(&rest),
            Some(&"check") => checks::run(rest.get(1).copied()),
            Some(path) if path.starts_with('/') => checks::run(Some(path)),
            None => checks::run(None),
            Some(other) => {
                eprintln!(
                    "runtimetest: no tool named {other:?}; there are: {}",
                    tools::names().join(" ")
                );
                2
            }
        }
    };
    exit(code)
}
