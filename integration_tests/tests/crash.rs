//! The runtime is killed at any moment of create; `delete --force` must clean up what is left.

use integration_tests::{Bundle, Cgroups, HostMount, differs, need_files, need_root, wait_until};
use serde_json::json;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Kills the runtime alone, not its group: that is what an out-of-memory kill does.
fn kill_after(bundle: &Bundle, verb: &str, time: Duration) {
    bundle.write();
    let mut command = bundle.command(&[verb, "--bundle", &bundle.path(), &bundle.id]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let begin = Instant::now();
    let mut child = command.spawn().expect("start the runtime");
    while begin.elapsed() < time {
        std::hint::spin_loop();
    }
    child.kill().expect("kill the runtime");
    child.wait().expect("wait for the runtime");
}

fn survive(verb: &str, steps: u32, micros: u64) {
    let mut faults = Vec::new();
    for step in 0..steps {
        let mut bundle = Bundle::new(&["sleep", "100"]);
        bundle.set("/linux/resources/pids", json!({ "limit": 50 }));
        bundle.set("/linux/resources/memory", json!({ "limit": 67_108_864 }));
        bundle.drop_unavailable_limits();
        let time = Duration::from_micros(u64::from(step) * micros);
        kill_after(&bundle, verb, time);
        for args in [&["state", bundle.id.as_str()][..], &["list"]] {
            let output = bundle.call(args);
            if output.stderr.contains("panicked") {
                faults.push(format!("after {time:?}: {output}"));
            }
        }
        let output = bundle.call(&["delete", "--force", &bundle.id]);
        if output.code != 0 {
            faults.push(format!("after {time:?}: {output}"));
        }
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bundle.assert_clean())).is_err()
        {
            faults.push(format!("after {time:?}: something was left"));
        }
    }
    assert!(faults.is_empty(), "{} of {steps}:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn create_killed_at_any_moment() {
    need_root!();
    differs!(Runc | Crun | Youki, "leaves debris in a third of the tries");
    survive("create", 60, 400);
}

#[test]
fn run_killed_at_any_moment() {
    need_root!();
    differs!(Runc | Crun | Youki, "leaves debris in a third of the tries");
    survive("run", 40, 600);
}

/// The name can be used again after the debris was taken away.
#[test]
fn same_name_can_be_used_again() {
    need_root!();
    differs!(Runc | Crun | Youki, "leaves debris in a third of the tries");
    let bundle = Bundle::new(&["sleep", "100"]);
    for step in 0..20 {
        kill_after(&bundle, "create", Duration::from_micros(step * 700));
        bundle.call(&["delete", "--force", &bundle.id]).ok();
    }
    bundle.create().ok();
    assert_eq!(bundle.status(), "created");
    bundle.delete();
}

/// What an earlier version left when it was killed before it had written anything down, or when the disk was full.
#[test]
fn directories_without_a_state() {
    need_root!();
    differs!(Runc | Crun | Youki, "in other words");
    let bundle = Bundle::new(&["sleep", "100"]);
    let dir = bundle.state_root().join(&bundle.id);
    fs::create_dir_all(&dir).expect("mkdir");
    bundle.call(&["list"]).ok();
    bundle.create().ok();
    bundle.delete();
    fs::create_dir_all(&dir).expect("mkdir");
    fs::write(dir.join(".state.json.1"), "{").expect("write");
    let words = ["already exists", &dir.to_string_lossy(), "delete --force"];
    bundle.create().fails_with(&words);
    bundle.call(&["delete", "--force", &bundle.id]).ok();
    bundle.create().ok();
    bundle.delete();
    bundle.assert_clean();
}

/// A container that runs, and a state that nobody can read any more: it is not said to be gone while it is there.
#[test]
fn a_state_that_was_lost_while_the_container_runs() {
    need_root!();
    differs!(Runc | Crun | Youki, "in other words");
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let pid = bundle.pid();
    let state = bundle.state_root().join(&bundle.id).join("state.json");
    let truncate = |length| {
        let file = fs::File::options().write(true).open(&state).expect("open");
        file.set_len(length).expect("truncate");
    };
    truncate(200);
    let text = format!("process {pid} ");
    bundle.call(&["delete", "--force", &bundle.id]).fails_with(&["its state is lost", &text]);
    truncate(0);
    bundle.call(&["delete", "--force", &bundle.id]).fails_with(&["its state is lost", &text]);
    assert_eq!(bundle.processes(), [pid]);
    kill(pid);
    wait_until("the process to end", || bundle.processes().is_empty());
    bundle.call(&["delete", "--force", &bundle.id]).ok();
    assert!(!state.exists());
}

/// What cannot be read for another reason does not keep `list` waiting.
#[test]
fn a_fifo_in_the_place_of_a_state() {
    need_root!();
    differs!(Runc | Crun | Youki, "wait");
    let bundle = Bundle::new(&["true"]);
    let dir = bundle.state_root().join(&bundle.id);
    fs::create_dir_all(&dir).expect("mkdir");
    let mode = nix::sys::stat::Mode::S_IRWXU;
    nix::unistd::mkfifo(&dir.join("state.json"), mode).expect("mkfifo");
    let list = bundle.call(&["list"]);
    assert!(list.code == 0 && list.stderr.contains(&bundle.id), "{list}");
    bundle.call(&["state", &bundle.id]).fails_with(&["broken container state"]);
    bundle.call(&["delete", "--force", &bundle.id]).ok();
    bundle.assert_clean();
}

fn kill(pid: i32) {
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("kill");
}

