//! Go's habits, one by one.

use super::*;

fn command() -> Command {
    Command::new("verb")
        .arg(Arg::new("id").required(true))
        .arg(Arg::new("bundle").short('b').long("bundle"))
        .arg(Arg::new("env").short('e').long("env").action(ArgAction::Append))
        .arg(Arg::new("detach").short('d').long("detach").action(ArgAction::SetTrue))
        .arg(Arg::new("no-pivot").long("no-pivot").action(ArgAction::SetTrue))
}

fn os(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn anywhere(words: &[&str]) -> Result<Vec<String>, BadFlag> {
    read(Flags::Anywhere, words)
}

fn before(words: &[&str]) -> Result<Vec<String>, BadFlag> {
    read(Flags::BeforeWords, words)
}

fn read(flags: Flags, words: &[&str]) -> Result<Vec<String>, BadFlag> {
    Ok(split(&command(), flags, &os(words))?
        .canonical()
        .into_iter()
        .map(|word| word.into_string().expect("test words are text"))
        .collect())
}

#[test]
fn value_behind_a_space_or_an_equals_sign() {
    let want = Ok(vec!["--bundle=/x".into(), "--".into(), "id".into()]);
    for words in [
        ["--bundle", "/x", "id"].as_slice(),
        &["--bundle=/x", "id"],
        &["-bundle", "/x", "id"],
        &["-bundle=/x", "id"],
        &["-b", "/x", "id"],
        &["-b=/x", "id"],
        &["--b", "/x", "id"],
        &["id", "--bundle", "/x"],
    ] {
        assert_eq!(anywhere(words), want, "{words:?}");
    }
}

#[test]
fn value_may_look_like_anything() {
    assert_eq!(anywhere(&["--bundle", "--detach"]).unwrap(), ["--bundle=--detach", "--"]);
    assert_eq!(anywhere(&["--bundle", "--"]).unwrap(), ["--bundle=--", "--"]);
    assert_eq!(anywhere(&["--bundle", "-"]).unwrap(), ["--bundle=-", "--"]);
    assert_eq!(anywhere(&["--bundle", ""]).unwrap(), ["--bundle=", "--"]);
    assert_eq!(anywhere(&["--bundle="]).unwrap(), ["--bundle=", "--"]);
    assert_eq!(anywhere(&["--env=A=B=C,D"]).unwrap(), ["--env=A=B=C,D", "--"]);
}

#[test]
fn value_need_not_be_unicode() {
    let raw = OsString::from_vec(b"--bundle=/\xff".to_vec());
    let words = split(&command(), Flags::Anywhere, &[raw]).unwrap();
    assert_eq!(words.flags, [("bundle".into(), Some(OsString::from_vec(b"/\xff".to_vec())))]);
}

#[test]
fn switch_takes_no_word() {
    assert_eq!(anywhere(&["-d", "id"]).unwrap(), ["--detach", "--", "id"]);
    assert_eq!(anywhere(&["-detach", "true"]).unwrap(), ["--detach", "--", "true"]);
}

#[test]
fn switch_with_a_boolean() {
    for yes in ["1", "t", "T", "true", "TRUE", "True"] {
        assert_eq!(anywhere(&[&format!("--detach={yes}")]).unwrap(), ["--detach", "--"]);
    }
    for no in ["0", "f", "F", "false", "FALSE", "False"] {
        assert_eq!(anywhere(&[&format!("--detach={no}")]).unwrap(), ["--"]);
    }
    assert_eq!(
        anywhere(&["--detach=maybe"]),
        Err(BadFlag::NotBoolean("detach".into(), "maybe".into()))
    );
    assert!(anywhere(&["--detach="]).is_err());
}

#[test]
fn last_word_on_a_switch_counts() {
    assert_eq!(anywhere(&["--detach", "-d=false"]).unwrap(), ["--"]);
    assert_eq!(anywhere(&["--detach=false", "-d"]).unwrap(), ["--detach", "--"]);
    assert_eq!(anywhere(&["-d", "-d"]).unwrap(), ["--detach", "--"]);
}

#[test]
fn repeated_values_keep_their_order() {
    assert_eq!(
        anywhere(&["-e", "A=1", "id", "--env", "B=2", "-e=C=3"]).unwrap(),
        ["--env=A=1", "--env=B=2", "--env=C=3", "--", "id"]
    );
}

#[test]
fn unknown_flag_is_named_without_dashes_and_value() {
    for words in [["--criu=/x"], ["-criu"], ["--criu"]] {
        assert_eq!(anywhere(&words), Err(BadFlag::Unknown("criu".into())));
    }
    assert_eq!(anywhere(&["-dt"]), Err(BadFlag::Unknown("dt".into())));
    assert_eq!(anywhere(&["--=x"]), Err(BadFlag::Unknown(String::new())));
    assert_eq!(anywhere(&["---bundle"]), Err(BadFlag::Unknown("-bundle".into())));
    assert_eq!(anywhere(&["--Bundle"]), Err(BadFlag::Unknown("Bundle".into())));
    assert_eq!(BadFlag::Unknown("xyz".into()).to_string(), "flag provided but not defined: -xyz");
}

#[test]
fn positional_names_are_no_flags() {
    assert_eq!(anywhere(&["--id", "x"]), Err(BadFlag::Unknown("id".into())));
}

#[test]
fn missing_value() {
    assert_eq!(anywhere(&["id", "--bundle"]), Err(BadFlag::NoValue("bundle".into())));
    assert_eq!(anywhere(&["id", "-b"]), Err(BadFlag::NoValue("b".into())));
}

#[test]
fn two_dashes_end_the_flags() {
    assert_eq!(anywhere(&["--", "-d", "--"]).unwrap(), ["--", "-d", "--"]);
    assert_eq!(anywhere(&["id", "--", "-d"]).unwrap(), ["--", "id", "-d"]);
    assert_eq!(before(&["-d", "--", "id", "ls"]).unwrap(), ["--detach", "--", "id", "ls"]);
}

#[test]
fn words_that_are_no_flags() {
    assert_eq!(anywhere(&["-", "-9", ""]).unwrap(), ["--", "-", "-9", ""]);
}

#[test]
fn flags_stop_at_the_first_word() {
    assert_eq!(
        before(&["-d", "id", "ls", "-d", "--color=x"]).unwrap(),
        ["--detach", "--", "id", "ls", "-d", "--color=x"]
    );
    assert_eq!(before(&["id", "-9"]).unwrap(), ["--", "id", "-9"]);
    assert_eq!(before(&["id", "--", "ls", "--"]).unwrap(), ["--", "id", "ls", "--"]);
    assert_eq!(before(&["id", "ls", "--", "x"]).unwrap(), ["--", "id", "ls", "--", "x"]);
    assert_eq!(before(&["id", "-unknown"]).unwrap(), ["--", "id", "-unknown"]);
}

#[test]
fn nothing_stays_nothing() {
    assert_eq!(anywhere(&[]).unwrap(), ["--"]);
    assert_eq!(before(&[]).unwrap(), ["--"]);
}

#[test]
fn canonical_words_stay_as_they_are() {
    let alphabet = [
        "",
        "-",
        "--",
        "id",
        "-9",
        "-d",
        "-d=0",
        "-b",
        "-b=--",
        "--bundle=",
        "--env",
        "-eA=1",
        "-e=",
        "--no-pivot=true",
    ];
    let command = command();
    let mut accepted = 0;
    for flags in [Flags::Anywhere, Flags::BeforeWords] {
        for number in 0..alphabet.len().pow(4) {
            let words: Vec<OsString> = (0..4)
                .map(|place| number / alphabet.len().pow(place) % alphabet.len())
                .map(|index| alphabet[index].into())
                .collect();
            if let Ok(once) = split(&command, flags, &words) {
                let canonical = once.canonical();
                let twice = split(&command, flags, &canonical).unwrap().canonical();
                assert_eq!(twice, canonical, "{words:?}");
                accepted += 1;
            }
        }
    }
    assert!(accepted > 10_000, "{accepted}");
}
