//! The verbs and the states of a container.

use integration_tests::{Bundle, differs, need_cgroups, need_root, wait_until};
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

#[test]
fn run_gives_output_and_status() {
    need_cgroups!();
    let bundle = Bundle::new(&["echo", "hello"]);
    assert_eq!(bundle.run().ok(), "hello\n");
    bundle.assert_clean();
}

#[test]
fn run_passes_the_exit_status_on() {
    need_cgroups!();
    for code in [1, 3, 127, 255] {
        let bundle = Bundle::new(&["exit", &code.to_string()]);
        bundle.run().exits(code);
        bundle.assert_clean();
    }
}

#[test]
fn run_of_a_killed_process_gives_128_and_the_signal() {
    need_cgroups!();
    // PID 1 of a pid namespace cannot kill itself, so a second process does nothing here: the
    // namespace is left out.
    let mut bundle = Bundle::new(&["kill-self", "9"]);
    integration_tests::without_namespace(&mut bundle.config, "pid");
    bundle.set("/mounts/0", integration_tests::mount("/proc", "bind", "/proc", &["rbind"]));
    bundle.unset("/linux/maskedPaths").unset("/linux/readonlyPaths");
    bundle.run().exits(137);
    bundle.assert_clean();
}

#[test]
fn kill_from_outside_gives_128_and_the_signal() {
    need_cgroups!();
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.write();
    let mut command = bundle.command(&["run", "--bundle", &bundle.path(), &bundle.id]);
    let mut child = command.spawn().expect("start the runtime");
    wait_until("the container to run", || {
        let output = bundle.call(&["state", &bundle.id]);
        output.code == 0 && output.stdout.contains("\"running\"")
    });
    bundle.kill("KILL");
    let status = child.wait().expect("wait for the runtime");
    assert_eq!(status.code(), Some(137));
    bundle.assert_clean();
}

#[test]
fn create_start_state_kill_delete() {
    need_cgroups!();
    let mut bundle = Bundle::new(&["signal-wait"]);
    bundle.set("/annotations", json!({ "org.example.key": "value" }));
    bundle.create().ok();
    let state = bundle.state();
    assert_eq!(state["id"], bundle.id.as_str());
    assert_eq!(state["status"], "created");
    assert_eq!(state["bundle"], bundle.path());
    assert_eq!(state["annotations"]["org.example.key"], "value");
    assert!(state["ociVersion"].is_string(), "{state}");
    let pid = bundle.pid();
    assert!(pid > 1 && fs::exists(format!("/proc/{pid}")).unwrap_or(false));
    assert_eq!(bundle.logs(), "", "nothing may run before start");

    bundle.start();
    bundle.wait_log("ready");
    assert_eq!(bundle.status(), "running");
    assert_eq!(bundle.pid(), pid);
    bundle.kill("TERM");
    bundle.wait_status("stopped");
    assert_eq!(bundle.state()["pid"].as_i64().unwrap_or(0), 0, "a stopped container has no pid");
    assert!(bundle.logs().contains("SIGTERM"));
    bundle.call(&["delete", &bundle.id]).ok();
    bundle.assert_clean();
    bundle.call(&["state", &bundle.id]).fails_with(&["does not exist"]);
}

#[test]
fn state_names_rootfs_and_time_of_creation() {
    need_cgroups!();
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.create().ok();
    let state = bundle.state();
    assert_eq!(
        state["rootfs"].as_str(),
        Some(bundle.rootfs().to_string_lossy().as_ref()),
        "{state}"
    );
    let created = state["created"].as_str().unwrap_or_default();
    assert!(created.len() >= 20 && created.contains('T'), "created is RFC 3339: {created:?}");
    assert!(state.get("owner").is_some(), "{state}");
    bundle.delete();
}

#[test]
fn create_twice_fails_and_leaves_the_first() {
    need_cgroups!();
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.create().ok();
    let pid = bundle.pid();
    bundle.create().fails_with(&["exist"]);
    assert_eq!(bundle.status(), "created");
    assert_eq!(bundle.pid(), pid);
    bundle.delete();
}

#[test]
fn start_twice_fails() {
    need_cgroups!();
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.up();
    bundle.call(&["start", &bundle.id]).fails_with(&["start"]);
    assert_eq!(bundle.status(), "running");
    bundle.delete();
}

/// What a `start` leaves that is killed once the program has the word to go.
#[test]
fn a_fifo_with_nobody_behind_is_no_created_container() {
    need_cgroups!();
    differs!(Runc | Crun | Youki, "the file alone makes it one");
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.up();
    let fifo = bundle.state_root().join(&bundle.id).join("exec.fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo");
    assert!(made.success());
    assert_eq!(bundle.status(), "running");
    bundle.call(&["start", &bundle.id]).fails_with(&["already running"]);
    bundle.call(&["delete", &bundle.id]).fails_with(&["not stopped"]);
    bundle.delete();
}

#[test]
fn start_of_a_stopped_container_fails() {
    need_cgroups!();
    let bundle = Bundle::new(&["true"]);
    bundle.up();
    bundle.wait_status("stopped");
    bundle.call(&["start", &bundle.id]).fails_with(&["stopped"]);
    bundle.call(&["delete", &bundle.id]).ok();
    bundle.assert_clean();
}

