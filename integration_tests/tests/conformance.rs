//! `runtimetest check` inside many configurations: what config.json says is what is seen.

use integration_tests::{Bundle, Peer, mount, need_root, peer, without_namespace};
use serde_json::{Value, json};

type Change = fn(&mut Bundle);

const VARIATIONS: &[(&str, Change)] = &[
    ("the default", |_| {}),
    ("writable root", |b| set(b, "/root/readonly", json!(false))),
    ("absolute root path", |b| {
        let path = b.rootfs().to_string_lossy().into_owned();
        set(b, "/root/path", json!(path));
    }),
    ("another user", |b| {
        set(
            b,
            "/process/user",
            json!({ "uid": 1000, "gid": 1001, "additionalGids": [5, 10, 2_000_000_000] }),
        )
    }),
    ("greatest ids", |b| {
        // runc knows 31 bits only.
        if peer() != Peer::Runc {
            set(
                b,
                "/process/user",
                json!({ "uid": 4_294_967_294_u32, "gid": 4_294_967_294_u32, "additionalGids": [4_294_967_293_u32] }),
            );
        }
    }),
    ("umask", |b| set(b, "/process/user/umask", json!(0o027))),
    ("umask of zero", |b| set(b, "/process/user/umask", json!(0))),
    ("no capabilities", |b| set(b, "/process/capabilities", json!({}))),
    ("capabilities of another user", |b| {
        set(b, "/process/user/uid", json!(1000));
        b.capabilities(&["CAP_NET_BIND_SERVICE", "CAP_SYS_PTRACE"]);
    }),
    ("five different sets", |b| {
        set(
            b,
            "/process/capabilities",
            json!({
                "bounding": ["CAP_KILL", "CAP_CHOWN", "CAP_NET_RAW", "CAP_SYS_ADMIN"],
                "permitted": ["CAP_KILL", "CAP_CHOWN", "CAP_NET_RAW"],
                "effective": ["CAP_KILL"],
                "inheritable": ["CAP_CHOWN", "CAP_NET_RAW"],
                "ambient": ["CAP_NET_RAW"]
            }),
        )
    }),
    ("more privileges allowed", |b| set(b, "/process/noNewPrivileges", json!(false))),
    ("several rlimits", |b| {
        set(
            b,
            "/process/rlimits",
            json!([
                { "type": "RLIMIT_NOFILE", "soft": 256, "hard": 512 }, { "type": "RLIMIT_CORE", "soft": 0, "hard": 0 },
                { "type": "RLIMIT_STACK", "soft": 4_194_304, "hard": 8_388_608 }, { "type": "RLIMIT_CPU", "soft": 100, "hard": 200 },
                { "type": "RLIMIT_FSIZE", "soft": 1_000_000, "hard": 2_000_000 }, { "type": "RLIMIT_MSGQUEUE", "soft": 1000, "hard": 2000 },
                { "type": "RLIMIT_SIGPENDING", "soft": 100, "hard": 200 }, { "type": "RLIMIT_NPROC", "soft": 500, "hard": 600 },
            ]),
        )
    }),
    ("no rlimits", |b| {
        b.unset("/process/rlimits");
    }),
    ("oom score", |b| set(b, "/process/oomScoreAdj", json!(500))),
    ("environment", |b| {
        set(
            b,
            "/process/env",
            json!([
                "PATH=/bin:/",
                "EMPTY=",
                "TWICE=first",
                "SPACES= a b ",
                "EQUALS=a=b",
                "UTF=옹기",
                "TWICE=second",
                "HOME=/tmp"
            ]),
        )
    }),
    ("working directory", |b| set(b, "/process/cwd", json!("/tmp"))),
    ("working directory that is made", |b| {
        set(b, "/root/readonly", json!(false));
        set(b, "/process/cwd", json!("/made/on/the/way"));
    }),
    ("host and domain name", |b| {
        set(b, "/hostname", json!("a.rather-long.name"));
        if peer() == Peer::Onggi {
            set(b, "/domainname", json!("example.org"));
        }
    }),
    ("sysctl", |b| {
        set(
            b,
            "/linux/sysctl",
            json!({
                "net.ipv4.ip_forward": "1", "net.ipv4.ping_group_range": "0 100", "kernel.shm_rmid_forced": "1",
                "kernel.msgmax": "4096", "fs.mqueue.msg_max": "15"
            }),
        )
    }),
    ("devices", |b| {
        set(
            b,
            "/linux/devices",
            json!([
                { "path": "/dev/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 3, "gid": 4 },
                { "path": "/dev/deep/er/block", "type": "b", "major": 7, "minor": 0, "fileMode": 0o600 },
                { "path": "/dev/unbuffered", "type": "u", "major": 1, "minor": 5, "fileMode": 0o606 },
                { "path": "/dev/pipe", "type": "p", "fileMode": 0o622, "uid": 1 },
                { "path": "/dev/full", "type": "c", "major": 1, "minor": 7, "fileMode": 0o400 }
            ]),
        )
    }),
    ("mounts of every file system", |b| {
        b.push(
            "/mounts",
            mount(
                "/mnt/tmpfs",
                "tmpfs",
                "tmpfs",
                &["nosuid", "nodev", "noexec", "mode=1775", "size=128k", "uid=7", "gid=8"],
            ),
        );
        b.push("/mounts", mount("/mnt/proc", "proc", "proc", &["ro", "nosuid"]));
        b.push("/mounts", mount("/mnt/ramfs", "ramfs", "ramfs", &["noatime"]));
        b.push("/mounts", mount("/mnt/tmpfs/inside", "tmpfs", "tmpfs", &["ro"]));
        set(b, "/root/readonly", json!(false));
    }),
    ("bind mounts", |b| {
        let dir = b.dir().join("volume");
        std::fs::create_dir_all(dir.join("sub")).expect("mkdir");
        let dir = dir.to_string_lossy().into_owned();
        set(b, "/root/readonly", json!(false));
        b.push("/mounts", mount("/v/plain", "bind", &dir, &["bind"]));
        b.push(
            "/mounts",
            mount("/v/ro", "bind", &dir, &["rbind", "ro", "nosuid", "nodev", "noexec"]),
        );
        b.push("/mounts", mount("/v/shared", "none", &dir, &["rbind", "rshared"]));
        b.push("/mounts", mount("/v/unbindable", "bind", &dir, &["bind", "unbindable"]));
        b.push("/mounts", mount("/v/noatime", "bind", &dir, &["bind", "noatime", "nodiratime"]));
        b.push("/mounts", mount("/v/file", "bind", "/etc/hostname", &["bind", "ro", "rprivate"]));
    }),
    ("the same destination twice", |b| {
        b.push("/mounts", mount("/tmp", "tmpfs", "tmpfs", &["size=64k"]));
        b.push("/mounts", mount("/tmp", "tmpfs", "tmpfs", &["size=128k", "ro"]));
    }),
    ("nothing masked", |b| {
        b.unset("/linux/maskedPaths").unset("/linux/readonlyPaths");
    }),
    ("own files masked and read-only", |b| {
        std::fs::write(b.rootfs().join("etc/secret"), "secret").expect("write");
        std::fs::create_dir_all(b.rootfs().join("etc/dir/sub")).expect("mkdir");
        std::fs::create_dir_all(b.rootfs().join("etc/ro")).expect("mkdir");
        set(
            b,
            "/linux/maskedPaths",
            json!(["/etc/secret", "/etc/dir", "/proc/kcore", "/no/such/path"]),
        );
        set(b, "/linux/readonlyPaths", json!(["/etc/ro", "/proc/sys", "/no/such/path"]));
        set(b, "/root/readonly", json!(false));
    }),
    ("private propagation", |b| set(b, "/linux/rootfsPropagation", json!("private"))),
    ("slave propagation", |b| set(b, "/linux/rootfsPropagation", json!("slave"))),
    ("unbindable root", |b| {
        if peer() != Peer::Runc {
            set(b, "/linux/rootfsPropagation", json!("unbindable"));
        }
    }),
    ("host network", |b| {
        without_namespace(&mut b.config, "network");
        bind_sysfs(b);
    }),
    ("host ipc", |b| without_namespace(&mut b.config, "ipc")),
    ("host uts", |b| {
        without_namespace(&mut b.config, "uts");
        b.unset("/hostname");
    }),
    ("cgroup namespace", |b| {
        without_namespace(&mut b.config, "cgroup");
        b.push("/linux/namespaces", json!({ "type": "cgroup" }));
    }),
    ("seccomp by errno", |b| {
        set(
            b,
            "/linux/seccomp",
            json!({
                "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
                "syscalls": [
                    { "names": ["kcmp", "add_key", "setns"], "action": "SCMP_ACT_ERRNO" },
                    { "names": ["unshare", "mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95 },
                    { "names": ["no_such_call"], "action": "SCMP_ACT_ERRNO" }
                ]
            }),
        )
    }),
    ("user namespace", |b| {
        b.user_namespace();
    }),
    ("user namespace with several mappings", |b| {
        b.user_namespace();
        let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 1000 }, { "containerID": 1000, "hostID": 300_000, "size": 10 }]);
        set(b, "/linux/uidMappings", map.clone());
        set(b, "/linux/gidMappings", map);
        set(b, "/process/user", json!({ "uid": 1005, "gid": 1006, "additionalGids": [3] }));
    }),
    ("user and cgroup namespace", |b| {
        b.user_namespace();
        without_namespace(&mut b.config, "cgroup");
        b.push("/linux/namespaces", json!({ "type": "cgroup" }));
    }),
    ("everything the host has to give", |b| {
        set(b, "/process/user/uid", json!(0));
        set(b, "/process/noNewPrivileges", json!(false));
        set(b, "/linux/resources/devices", json!([{ "allow": true, "access": "rwm" }]));
        b.capabilities(&[
            "CAP_CHOWN",
            "CAP_DAC_OVERRIDE",
            "CAP_SYS_ADMIN",
            "CAP_NET_ADMIN",
            "CAP_BPF",
            "CAP_PERFMON",
            "CAP_CHECKPOINT_RESTORE",
        ]);
    }),
    ("limits", |b| set(b, "/linux/resources/pids", json!({ "limit": 100 }))),
];

