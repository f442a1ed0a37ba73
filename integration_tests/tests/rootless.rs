//! The whole life of a container as a user without any privilege.

use integration_tests::{
    Output, Pty, copy_program, need_root, read_for, run, runtime, runtimetest, skip,
};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The user that owns nothing.
const NOBODY: u32 = 65534;

/// A bundle, a state directory and a copy of the runtime that the user can reach.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let home =
            std::env::temp_dir().join(format!("onggi-rootless-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&home);
        for dir in
            ["bundle/rootfs/bin", "bundle/rootfs/proc", "bundle/rootfs/dev", "bundle/rootfs/sys"]
        {
            fs::create_dir_all(home.join(dir)).expect("mkdir");
        }
        copy_program(runtimetest(), &home.join("bundle/rootfs/bin/runtimetest"));
        // Root's, and closed to writing: the copy itself is what protects it.
        copy_program(runtime(), &home.join("runtime"));
        let mut todo = vec![home.clone()];
        while let Some(path) = todo.pop() {
            if path.ends_with("runtime") {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
                continue;
            }
            chown(&path, Some(NOBODY), Some(NOBODY)).expect("chown");
            if path.is_dir() {
                todo.extend(fs::read_dir(&path).expect("ls").flatten().map(|entry| entry.path()));
            }
        }
        Self(home)
    }

    fn bundle(&self) -> PathBuf {
        self.0.join("bundle")
    }

    /// Calls the runtime as the user.
    fn call(&self, args: &[&str]) -> Output {
        run(&mut self.command(args))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.0.join("runtime"));
        command.arg("--root").arg(self.0.join("state")).args(args);
        command.current_dir(self.bundle()).env("XDG_RUNTIME_DIR", &self.0);
        command.uid(NOBODY).gid(NOBODY);
        command
    }

    /// `spec --rootless` with another command.
    fn configure(&self, args: &[&str]) {
        self.call(&["spec", "--rootless"]).ok();
        let path = self.bundle().join("config.json");
        let text = fs::read(&path).expect("config.json");
        let mut config: Value = serde_json::from_slice(&text).expect("config.json is JSON");
        config["process"]["terminal"] = json!(false);
        let mut command = vec!["/bin/runtimetest"];
        command.extend(args);
        config["process"]["args"] = json!(command);
        fs::write(&path, config.to_string()).expect("write");
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = self.call(&["delete", "--force", "c"]);
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn user_namespaces_work() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "true"]).uid(NOBODY).gid(NOBODY);
    command.current_dir(Path::new("/"));
    command.output().is_ok_and(|output| output.status.success())
}

macro_rules! need_user_namespaces {
    () => {
        need_root!();
        if !user_namespaces_work() {
            skip!("this host does not let a normal user make user namespaces");
        }
    };
}

#[path = "rootless/id_ranges.rs"]
mod id_ranges;

/// Options of crun for links and flags of mount(2) take no more rights than other mounts.
#[test]
fn links_at_the_ends_of_mounts() {
    need_user_namespaces!();
    let home = Home::new("links");
    home.configure(&["all", "readlink", "/a", "/b", "--", "ls", "/l", "/t"]);
    std::os::unix::fs::symlink("no/such", home.bundle().join("link")).expect("symlink");
    std::os::unix::fs::symlink("x", home.bundle().join("rootfs/l")).expect("symlink");
    let path = home.bundle().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    let list = config["mounts"].as_array_mut().expect("mounts");
    for (place, word) in [("/a", "copy-symlink"), ("/b", "src-nofollow"), ("/l", "dest-nofollow")] {
        let source = if place == "/l" { "/dev/null" } else { "link" };
        list.push(json!({ "destination": place, "source": source, "options": ["bind", word] }));
    }
    list.push(json!({ "destination": "/t", "type": "tmpfs", "options": ["silent", "iversion"] }));
    fs::write(&path, config.to_string()).expect("write");
    let output = home.call(&["run", "c"]);
    assert_eq!(output.stdout, "no/such\nno/such\n", "{output}");
    assert!(output.stderr.contains("/l: Not a directory"), "{output}");
}