#[test]
fn verbs_on_an_unknown_container_fail() {
    need_cgroups!();
    let bundle = Bundle::new(&["true"]);
    for verb in ["start", "state", "delete", "pause", "resume", "ps"] {
        let output = bundle.call(&[verb, &bundle.id]);
        output.exits(1).fails_with(&["does not exist"]);
    }
    bundle.call(&["kill", &bundle.id, "TERM"]).exits(1).fails_with(&["does not exist"]);
    bundle.call(&["delete", "--force", &bundle.id]).ok();
}

#[test]
fn delete_of_a_running_container_needs_force() {
    need_cgroups!();
    let bundle = Bundle::new(&["ignore-term"]);
    bundle.up().wait_log("ready");
    bundle.call(&["delete", &bundle.id]).fails_with(&["not stopped"]);
    assert_eq!(bundle.status(), "running");
    bundle.delete();
}

#[test]
fn delete_of_a_created_container_kills_it() {
    need_cgroups!();
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.create().ok();
    bundle.call(&["delete", &bundle.id]).ok();
    bundle.assert_clean();
}

#[test]
fn kill_of_a_created_container_stops_it() {
    need_cgroups!();
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.create().ok();
    bundle.kill("KILL");
    bundle.wait_status("stopped");
    bundle.call(&["delete", &bundle.id]).ok();
    bundle.assert_clean();
}

#[test]
fn kill_of_a_stopped_container_fails() {
    need_cgroups!();
    let bundle = Bundle::new(&["true"]);
    bundle.up();
    bundle.wait_status("stopped");
    bundle.call(&["kill", &bundle.id, "TERM"]).fails_with(&["not running"]);
    bundle.delete();
}

#[test]
fn kill_all_of_a_stopped_container_is_no_error() {
    need_cgroups!();
    let bundle = Bundle::new(&["true"]);
    bundle.up();
    bundle.wait_status("stopped");
    bundle.call(&["kill", "--all", &bundle.id, "9"]).ok();
    bundle.delete();
}

#[test]
fn force_delete_kills_children_in_a_shared_pid_namespace() {
    need_root!();
    differs!(Runc, "older ones leave the cgroup on v2");
    let mut bundle = Bundle::new(&["fork-sleep", "100"]);
    integration_tests::without_namespace(&mut bundle.config, "pid");
    bundle.up().wait_log("child");
    bundle.delete();
}

#[test]
fn kill_all_reaches_every_process() {
    need_root!();
    let mut bundle = Bundle::new(&["fork-sleep", "100"]);
    integration_tests::without_namespace(&mut bundle.config, "pid");
    bundle.up().wait_log("child");
    bundle.call(&["kill", "--all", &bundle.id, "KILL"]).ok();
    wait_until("all processes to end", || bundle.processes().is_empty());
    bundle.delete();
}

#[test]
fn pause_and_resume() {
    need_cgroups!();
    let bundle = Bundle::new(&["signal-wait"]);
    bundle.up().wait_log("ready");
    bundle.call(&["pause", &bundle.id]).ok();
    assert_eq!(bundle.status(), "paused");
    bundle.kill("USR1");
    std::thread::sleep(Duration::from_millis(100));
    assert!(!bundle.logs().contains("SIGUSR1"), "a paused process ran");
    bundle.call(&["resume", &bundle.id]).ok();
    bundle.wait_log("SIGUSR1");
    bundle.wait_status("stopped");
    bundle.call(&["pause", &bundle.id]).fails_with(&[]);
    bundle.call(&["resume", &bundle.id]).fails_with(&[]);
    bundle.delete();
}

#[test]
fn resume_of_a_running_container_fails() {
    need_cgroups!();
    differs!(Crun, "takes it as done");
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.up();
    bundle.call(&["resume", &bundle.id]).fails_with(&["paused"]);
    bundle.delete();
}

#[test]
fn force_delete_of_a_paused_container() {
    need_cgroups!();
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.up();
    bundle.call(&["pause", &bundle.id]).ok();
    bundle.delete();
}

#[test]
fn start_stop_of_a_quick_process_never_hangs() {
    need_cgroups!();
    let begin = Instant::now();
    for _ in 0..5 {
        let bundle = Bundle::new(&["true"]);
        bundle.up();
        bundle.wait_status("stopped");
        bundle.call(&["delete", &bundle.id]).ok();
        bundle.assert_clean();
    }
    assert!(begin.elapsed() < Duration::from_secs(30));
}

/// As the first process of its pid namespace it would not hear of them by itself.
#[test]
fn a_created_container_ends_on_signals() {
    need_root!();
    differs!(Crun | Youki, "must be killed");
    for signal in ["TERM", "INT", "HUP", "QUIT"] {
        let bundle = Bundle::new(&["true"]);
        bundle.create().ok();
        bundle.kill(signal);
        bundle.wait_status("stopped");
        bundle.call(&["start", &bundle.id]).fails_with(&[]);
        bundle.delete();
        bundle.assert_clean();
    }
    // The program has its own say.
    let bundle = Bundle::new(&["ignore-term"]);
    bundle.up();
    bundle.kill("TERM");
    assert_eq!(bundle.status(), "running");
    bundle.delete();
}