fn set(bundle: &mut Bundle, pointer: &str, value: Value) {
    bundle.set(pointer, value);
}

/// A sysfs of a network namespace that is not ours cannot be mounted by everybody: bind it.
fn bind_sysfs(bundle: &mut Bundle) {
    if let Some(mounts) = bundle.config["mounts"].as_array_mut() {
        mounts.retain(|m| !m["destination"].as_str().unwrap_or_default().starts_with("/sys"));
    }
    bundle.push("/mounts", mount("/sys", "bind", "/sys", &["rbind", "ro"]));
    bundle.unset("/linux/maskedPaths");
}

#[test]
fn many_configurations() {
    need_root!();
    let mut faults = Vec::new();
    for (name, change) in VARIATIONS {
        let mut bundle = Bundle::check();
        change(&mut bundle);
        bundle.drop_unavailable_limits();
        let output = bundle.run();
        let bad: Vec<&str> = output.stdout.lines().filter(|l| l.starts_with("not ok")).collect();
        if output.code != 0 || !output.stdout.contains(" 0 failed") {
            faults.push(format!(
                "{name}: status {}: {}{}",
                output.code,
                bad.join("\n    "),
                output.stderr
            ));
        }
        bundle.assert_clean();
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), VARIATIONS.len(), faults.join("\n"));
}

