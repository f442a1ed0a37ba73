//! Annotations that ask for what config.json has no field for.

use integration_tests::{Bundle, ConsoleSocket, Peer, differs, need_root, peer};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// An annotation of the bundle.
fn annotate(bundle: &mut Bundle, name: &str, value: &str) {
    if bundle.config["annotations"].is_null() {
        bundle.set("/annotations", json!({}));
    }
    bundle.config["annotations"][name] = json!(value);
}

#[test]
fn groups_of_the_caller_stay() {
    need_root!();
    differs!(Runc | Youki, "it knows no such annotation");
    let mut bundle = Bundle::new(&["id"]);
    bundle.set("/process/user/additionalGids", json!([7]));
    let run = |bundle: &Bundle| {
        bundle.write();
        let command = bundle.command(&["run", "--bundle", &bundle.path(), &bundle.id]);
        // A login would have given them.
        let mut outer = Command::new("setpriv");
        outer.args(["--groups", "1234,5678"]).arg(command.get_program()).args(command.get_args());
        outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        integration_tests::run(&mut outer).ok().to_owned()
    };
    assert!(run(&bundle).contains("groups=7\n"), "{}", run(&bundle));
    annotate(&mut bundle, "run.oci.keep_original_groups", "1");
    assert!(run(&bundle).contains("groups=1234,5678\n"), "{}", run(&bundle));
    if peer() == Peer::Onggi {
        annotate(&mut bundle, "run.oci.keep_original_groups", "0");
        assert!(run(&bundle).contains("groups=7\n"), "{}", run(&bundle));
    }
    bundle.assert_clean();
}

#[test]
fn output_of_hooks_goes_to_files() {
    need_root!();
    differs!(Runc | Youki, "it knows no such annotations");
    let mut bundle = Bundle::new(&["true"]);
    let hook = |kind: &str| {
        let line = format!("echo {kind} said; echo {kind} failed >&2");
        json!([{ "path": "/bin/sh", "args": ["sh", "-c", line] }])
    };
    for kind in ["createRuntime", "poststart", "poststop"] {
        bundle.set("/hooks", bundle.config["hooks"].as_object().map_or(json!({}), |h| json!(h)));
        bundle.config["hooks"][kind] = hook(kind);
    }
    let (out, err) = (bundle.dir().join("hooks.out"), bundle.dir().join("hooks.err"));
    annotate(&mut bundle, "run.oci.hooks.stdout", &out.to_string_lossy());
    annotate(&mut bundle, "run.oci.hooks.stderr", &err.to_string_lossy());
    fs::write(&out, "before\n").expect("write");
    bundle.run().ok();
    let lines = |word: &str| {
        ["createRuntime", "poststart", "poststop"].map(|kind| format!("{kind} {word}\n")).concat()
    };
    assert_eq!(fs::read_to_string(&out).expect("read"), format!("before\n{}", lines("said")));
    assert_eq!(fs::read_to_string(&err).expect("read"), lines("failed"));
    if peer() == Peer::Onggi {
        // A link there is not followed, and nothing but an absolute path is taken.
        let link = bundle.dir().join("link");
        std::os::unix::fs::symlink(&out, &link).expect("link");
        annotate(&mut bundle, "run.oci.hooks.stdout", &link.to_string_lossy());
        bundle.run().exits(1).fails_with(&["createRuntime", "link"]);
        // Nor is a FIFO that nobody reads waited for.
        let fifo = bundle.dir().join("fifo");
        let made = Command::new("mkfifo").arg(&fifo).status().expect("mkfifo");
        assert!(made.success());
        annotate(&mut bundle, "run.oci.hooks.stdout", &fifo.to_string_lossy());
        bundle.run().exits(1).fails_with(&["createRuntime", "fifo"]);
        annotate(&mut bundle, "run.oci.hooks.stdout", "hooks.out");
        bundle.run().exits(1).fails_with(&["/annotations/run.oci.hooks.stdout", "absolute"]);
    }
    bundle.assert_clean();
}

#[test]
fn a_socket_gets_the_pidfd() {
    need_root!();
    differs!(Runc | Crun | Youki, "it knows no such annotation, or sends other bytes");
    let mut bundle = Bundle::new(&["sleep", "1000"]);
    let socket = ConsoleSocket::new(bundle.dir(), "p.sock");
    annotate(&mut bundle, "run.oci.pidfd_receiver", &socket.path());
    bundle.create().ok();
    let (kind, fds) = socket.receive();
    assert_eq!((kind.as_slice(), fds.len()), (&b"standard"[..], 1));
    bundle.start();
    bundle.delete();
}

fn profile(name: &str, action: &str) -> Value {
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": [name], "action": action }] })
}

#[test]
fn a_receiver_gets_the_seccomp_listener() {
    need_root!();
    differs!(Runc | Crun | Youki, "it knows no such annotation, or sends another message");
    let mut bundle = Bundle::new(&["true"]);
    bundle.set("/linux/seccomp", profile("kcmp", "SCMP_ACT_NOTIFY"));
    bundle.run().exits(1).fails_with(&["listenerPath"]);
    let agent = ConsoleSocket::new(bundle.dir(), "agent.sock");
    annotate(&mut bundle, "run.oci.seccomp.receiver", &agent.path());
    bundle.run().ok();
    let (message, fds) = agent.receive();
    let message: Value = serde_json::from_slice(&message).expect("the message is JSON");
    assert_eq!(message["state"]["id"], bundle.id.as_str(), "{message}");
    assert_eq!(fds.len(), 1);
    bundle.assert_clean();
}

#[test]
fn unknown_syscalls_are_refused_on_demand() {
    need_root!();
    differs!(Runc | Youki, "it knows no such annotation");
    let mut bundle = Bundle::new(&["true"]);
    bundle.set("/linux/seccomp", profile("no_such_call", "SCMP_ACT_ERRNO"));
    bundle.run().ok();
    annotate(&mut bundle, "run.oci.seccomp_fail_unknown_syscall", "1");
    bundle.run().exits(1).fails_with(&["no_such_call"]);
    bundle.assert_clean();
}
