//! What a person at a terminal sees, and an engine at a pipe does not.

use integration_tests::{Bundle, Pty, differs, need_root, read_for};
use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;
use std::time::Duration;

macro_rules! need_own {
    () => {
        need_root!();
        differs!(Runc | Crun | Youki, "knows no difference");
    };
}

/// What is shown on a terminal, without the carriage returns.
#[track_caller]
fn shown(bundle: &Bundle, args: &[&str]) -> String {
    let pty = Pty::new(24, 80);
    let mut child = pty.spawn(&mut bundle.command(args));
    child.wait().expect("wait");
    // The slave is still ours, so what was written stays until it is read.
    read_for(&pty.master, "", Duration::from_millis(200)).replace('\r', "")
}

#[test]
fn list_tells_the_age_on_a_terminal_alone() {
    need_own!();
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.up();
    let created = bundle.state()["created"].as_str().unwrap_or_default().to_owned();
    let text = shown(&bundle, &["list"]);
    assert!(text.contains(" ago ") && !text.contains(&created), "{text}");
    let piped = bundle.call(&["list"]);
    assert!(piped.ok().contains(&created) && !piped.stdout.contains(" ago"), "{piped}");
    assert_eq!(shown(&bundle, &["list", "--format", "table"]), piped.stdout);
    bundle.delete();
}

#[test]
fn state_is_text_on_a_terminal_alone() {
    need_own!();
    let mut bundle = Bundle::new(&["sleep", "60"]);
    bundle.set("/annotations", json!({ "org.example.key": "value" }));
    bundle.up();
    let text = shown(&bundle, &["state", &bundle.id]);
    for line in ["status   running\n", "note     org.example.key=value\n"] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.starts_with(&format!("id       {}\n", bundle.id)), "{text}");
    let piped = bundle.call(&["state", &bundle.id]);
    assert!(serde_json::from_str::<Value>(piped.ok()).is_ok());
    assert_eq!(shown(&bundle, &["state", "--format", "json", &bundle.id]), piped.stdout);
    assert_eq!(bundle.call(&["state", "-f", "text", &bundle.id]).ok().lines().count(), 9);
    bundle.delete();
}

#[test]
fn ps_is_a_table_on_both() {
    need_own!();
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.up();
    let text = shown(&bundle, &["ps", &bundle.id]);
    assert!(text.lines().next().is_some_and(|line| line.contains("PID")), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
    bundle.delete();
}

/// A failure, and a part of the hint that goes with it.
struct Advice {
    args: &'static [&'static str],
    hint: &'static str,
}

/// `ID` stands for a running container, `DIR` for its bundle.
const ADVICE: &[Advice] = &[
    Advice { args: &["state", "IDx"], hint: "there is one called \"ID\"" },
    Advice { args: &["start", "nothing-like-it"], hint: "\"onggi list\" shows the 1 below " },
    Advice { args: &["create", "-b", "DIR", "ID"], hint: "\"onggi delete ID\" removes it" },
    Advice { args: &["run", "-b", "/dev", "other"], hint: "\"onggi spec --bundle DIR\" writes" },
    Advice {
        args: &["run", "-b", "/dev/null/none", "other"],
        hint: "--bundle names the directory",
    },
    Advice { args: &["run", "-f", "norootfs.json", "-b", "DIR", "other"], hint: "root.path of" },
    Advice { args: &["exec", "ID", "no-such-program"], hint: "in a directory of its PATH" },
    Advice { args: &["exec", "-td", "ID", "x"], hint: "" },
    Advice { args: &["exec", "-t", "-d", "ID", "x"], hint: "without a console socket" },
    Advice { args: &["delete", "ID"], hint: "\"onggi delete --force ID\" does both" },
    Advice { args: &["kill", "ID", "SIGNONE"], hint: "a name such as KILL" },
    Advice { args: &["state", "a/b"], hint: "letters, digits and" },
    Advice { args: &["list", "--format", "xml"], hint: "\"table\" or \"json\"" },
    Advice { args: &["mounts", "add", "ID", "DIR/mounts.json"], hint: "root.readonly" },
    Advice { args: &["strat", "ID"], hint: "there is a command \"start\"" },
    Advice { args: &["run", "--strict", "ID"], hint: "it stands before \"run\"" },
    Advice { args: &["frobnicate"], hint: "lists the commands" },
    Advice { args: &["run", "-f", "limit.json", "-b", "DIR", "other"], hint: "take the limit out" },
];

