//! What `--help` prints, in the layout of runc.

use clap::Command;

use crate::commands::{VERBS, Verb};
use crate::globals;
use crate::version::{VERSION, by_name};

const OVERVIEW: &str = "\
NAME:
   onggi - Open Container Initiative runtime

Runs containers from bundles: directories with a specification file named
\"config.json\" and a root filesystem, as the OCI runtime-spec describes them.
Engines (Docker, Podman, containerd, CRI-O) call it in the place of runc; by hand,

    # onggi run -b bundle mycontainer

starts one. Ids are yours to choose and unique below the root directory. Without
-b the bundle is the current directory; \"onggi spec\" writes a config.json to
begin with.

USAGE:
   onggi [global options] command [command options] [arguments...]
";

/// The page of `onggi --help`. Of the verbs it names only what they do.
pub(crate) fn overview() -> String {
    let mut page = format!("{OVERVIEW}\nVERSION:\n   {VERSION}\n\nCOMMANDS:\n");
    let entries = VERBS.iter().map(|verb| (verb.name, verb.about));
    for (name, about) in entries.chain([("help, h", "show this list, or the help of one command")])
    {
        page.push_str(&format!("   {name:<10} {about}\n"));
    }
    page.push_str("\nGLOBAL OPTIONS:\n");
    page.push_str(&options(globals::command()));
    by_name(&page).into_owned()
}

/// The page of `onggi VERB --help`.
pub(crate) fn verb(verb: &Verb) -> String {
    let Verb { name, about, usage, details, .. } = verb;
    let gap = if usage.is_empty() { "" } else { " " };
    let mut page = format!(
        "NAME:\n   onggi {name} - {about}\n\nUSAGE:\n   onggi {name} [command options]{gap}{usage}\n"
    );
    if !details.is_empty() {
        page.push_str("\nDESCRIPTION:\n");
        for line in details.lines() {
            page.push_str(format!("   {line}").trim_end());
            page.push('\n');
        }
    }
    page.push_str("\nOPTIONS:\n");
    page.push_str(&options(verb.command()));
    by_name(&page).into_owned()
}

/// The flags of `command`.
fn options(command: Command) -> String {
    let page = command.help_template("{options}").render_help().to_string();
    let mut text = page.trim_end().to_owned();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overview_names_every_verb_and_option() {
        let page = overview();
        for verb in VERBS {
            assert!(page.contains(&format!("\n   {:<10} {}", verb.name, verb.about)));
        }
        for option in globals::command().get_arguments() {
            let long = option.get_long().unwrap();
            assert!(page.contains(&format!("--{long}")), "{long}");
        }
    }

    #[test]
    fn verb_pages_name_their_flags() {
        for verb in VERBS {
            let page = super::verb(verb);
            assert!(page.starts_with(&format!("NAME:\n   onggi {} - ", verb.name)));
            let command = verb.command();
            let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
            for flag in shown.filter_map(clap::Arg::get_long) {
                assert!(page.contains(&format!("--{flag}")), "{} {flag}", verb.name);
            }
        }
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        for page in VERBS.iter().copied().map(verb).chain([overview()]) {
            for line in page.lines() {
                assert!(line.chars().count() <= 100, "{line}");
            }
        }
    }
}
