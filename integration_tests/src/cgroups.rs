//! Where the cgroup hierarchies are, and reading a container's files in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What /sys/fs/cgroup shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Only v1 hierarchies.
    V1,
    /// v1 hierarchies and a v2 tree.
    Hybrid,
    /// Only a v2 tree.
    V2,
}

/// The hierarchies of this mount namespace.
pub struct Cgroups {
    /// Controller (or `name=systemd`) to mount point.
    v1: BTreeMap<String, PathBuf>,
    v2: Option<PathBuf>,
}

const CONTROLLERS: &[&str] = &[
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "devices",
    "freezer",
    "blkio",
    "pids",
    "hugetlb",
    "net_cls",
    "net_prio",
    "perf_event",
    "rdma",
    "misc",
    "name=systemd",
];

impl Cgroups {
    /// Reads mountinfo.
    pub fn detect() -> Self {
        let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let (mut v1, mut v2) = (BTreeMap::new(), None);
        for line in text.lines() {
            let Some((left, right)) = line.split_once(" - ") else { continue };
            let Some(target) = left.split(' ').nth(4).map(PathBuf::from) else { continue };
            let words: Vec<&str> = right.split(' ').collect();
            match words.first() {
                Some(&"cgroup2") => v2 = Some(target),
                Some(&"cgroup") => {
                    let options = words.get(2).copied().unwrap_or_default();
                    for name in options.split(',').filter(|o| CONTROLLERS.contains(o)) {
                        v1.insert(name.to_owned(), target.clone());
                    }
                }
                _ => {}
            }
        }
        Self { v1, v2 }
    }

    /// Which of the three kinds this is.
    pub fn view(&self) -> View {
        match (&self.v2, self.v1.is_empty()) {
            (Some(_), true) => View::V2,
            (Some(_), false) => View::Hybrid,
            _ => View::V1,
        }
    }

    /// Names as in /proc/self/cgroup: the v1 controllers; v2 is the empty name.
    pub fn names(&self) -> Vec<&str> {
        let v2 = (self.view() == View::V2).then_some("");
        self.v1.keys().map(String::as_str).chain(v2).collect()
    }

    /// All mount points.
    pub fn roots(&self) -> Vec<&Path> {
        let mut roots: Vec<&Path> =
            self.v1.values().chain(&self.v2).map(PathBuf::as_path).collect();
        roots.sort_unstable();
        roots.dedup();
        roots
    }

    /// True when the controller is in a v1 hierarchy.
    pub fn is_v1(&self, controller: &str) -> bool {
        self.v1.contains_key(controller)
    }

    /// True when the v2 tree has the controller.
    pub fn is_v2(&self, controller: &str) -> bool {
        let Some(root) = &self.v2 else { return false };
        let text = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
        text.split_whitespace().any(|c| c == controller)
    }

    /// True when there is the controller, wherever it is.
    pub fn has(&self, controller: &str) -> bool {
        self.is_v1(controller) || self.is_v2(controller)
    }

    /// Directory of the cgroup `path` in the hierarchy of a controller.
    pub fn dir(&self, controller: &str, path: &str) -> Option<PathBuf> {
        let root = match self.v1.get(controller) {
            Some(root) => root,
            None if controller.is_empty() || self.is_v2(controller) => self.v2.as_ref()?,
            None => return None,
        };
        Some(root.join(path.trim_start_matches('/')))
    }

    /// The trimmed text of a file of a controller: `v1` or `v2` name, whichever holds here.
    /// None when the host has the controller in neither.
    pub fn read(&self, controller: &str, path: &str, v1: &str, v2: &str) -> Option<String> {
        let file = if self.is_v1(controller) { v1 } else { v2 };
        let file = self.dir(controller, path)?.join(file);
        Some(
            fs::read_to_string(&file)
                .unwrap_or_else(|e| panic!("read {}: {e}", file.display()))
                .trim()
                .to_owned(),
        )
    }

    /// Directories whose path contains `mark`, in all hierarchies.
    pub fn find(&self, mark: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut todo: Vec<PathBuf> = self.roots().into_iter().map(Path::to_owned).collect();
        while let Some(dir) = todo.pop() {
            for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|t| t.is_dir()) {
                    todo.push(entry.path());
                }
            }
            if dir.to_string_lossy().contains(mark) {
                found.push(dir);
            }
        }
        found
    }
}
