//! docs/lxc.md cannot lie: every line of its table is run.

use integration_tests::{
    Bundle, Cgroups, ConsoleSocket, Pty, busybox_bundle, copy_program, differs, need_root,
    read_for, run, skip, wait_until,
};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// One row of the table.
struct Row {
    lxc: String,
    onggi: String,
}

/// The cells of a row, without the bars that are written as `\|`.
fn cells(line: &str) -> Vec<String> {
    let hidden = line.replace("\\|", "\u{1}");
    let cells = hidden.trim().trim_matches('|').split('|');
    cells.map(|cell| cell.replace('\u{1}', "|").trim().to_owned()).collect()
}

fn table() -> Vec<Row> {
    let text = include_str!("../../docs/lxc.md");
    let lines = text.lines().filter(|line| line.starts_with("| ")).skip(1);
    let rows = lines.map(|line| match cells(line).as_slice() {
        [lxc, onggi, _] => Row { lxc: lxc.clone(), onggi: onggi.clone() },
        other => panic!("{} cells: {line}", other.len()),
    });
    rows.collect()
}

/// The command between the backticks.
fn command(cell: &str) -> &str {
    let inner = cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`'));
    inner.filter(|inner| !inner.contains('`')).unwrap_or_else(|| panic!("no one command: {cell}"))
}

#[test]
fn every_verb_that_is_asked_for_is_in_the_table() {
    let rows = table();
    for verb in [
        "lxc-ls",
        "lxc-start -n",
        "lxc-start -d",
        "lxc-console",
        "lxc-stop",
        "lxc-clone",
        "lxc-copy",
        "lxc-create",
        "lxc-destroy",
        "lxc-execute",
        "lxc-attach",
        "lxc-monitor",
        "lxc-wait",
        "lxc-info",
        "lxc-freeze",
        "lxc-unfreeze",
        "lxc-netstat",
        "lxc-ps",
    ] {
        let found = rows.iter().any(|row| row.lxc.contains(&format!("`{verb}")));
        assert!(found, "{verb} is missing");
    }
    assert!(rows.iter().all(|row| command(&row.onggi).contains("onggi ")));
}

/// Ends what is left of the named containers.
struct Containers<'a> {
    bundle: &'a Bundle,
    background: Vec<Child>,
}

