//! `listenerPath` and `listenerMetadata`: what the agent gets, when, and what goes wrong without it.

use integration_tests::{Bundle, ConsoleSocket, Output, differs, need_root};
use nix::poll::{PollFd, PollFlags, poll};
use serde_json::{Value, json};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Everything allowed but kcmp(2), which the agent is asked about.
fn asking(args: &[&str], agent: &str) -> Bundle {
    let mut bundle = Bundle::new(args);
    let rule = json!({ "names": ["kcmp"], "action": "SCMP_ACT_NOTIFY" });
    let profile =
        json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule], "listenerPath": agent });
    bundle.set("/linux/seccomp", profile);
    bundle
}

fn agent(name: &str) -> (ConsoleSocket, Directory) {
    let directory = Directory::new(name);
    (ConsoleSocket::new(&directory.0, "agent.sock"), directory)
}

/// A directory of its own for the socket; goes when dropped.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("onggi-agent-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("mkdir");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The message, which must hold one descriptor, that of seccomp.
#[track_caller]
fn receive(agent: &ConsoleSocket) -> (Value, OwnedFd) {
    let (bytes, mut fds) = agent.receive_all();
    let message: Value = serde_json::from_slice(&bytes).expect("the message is JSON");
    assert_eq!(message["fds"], json!(["seccompFd"]), "{message}");
    assert_eq!(fds.len(), 1, "{message}");
    let fd = fds.pop().expect("one descriptor");
    let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    assert_eq!(link.expect("readlink").to_string_lossy(), "anon_inode:seccomp notify");
    (message, fd)
}

/// Makes a call of the runtime while the agent takes its message, which is there before the call ends. The descriptor
/// stays open that long, if `keep`.
#[track_caller]
fn answered(
    agent: &ConsoleSocket,
    keep: bool,
    call: impl FnOnce() -> Output + Send,
) -> (Value, Output) {
    std::thread::scope(|scope| {
        let call = scope.spawn(call);
        let (message, fd) = receive(agent);
        let kept = keep.then_some(fd);
        let output = call.join().expect("the call");
        drop(kept);
        (message, output)
    })
}

#[test]
fn create_sends_the_process_state() {
    need_root!();
    differs!(Youki, "other message");
    let (agent, _directory) = agent("create");
    let mut bundle = asking(&["syscall", "getcwd"], &agent.path());
    bundle
        .set("/linux/seccomp/listenerMetadata", json!("MKNOD=/dev/null \"ä\"\n"))
        .set("/annotations", json!({ "org.example.key": "value" }));
    let (message, output) = answered(&agent, true, || bundle.create());
    output.ok();
    let pid = bundle.pid();
    let expected = json!({
        "ociVersion": message["ociVersion"],
        "fds": ["seccompFd"],
        "pid": pid,
        "metadata": "MKNOD=/dev/null \"ä\"\n",
        "state": {
            "ociVersion": message["ociVersion"],
            "id": bundle.id,
            "status": "creating",
            "pid": pid,
            "bundle": bundle.path(),
            "annotations": { "org.example.key": "value" },
        },
    });
    assert_eq!(message, expected);
    assert!(message["ociVersion"].as_str().is_some_and(|version| version.starts_with("1.")));
    bundle.start();
    bundle.delete();
}

#[test]
fn no_metadata_is_no_field() {
    need_root!();
    differs!(Youki, "other message");
    let (agent, _directory) = agent("no-metadata");
    let bundle = asking(&["true"], &agent.path());
    let (message, output) = answered(&agent, true, || bundle.run());
    assert!(message.get("metadata").is_none(), "{message}");
    output.ok();
    bundle.assert_clean();
}

/// `exec` has a filter and a descriptor of its own, and the state is that of the container.
#[test]
fn exec_sends_its_own_descriptor() {
    need_root!();
    differs!(Youki, "other message");
    let (agent, _directory) = agent("exec");
    let mut bundle = asking(&["sleep", "100"], &agent.path());
    bundle.set("/linux/seccomp/listenerMetadata", json!("m"));
    answered(&agent, true, || bundle.create()).1.ok();
    bundle.start();
    // The call is answered with ENOSYS once nobody listens any more.
    let (message, output) = answered(&agent, false, || bundle.exec(&["syscall", "kcmp"]));
    assert_eq!(output.ok(), "kcmp errno 38\n");
    let state = &message["state"];
    assert_eq!((&state["status"], &state["pid"]), (&json!("running"), &json!(bundle.pid())));
    assert_ne!(message["pid"], json!(bundle.pid()), "{message}");
    assert_eq!(message["metadata"], "m");
    bundle.kill("KILL");
    bundle.wait_status("stopped");
    bundle.delete();
}

#[test]
fn exec_without_the_agent_is_refused() {
    need_root!();
    differs!(Youki, "other message");
    let (agent, _directory) = agent("exec-gone");
    let bundle = asking(&["sleep", "100"], &agent.path());
    answered(&agent, true, || bundle.create()).1.ok();
    bundle.start();
    drop(agent);
    bundle.exec(&["true"]).exits(255).fails_with(&["failed to connect with seccomp agent"]);
    assert_eq!(bundle.processes().len(), 1);
    bundle.kill("KILL");
    bundle.wait_status("stopped");
    bundle.delete();
}

