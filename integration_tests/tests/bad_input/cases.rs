//! The table of wrong configurations.

use std::fs;

use integration_tests::{Bundle, mount};
use serde_json::{Value, json};

/// What is wrong, how it is made, words of the message (any spelling of each alternative), and
/// whether today's peers are known to accept it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) change: fn(&mut Bundle),
    /// Each item is a list of alternatives separated by `|`; the message must hold one of each.
    pub(crate) says: &'static [&'static str],
    pub(crate) peers_accept: bool,
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

pub(crate) const CASES: &[Case] = &[
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
