//! Wrong input: a clear error that names the place, status 1, and nothing left behind.

use integration_tests::{Bundle, Peer, differs, mount, need_root, peer};
use serde_json::{Value, json};
use std::fs;

/// What is wrong, how it is made, words of the message (any spelling of each alternative), and
/// whether today's peers are known to accept it.
struct Case {
    name: &'static str,
    change: fn(&mut Bundle),
    /// Each item is a list of alternatives separated by `|`; the message must hold one of each.
    says: &'static [&'static str],
    peers_accept: bool,
}

const fn case(name: &'static str, change: fn(&mut Bundle), says: &'static [&'static str]) -> Case {
    Case { name, change, says, peers_accept: false }
}

/// The peers take it, the specification does not.
const fn strict(
    name: &'static str,
    change: fn(&mut Bundle),
    says: &'static [&'static str],
) -> Case {
    Case { name, change, says, peers_accept: true }
}

fn set(bundle: &mut Bundle, pointer: &str, value: Value) {
    bundle.set(pointer, value);
}

const CASES: &[Case] = &[
    strict(
        "ociVersion of another major",
        |b| set(b, "/ociVersion", json!("2.0.0")),
        &["ociVersion|version"],
    ),
    strict(
        "ociVersion that is no version",
        |b| set(b, "/ociVersion", json!("one")),
        &["ociVersion|version"],
    ),
    strict("empty ociVersion", |b| set(b, "/ociVersion", json!("")), &["ociVersion|version"]),
    strict(
        "no ociVersion",
        |b| {
            b.unset("/ociVersion");
        },
        &["ociVersion|version"],
    ),
    case(
        "no process",
        |b| {
            b.unset("/process");
        },
        &["process"],
    ),
    case(
        "no root",
        |b| {
            b.unset("/root");
        },
        &["root"],
    ),
    strict("empty root path", |b| set(b, "/root/path", json!("")), &["root"]),
    case(
        "rootfs is absent",
        |b| set(b, "/root/path", json!("nowhere")),
        &["nowhere", "no such file or directory"],
    ),
    case(
        "rootfs is a file",
        |b| {
            fs::write(b.dir().join("file"), "x").expect("write");
            set(b, "/root/path", json!("file"));
        },
        &["file", "not a directory"],
    ),
    case("empty args", |b| set(b, "/process/args", json!([])), &["args"]),
    strict(
        "no args",
        |b| {
            b.unset("/process/args");
        },
        &["args"],
    ),
    strict(
        "first argument is empty",
        |b| set(b, "/process/args", json!([""])),
        &["executable|args|no such file|permission"],
    ),
    case("args of the wrong type", |b| set(b, "/process/args", json!("sh")), &["args"]),
    case(
        "executable not in PATH",
        |b| set(b, "/process/args", json!(["x-none"])),
        &["exec: \"x-none\": executable file not found in $PATH"],
    ),
    case(
        "executable is absent",
        |b| set(b, "/process/args", json!(["/x/none"])),
        &["/x/none", "no such file or directory"],
    ),
    case(
        "executable may not be executed",
        |b| {
            fs::write(b.rootfs().join("plain"), "x").expect("write");
            set(b, "/process/args", json!(["/plain"]));
        },
        &["/plain", "permission denied"],
    ),
    case(
        "executable is a directory",
        |b| set(b, "/process/args", json!(["/tmp"])),
        &["exec: \"/tmp\": permission denied"],
    ),
    strict("relative cwd", |b| set(b, "/process/cwd", json!("tmp")), &["cwd", "absolute"]),
    case("empty cwd", |b| set(b, "/process/cwd", json!("")), &["cwd|Cwd"]),
    strict(
        "rlimit of an unknown type",
        |b| set(b, "/process/rlimits/0/type", json!("RLIMIT_NONE")),
        &["RLIMIT_NONE"],
    ),
    strict(
        "rlimit given twice",
        |b| {
            b.push("/process/rlimits", json!({ "type": "RLIMIT_NOFILE", "soft": 10, "hard": 10 }));
        },
        &["RLIMIT_NOFILE"],
    ),
    strict(
        "soft rlimit above the hard one",
        |b| set(b, "/process/rlimits/0/soft", json!(4096)),
        &["RLIMIT_NOFILE|rlimit"],
    ),
    case(
        "relative mount namespace path",
        |b| {
            b.push("/linux/namespaces", json!({ "type": "user", "path": "ns/user" }));
        },
        &["ns/user|namespace"],
    ),
    case(
        "namespace given twice",
        |b| {
            b.push("/linux/namespaces", json!({ "type": "pid" }));
        },
        &["pid"],
    ),
    case(
        "unknown namespace",
        |b| {
            b.push("/linux/namespaces", json!({ "type": "galaxy" }));
        },
        &["galaxy"],
    ),
    case(
        "namespace path is absent",
        |b| set(b, "/linux/namespaces/1/path", json!("/run/no-such-ns")),
        &["/run/no-such-ns"],
    ),
    strict(
        "namespace path of another type",
        |b| set(b, "/linux/namespaces/1/path", json!("/proc/self/ns/uts")),
        &["/proc/self/ns/uts|network"],
    ),
    case(
        "hostname without uts namespace",
        |b| integration_tests::without_namespace(&mut b.config, "uts"),
        &["hostname|UTS|uts"],
    ),
    strict(
        "mapping without user namespace",
        |b| {
            set(
                b,
                "/linux/uidMappings",
                json!([{ "containerID": 0, "hostID": 100_000, "size": 10 }]),
            );
        },
        &["user namespace|User namespace|user|User"],
    ),
    case(
        "user namespace without mapping",
        |b| {
            b.push("/linux/namespaces", json!({ "type": "user" }));
        },
        &["map"],
    ),
    strict(
        "time offset without time namespace",
        |b| {
            set(b, "/linux/timeOffsets", json!({ "monotonic": { "secs": 10 } }));
        },
        &["time"],
    ),
    strict(
        "empty mount destination",
        |b| {
            b.push("/mounts", mount("", "tmpfs", "tmpfs", &[]));
        },
        &["mount|destination"],
    ),
    strict(
        "mount without a destination",
        |b| {
            b.push("/mounts", json!({ "type": "tmpfs" }));
        },
        &["destination|mount"],
    ),
    case(
        "mount of an unknown type",
        |b| {
            b.push("/mounts", mount("/mnt", "galaxyfs", "none", &[]));
        },
        &["galaxyfs|/mnt", "no such device"],
    ),
    case(
        "unknown option of a tmpfs",
        |b| {
            b.push("/mounts", mount("/tmp", "tmpfs", "tmpfs", &["galaxy=1"]));
        },
        &["/tmp|galaxy", "invalid argument|galaxy"],
    ),
    case(
        "bind source is absent",
        |b| {
            b.push("/mounts", mount("/tmp", "bind", "/no/such/dir", &["bind"]));
        },
        &["/no/such/dir", "no such file or directory"],
    ),
    strict(
        "directory bound to a file",
        |b| {
            b.push("/mounts", mount("/runtimetest", "bind", "/tmp", &["bind"]));
        },
        &["runtimetest", "not a directory"],
    ),
    strict(
        "relative masked path",
        |b| set(b, "/linux/maskedPaths", json!(["proc/kcore"])),
        &["maskedPaths|proc/kcore"],
    ),
    strict(
        "relative read-only path",
        |b| set(b, "/linux/readonlyPaths", json!(["proc/sys"])),
        &["readonlyPaths|proc/sys"],
    ),
    strict(
        "relative device path",
        |b| {
            set(
                b,
                "/linux/devices",
                json!([{ "path": "dev/x", "type": "c", "major": 1, "minor": 3 }]),
            );
        },
        &["dev/x|devices"],
    ),
    case(
        "device of an unknown type",
        |b| {
            set(
                b,
                "/linux/devices",
                json!([{ "path": "/dev/x", "type": "z", "major": 1, "minor": 3 }]),
            );
        },
        &["/dev/x|device|type|devices"],
    ),
    strict(
        "unknown propagation",
        |b| set(b, "/linux/rootfsPropagation", json!("sometimes")),
        &["sometimes|rootfsPropagation"],
    ),
    case(
        "sysctl outside the namespaces",
        |b| set(b, "/linux/sysctl", json!({ "vm.swappiness": "1" })),
        &["vm.swappiness"],
    ),
    case(
        "sysctl of a namespace not made",
        |b| {
            integration_tests::without_namespace(&mut b.config, "network");
            set(b, "/linux/sysctl", json!({ "net.ipv4.ip_forward": "1" }));
        },
        &["net.ipv4.ip_forward"],
    ),
    case(
        "sysctl that is absent",
        |b| set(b, "/linux/sysctl", json!({ "net.ipv4.no_such_key": "1" })),
        &["no_such_key"],
    ),
    strict(
        "sysctl with a path out",
        |b| set(b, "/linux/sysctl", json!({ "net/../vm/swappiness": "1" })),
        &["swappiness"],
    ),
    case(
        "hook path is relative",
        |b| set(b, "/hooks", json!({ "createRuntime": [{ "path": "bin/true" }] })),
        &["bin/true|hooks"],
    ),
    case(
        "hook path is absent",
        |b| set(b, "/hooks", json!({ "createRuntime": [{ "path": "/no/such/hook" }] })),
        &["/no/such/hook"],
    ),
    strict(
        "hook timeout of zero",
        |b| {
            set(b, "/hooks", json!({ "createRuntime": [{ "path": "/bin/true", "timeout": 0 }] }));
        },
        &["timeout"],
    ),
    case(
        "unknown seccomp action",
        |b| set(b, "/linux/seccomp", json!({ "defaultAction": "SCMP_ACT_MAYBE" })),
        &["SCMP_ACT_MAYBE|defaultAction"],
    ),
    strict(
        "unknown seccomp architecture",
        |b| {
            set(
                b,
                "/linux/seccomp",
                json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_VAX"],
            "syscalls": [{ "names": ["getcwd"], "action": "SCMP_ACT_ERRNO" }] }),
            );
        },
        &["SCMP_ARCH_VAX|architecture"],
    ),
    strict(
        "seccomp rule without names",
        |b| {
            set(
                b,
                "/linux/seccomp",
                json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": [], "action": "SCMP_ACT_ERRNO" }] }),
            );
        },
        &["names|seccomp"],
    ),
    strict(
        "seccomp argument index out of range",
        |b| {
            set(
                b,
                "/linux/seccomp",
                json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["getcwd"],
            "action": "SCMP_ACT_ERRNO", "args": [{ "index": 6, "value": 0, "op": "SCMP_CMP_EQ" }] }] }),
            );
        },
        &["index|argument|seccomp"],
    ),
    case("unknown uid", |b| set(b, "/process/user/uid", json!("root")), &["uid"]),
    strict("negative uid", |b| set(b, "/process/user/uid", json!(-1)), &["uid"]),
    strict(
        "uid above 32 bits",
        |b| set(b, "/process/user/uid", json!(4_294_967_296_u64)),
        &["uid"],
    ),
    strict("oomScoreAdj out of range", |b| set(b, "/process/oomScoreAdj", json!(1001)), &["oom"]),
    strict(
        "cgroupsPath with dots",
        |b| {
            let path = format!("/../../tmp/{}", b.id);
            set(b, "/linux/cgroupsPath", json!(path));
        },
        &["cgroupsPath|cgroup"],
    ),
    strict(
        "console size too large",
        |b| {
            set(b, "/process/terminal", json!(true));
            set(b, "/process/consoleSize", json!({ "height": 70_000, "width": 10 }));
        },
        &["consoleSize|height|70000|terminal|tty|console|socket"],
    ),
];

