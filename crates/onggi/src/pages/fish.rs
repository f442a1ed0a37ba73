//! Completion for fish.

use super::{Flag, Kind, flags, words};
use crate::commands::VERBS;
use crate::globals;

const CODE: &str = r#"
function __onggi_words
    set -l words (commandline -xpc 2>/dev/null; or commandline -opc)
    set -e words[1]
    set -l skip 0
    for word in $words
        if test $skip = 1
            set skip 0
        else if string match -qr '^--?(VALUES)$' -- $word
            set skip 1
        else if not string match -q -- '-*' $word
            echo $word
        end
    end
end

# Whether the verb is $argv[1], and, if that is asked for, $argv[2] words follow it already.
function __onggi_at
    set -l words (__onggi_words)
    test "$words[1]" = $argv[1]; or return 1
    set -q argv[2]; or return 0
    test (count $words) -eq (math $argv[2] + 1)
end

function __onggi_no_verb
    test (count (__onggi_words)) -eq 0
end

function __onggi_ids
    set -l line (commandline -p)
    set -l root (string match -r -- '--root[ =](\S+)' $line)[2]
    if test -n "$root"
        onggi --root $root list -q 2>/dev/null
    else
        onggi list -q 2>/dev/null
    end
end

complete -c onggi -f
"#;

pub(super) fn script() -> String {
    let mut values: Vec<String> = Vec::new();
    let commands = VERBS.iter().map(|verb| verb.command()).chain([globals::command()]);
    for flag in commands.flat_map(|command| flags(&command)).filter(|flag| flag.value.is_some()) {
        values.push(flag.long);
    }
    values.sort_unstable();
    values.dedup();
    let mut text =
        "# fish completion for onggi; made from its parser, see crates/onggi/src/pages\n"
            .to_owned();
    text += &CODE.replace("VALUES", &values.join("|"));
    for verb in VERBS {
        let (name, about) = (verb.name, quote(verb.about));
        text += &format!("complete -c onggi -n __onggi_no_verb -a {name} -d {about}\n");
    }
    for flag in flags(&globals::command()) {
        text += &line("__onggi_no_verb", &flag);
    }
    for verb in VERBS {
        let condition = format!("__onggi_at {}", verb.name);
        for flag in flags(&verb.command()) {
            text += &line(&condition, &flag);
        }
        for (at, kind) in words(verb).iter().enumerate() {
            let place = if verb.name == "state" { String::new() } else { format!(" {at}") };
            if let Some(what) = values_of(kind) {
                text += &format!(
                    "complete -c onggi -n {}{what}\n",
                    quote(&format!("{condition}{place}"))
                );
            }
        }
    }
    text
}

fn line(condition: &str, flag: &Flag) -> String {
    let mut text = format!("complete -c onggi -n {} -l {}", quote(condition), flag.long);
    if let Some(letter) = flag.short {
        text += &format!(" -s {letter}");
    }
    if let Some((_, kind)) = &flag.value {
        // Where it is no file, files are not offered either.
        text += if *kind == Kind::File { " -r" } else { " -x" };
        text += &values_of(kind).unwrap_or_default();
    }
    format!("{text} -d {}\n", quote(&flag.help))
}

fn values_of(kind: &Kind) -> Option<String> {
    match kind {
        Kind::File => Some(" -F".into()),
        Kind::Directory => Some(" -a '(__fish_complete_directories)'".into()),
        Kind::Container => Some(" -a '(__onggi_ids)'".into()),
        Kind::Word(words) => Some(format!(" -a {}", quote(&words.join(" ")))),
        Kind::Text => None,
    }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
