//! Pages for man(1).

use super::{Flag, flags};
use crate::commands::{VERBS, Verb};
use crate::globals;
use crate::version::VERSION;

const DESCRIPTION: &str = "\
onggi makes containers from bundles: directories with a specification, config.json, and a root file system, as the \
OCI runtime-spec describes them. Engines call it; by hand, \"onggi run --bundle DIR ID\" starts a container.

Flags may be written with one dash or two, their values behind a space or an equals sign. Those before the command \
are for all commands.";

/// Name and text of the last sections of the overview.
const SECTIONS: &[(&str, &str)] = &[
    (
        "EXIT STATUS",
        "0, or 1 for a failure; 3 for an unknown command. \"run\", \"exec\" and \"wait\" exit with the status of the \
         process, 128 plus the number of the signal that ended it, or, when \"exec\" or \"wait\" itself fails, 255.",
    ),
    (
        "FILES",
        "/run/onggi holds the state of containers, $XDG_RUNTIME_DIR/onggi for a normal user. The file of --log gets \
         one record for a failure and none for a success.",
    ),
    (
        "ENVIRONMENT",
        "NOTIFY_SOCKET: the container gets a socket of its own in its place, and that it is ready is passed on, see \
         sd_notify(3). LISTEN_FDS and LISTEN_PID: these descriptors are passed on, see sd_listen_fds(3).",
    ),
];

/// onggi(1)
pub(super) fn overview() -> String {
    let mut page = head("onggi", "an OCI container runtime");
    page += ".SH SYNOPSIS\n.B onggi\n[global options] \\fIcommand\\fR [command options] [arguments...]\n";
    page += &section("DESCRIPTION", DESCRIPTION);
    page += ".SH COMMANDS\n";
    for verb in VERBS {
        page += &format!(
            ".TP\n.B {}\n{}; see onggi\\-{}(1)\n",
            verb.name,
            escape(verb.about),
            verb.name
        );
    }
    page += ".SH GLOBAL OPTIONS\n";
    page += &options(&flags(&globals::command()));
    for (name, text) in SECTIONS {
        page += &section(name, text);
    }
    page
}

/// onggi-VERB(1)
pub(super) fn verb(verb: &Verb) -> String {
    let mut page = head(&format!("onggi-{}", verb.name), verb.about);
    page += &format!(
        ".SH SYNOPSIS\n.B onggi {}\n[command options] {}\n",
        verb.name,
        escape(verb.usage)
    );
    if !verb.details.is_empty() {
        page += ".SH DESCRIPTION\n";
        page += &details(verb.details);
    }
    page += ".SH OPTIONS\n";
    page += &options(&flags(&verb.command()));
    page + ".SH SEE ALSO\nonggi(1)\n"
}

fn head(name: &str, about: &str) -> String {
    let upper = name.to_uppercase();
    format!(
        ".TH {} 1 \"\" \"onggi {VERSION}\" \"User Commands\"\n.SH NAME\n{} \\- {}\n",
        escape(&upper),
        escape(name),
        escape(about)
    )
}

fn section(name: &str, text: &str) -> String {
    let paragraphs: Vec<String> = text.split("\n\n").map(escape).collect();
    format!(".SH {name}\n{}\n", paragraphs.join("\n.PP\n"))
}

/// Indented lines are examples, an empty one ends a paragraph.
fn details(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(example) => out += &format!(".nf\n.RS\n{}\n.RE\n.fi\n", escape(example.trim())),
            None if line.is_empty() => out += ".PP\n",
            None => out += &format!("{}\n", escape(line)),
        }
    }
    out
}

fn options(flags: &[Flag]) -> String {
    let mut out = String::new();
    for flag in flags {
        let short = flag.short.map(|letter| format!("\\fB\\-{letter}\\fR, ")).unwrap_or_default();
        let value = flag
            .value
            .as_ref()
            .map(|(name, _)| format!(" \\fI{}\\fR", escape(name)))
            .unwrap_or_default();
        let long = escape(&flag.long);
        out += &format!(".TP\n{short}\\fB\\-\\-{long}\\fR{value}\n{}\n", escape(&flag.help));
    }
    out
}

/// Text that troff takes as it is, on one line.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\n', " ");
    // At the beginning of a line these are requests.
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[test]
fn nothing_is_a_request_that_should_be_text() {
    assert_eq!(escape(".so -x\\y"), "\\&.so \\-x\\ey");
    assert_eq!(details("a\n\n    # b -c\n"), "a\n.PP\n.nf\n.RS\n# b \\-c\n.RE\n.fi\n");
}
