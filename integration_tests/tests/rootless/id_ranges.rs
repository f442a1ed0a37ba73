//! Ranges of ids besides the own one, which newuidmap and newgidmap give.

use super::{Home, NOBODY, told, user_namespaces_work};
use integration_tests::{need_root, run, skip};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What /etc/subuid and /etc/subgid say, for commands that [`Ids::call`] starts: a mount namespace of
/// theirs has other files there.
struct Ids<'a> {
    home: &'a Home,
    subuid: PathBuf,
    subgid: PathBuf,
}

impl<'a> Ids<'a> {
    fn new(home: &'a Home, users: &str, groups: &str) -> Self {
        let file = |name: &str, text: &str| {
            let path = home.0.join(name);
            fs::write(&path, text).expect("write");
            path
        };
        Self { home, subuid: file("subuid", users), subgid: file("subgid", groups) }
    }

    fn command(&self, args: &[&str]) -> Command {
        let bind = "mount --bind \"$1\" /etc/subuid && \
                    mount --bind \"$2\" /etc/subgid && shift 2 && exec setpriv \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", bind, "sh"]);
        command.arg(&self.subuid).arg(&self.subgid);
        command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}")]);
        command.arg("--clear-groups").arg(self.home.0.join("runtime"));
        command.arg("--root").arg(self.home.0.join("state")).args(args);
        command.current_dir(self.home.bundle()).env("XDG_RUNTIME_DIR", &self.home.0);
        command
    }
}

/// A configuration that maps a range besides the own id, as engines write for a normal user.
fn configure_ranges(home: &Home, args: &[&str]) {
    home.configure(args);
    let path = home.bundle().join("config.json");
    let text = fs::read(&path).expect("config.json");
    let mut config: Value = serde_json::from_slice(&text).expect("JSON");
    let map = |host: u32| {
        json!([
            { "containerID": 0, "hostID": NOBODY, "size": 1 },
            { "containerID": 1, "hostID": host, "size": 900 },
            { "containerID": 1000, "hostID": host + 1000, "size": 50 }
        ])
    };
    config["linux"]["uidMappings"] = map(700_000);
    config["linux"]["gidMappings"] = map(800_000);
    config["process"]["user"] = json!({ "uid": 1003, "gid": 7, "additionalGids": [8, 1001] });
    fs::write(&path, config.to_string()).expect("write");
}

macro_rules! need_helpers {
    () => {
        need_user_namespaces!();
        let there = |program: &str| {
            let sh = format!("command -v {program}");
            Command::new("sh").args(["-c", &sh]).output().is_ok_and(|out| out.status.success())
        };
        if !["newuidmap", "newgidmap", "setpriv"].into_iter().all(there) {
            skip!("needs newuidmap and newgidmap (package uidmap)");
        }
        if !Path::new("/etc/subuid").exists() || !Path::new("/etc/subgid").exists() {
            skip!("needs /etc/subuid and /etc/subgid to put others in their place");
        }
    };
}

#[test]
fn helpers_map_what_subuid_and_subgid_give() {
    need_helpers!();
    let home = Home::new("helpers");
    let tools = ["all", "id", "--", "cat", "/proc/self/uid_map", "/proc/self/gid_map"];
    configure_ranges(&home, &tools);
    let ids = Ids::new(&home, "nobody:700000:2000\n", &format!("{NOBODY}:800000:2000\n"));
    let output = run(&mut ids.command(&["run", "c"]));
    assert!(output.ok().contains("uid=1003 gid=7 groups=8,1001"), "{output}");
    let lines: Vec<Vec<&str>> =
        output.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    let own = NOBODY.to_string();
    for line in [
        ["0", own.as_str(), "1"],
        ["1", "700000", "900"],
        ["1000", "701000", "50"],
        ["1", "800000", "900"],
        ["1000", "801000", "50"],
    ] {
        assert!(lines.contains(&line.to_vec()), "{line:?} is not in {output}");
    }
}

/// In such a container `exec` can take on each of the mapped ids, and its root keeps its groups.
#[test]
fn exec_takes_on_mapped_ids() {
    need_helpers!();
    let home = Home::new("helpers-exec");
    configure_ranges(&home, &["signal-wait"]);
    let ids = Ids::new(&home, "nobody:700000:2000\n", "nobody:800000:2000\n");
    let mut command = ids.command(&["run", "--detach", "c"]);
    let null = std::process::Stdio::null;
    command.stdin(null()).stdout(null()).stderr(null());
    assert!(command.status().expect("run").success());
    let output = home.call(&["exec", "-u", "900:5", "-g", "6", "c", "/bin/runtimetest", "id"]);
    assert!(output.ok().contains("uid=900 gid=5 groups=6"), "{output}");
    home.call(&["exec", "-u", "999", "c", "/bin/runtimetest", "id"]).fails_with(&["setuid"]);
    home.call(&["delete", "--force", "c"]).ok();
}

#[test]
fn ids_that_nobody_gave_are_refused_with_the_place_that_gives_them() {
    need_helpers!();
    let home = Home::new("no-ids");
    configure_ranges(&home, &["true"]);
    for (users, groups, words) in [
        ("nobody:700000:2000\n", "", ["map group ids", "/etc/subgid"]),
        ("", "nobody:800000:2000\n", ["map user ids", "/etc/subuid"]),
        ("nobody:700000:1000\n", "nobody:800000:2000\n", ["not allowed", "/etc/subuid"]),
    ] {
        let ids = Ids::new(&home, users, groups);
        run(&mut ids.command(&["run", "c"])).exits(1).fails_with(&words);
    }
}

/// On a terminal a person is told what helps: with or without the helpers.
#[test]
fn what_gives_ids_is_told_on_a_terminal() {
    need_user_namespaces!();
    let home = Home::new("hint");
    configure_ranges(&home, &["true"]);
    let mut command = home.command(&["run", "c"]);
    let text = told(command.env("PATH", "/nonexistent"));
    assert!(text.contains("hint: the package uidmap"), "{text}");
    let text = told(&mut home.command(&["run", "c"]));
    let hints = ["hint: \"usermod --add-subuids", "hint: the package uidmap"];
    assert!(hints.iter().any(|hint| text.contains(hint)), "{text}");
}