fn one(case: &Case) -> Result<(), String> {
    let mut bundle = Bundle::new(&["echo", "must not run"]);
    (case.change)(&mut bundle);
    let output = bundle.run();
    let mut faults = Vec::new();
    if output.code == 0 || output.stdout.contains("must not run") {
        if case.peers_accept && peer() != Peer::Onggi {
            return Ok(());
        }
        faults.push("accepted".to_owned());
    } else if output.code != 1 {
        faults.push(format!("status {} instead of 1", output.code));
    }
    let strict_words = peer() == Peer::Onggi;
    for words in case.says.iter().filter(|_| strict_words) {
        if !words.split('|').any(|w| output.stderr.replace('\\', "").contains(w)) {
            faults.push(format!("the message lacks {words:?}"));
        }
    }
    for word in ["panicked", "goroutine ", "RUST_BACKTRACE"] {
        if output.stderr.contains(word) {
            faults.push(format!("the message holds {word:?}"));
        }
    }
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bundle.assert_clean())).is_err() {
        faults.push("something was left behind".to_owned());
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(format!("{}: {}: {}", case.name, faults.join(", "), output.stderr.trim()))
    }
}

#[test]
fn wrong_configurations_are_refused() {
    need_root!();
    let faults: Vec<String> = CASES.iter().filter_map(|c| one(c).err()).collect();
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), CASES.len(), faults.join("\n"));
}