#[test]
fn hints_are_for_terminals() {
    need_own!();
    let mut bundle = Bundle::new(&["sleep", "60"]);
    bundle.up();
    let right = bundle.config.clone();
    let variant = |name: &str, config: &Value| {
        fs::write(bundle.dir().join(name), config.to_string()).expect("write a configuration");
    };
    let mut config = right.clone();
    config["root"]["path"] = json!("no-such-directory");
    variant("norootfs.json", &config);
    config = right;
    config["linux"]["resources"]["rdma"] = json!({ "nosuch": { "hcaHandles": 1 } });
    variant("limit.json", &config);
    variant("mounts.json", &json!([{ "destination": "/not/there", "type": "tmpfs" }]));
    let path = bundle.path();
    for Advice { args, hint } in ADVICE {
        let args: Vec<String> =
            args.iter().map(|arg| arg.replace("DIR", &path).replace("ID", &bundle.id)).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let wanted = if hint.contains("called") {
            hint.replace("ID", &bundle.id)
        } else {
            (*hint).to_owned()
        };
        let text = shown(&bundle, &args);
        if args.contains(&"limit.json") && !text.contains("is not available here") {
            continue; // This host has rdma.
        }
        let told = text.lines().find_map(|line| line.strip_prefix("hint: "));
        assert_eq!(told.is_some(), !hint.is_empty(), "{args:?}: {text}");
        assert!(told.unwrap_or_default().contains(&wanted), "{args:?}: {text}");
        let piped = bundle.call(&args);
        assert_ne!(piped.code, 0, "{piped}");
        assert!(!format!("{}{}", piped.stderr, piped.stdout).contains("hint:"), "{piped}");
    }
    bundle.set("/process/terminal", json!(false));
    bundle.delete();
}

#[test]
fn hints_are_never_in_a_log() {
    need_own!();
    let bundle = Bundle::new(&["true"]);
    let log = bundle.dir().join("log");
    let log = log.to_string_lossy();
    let text = shown(&bundle, &["--log", &log, "state", "nobody"]);
    let plain = "container does not exist\nhint: there are no containers below ";
    assert!(text.starts_with(plain), "{text}");
    let text = shown(&bundle, &["--log", &log, "--log-format", "json", "state", "nobody"]);
    assert!(text.starts_with(plain), "{text}");
    let logged = fs::read_to_string(&*log).expect("the log");
    assert_eq!(logged.lines().count(), 2, "{logged}");
    assert!(!logged.contains("hint"), "{logged}");
    // JSON on the terminal stays JSON.
    let text = shown(&bundle, &["--log-format", "json", "state", "nobody"]);
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{text}");
    // Standard error elsewhere: no hint, even if standard output is a terminal.
    let pty = Pty::new(24, 80);
    let path = bundle.dir().join("errors");
    let file = fs::File::create(&path).expect("make a file");
    let mut command = bundle.command(&["state", "nobody"]);
    let script = format!("exec \"$@\" 2>'{}'", path.display());
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &script, "sh"]).arg(command.get_program()).args(command.get_args());
    command.stdin(Stdio::null());
    drop(file);
    pty.spawn(&mut shell).wait().expect("wait");
    let text = fs::read_to_string(&path).expect("the errors");
    assert!(text.contains("container does not exist") && !text.contains("hint"), "{text}");
}
