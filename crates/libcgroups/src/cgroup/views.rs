//! What a container's own mount of the cgroup file system is made of.

use std::path::PathBuf;

use super::Cgroup;
use crate::layout::{Hierarchy, Layout, SYSTEMDS};

/// The parts of a `cgroup` mount inside a container.
///
/// On a v2 host `v2` is the whole mount. Else each of `v1` is a directory of that name in a tmpfs, with `symlinks`
/// beside them; `v2` is then a hybrid host's tree, which runc leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountViews {
    /// The v1 hierarchies, named ones included; none on a v2 host, but for the one that was asked for.
    pub v1: Vec<V1View>,
    /// The v2 tree.
    pub v2: Option<V2View>,
    /// (link name, target name) for controllers that are mounted together, such as `cpu` → `cpu,cpuacct`.
    pub symlinks: Vec<(String, String)>,
}

/// One v1 hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct V1View {
    /// Name of the mount point: the last part of the host's, such as `cpu,cpuacct` or `systemd`.
    pub name: String,
    /// The kernel's mount option for it, such as `cpu,cpuacct` or `name=systemd`.
    pub options: String,
    /// Where the host has it mounted.
    pub host_mount_point: PathBuf,
    /// The container's cgroup inside the hierarchy, as `/proc/PID/cgroup` shows it on the host.
    pub cgroup: String,
    /// The container's directory on the host: what to bind where no cgroup namespace is used.
    pub host_dir: PathBuf,
}

/// The v2 tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct V2View {
    /// Where the host has it mounted.
    pub host_mount_point: PathBuf,
    /// The container's cgroup inside the tree, as `/proc/PID/cgroup` shows it on the host.
    pub cgroup: String,
    /// The container's directory on the host.
    pub host_dir: PathBuf,
}

impl Cgroup {
    /// The parts of a `cgroup` mount for this container. A hierarchy that the container did not get a directory in
    /// shows our own cgroup.
    pub fn mount_views(&self, layout: &Layout) -> MountViews {
        let added = layout.systemds().filter(|_| self.v1.iter().any(|d| d.has(SYSTEMDS)));
        let mut v1: Vec<V1View> = layout.v1().iter().map(|h| self.v1_view(h)).collect();
        // It may be mounted anywhere on the host.
        v1.extend(added.map(|h| V1View { name: "systemd".to_owned(), ..self.v1_view(h) }));
        let v2 = layout.v2().map(|h| {
            let (cgroup, host_dir) = self.place(h);
            V2View { host_mount_point: h.mount_point.clone(), cgroup, host_dir }
        });
        let mut symlinks = Vec::new();
        for (view, hierarchy) in v1.iter().zip(layout.v1()) {
            for controller in &hierarchy.controllers {
                let link = controller.strip_prefix("name=").unwrap_or(controller);
                if !v1.iter().any(|other| other.name == link) {
                    symlinks.push((link.to_owned(), view.name.clone()));
                }
            }
        }
        MountViews { v1, v2, symlinks }
    }

    fn v1_view(&self, hierarchy: &Hierarchy) -> V1View {
        let (cgroup, host_dir) = self.place(hierarchy);
        let options = hierarchy.controllers.join(",");
        let name = hierarchy.mount_point.file_name();
        V1View {
            name: name.map_or_else(|| options.clone(), |n| n.to_string_lossy().into_owned()),
            options,
            host_mount_point: hierarchy.mount_point.clone(),
            cgroup,
            host_dir,
        }
    }

    /// The container's cgroup in `hierarchy`: its name there, and its directory on the host.
    fn place(&self, hierarchy: &Hierarchy) -> (String, PathBuf) {
        match self.dirs().find(|d| d.mount_point == hierarchy.mount_point) {
            Some(dir) => (dir.in_hierarchy(), dir.dir()),
            None => {
                let below = hierarchy.own_below_mount();
                let dir = hierarchy.mount_point.join(below.trim_start_matches('/'));
                (hierarchy.own.clone(), dir)
            }
        }
    }
}