/// Text instead of JSON: the message must say where.
#[test]
fn broken_json_names_file_line_and_column() {
    need_root!();
    let bundle = Bundle::new(&["true"]);
    let cases = [
        ("{\n \"ociVersion\": \"1.0.2\",\n oops\n}", "3"),
        ("", ""),
        ("[]", ""),
        ("{\"ociVersion\": \"1.0.2\"", ""),
        ("null", ""),
    ];
    for (text, line) in cases {
        if text == "null" && peer() == Peer::Runc {
            continue; // panics
        }
        fs::write(bundle.dir().join("config.json"), text).expect("write config.json");
        let output = bundle.call(&["run", "--bundle", &bundle.path(), &bundle.id]);
        output.exits(1).fails_with(&[]);
        if peer() == Peer::Onggi {
            output.fails_with(&["config.json", line]);
        }
        bundle.assert_clean();
    }
}

#[test]
fn missing_config_and_bundle() {
    need_root!();
    let bundle = Bundle::new(&["true"]);
    for verb in ["run", "create"] {
        bundle
            .call(&[verb, "--bundle", &bundle.path(), &bundle.id])
            .exits(1)
            .fails_with(&["config.json"]);
        bundle
            .call(&[verb, "--bundle", "/no/such/bundle", &bundle.id])
            .exits(1)
            .fails_with(&["no such file or directory"]);
        bundle.assert_clean();
    }
}

