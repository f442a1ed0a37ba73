//! Completion for bash.

use super::{Kind, flags, words};
use crate::commands::VERBS;
use crate::globals;

/// What does not depend on the flags: a table is asked for each verb, whose entries are `FLAG` or `FLAG:KIND`.
const CODE: &str = r#"
# The kind of the value of flag $2 of verb $1; nothing for a switch.
_onggi_kind() {
    local entry
    for entry in $(_onggi_flags "$1"); do
        [[ $entry == "--${2##*-}:"* || $entry == "$2:"* || $entry == "-$2:"* ]] && { echo "${entry#*:}"; return; }
    done
}

_onggi_reply() {
    local kind=$1 cur=$2 root=$3
    case $kind in
    file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    dir) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
    id) mapfile -t COMPREPLY < <(compgen -W "$(onggi ${root:+--root "$root"} list -q 2>/dev/null)" -- "$cur") ;;
    '' | text) ;;
    *) mapfile -t COMPREPLY < <(compgen -W "${kind//|/ }" -- "$cur") ;;
    esac
}

_onggi() {
    local cur=${COMP_WORDS[COMP_CWORD]} at word kind verb= root= count=0 flag= kinds
    COMPREPLY=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        if [[ -n $flag ]]; then
            # bash makes a word of the equals sign.
            [[ $word == = ]] && continue
            [[ -z $verb && $flag == *root ]] && root=$word
            flag=
        elif [[ $word == -?* ]]; then
            [[ -n $(_onggi_kind "$verb" "$word") ]] && flag=$word
        elif [[ -z $verb ]]; then
            verb=$word
        else
            ((count++))
        fi
    done
    [[ $cur == = ]] && cur=
    if [[ -n $flag ]]; then
        kind=$(_onggi_kind "$verb" "$flag")
    elif [[ $cur == -* ]]; then
        kind=$(_onggi_flags "$verb" | tr ' ' '\n' | sed 's/:.*//' | tr '\n' '|')
    elif [[ -z $verb ]]; then
        kind=$_onggi_verbs
    else
        read -ra kinds <<< "$(_onggi_words "$verb")"
        kind=${kinds[count]}
        [[ -z $kind && $verb == state ]] && kind=id
    fi
    _onggi_reply "$kind" "$cur" "$root"
}

complete -F _onggi onggi
"#;

pub(super) fn script() -> String {
    let mut text =
        "# bash completion for onggi; made from its parser, see crates/onggi/src/pages\n\n"
            .to_owned();
    let verbs: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
    text += &format!("_onggi_verbs='{}|help'\n\n", verbs.join("|"));
    text += "_onggi_flags() {\n    case $1 in\n";
    let entry = |command: &clap::Command| {
        let mut entries = Vec::new();
        for flag in flags(command) {
            let kind = flag.value.map(|(_, kind)| format!(":{}", name(&kind))).unwrap_or_default();
            entries.push(format!("--{}{kind}", flag.long));
            entries.extend(flag.short.map(|letter| format!("-{letter}{kind}")));
        }
        entries.join(" ")
    };
    text += &format!("    '') echo '{}' ;;\n", entry(&globals::command()));
    for verb in VERBS {
        text += &format!("    {}) echo '{}' ;;\n", verb.name, entry(&verb.command()));
    }
    text += "    esac\n}\n\n_onggi_words() {\n    case $1 in\n";
    text += &format!("    help) echo '{}' ;;\n", verbs.join("|"));
    for verb in VERBS {
        let kinds: Vec<String> = words(verb).iter().map(name).collect();
        if !kinds.is_empty() {
            text += &format!("    {}) echo '{}' ;;\n", verb.name, kinds.join(" "));
        }
    }
    text + "    esac\n}\n" + CODE
}

fn name(kind: &Kind) -> String {
    match kind {
        Kind::File => "file".into(),
        Kind::Directory => "dir".into(),
        Kind::Container => "id".into(),
        Kind::Word(words) => words.join("|"),
        Kind::Text => "text".into(),
    }
}
