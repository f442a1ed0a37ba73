//! The completion scripts in the shells themselves.

use integration_tests::{Bundle, differs, run, runtime, skip};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// A directory with the script of `shell`, and an `onggi` that knows of three containers.
fn prepare(shell: &str) -> Bundle {
    let bundle = Bundle::new(&["true"]);
    let script = run(Command::new(runtime()).args(["completion", shell]));
    fs::write(bundle.dir().join("script"), script.ok()).expect("write");
    let fake = bundle.dir().join("onggi");
    fs::write(
        &fake,
        "#!/bin/sh\n[ \"$1\" != --root ] || echo \"in$2\"\nprintf 'box\\nboy\\nweb\\n'\n",
    )
    .expect("write");
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).expect("chmod");
    bundle
}

fn has(shell: &str) -> bool {
    Command::new(shell).args(["-c", "true"]).status().is_ok_and(|status| status.success())
}

/// What a shell offers for a line, without descriptions.
fn offers(bundle: &Bundle, shell: &str, script: &str) -> Vec<String> {
    let path = format!("{}:{}", bundle.path(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(shell);
    if shell == "fish" {
        command.arg("--no-config");
    }
    let output = run(command.args(["-c", script]).current_dir(bundle.dir()).env("PATH", path));
    let words = output.ok().lines().filter_map(|line| line.split('\t').next());
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A line whose last word is to be completed, and all that is offered.
const CASES: &[(&str, &[&str])] = &[
    ("onggi cre", &["create"]),
    ("onggi --root /x sta", &["start", "state"]),
    ("onggi --debug --log-format j", &["json"]),
    ("onggi state bo", &["box", "boy"]),
    ("onggi state box bo", &["box", "boy"]),
    ("onggi --root /x kill in", &["in/x"]),
    ("onggi kill box KI", &["KILL"]),
    ("onggi kill --re", &["--regex"]),
    ("onggi mounts a", &["add"]),
    ("onggi mounts add we", &["web"]),
    ("onggi mounts add box roo", &["rootfs"]),
    ("onggi create --bundle roo", &["rootfs"]),
    ("onggi list --format t", &["table"]),
    ("onggi completion b", &["bash"]),
    ("onggi run bo", &[]),
    ("onggi exec --cwd roo", &[]),
];

#[test]
fn in_bash() {
    differs!(Runc | Crun | Youki, "has no such verb");
    if !has("bash") {
        skip!("no bash on this host");
    }
    let bundle = prepare("bash");
    for (line, wanted) in CASES {
        let script = format!(
            "source ./script; compopt() {{ :; }}; COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _onggi; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        assert_eq!(offers(&bundle, "bash", &script), *wanted, "{line}");
    }
    // bash cuts at the equals sign.
    let script = "source ./script; COMP_WORDS=(onggi list --format = j); COMP_CWORD=4; _onggi; echo $COMPREPLY";
    assert_eq!(offers(&bundle, "bash", script), ["json"]);
}

#[test]
fn in_fish() {
    differs!(Runc | Crun | Youki, "has no such verb");
    if !has("fish") {
        skip!("no fish on this host");
    }
    let bundle = prepare("fish");
    for (line, wanted) in CASES {
        let script = format!("source ./script; complete -C '{line}'");
        let found = offers(&bundle, "fish", &script);
        let found: Vec<&str> = found.iter().map(|word| word.trim_end_matches('/')).collect();
        assert_eq!(found, *wanted, "{line}");
    }
}

/// Types a line and the tab key in a terminal, and gives what the list below it shows.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PS1=; autoload -U compinit; compinit -u -D; source ./script; zstyle ":completion:*" list-separator " # "'
zpty -w z 'bindkey "^I" complete-word; setopt no_beep auto_list no_list_ambiguous; echo re''ady'
zpty -r -m z out '*ready*'
zpty -w -n z "$LINE"$'\t'
sleep 0.7
zpty -w -n z $'\C-a echo "<\C-e>"\n'
out=; while zpty -r -t z part; do out+=$part; sleep 0.1; done
print -r -- "$out"
zpty -d z
"#;

#[test]
fn in_zsh() {
    differs!(Runc | Crun | Youki, "has no such verb");
    if !has("zsh") {
        skip!("no zsh on this host");
    }
    let bundle = prepare("zsh");
    let path = format!("{}:{}", bundle.path(), std::env::var("PATH").unwrap_or_default());
    // Of those with one answer every other one, as each takes its second: it is put into the line, which is then
    // shown whole.
    for (line, wanted) in CASES.iter().filter(|(_, wanted)| wanted.len() == 1).step_by(2) {
        let mut command = Command::new("zsh");
        command.args(["-f", "-c", ZSH]).current_dir(bundle.dir());
        let output = run(command.env("PATH", &path).env("LINE", line).env("TERM", "dumb"));
        let cut = line.rsplit_once(' ').map_or(0, |(before, _)| before.len() + 1);
        let whole = format!("{}{}", &line[..cut], wanted[0]);
        assert!(output.ok().contains(&whole), "{line}: {output}");
    }
}