#[test]
fn bad_ids_are_refused() {
    need_root!();
    let bundle = Bundle::new(&["true"]);
    bundle.write();
    for id in ["", ".", "..", "a/b", "../up", "a b", "a\nb", "ä", "/abs", "a\u{7f}"] {
        let output = bundle.call(&["run", "--bundle", &bundle.path(), "--", id]);
        assert_ne!(output.code, 0, "id {id:?} was accepted: {output}");
        assert!(!output.stderr.contains("panicked"), "{output}");
    }
    for id in ["A-Za_z0.9+x", "..."] {
        let name = format!("{}{id}", bundle.id);
        bundle.call(&["run", "--bundle", &bundle.path(), &name]).ok();
    }
    bundle.assert_clean();
}

#[test]
fn missing_or_superfluous_arguments() {
    need_root!();
    let bundle = Bundle::new(&["true"]);
    bundle.write();
    for args in [
        &["create"][..],
        &["start"],
        &["kill"],
        &["delete"],
        &["state"],
        &["state", "a", "b"],
        &["exec", "x"],
        &["no-such-verb"],
        &["run", "--no-such-flag", "x"],
    ] {
        let output = bundle.call(args);
        assert_ne!(output.code, 0, "{output}");
        assert!(!output.stderr.contains("panicked"), "{output}");
    }
}

#[test]
fn create_reports_an_absent_executable() {
    need_root!();
    let mut bundle = Bundle::new(&["true"]);
    bundle.args(&["x-none"]);
    bundle.create().exits(1).fails_with(&["exec: \"x-none\": executable file not found in $PATH"]);
    bundle.assert_clean();
}

#[test]
fn unknown_fields_and_capabilities_are_no_error() {
    need_root!();
    let mut bundle = Bundle::new(&["echo", "fine"]);
    bundle.set("/process/galaxy", json!(true)).set("/galaxy", json!({ "a": 1 }));
    bundle.set("/windows", json!({ "layerFolders": ["C:\\x"] })).set("/zos", json!({}));
    let output = bundle.run();
    assert_eq!(output.ok(), "fine\n");
    bundle.assert_clean();
    bundle.set("/process/capabilities/bounding", json!(["CAP_KILL", "CAP_GALAXY"]));
    if peer() != Peer::Crun {
        assert_eq!(bundle.run().ok(), "fine\n");
        bundle.assert_clean();
    }
}

#[test]
fn a_configuration_that_is_no_file_is_refused_in_time() {
    need_root!();
    use nix::sys::stat::Mode;
    differs!(Runc | Crun | Youki, "waits for a writer, or reads without end");
    let bundle = Bundle::new(&["true"]);
    bundle.write();
    let fifo = bundle.dir().join("fifo");
    nix::unistd::mkfifo(&fifo, Mode::from_bits_truncate(0o600)).expect("mkfifo");
    for path in [fifo.to_string_lossy().as_ref(), "/dev/zero", "/"] {
        bundle.call(&["run", "--bundle", &bundle.path(), "--config", path, &bundle.id]).exits(1);
        bundle.assert_clean();
    }
}
