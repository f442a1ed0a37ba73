//! How engines write command lines (`data/captures/*.argv` has recorded ones), and the streams that they hand over.

use integration_tests::{Bundle, Peer, differs, need_root, peer, run, runtime};
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

#[test]
fn limits_are_read_from_standard_input() {
    need_root!();
    differs!(Youki, "reads files alone");
    let bundle = Bundle::sleeping();
    let file = bundle.dir().join("limits");
    fs::write(&file, "{}").expect("write");
    for words in [&["--resources=-"][..], &["--resources", "-"], &["-r", "-"], &["-r=-"]] {
        if peer() == Peer::Crun && words == ["-r=-"] {
            continue;
        }
        let stdin = Stdio::from(fs::File::open(&file).expect("open"));
        bundle.call_with_stdin(&[&["update"], words, &[&bundle.id]].concat(), stdin).ok();
    }
    fs::write(&file, "no JSON").expect("write");
    let stdin = Stdio::from(fs::File::open(&file).expect("open"));
    bundle.call_with_stdin(&["update", "-r", "-", &bundle.id], stdin).exits(1);
    bundle.delete();
}

#[test]
fn flags_are_read_in_the_habits_of_go() {
    need_root!();
    differs!(Crun | Youki, "other habits");
    let bundle = Bundle::sleeping();
    let id = bundle.id.as_str();
    // One dash, values behind a space or an equals sign, switches with a value.
    let root = bundle.state_root().to_string_lossy().into_owned();
    for words in [&["-root", &root][..], &["--root", &root], &[&format!("-root={root}")]] {
        let mut command = Command::new(runtime());
        run(command.args(words).args(["-debug=false", "state", id])).ok();
    }
    // Commas belong to the value.
    let output = bundle.exec_with(&["--env", "A=1,B=2", "-env", "C=3", "--env=D=4"], &["env"]);
    for line in ["A=1,B=2", "C=3", "D=4"] {
        assert!(output.ok().lines().any(|found| found == line), "{output}");
    }
    // They end at the id.
    assert_eq!(
        bundle.call(&["exec", id, "/runtimetest", "echo", "-d", "--env"]).ok(),
        "-d --env\n"
    );
    if peer() == Peer::Onggi {
        // So it is with runc from 1.5 on.
        bundle.call(&["kill", id, "--all"]).exits(1).fails_with(&["unknown signal"]);
    }
    bundle.call(&["exec", "-detach=false", id, "/runtimetest", "exit", "7"]).exits(7);
    bundle.delete();
}

#[test]
fn sub_cgroups_are_not_cut_at_commas() {
    need_root!();
    differs!(Runc | Crun | Youki, "older ones have another text, or none");
    let bundle = Bundle::sleeping();
    let output = bundle.exec_with(&["--cgroup", "nosuch,other:sub"], &["true"]);
    output.exits(255).fails_with(&["\"nosuch,other:sub\"", "unknown controller \"nosuch\""]);
    bundle.delete();
}

/// Engines hand pipes over; what is written there arrives as it is.
#[test]
fn standard_streams_are_passed_through_untouched() {
    need_root!();
    let bundle = Bundle::new(&["cat"]);
    bundle.write();
    let mut child = bundle
        .command(&["run", "--bundle", &bundle.path(), &bundle.id])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start");
    let bytes: Vec<u8> = (0..=255_u8).cycle().take(70_000).collect();
    let mut stdin = child.stdin.take().expect("a pipe");
    let copy = bytes.clone();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &copy));
    let mut out = Vec::new();
    child.stdout.take().expect("a pipe").read_to_end(&mut out).expect("read");
    writer.join().expect("join").expect("write");
    assert!(child.wait().expect("wait").success());
    assert!(out == bytes, "{} bytes of {}", out.len(), bytes.len());
    bundle.assert_clean();
}

/// Every recorded command line is understood: the verbs that need no container fail for the
/// container's absence only, never for their flags.
#[test]
fn recorded_command_lines_are_accepted() {
    need_root!();
    differs!(Crun | Youki, "lacks some of the flags");
    let bundle = Bundle::new(&["true"]);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/captures");
    for name in ["docker", "podman", "containerd", "cri"] {
        let text = fs::read_to_string(format!("{path}/{name}.argv"))
            .expect("read the recorded command lines");
        for line in text.lines() {
            let line = line
                .replace("@ENGINE@", &bundle.path())
                .replace("@TMP@", "/tmp/none")
                .replace("ID", &bundle.id);
            let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            // State and log of the engine are none of this test's business.
            if let Some(at) = words.iter().position(|w| w == "--root") {
                words[at + 1] = bundle.state_root().to_string_lossy().into_owned();
            }
            if let Some(at) = words.iter().position(|w| w == "--log") {
                words[at + 1] = bundle.dir().join("log.json").to_string_lossy().into_owned();
            }
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let output = bundle.call(&words);
            let text = output.stderr.to_lowercase();
            for word in [
                "flag",
                "usage",
                "unexpected argument",
                "unrecognized",
                "panicked",
                "unknown command",
            ] {
                assert!(!text.contains(word), "{output}");
            }
            if words.contains(&"--version")
                || (words.contains(&"delete") && words.contains(&"--force"))
            {
                output.ok();
            } else {
                assert_ne!(output.code, 0, "{output}");
            }
        }
    }
    if peer() == Peer::Onggi {
        bundle.assert_clean();
    }
}
