//! A bundle in a directory of its own, the container made from it, and what is left of both.

use crate::cgroups::{Cgroups, View};
use crate::config::{default_config, for_normal_user, without_namespace};
use crate::leaks;
use crate::manager::{Manager, unit_cgroup};
use crate::output::copy_program;
use crate::{
    busybox, capability_mask, has_root, host_keyring, namespace_link, record_skip, runtime,
    runtimetest,
};
use serde_json::{Map, Value, json};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the root file system is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rootfs {
    /// Only `/runtimetest`.
    Tools,
    /// busybox with its links in /bin, and `/runtimetest`.
    Busybox,
}

const APPLETS: &[&str] = &[
    "sh", "echo", "cat", "sleep", "ls", "mount", "ps", "tty", "grep", "true", "false", "id", "env",
    "kill", "stat", "head", "test",
];

/// A bundle with a unique container id, its own state directory (`--root`), and cleaning up on drop.
pub struct Bundle {
    /// Container id, also in the name of its cgroup.
    pub id: String,
    /// The configuration; written when the runtime is called by [`Self::create`] or [`Self::run`].
    pub config: Value,
    /// Additional facts for `runtimetest check`.
    pub expect: Value,
    /// Who makes the cgroup.
    pub manager: Manager,
    dir: PathBuf,
    runtime: Option<PathBuf>,
}

