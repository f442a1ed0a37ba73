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

/// `struct sock_filter` after `struct sock_filter`, in base64.
fn program(instructions: &[(u16, u8, u8, u32)]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = instructions
        .iter()
        .flat_map(|(code, jt, jf, k)| {
            [&code.to_ne_bytes()[..], &[*jt, *jf], &k.to_ne_bytes()[..]].concat()
        })
        .collect();
    let groups = bytes.chunks(3).map(|group| {
        let bits = (0..3).fold(0, |bits, i| bits << 8 | u32::from(*group.get(i).unwrap_or(&0)));
        let digit = |i: u32| char::from(ALPHABET[(bits >> (18 - 6 * i)) as usize & 63]);
        (0..4).map(|i| if i as usize <= group.len() { digit(i) } else { '=' }).collect::<String>()
    });
    groups.collect()
}

/// `getcwd` fails with errno 77, all else is allowed.
fn no_getcwd() -> String {
    let number = u32::try_from(libc::SYS_getcwd).expect("a number");
    program(&[
        (0x20, 0, 0, 0),
        (0x15, 0, 1, number),
        (6, 0, 0, 0x0005_004d),
        (6, 0, 0, 0x7fff_0000),
    ])
}

#[test]
fn a_ready_filter_is_loaded_for_all_processes() {
    need_root!();
    differs!(Runc | Youki, "it knows no such annotation");
    differs!(Crun, "it wants a linux.seccomp to be replaced");
    const NAME: &str = "run.oci.seccomp_bpf_data";
    for no_new_privileges in [true, false] {
        let mut bundle = Bundle::new(&["syscall", "getcwd", "mkdirat"]);
        bundle.set("/process/noNewPrivileges", json!(no_new_privileges));
        bundle.unset("/linux/seccomp");
        assert_eq!(bundle.run().ok(), "getcwd errno 34\nmkdirat errno 14\n");
        annotate(&mut bundle, NAME, &no_getcwd());
        assert_eq!(bundle.run().ok(), "getcwd errno 77\nmkdirat errno 14\n");
        bundle.assert_clean();
    }
    let mut bundle = Bundle::new(&["sleep", "1000"]);
    bundle.unset("/linux/seccomp");
    annotate(&mut bundle, NAME, &no_getcwd());
    bundle.up();
    assert_eq!(bundle.exec(&["syscall", "getcwd"]).ok(), "getcwd errno 77\n");
    bundle.delete();
    // The kernel looks at it: a jump behind the end.
    annotate(&mut bundle, NAME, &program(&[(0x15, 9, 9, 0), (6, 0, 0, 0x7fff_0000)]));
    bundle.run().exits(1).fails_with(&["seccomp filter", "invalid argument"]);
    annotate(&mut bundle, NAME, "AAAA");
    bundle.run().exits(1).fails_with(&["/annotations/run.oci.seccomp_bpf_data", "3 bytes"]);
    // An image may have brought it along.
    annotate(&mut bundle, NAME, &program(&[(6, 0, 0, 0x7fff_0000)]));
    bundle.set("/linux/seccomp", profile("kcmp", "SCMP_ACT_ERRNO"));
    bundle.run().exits(1).fails_with(&["not of linux.seccomp"]);
    bundle.assert_clean();
}

#[test]
fn a_ready_filter_may_notify() {
    need_root!();
    differs!(Runc | Crun | Youki, "it knows no such annotation, or sends another message");
    let number = u32::try_from(libc::SYS_kcmp).expect("a number");
    let notify =
        [(0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, 0x7fc0_0000), (6, 0, 0, 0x7fff_0000)];
    let mut bundle = Bundle::new(&["true"]);
    bundle.unset("/linux/seccomp");
    annotate(&mut bundle, "run.oci.seccomp_bpf_data", &program(&notify));
    bundle.run().exits(1).fails_with(&["listenerPath"]);
    let agent = ConsoleSocket::new(bundle.dir(), "agent.sock");
    annotate(&mut bundle, "run.oci.seccomp.receiver", &agent.path());
    bundle.run().ok();
    assert_eq!(agent.receive().1.len(), 1);
    bundle.assert_clean();
}

/// Another program than the container's own would have to be run.
#[test]
fn what_cannot_be_done_is_refused() {
    need_root!();
    differs!(Runc | Crun | Youki, "it runs the program all the same, or can do it");
    let mut bundle = Bundle::new(&["echo", "ran"]);
    annotate(&mut bundle, "run.oci.handler", "wasm");
    bundle
        .run()
        .exits(1)
        .fails_with(&["/annotations/run.oci.handler", "\"wasm\" is not supported"]);
    annotate(&mut bundle, "io.kubernetes.cri.container-type", "sandbox");
    assert_eq!(bundle.run().ok(), "ran\n");
    let mut bundle = Bundle::new(&["echo", "ran"]);
    annotate(&mut bundle, "run.oci.seccomp.plugins", "/usr/lib/plugin.so");
    bundle.run().exits(1).fails_with(&["/annotations/run.oci.seccomp.plugins", "shared objects"]);
    bundle.assert_clean();
}

#[test]
fn what_is_passed_over_is_an_error_with_strict() {
    need_root!();
    differs!(Runc | Crun | Youki, "it has no such flag");
    for (name, value, words) in [
        ("run.oci.handler", "wasm-smart", "has no handlers"),
        ("module.wasm.image/variant", "compat-smart", "has no handlers"),
        ("run.oci.no_such", "1", "is not known"),
    ] {
        let mut bundle = Bundle::new(&["echo", "ran"]);
        annotate(&mut bundle, name, value);
        assert_eq!(bundle.run().ok(), "ran\n", "{name}");
        let strict = ["--strict", "run", "--bundle", &bundle.path(), &bundle.id];
        bundle.call(&strict).exits(1).fails_with(&["--strict", &name.replace('/', "~1"), words]);
        bundle.assert_clean();
    }
}
