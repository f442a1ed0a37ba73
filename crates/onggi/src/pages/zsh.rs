//! Completion for zsh.

use super::{Flag, Kind, flags, words};
use crate::commands::VERBS;
use crate::globals;

const CODE: &str = r#"
_onggi_ids() {
    local -a ids
    ids=(${(f)"$(onggi ${root:+--root} ${root:+$root} list -q 2>/dev/null)"})
    _describe -t containers container ids
}

_onggi() {
    local context state state_descr line root
    typeset -A opt_args
    _arguments -C -S $_onggi_globals '1: :->verb' '*:: :->rest' && return
    # The verb's own arguments take the place of these.
    root=${(Q)opt_args[--root]}
    case $state in
    verb) _describe -t commands command _onggi_verbs ;;
    rest) _onggi_verb $words[1] ;;
    esac
}

if [[ $funcstack[1] == _onggi ]]; then
    _onggi "$@"
else
    compdef _onggi onggi
fi
"#;

pub(super) fn script() -> String {
    let mut text =
        "#compdef onggi\n# zsh completion for onggi; made from its parser, see crates/onggi/src/pages\n\n"
            .to_owned();
    text += "typeset -ga _onggi_verbs _onggi_globals\n_onggi_verbs=(\n";
    for verb in VERBS {
        text += &format!("    {}\n", quote(&format!("{}:{}", verb.name, colons(verb.about))));
    }
    text += ")\n_onggi_globals=(\n";
    for flag in flags(&globals::command()) {
        text += &spec(&flag);
    }
    text += ")\n\n_onggi_verb() {\n    local -a specs\n    case $1 in\n";
    for verb in VERBS {
        text += &format!("    {})\n        specs=(\n", verb.name);
        for flag in flags(&verb.command()) {
            text += &spec(&flag);
        }
        let words = words(verb);
        for (at, kind) in words.iter().enumerate() {
            // The last word of `state` may be repeated, and behind that of `exec` comes a command of the
            // container's.
            let place = match (verb.name, at + 1 == words.len()) {
                ("state", true) => "*".to_owned(),
                _ => (at + 1).to_string(),
            };
            text += &format!("    {}\n", quote(&format!("{place}: :{}", action(kind))));
        }
        text += "        ) ;;\n";
    }
    text + "    *) return ;;\n    esac\n    _arguments -S $specs\n}\n" + CODE
}

/// An entry of `_arguments`, for each of a flag's names.
fn spec(flag: &Flag) -> String {
    let help = flag.help.replace(['[', ']'], "");
    let value = flag
        .value
        .as_ref()
        .map(|(name, kind)| format!(":{}:{}", colons(&name.replace(['[', ']'], "")), action(kind)));
    let names = [Some(format!("--{}", flag.long)), flag.short.map(|letter| format!("-{letter}"))];
    let mark = if flag.value.is_some() { ['=', '+'] } else { [' ', ' '] };
    let mut text = String::new();
    for (name, mark) in names.iter().zip(mark) {
        if let Some(name) = name {
            let mark = String::from(mark).trim().to_owned();
            let value = value.clone().unwrap_or_default();
            text +=
                &format!("    {}\n", quote(&format!("*{name}{mark}[{}]{value}", colons(&help))));
        }
    }
    text
}

fn action(kind: &Kind) -> String {
    match kind {
        Kind::File => "_files".into(),
        Kind::Directory => "_files -/".into(),
        Kind::Container => "_onggi_ids".into(),
        Kind::Word(words) => format!("({})", words.join(" ")),
        Kind::Text => " ".into(),
    }
}

fn colons(text: &str) -> String {
    text.replace(':', "\\:")
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