/// The same through create and start, and through exec with the configuration's process.
#[test]
fn created_and_executed_processes_see_the_same() {
    need_root!();
    let bundle = Bundle::check();
    bundle.up();
    bundle.wait_status("stopped");
    assert!(bundle.logs().contains(" 0 failed"), "{}", bundle.logs());
    bundle.delete();

    let mut bundle = Bundle::new(&["sleep", "100"]);
    let mut process = bundle.config["process"].clone();
    process["args"] = json!(["/runtimetest", "check"]);
    process["user"] = json!({ "uid": 12, "gid": 34, "additionalGids": [56], "umask": 0o077 });
    if peer() != Peer::Onggi {
        process["user"]["umask"] = Value::Null; // ignored in exec by older ones
    }
    process["env"] = json!(["PATH=/", "ONLY=exec"]);
    process["cwd"] = json!("/tmp");
    process["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 100, "hard": 100 }]);
    let file = bundle.dir().join("process.json");
    std::fs::write(&file, process.to_string()).expect("write");
    bundle.expect["process"] = process;
    bundle.up();
    let output = bundle.call(&["exec", "--process", &file.to_string_lossy(), &bundle.id]);
    let bad: Vec<&str> = output.stdout.lines().filter(|l| l.starts_with("not ok")).collect();
    assert!(output.code == 0, "{}\n{}", bad.join("\n"), output.stderr);
    bundle.delete();
}