/// Longer than what a socket takes at once; the descriptor comes with the first part.
#[test]
fn long_states_arrive_whole() {
    need_root!();
    differs!(Youki, "other message");
    let (agent, _directory) = agent("long");
    let mut bundle = asking(&["true"], &agent.path());
    let long = "metadata ".repeat(120_000);
    bundle.set("/linux/seccomp/listenerMetadata", json!(long));
    let (message, output) = answered(&agent, true, || bundle.run());
    let length = message["metadata"].as_str().map(str::len);
    assert!(message["metadata"] == long, "{length:?} bytes of {}", long.len());
    output.ok();
    bundle.assert_clean();
}

#[test]
fn the_socket_may_be_abstract() {
    need_root!();
    differs!(Youki, "other message");
    differs!(Crun, "takes the path as it is");
    let agent = ConsoleSocket::in_abstract(&format!("onggi-agent-{}", std::process::id()));
    let bundle = asking(&["true"], &agent.path());
    answered(&agent, true, || bundle.run()).1.ok();
    bundle.assert_clean();
}

#[test]
fn a_rule_that_asks_needs_a_listener() {
    need_root!();
    let mut bundle = asking(&["true"], "");
    bundle.run().exits(1).fails_with(&["listenerPath"]);
    bundle.assert_clean();
    for missing in ["/no/such/socket", "@no-such-socket"] {
        bundle.set("/linux/seccomp/listenerPath", json!(missing));
        bundle.run().exits(1).fails_with(&["failed to connect with seccomp agent"]);
        bundle.assert_clean();
    }
}

#[test]
fn the_kernel_takes_the_flag_to_wait_until_killed() {
    need_root!();
    differs!(Youki, "other message");
    let (agent, _directory) = agent("killable");
    let mut bundle = asking(&["true"], &agent.path());
    bundle.set("/linux/seccomp/flags", json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]));
    bundle.write();
    let run = ["--debug", "run", "--bundle", &bundle.path(), &bundle.id];
    let (_, output) = answered(&agent, true, || bundle.call(&run));
    output.ok();
    // With that for a listener.
    assert!(output.stderr.contains("seccomp filter flags: 40\""), "{output}");
    bundle.assert_clean();
}

/// "If the `SCMP_ACT_NOTIFY` action is not used this value is ignored" (config-linux.md).
#[test]
fn a_listener_that_nobody_asks_is_ignored() {
    need_root!();
    let mut bundle = asking(&["true"], "/no/such/socket");
    bundle
        .set("/linux/seccomp/syscalls/0/action", json!("SCMP_ACT_LOG"))
        .set("/linux/seccomp/listenerMetadata", json!("nobody gets it"));
    bundle.run().ok();
    bundle.assert_clean();
}

#[test]
fn what_cannot_be_asked_about() {
    need_root!();
    let mut bundle = asking(&["true"], "/no/such/socket");
    bundle.set("/linux/seccomp/syscalls/0/names", json!(["kcmp", "write"]));
    let words = "SCMP_ACT_NOTIFY cannot be used for the write syscall";
    bundle.run().exits(1).fails_with(&[words]);
    bundle
        .set("/linux/seccomp/syscalls", json!([]))
        .set("/linux/seccomp/defaultAction", json!("SCMP_ACT_NOTIFY"));
    let words = "SCMP_ACT_NOTIFY cannot be used as default action";
    bundle.run().exits(1).fails_with(&[words]);
    bundle.assert_clean();
}

/// A notified call waits for the agent; the answer is what the program sees.
#[test]
fn notified_call_waits() {
    need_root!();
    differs!(Youki, "other message");
    let (agent, _directory) = agent("waits");
    let bundle = asking(&["all", "echo", "before", "--", "syscall", "kcmp"], &agent.path());
    std::thread::scope(|scope| {
        let create = scope.spawn(|| bundle.create());
        let (_, fd) = receive(&agent);
        create.join().expect("create").ok();
        bundle.start();
        let mut asked = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut asked, 10_000_u16), Ok(1), "nobody asks");
        bundle.wait_log("before");
        assert!(!bundle.logs().contains("kcmp"), "the call did not wait");
        // The last descriptor of the agent goes: the kernel answers with ENOSYS.
        drop(fd);
    });
    bundle.wait_log("kcmp errno 38");
    bundle.wait_status("stopped");
    bundle.delete();
}

/// The program's own descriptors are none of the agent's.
#[test]
fn no_descriptor_is_left_in_the_container() {
    need_root!();
    differs!(Youki, "other message");
    let (agent, _directory) = agent("fds");
    for nnp in [true, false] {
        let mut bundle = asking(&["fds"], &agent.path());
        bundle.set("/process/noNewPrivileges", json!(nnp));
        let (_, output) = answered(&agent, true, || bundle.run());
        assert!(!output.ok().contains("seccomp"), "{output}");
        assert!(!output.stdout.contains("socket"), "{output}");
        bundle.assert_clean();
    }
}