#[test]
fn run_exec_and_delete() {
    need_user_namespaces!();
    let home = Home::new("life");
    home.configure(&["signal-wait"]);
    let mut command = Command::new(home.0.join("runtime"));
    command.arg("--root").arg(home.0.join("state")).args(["run", "--detach", "c"]);
    command.current_dir(home.bundle()).uid(NOBODY).gid(NOBODY);
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    command.stderr(std::process::Stdio::null());
    assert!(command.status().expect("run").success());

    let output = home.call(&["exec", "c", "/bin/runtimetest", "id"]);
    assert!(output.ok().contains("uid=0"), "{output}");
    let process = json!({
        "args": ["/bin/runtimetest", "cat", "/proc/self/oom_score_adj"], "cwd": "/",
        "user": { "uid": 0, "gid": 0 }, "oomScoreAdj": 321,
    });
    let file = home.0.join("process.json");
    fs::write(&file, process.to_string()).expect("write");
    let output = home.call(&["exec", "--process", &file.to_string_lossy(), "c"]);
    assert_eq!(output.ok().trim(), "321");
    assert_eq!(home.call(&["exec", "c", "/bin/runtimetest", "exit", "7"]).exits(7).stdout, "");
    let state: Value = serde_json::from_str(home.call(&["state", "c"]).ok()).expect("JSON");
    assert_eq!(state["status"], "running");

    let list = home.0.join("mounts.json");
    fs::write(&list, r#"[{ "destination": "/sys/new", "type": "tmpfs" }]"#).expect("write");
    let list = list.to_string_lossy();
    home.call(&["mounts", "add", "c", &list]).fails_with(&["/sys/new"]);
    fs::write(
        &*list,
        r#"[{ "destination": "/dev/shm", "type": "tmpfs", "options": ["size=8k"] }]"#,
    )
    .expect("write");
    home.call(&["mounts", "add", "c", &list]).ok();
    let mounts = home.call(&["exec", "c", "/bin/runtimetest", "cat", "/proc/mounts"]);
    assert!(mounts.ok().contains("size=8k"), "{mounts}");
    home.call(&["mounts", "remove", "c", &list]).ok();
    let mounts = home.call(&["exec", "c", "/bin/runtimetest", "cat", "/proc/mounts"]);
    assert!(!mounts.ok().contains("size=8k"), "{mounts}");

    home.call(&["delete", "c"]).exits(1);
    home.call(&["delete", "--force", "c"]).ok();
    assert!(fs::read_dir(home.0.join("state")).expect("ls").next().is_none());
}

#[test]
fn a_cgroup_mount_shows_the_callers_own_and_is_not_writable() {
    need_user_namespaces!();
    let home = Home::new("cgroup");
    home.configure(&["touch", "/sys/fs/cgroup/new", "/sys/fs/cgroup/memory/new"]);
    let output = home.call(&["run", "c"]);
    assert_ne!(output.code, 0, "{output}");
    assert!(output.stderr.contains("Read-only") || output.stderr.contains("denied"), "{output}");
}

#[test]
fn ids_that_are_not_the_callers_cannot_be_mapped() {
    need_user_namespaces!();
    let home = Home::new("maps");
    home.configure(&["true"]);
    let path = home.bundle().join("config.json");
    let mut config: Value =
        serde_json::from_slice(&fs::read(&path).expect("read")).expect("config.json is JSON");
    config["linux"]["uidMappings"] = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
    fs::write(&path, config.to_string()).expect("write");
    let mut command = home.command(&["run", "c"]);
    command.env("PATH", "/nonexistent");
    run(&mut command).exits(1).fails_with(&["map user ids", "newuidmap not found in $PATH"]);
}

/// What a command says on a terminal, with its hint.
fn told(command: &mut Command) -> String {
    let pty = Pty::new(24, 200);
    let mut child = pty.spawn(command);
    let text = read_for(&pty.master, "hint: ", Duration::from_secs(10));
    child.wait().expect("wait");
    text + &read_for(&pty.master, "\n", Duration::from_secs(1))
}

/// As root's is, to whom `XDG_RUNTIME_DIR` and `--root` name no other.
#[test]
fn a_state_directory_of_others_is_told_on_a_terminal() {
    need_user_namespaces!();
    let home = Home::new("others");
    for words in [&["state", "c"][..], &["list"], &["run", "c"], &["create", "c"], &["delete", "c"]]
    {
        let text = told(&mut home.command(&[&["--root", "/proc/1/fd"], words].concat()));
        assert!(text.contains("hint: /proc/1/fd is not yours: "), "{words:?}: {text}");
    }
}

/// Who is root only in a user namespace has no more rights to cgroups than before.
#[test]
fn root_of_a_user_namespace_is_no_root() {
    need_user_namespaces!();
    let home = Home::new("userns");
    home.configure(&["echo", "ran"]);
    let path = home.bundle().join("config.json");
    let text = fs::read(&path).expect("config.json");
    let mut config: Value = serde_json::from_slice(&text).expect("JSON");
    for map in ["uidMappings", "gidMappings"] {
        // There it is called 0.
        config["linux"][map][0]["hostID"] = json!(0);
    }
    fs::write(&path, config.to_string()).expect("write");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user"]).arg(home.0.join("runtime"));
    command.arg("--root").arg(home.0.join("state")).args(["run", "c"]);
    command.current_dir(home.bundle()).uid(NOBODY).gid(NOBODY).env_remove("XDG_RUNTIME_DIR");
    assert_eq!(run(&mut command).ok(), "ran\n");
}

/// As Podman without root calls: root of a user namespace that the container shares, from which there is no
/// way back to namespaces that were made outside of it.
#[test]
fn root_of_a_shared_user_namespace_may_exec_mount_and_join() {
    need_user_namespaces!();
    let home = Home::new("podman");
    home.configure(&["signal-wait"]);
    let file = home.bundle().join("config.json");
    let text = fs::read(&file).expect("config.json");
    let mut config: Value = serde_json::from_slice(&text).expect("JSON");
    let linux = config["linux"].as_object_mut().expect("linux");
    linux.remove("uidMappings");
    linux.remove("gidMappings");
    let namespaces = linux["namespaces"].as_array_mut().expect("namespaces");
    namespaces.retain(|one| one["type"] != "user");
    if !namespaces.iter().any(|one| one["type"] == "network") {
        namespaces.push(json!({ "type": "network" }));
    }
    config["hostname"] = json!("of-the-first");
    fs::write(&file, config.to_string()).expect("write");
    config.as_object_mut().expect("object").remove("hostname");
    config["process"]["args"] = json!(["/bin/runtimetest", "hostname"]);
    for one in config["linux"]["namespaces"].as_array_mut().expect("namespaces") {
        let name = match one["type"].as_str() {
            Some("network") => "net",
            Some(name @ ("ipc" | "uts")) => name,
            _ => continue,
        };
        one["path"] = json!(format!("/proc/PID/ns/{name}"));
    }
    fs::write(home.bundle().join("second.json"), config.to_string()).expect("write");
    let list = r#"[{ "destination": "/dev/shm", "type": "tmpfs", "options": ["size=8k"] }]"#;
    fs::write(home.0.join("mounts.json"), list).expect("write");
    let script = r#"
        call() { "$HOME/runtime" --root "$HOME/state" "$@"; }
        trap 'call delete --force one; call delete --force two' EXIT
        call run --detach one < /dev/null > /dev/null 2>&1 || exit 71
        call exec one /bin/runtimetest echo in it || exit 72
        call mounts add one "$HOME/mounts.json" || exit 73
        pid=$(call state one | sed -n 's/^ *"pid": *\([0-9]*\).*/\1/p')
        sed "s/PID/$pid/g" second.json > config.json
        call run two || exit 74"#;
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    command.current_dir(home.bundle()).env("HOME", &home.0).env("XDG_RUNTIME_DIR", &home.0);
    let output = run(command.uid(NOBODY).gid(NOBODY));
    assert!(output.ok().starts_with("in it\nof-the-first "), "{output}");
}