/// What cannot be written down is not done, and what is there can be used and deleted.
#[test]
fn a_full_disk_under_the_state() {
    need_root!();
    differs!(Runc | Crun | Youki, "leaves debris");
    let mut bundle = Bundle::new(&["sleep", "100"]);
    bundle.set("/linux/resources/memory", json!({ "limit": 67_108_864 }));
    bundle.drop_unavailable_limits();
    let tmpfs = HostMount::tmpfs(bundle.state_root());
    let fill = || {
        let file = bundle.state_root().join("~full");
        let zeros = vec![0; 4096];
        let mut file = fs::File::create(file).expect("create");
        while std::io::Write::write_all(&mut file, &zeros).is_ok() {}
    };
    // The file system itself lies where leftovers are looked for.
    let nothing_left = || {
        let state = bundle.state_root().join(&bundle.id);
        let cgroups = Cgroups::detect().find(&bundle.id);
        assert!(bundle.processes().is_empty() && cgroups.is_empty() && !state.exists());
    };
    fill();
    for verb in ["create", "run"] {
        let words = [verb, "--bundle", &bundle.path(), &bundle.id];
        bundle.write();
        bundle.call(&words).fails_with(&["no space left on device"]);
        nothing_left();
    }
    fs::remove_file(bundle.state_root().join("~full")).expect("remove");
    bundle.up();
    fill();
    assert_eq!(bundle.exec(&["echo", "in"]).ok(), "in\n");
    if bundle.config.pointer("/linux/resources/memory/limit").is_some() {
        let limit = || {
            let (v1, v2) = ("memory.limit_in_bytes", "memory.max");
            Cgroups::detect().read("memory", &bundle.cgroup(), v1, v2)
        };
        let before = limit();
        let update = bundle.call(&["update", "--memory", "100663296", &bundle.id]);
        update.fails_with(&["no space left on device"]);
        assert_eq!(limit(), before, "the limit without its record");
    }
    bundle.call(&["list"]).ok();
    bundle.call(&["delete", "--force", &bundle.id]).ok();
    nothing_left();
    drop(tmpfs);
    bundle.assert_clean();
}

/// Runtimes of several pid namespaces may share the directory, and have the same number.
#[test]
fn what_another_runtime_of_that_number_is_at_work_in_stays() {
    need_root!();
    differs!(Runc | Crun | Youki, "know no such directories");
    need_files!("systemd takes numbers of processes for those of its own pid namespace");
    let bundle = Bundle::new(&["echo", "ran"]);
    bundle.write();
    let theirs = ["~1", "~2147483647"].map(|name| bundle.state_root().join(name));
    let locks = theirs.each_ref().map(|dir| {
        fs::create_dir_all(dir.join("one")).expect("mkdir");
        let dir = fs::File::open(dir).expect("open");
        dir.lock().expect("lock");
        dir
    });
    let stays = || theirs.iter().all(|dir| dir.join("one").exists());
    let as_first = |words: &[&str]| {
        let inner = bundle.command(words);
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc"]).arg(inner.get_program());
        command.args(inner.get_args()).current_dir(bundle.dir());
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        integration_tests::run(&mut command)
    };
    // It makes a directory, and takes it away.
    let output = as_first(&["run", "--bundle", &bundle.path(), &bundle.id]);
    assert_eq!(output.ok(), "ran\n");
    assert!(stays(), "what another runtime is at work in is gone");
    as_first(&["delete", "--force", "no-such-container"]).ok();
    assert!(stays(), "what another runtime is at work in was swept");
    drop(locks);
    bundle.call(&["delete", "--force", "no-such-container"]).ok();
    assert!(theirs.iter().all(|dir| !dir.exists()), "leftovers stay");
    bundle.assert_clean();
}

#[test]
fn init_killed_before_start() {
    need_root!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.create().ok();
    kill(bundle.pid());
    bundle.wait_status("stopped");
    bundle.call(&["start", &bundle.id]).fails_with(&[]);
    bundle.call(&["delete", &bundle.id]).ok();
    bundle.assert_clean();
}

#[test]
fn running_container_outlives_the_runtime() {
    need_root!();
    let bundle = Bundle::new(&["signal-wait"]);
    bundle.up().wait_log("ready");
    // create and start have returned: nothing of the runtime may be left but the container.
    assert_eq!(bundle.processes(), [bundle.pid()]);
    bundle.delete();
}

#[test]
fn start_killed_at_any_moment() {
    need_root!();
    differs!(Runc | Crun | Youki, "not measured");
    for step in 0..15_u64 {
        let bundle = Bundle::new(&["sleep", "100"]);
        bundle.create().ok();
        let mut child = bundle.command(&["start", &bundle.id]).spawn().expect("spawn");
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_micros(step * 150) {
            std::hint::spin_loop();
        }
        child.kill().expect("kill");
        child.wait().expect("wait");
        bundle.delete();
    }
}

/// It would go on in the directory of whoever gets the name next.
#[test]
fn a_create_that_is_at_work_ends_with_the_container() {
    need_root!();
    differs!(Runc | Crun | Youki, "goes on");
    let mut bundle = Bundle::new(&["sleep", "100"]);
    let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", "sleep 20"], "timeout": 20 });
    bundle.set("/hooks", json!({ "createRuntime": [hook] }));
    bundle.write();
    let mut create = bundle.command(&["create", "--bundle", &bundle.path(), &bundle.id]);
    create.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut create = create.spawn().expect("start create");
    wait_until("the hook", || bundle.call(&["state", &bundle.id]).stdout.contains("\"creating\""));
    bundle.call(&["delete", "--force", &bundle.id]).ok();
    let over = create.try_wait().expect("wait for create");
    let _ = create.kill();
    let _ = create.wait();
    assert!(over.is_some_and(|status| !status.success()), "create goes on: {over:?}");
    bundle.assert_clean();
}