/// Namespace types of config.json and their names in /proc/PID/ns.
const NAMESPACES: &[(&str, &str)] = &[
    ("pid", "pid"),
    ("network", "net"),
    ("mount", "mnt"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("user", "user"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

impl Bundle {
    /// A bundle whose process is `/runtimetest ARG…`, by the default configuration.
    pub fn new(args: &[&str]) -> Self {
        Self::with(Rootfs::Tools, &[&["/runtimetest"], args].concat())
    }

    /// A bundle whose process is `runtimetest check`.
    pub fn check() -> Self {
        Self::new(&["check"])
    }

    /// A bundle with the given root file system and whole command line.
    pub fn with(rootfs: Rootfs, args: &[&str]) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id =
            format!("onggi-it-{}-{:03}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(&id);
        let mut config = default_config(args);
        if !has_root() {
            for_normal_user(&mut config);
        }
        let manager = Manager::chosen();
        config["linux"]["cgroupsPath"] = json!(manager.cgroups_path(&id));
        if Cgroups::detect().view() == View::V2 {
            // As `runc spec` does: without it the v2 mount would show the host's tree.
            push(&mut config, "/linux/namespaces", json!({ "type": "cgroup" }));
        }
        let bundle = Self { id, config, expect: json!({}), manager, dir, runtime: None };
        bundle
            .make_rootfs(rootfs)
            .unwrap_or_else(|e| panic!("make bundle {}: {e}", bundle.dir.display()));
        bundle
    }

    fn make_rootfs(&self, kind: Rootfs) -> std::io::Result<()> {
        let rootfs = self.rootfs();
        for dir in ["proc", "sys", "dev", "tmp", "etc", "run", "bin"] {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(rootfs.join(dir))?;
        }
        fs::set_permissions(rootfs.join("tmp"), fs::Permissions::from_mode(0o1777))?;
        copy_program(runtimetest(), &rootfs.join("runtimetest"));
        if let (Rootfs::Busybox, Some(path)) = (kind, busybox()) {
            copy_program(&path, &rootfs.join("bin/busybox"));
            for name in APPLETS {
                symlink("busybox", rootfs.join("bin").join(name))?;
            }
        }
        Ok(())
    }

    /// Has another runtime than the one under test make the container.
    pub fn with_runtime(&mut self, program: &Path) -> &mut Self {
        self.runtime = Some(program.to_owned());
        self
    }

    /// The runtime that makes the container.
    pub fn runtime(&self) -> &Path {
        self.runtime.as_deref().unwrap_or_else(|| runtime())
    }

    /// The temporary directory that holds everything of this test; the bundle itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The root file system.
    pub fn rootfs(&self) -> PathBuf {
        self.dir.join("rootfs")
    }

    /// The runtime's state directory.
    pub fn state_root(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Has another one make the cgroup, under the path or unit that is usual for it.
    pub fn managed_by(&mut self, manager: Manager) -> &mut Self {
        self.manager = manager;
        let path = manager.cgroups_path(&self.id);
        self.set("/linux/cgroupsPath", json!(path))
    }

    /// The container's path in the cgroup hierarchies; empty when config.json names none.
    pub fn cgroup(&self) -> String {
        let path = self.config["linux"]["cgroupsPath"].as_str().unwrap_or_default();
        match self.manager {
            Manager::Systemd if path.split(':').count() == 3 => unit_cgroup(path),
            Manager::Systemd => String::new(),
            Manager::Files => path.to_owned(),
        }
    }

    /// Sets the value at a JSON pointer, making the objects on the way.
    pub fn set(&mut self, pointer: &str, value: Value) -> &mut Self {
        let mut place = &mut self.config;
        for key in pointer.trim_start_matches('/').split('/') {
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
            place = match place {
                Value::Array(list) => {
                    let index: usize =
                        key.parse().unwrap_or_else(|_| panic!("{pointer}: {key} is no index"));
                    &mut list[index]
                }
                other => &mut other[key],
            };
        }
        *place = value;
        self
    }

    /// Takes away the value at a pointer whose parent is an object.
    pub fn unset(&mut self, pointer: &str) -> &mut Self {
        let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        if let Some(Value::Object(map)) = self.config.pointer_mut(parent) {
            map.remove(key);
        }
        self
    }

    /// Appends to the list at a pointer, making it when absent.
    pub fn push(&mut self, pointer: &str, value: Value) -> &mut Self {
        push(&mut self.config, pointer, value);
        self
    }

    /// Has the bundle join a namespace of a process: its type, its name in /proc/PID/ns, and whose it is.
    pub fn join(&mut self, kind: &str, link: &str, pid: i32) {
        without_namespace(&mut self.config, kind);
        self.expect["joinedNamespaces"][kind] = json!(namespace_link(&pid.to_string(), link));
        let path = format!("/proc/{pid}/ns/{link}");
        self.push("/linux/namespaces", json!({ "type": kind, "path": path }));
        if kind == "uts" {
            self.unset("/hostname");
        }
    }

    /// Sets the process's whole command line.
    pub fn args(&mut self, args: &[&str]) -> &mut Self {
        self.set("/process/args", json!(args))
    }

    /// Gives the process every capability set as named.
    pub fn capabilities(&mut self, names: &[&str]) -> &mut Self {
        for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
            self.set(&format!("/process/capabilities/{set}"), json!(names));
        }
        self
    }

    /// A new user namespace that maps 0.. to 100000.. with 65536 ids, and a rootfs owned so.
    pub fn user_namespace(&mut self) -> &mut Self {
        let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
        self.push("/linux/namespaces", json!({ "type": "user" }));
        self.set("/linux/uidMappings", map.clone()).set("/linux/gidMappings", map);
        self.own_rootfs(100_000);
        self
    }

    /// Gives the root file system to a user and group of this number.
    pub fn own_rootfs(&self, id: u32) {
        own(&self.rootfs(), id);
    }

    /// Gives another tree to a user and group of this number.
    pub fn own_tree(&self, dir: &Path, id: u32) {
        own(dir, id);
    }

    /// Takes away the limits whose controllers this host's cgroup view lacks, as a runtime must
    /// refuse them, and says so.
    pub fn drop_unavailable_limits(&mut self) -> &mut Self {
        let cgroups = Cgroups::detect();
        let lacks = |controllers: &[&str]| !controllers.iter().any(|name| cgroups.has(name));
        let sections: &[(&str, &[&str])] = &[
            ("memory", &["memory"]),
            ("cpu", &["cpu", "cpuset"]),
            ("pids", &["pids"]),
            ("blockIO", &["blkio", "io"]),
        ];
        let present = self.config["linux"]["resources"].as_object().cloned().unwrap_or_default();
        let dropped: Vec<&str> = sections
            .iter()
            .filter(|(k, c)| present.contains_key(*k) && lacks(c))
            .map(|(k, _)| *k)
            .collect();
        for key in &dropped {
            self.unset(&format!("/linux/resources/{key}"));
        }
        if !dropped.is_empty() {
            record_skip(&format!(
                "in part: no cgroup controllers for the limits of {}",
                dropped.join(", ")
            ));
        }
        self
    }

    /// Writes config.json as it stands, and the copies that `runtimetest check` reads.
    pub fn write(&self) {
        let mut expect = self.expect.clone();
        let host: Map<String, Value> = NAMESPACES
            .iter()
            .map(|(kind, link)| ((*kind).to_owned(), json!(namespace_link("self", link))))
            .collect();
        let bounding = capability_mask("CapBnd") & capability_mask("CapPrm");
        let cgroups = Cgroups::detect();
        let facts = [
            ("hostNamespaces", Value::Object(host)),
            ("hostBounding", json!(format!("{bounding:x}"))),
            ("cgroupControllers", json!(cgroups.names())),
            ("hostKeyring", json!(host_keyring())),
            ("cgroup", json!(self.cgroup())),
        ];
        for (key, value) in facts {
            if expect[key].is_null() {
                expect[key] = value;
            }
        }
        let config = serde_json::to_vec_pretty(&self.config).unwrap_or_default();
        let files = [
            (self.dir.join("config.json"), config.clone()),
            (self.rootfs().join("config.json"), config),
            (self.rootfs().join("expect.json"), expect.to_string().into_bytes()),
        ];
        for (path, bytes) in files {
            if path.parent().is_some_and(Path::exists) {
                fs::write(&path, bytes).unwrap_or_else(|e| panic!("write {}: {e}", path.display()));
            }
        }
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let state = self.state_root();
        if leaks::find(&self.id, &self.dir, &state, self.manager).is_empty() {
            remove_tree(&self.dir);
            return;
        }
        let mut command = self.command(&["delete", "--force", &self.id]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Ok(mut child) = command.spawn() {
            // Never hang in a drop: two seconds, then the harness cleans up itself.
            for _ in 0..200 {
                if !matches!(child.try_wait(), Ok(None)) {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        if !leaks::settle_briefly(&self.id, &self.dir, &state, self.manager) {
            leaks::remove(&self.id, &self.dir, self.manager);
        }
        remove_tree(&self.dir);
    }
}

/// Removes the directory unless something is still mounted in it, whose files are not ours.
fn remove_tree(dir: &Path) {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if !text.contains(&format!("{}/", dir.display())) {
        let _ = fs::remove_dir_all(dir);
    }
}

fn push(config: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    let Some(map) = config.pointer_mut(parent).and_then(Value::as_object_mut) else {
        panic!("{pointer}: the parent is no object");
    };
    let list = map.entry(key).or_insert_with(|| json!([]));
    match list {
        Value::Array(list) => list.push(value),
        other => panic!("{pointer} is no list but {other}"),
    }
}

/// Gives a tree to a user and group of the same number.
fn own(dir: &Path, id: u32) {
    let mut todo = vec![dir.to_owned()];
    while let Some(path) = todo.pop() {
        let _ = std::os::unix::fs::lchown(&path, Some(id), Some(id));
        if path.is_dir() && !path.is_symlink() {
            todo.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()));
        }
    }
}
