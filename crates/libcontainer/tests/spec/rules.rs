//! Each rule of the runtime-spec with a document that breaks it, and where the error then points.

use libcontainer::plan;
use serde_json::{Value, json};

use super::fields::{outcome, whole, with};

/// A rule: what must hold, the heading of the specification, members of the whole document that break it, and the
/// pointer of the error.
pub(crate) struct Broken {
    pub(crate) rule: &'static str,
    pub(crate) source: &'static str,
    changes: Vec<(&'static str, &'static str, Value)>,
    at: &'static str,
}

fn broken(
    (rule, source): (&'static str, &'static str),
    at: &'static str,
    changes: Vec<(&'static str, &'static str, Value)>,
) -> Broken {
    Broken { rule, source, changes, at }
}

/// Rules in tables of the planner, by their texts there, and those that are part of resolving a section.
pub(crate) fn all() -> Vec<Broken> {
    let listed = |text: &str| {
        let found = plan::rules().into_iter().find(|(rule, _)| rule.contains(text));
        found.unwrap_or_else(|| panic!("no rule {text:?}"))
    };
    let call = |action: &str| json!([{"names": ["read"], "action": action}]);
    let process = "config.md#process";
    let linux_process = "config.md#linux-process";
    vec![
        broken(
            ("ociVersion is a semantic version, and 1.x", "config.md#specification-version"),
            "/ociVersion",
            vec![("", "ociVersion", json!("2.0.0"))],
        ),
        broken(
            ("root.path is given", "config.md#root"),
            "/root/path",
            vec![("/root", "path", json!(""))],
        ),
        broken(
            ("the destination of a mount is given", "config.md#mounts"),
            "/mounts/0/destination",
            vec![("/mounts/0", "destination", json!(""))],
        ),
        broken(
            ("a bind mount has no options of a file system", "config.md#linux-mount-options"),
            "/mounts/1/options/1",
            vec![("/mounts/1", "options", json!(["bind", "galaxy"]))],
        ),
        broken(
            ("mappings of ids behind idmap= are whole", "config.md#linux-mount-options"),
            "/mounts/1/options/1",
            vec![("/mounts/1", "options", json!(["bind", "idmap=uids=0-1;gids=0-0-1"]))],
        ),
        broken(
            (
                "nothing but single files is mounted inside /proc",
                "config-linux.md#default-filesystems",
            ),
            "/mounts/1/destination",
            vec![("/mounts/1", "destination", json!("/proc/sys"))],
        ),
        broken(
            ("process.cwd is absolute", process),
            "/process/cwd",
            vec![("/process", "cwd", json!("work"))],
        ),
        broken(
            ("process.args has at least one word", process),
            "/process/args",
            vec![("/process", "args", json!([]))],
        ),
        broken(
            ("an entry of process.env has a name and a value", process),
            "/process/env/0",
            vec![("/process", "env", json!(["PATH"]))],
        ),
        broken(
            ("a rlimit is listed once", "config.md#posix-process"),
            "/process/rlimits/1",
            vec![(
                "/process",
                "rlimits",
                json!([{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}, {"type": "RLIMIT_CPU", "soft": 1, "hard": 1}]),
            )],
        ),
        broken(
            ("a soft limit is not above the hard one", "config.md#posix-process"),
            "/process/rlimits/0",
            vec![("/process/rlimits/0", "soft", json!(300))],
        ),
        broken(
            ("process.oomScoreAdj is between -1000 and 1000", linux_process),
            "/process/oomScoreAdj",
            vec![("/process", "oomScoreAdj", json!(1001))],
        ),
        broken(
            ("process.ioPriority.priority is between 0 and 7", linux_process),
            "/process/ioPriority/priority",
            vec![("/process/ioPriority", "priority", json!(8))],
        ),
        broken(
            ("process.execCPUAffinity is a list of CPUs", linux_process),
            "/process/execCPUAffinity/final",
            vec![("/process/execCPUAffinity", "final", json!("2-1"))],
        ),
        broken(
            (
                "the ids of a process are mapped in a new user namespace",
                "config.md#posix-platform-user",
            ),
            "/process/user/uid",
            vec![("/process/user", "uid", json!(99))],
        ),
        broken(
            listed("scheduler.nice"),
            "/process/scheduler/nice",
            vec![("/process/scheduler", "nice", json!(20))],
        ),
        broken(
            listed("only given for SCHED_FIFO"),
            "/process/scheduler/priority",
            vec![("/process/scheduler", "priority", json!(1))],
        ),
        broken(
            listed("priority is not negative"),
            "/process/scheduler/priority",
            vec![("/process", "scheduler", json!({"policy": "SCHED_RR", "priority": -1}))],
        ),
        broken(
            listed("only given for SCHED_DEADLINE"),
            "/process/scheduler/period",
            vec![("/process/scheduler", "period", json!(1))],
        ),
        broken(
            ("hostname and domainname are only given with a UTS namespace", "config.md#hostname"),
            "/hostname",
            vec![
                ("/linux", "namespaces", json!([{"type": "mount"}])),
                ("/linux", "uidMappings", json!([])),
                ("/linux", "gidMappings", json!([])),
                ("/linux", "timeOffsets", json!({})),
            ],
        ),
        broken(
            listed("path of a hook"),
            "/hooks/poststop/0/path",
            vec![("/hooks/poststop/0", "path", json!("bin/a"))],
        ),
        broken(
            listed("timeout of a hook"),
            "/hooks/prestart/0/timeout",
            vec![("/hooks/prestart/0", "timeout", json!(0))],
        ),
        broken(
            ("a kind of namespace is listed once", "config-linux.md#namespaces"),
            "/linux/namespaces/1",
            vec![("/linux/namespaces/1", "type", json!("mount"))],
        ),
        broken(
            ("the path of a namespace is absolute", "config-linux.md#namespaces"),
            "/linux/namespaces/6/path",
            vec![("/linux/namespaces/6", "path", json!("run"))],
        ),
        broken(
            listed("mappings are only given"),
            "/linux/uidMappings",
            vec![("/linux", "namespaces", json!([{"type": "mount"}]))],
        ),
        broken(
            listed("id 0 is in them"),
            "/linux/gidMappings",
            vec![("/linux", "gidMappings", json!([{"containerID": 1, "hostID": 1, "size": 5}]))],
        ),
        broken(
            ("mappings do not overlap", "config-linux.md#user-namespace-mappings"),
            "/linux/uidMappings/1",
            vec![("/linux/uidMappings/1", "size", json!(20))],
        ),
        broken(
            listed("only given with a time namespace"),
            "/linux/timeOffsets",
            vec![("/linux", "namespaces", json!([{"type": "mount"}, {"type": "user"}]))],
        ),
        broken(
            listed("with the path of a time namespace"),
            "/linux/timeOffsets",
            vec![("/linux/namespaces/5", "path", json!("/proc/1/ns/time"))],
        ),
        broken(
            ("the path of a device is absolute", "config-linux.md#devices"),
            "/linux/devices/0/path",
            vec![("/linux/devices/0", "path", json!("x"))],
        ),
        broken(
            ("a device is of type c, b, u or p", "config-linux.md#devices"),
            "/linux/devices/0/type",
            vec![("/linux/devices/0", "type", json!("a"))],
        ),
        broken(
            ("a device rule is of type a, c or b", "config-linux.md#allowed-device-list"),
            "/linux/resources/devices/0/type",
            vec![("/linux/resources/devices/0", "type", json!("p"))],
        ),
        broken(
            ("a huge page size is a number and KB, MB or GB", "config-linux.md#huge-page-limits"),
            "/linux/resources/hugepageLimits/0/pageSize",
            vec![("/linux/resources/hugepageLimits/0", "pageSize", json!("64kB"))],
        ),
        broken(
            ("an entry of weightDevice has a weight", "config-linux.md#block-io"),
            "/linux/resources/blockIO/weightDevice/0",
            vec![("/linux/resources/blockIO", "weightDevice", json!([{"major": 8, "minor": 0}]))],
        ),
        broken(
            ("an entry of rdma has a limit", "config-linux.md#rdma"),
            "/linux/resources/rdma/mlx5_0",
            vec![("/linux/resources/rdma", "mlx5_0", json!({}))],
        ),
        broken(
            ("a key of unified is the name of a file of a controller", "config-linux.md#unified"),
            "/linux/resources/unified/a~1b",
            vec![("/linux/resources/unified", "a/b", json!("1"))],
        ),
        broken(
            ("a sysctl belongs to a namespace of the container", "config-linux.md#sysctl"),
            "/linux/sysctl/vm.swappiness",
            vec![("/linux/sysctl", "vm.swappiness", json!("1"))],
        ),
        broken(
            ("masked and read-only paths are absolute", "config-linux.md#masked-paths"),
            "/linux/maskedPaths/0",
            vec![("/linux", "maskedPaths", json!(["proc"]))],
        ),
        broken(
            ("rootfsPropagation is a propagation", "config-linux.md#rootfs-mount-propagation"),
            "/linux/rootfsPropagation",
            vec![("/linux", "rootfsPropagation", json!("ro"))],
        ),
        broken(
            listed("defaultAction is not SCMP_ACT_NOTIFY"),
            "/linux/seccomp/defaultAction",
            vec![
                ("/linux/seccomp", "defaultAction", json!("SCMP_ACT_NOTIFY")),
                ("/linux/seccomp", "defaultErrnoRet", json!(null)),
            ],
        ),
        broken(
            listed("at least one name"),
            "/linux/seccomp/syscalls/0/names",
            vec![("/linux/seccomp/syscalls/0", "names", json!([]))],
        ),
        broken(
            listed("an errno of seccomp"),
            "/linux/seccomp/syscalls/0/errnoRet",
            vec![("/linux/seccomp/syscalls/0", "action", json!("SCMP_ACT_LOG"))],
        ),
        broken(
            listed("write syscall"),
            "/linux/seccomp/syscalls/0/names",
            vec![(
                "/linux/seccomp",
                "syscalls",
                json!([{"names": ["write"], "action": "SCMP_ACT_NOTIFY"}]),
            )],
        ),
        broken(
            listed("index is below 6"),
            "/linux/seccomp/syscalls/0/args/0/index",
            vec![("/linux/seccomp/syscalls/0/args/0", "index", json!(6))],
        ),
        broken(
            listed("listenerMetadata is only"),
            "/linux/seccomp/listenerMetadata",
            vec![("/linux/seccomp", "listenerPath", json!(""))],
        ),
        broken(
            listed("SCMP_ACT_NOTIFY is only given with"),
            "/linux/seccomp/syscalls/0/action",
            vec![
                ("/linux/seccomp", "listenerPath", json!("")),
                ("/linux/seccomp", "listenerMetadata", json!("")),
                ("/linux/seccomp", "syscalls", call("SCMP_ACT_NOTIFY")),
            ],
        ),
    ]
}

#[test]
fn each_rule_is_kept() {
    for Broken { rule, changes, at, .. } in all() {
        let mut document = whole();
        for (above, name, value) in changes {
            document = with(&document, above, name, value);
        }
        let error = outcome(&document).expect_err(rule);
        assert!(error.starts_with(&format!("config.json: {at}: ")), "{rule}: {error}");
    }
}

#[test]
fn each_rule_of_a_table_is_tried() {
    let tried = all();
    for (rule, _) in plan::rules() {
        assert!(tried.iter().any(|broken| broken.rule == rule), "{rule}");
    }
}