impl Drop for Containers<'_> {
    fn drop(&mut self) {
        let mut command = self.bundle.command(&["delete", "--force", "--regex", "."]);
        let _ = command.stdin(Stdio::null()).status();
        for child in &mut self.background {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// `service`, `job`, `screen`, `image`, and an `onggi` that keeps its state here.
fn prepare(bundle: &Bundle) {
    let dir = bundle.dir();
    let service = "trap 'exit 0' TERM; while :; do sleep 1 & wait; done";
    for (name, args, terminal) in [
        ("service", json!(["sh", "-c", service]), false),
        ("job", json!(["echo", "done"]), false),
        ("screen", json!(["sleep", "1000"]), true),
    ] {
        let mut config: Value = bundle.config.clone();
        config["process"]["args"] = args;
        config["process"]["terminal"] = json!(terminal);
        config["root"]["readonly"] = json!(false);
        if let Some(linux) = config["linux"].as_object_mut() {
            linux.remove("cgroupsPath");
        }
        fs::create_dir(dir.join(name)).expect("make a bundle");
        fs::write(dir.join(name).join("config.json"), config.to_string()).expect("write");
    }
    let done = run(Command::new("cp").arg("-a").args([bundle.rootfs(), dir.join("image")]));
    done.ok();
    let busybox = integration_tests::busybox().expect("looked for before");
    let _ = fs::remove_file(dir.join("image/bin/busybox"));
    copy_program(&busybox, &dir.join("image/bin/busybox"));
    for applet in ["netstat", "wait"] {
        let _ = symlink("busybox", dir.join("image/bin").join(applet));
    }
    fs::create_dir(dir.join("image/mnt")).expect("make a mount point");
    for name in ["service", "job", "screen"] {
        run(Command::new("cp").arg("-a").arg(dir.join("image")).arg(dir.join(name).join("rootfs")))
            .ok();
    }
    fs::create_dir(dir.join("path")).expect("make a directory");
    let script = format!("#!/bin/sh\nexec {} \"$@\"\n", bundle.command_line());
    let wrapper = dir.join("path/onggi");
    fs::write(&wrapper, script).expect("write");
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("chmod");
}

/// The line with ids that no other container has; names of bundles, behind `--bundle` and `cp`, stay.
fn line(text: &str, id: &str) -> String {
    let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    let mut out: Vec<String> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let named = ["box", "other", "copy", "job", "screen"].contains(&word.as_str());
        let before = |back: usize| at.checked_sub(back).and_then(|at| words.get(at));
        let path = before(1).is_some_and(|word| word == "--bundle")
            || before(3).is_some_and(|word| word == "cp");
        out.push(if named && !path { format!("{id}-{word}") } else { word.clone() });
    }
    out.join(" ")
}

/// Types `exit` at the shell's prompt; whether it ends well.
fn typed(command: &mut Command) -> bool {
    let mut pty = Pty::new(24, 80);
    let mut child = pty.spawn(command);
    let prompt = read_for(&pty.master, "# ", Duration::from_secs(10));
    pty.master.write_all(b"exit\n").expect("type");
    let mut status = None;
    wait_until(&format!("the shell to end after {prompt:?}"), || {
        status = child.try_wait().expect("wait");
        status.is_some()
    });
    status.is_some_and(|status| status.success())
}

#[test]
fn ids_are_told_from_bundles() {
    let text = "cp -a service copy && onggi run --detach --bundle copy copy";
    assert_eq!(line(text, "x"), "cp -a service copy && onggi run --detach --bundle copy x-copy");
}

#[test]
fn every_line_works() {
    need_root!();
    differs!(Runc | Crun | Youki, "lacks some of the verbs");
    let Some(bundle) = busybox_bundle() else { skip!("no static busybox on this host") };
    prepare(&bundle);
    let socket = ConsoleSocket::new(bundle.dir(), "console.sock");
    let path = std::env::var("PATH").unwrap_or_default();
    let shell = |text: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", text]).current_dir(bundle.dir());
        command.env("PATH", format!("{}:{path}", bundle.dir().join("path").display()));
        command.env("ONGGI_TEST_ID", &bundle.id).env_remove("XDG_RUNTIME_DIR");
        command
    };
    let mut containers = Containers { bundle: &bundle, background: Vec::new() };
    for Row { lxc, onggi } in table() {
        let text = &line(command(&onggi), &bundle.id);
        let lacks = |what: &str| {
            let cgroups = Cgroups::detect();
            text.contains(what) && !cgroups.is_v1(what) && !cgroups.is_v2(what)
        };
        if lacks("pids") {
            integration_tests::record_skip("in part: no pids controller");
            continue;
        }
        if text.contains("--follow") || text.contains("onggi wait") {
            // These stay until the container stops.
            let out =
                fs::File::create(bundle.dir().join(format!("{}.out", containers.background.len())));
            let mut command = shell(&format!("exec {text}"));
            command.stdin(Stdio::null()).stdout(out.expect("make a file"));
            containers.background.push(command.spawn().expect("start sh"));
            continue;
        }
        if text.contains("--tty") || text.contains("run --bundle bundle ") {
            assert!(typed(&mut shell(text)), "{lxc}: {text}");
            continue;
        }
        let output = if text.contains("create ") || text.contains("--detach") {
            // The container keeps what it is given.
            run(&mut shell(&format!(
                "{{ {text}; }} > out 2>&1 < /dev/null; s=$?; cat out; exit $s"
            )))
        } else {
            run(&mut shell(text))
        };
        assert_eq!(output.code, 0, "{lxc}: {output}");
        if text.contains("console.sock") {
            drop(socket.master());
        }
        if text.contains("kill ") {
            let id = if text.contains("other") { "other" } else { "box" };
            wait_until("the container to stop", || {
                bundle
                    .call(&["state", &format!("{}-{id}", bundle.id)])
                    .stdout
                    .contains("\"stopped\"")
            });
        }
    }
    for (child, last) in containers.background.iter_mut().zip(["\"exit\"", "0\n"]) {
        wait_until("the end of what waits", || matches!(child.try_wait(), Ok(Some(_))));
        assert!(child.wait().expect("wait").success(), "{last}");
    }
    let said = |number: usize| fs::read_to_string(bundle.dir().join(format!("{number}.out")));
    let events = said(0).expect("the events");
    let kinds: Vec<Value> = events.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    assert_eq!(kinds.last().map(|event| event["type"].clone()), Some(json!("exit")), "{events}");
    assert_eq!(said(1).expect("the status"), "0\n");
    drop(containers);
    bundle.assert_clean();
}
