//! One container's cgroup: what it is called in each hierarchy, and what can be done with it.

mod create;
mod delegate;
mod freeze_watch;
mod freezer;
mod join;
mod kill;
mod oom;
mod procs;
mod remove;
mod tree;
mod unit;
mod views;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{Error, Result};
use crate::files;
use crate::layout::{Hierarchy, Layout, Mode};
use crate::systemd::Unit;

pub use freeze_watch::FreezeWatch;
pub use join::JoinFile;
pub use oom::OomWatch;
pub use views::{MountViews, V1View, V2View};

/// Who makes the directories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Driver {
    /// This crate, in the cgroup file system.
    Cgroupfs,
    /// systemd, as a unit.
    Systemd(Unit),
}

/// The cgroup's directory in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dir {
    /// Controllers of the hierarchy, or `name=…`; empty for the v2 tree.
    pub controllers: Vec<String>,
    /// Where the hierarchy is mounted on the host.
    pub mount_point: PathBuf,
    /// Which directory of the hierarchy is mounted there.
    pub root: String,
    /// The cgroup below the mount point: begins with `/`, has no `..`, is never `/` alone.
    #[serde(deserialize_with = "below_root")]
    pub path: String,
}

impl Dir {
    fn new(hierarchy: &Hierarchy, path: String) -> Self {
        Self {
            controllers: hierarchy.controllers.clone(),
            mount_point: hierarchy.mount_point.clone(),
            root: hierarchy.root.clone(),
            path,
        }
    }

    /// The directory on the host.
    pub fn dir(&self) -> PathBuf {
        self.mount_point.join(self.path.trim_start_matches('/'))
    }

    /// The cgroup as `/proc/PID/cgroup` shows it to this process.
    pub fn in_hierarchy(&self) -> String {
        format!("{}{}", self.root.trim_end_matches('/'), self.path)
    }

    /// Whether the hierarchy has no controller, so that being left out of it frees nobody of any limit.
    fn is_named_only(&self) -> bool {
        !self.controllers.is_empty() && self.controllers.iter().all(|c| c.starts_with("name="))
    }

    pub(crate) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|c| c == controller)
    }
}

/// A container's cgroup by name, as state.json remembers it. Nothing in it is open, and nothing need exist yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    driver: Driver,
    mode: Mode,
    v1: Vec<Dir>,
    v2: Option<Dir>,
    /// Whether the caller named the path, and so insists on it.
    explicit_path: bool,
    rootless: bool,
    /// Directories that `create` made, the uppermost of each hierarchy first: for `undo` by the same process.
    #[serde(skip)]
    made: Vec<PathBuf>,
}

impl Cgroup {
    /// The names of the cgroup for `linux.cgroupsPath` = `path`; touches nothing.
    ///
    /// An absolute path counts from the mount point of each hierarchy, a relative one from our own cgroup. In the
    /// v2 tree it counts from the parent of our own, because a cgroup with processes cannot have children with
    /// controllers. Without a path the cgroup is called `id` and is relative.
    ///
    /// # Errors
    /// For a path with `..`, a zero byte or a newline, for one that is the root itself, and for an `id` that is
    /// not one file name.
    pub fn resolve(layout: &Layout, path: Option<&str>, id: &str) -> Result<Self> {
        let given = path.filter(|p| !p.is_empty());
        let wanted = given.unwrap_or(id);
        let below = clean(wanted)?;
        if given.is_none() && (id.contains('/') || below.is_empty()) {
            return Err(Error::message(format!("resolve cgroup: bad container id {id:?}")));
        }
        if below.is_empty() {
            return Err(Error::message(format!(
                "resolve cgroup: cgroupsPath {wanted:?} is the root of the hierarchy"
            )));
        }
        let absolute = wanted.starts_with('/');
        let v1 = layout.v1().iter().map(|h| {
            let base = if absolute { String::new() } else { clean(&h.own_below_mount())? };
            Ok(Dir::new(h, format!("{base}{below}")))
        });
        let v2 = layout.v2().map(|h| {
            let own = clean(&h.own_below_mount())?;
            let parent = own.rsplit_once('/').map_or("", |(parent, _)| parent);
            let base = if absolute { "" } else { parent };
            Ok(Dir::new(h, format!("{base}{below}")))
        });
        Ok(Self {
            driver: Driver::Cgroupfs,
            mode: layout.mode(),
            v1: v1.collect::<Result<_>>()?,
            v2: v2.transpose()?,
            explicit_path: given.is_some(),
            rootless: false,
            made: Vec::new(),
        })
    }

    /// Says that we are probably not allowed to do much with cgroups (not root, or root of a user namespace).
    ///
    /// Then, as long as the caller named no path, a directory that may not be made or joined is left out (see
    /// [`Cgroup::create`]), and device rules that may not be set are passed over. A limit whose controller was
    /// left out is still an error.
    #[must_use]
    pub fn rootless(mut self, rootless: bool) -> Self {
        self.rootless = rootless;
        self
    }

    /// With a directory of the v1 hierarchy `name=systemd` besides, under the name of the v2 one, on a host whose
    /// controllers are all in the v2 tree. Others have it anyway.
    ///
    /// # Errors
    /// Where nobody has mounted that hierarchy.
    pub fn with_systemds_hierarchy(mut self, layout: &Layout) -> Result<Self> {
        if let Some(v2) = self.v2.as_ref().filter(|_| self.mode == Mode::V2) {
            let hierarchy = layout.systemds().ok_or_else(|| {
                Error::message("no cgroup v1 hierarchy \"name=systemd\" is mounted on this host")
            })?;
            self.v1 = vec![Dir::new(hierarchy, v2.path.clone())];
        }
        Ok(self)
    }

    /// What [`Cgroup::rootless`] said.
    pub fn is_rootless(&self) -> bool {
        self.rootless
    }

    /// Which generation of cgroups does the work.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The v1 directories.
    pub fn v1(&self) -> &[Dir] {
        &self.v1
    }

    /// The v2 directory.
    pub fn v2(&self) -> Option<&Dir> {
        self.v2.as_ref()
    }

    /// All directories; the v2 one last.
    pub fn dirs(&self) -> impl Iterator<Item = &Dir> {
        self.v1.iter().chain(&self.v2)
    }

    /// The directory that stands for the whole in questions about processes: the v2 one on v2 hosts, else that of
    /// `devices`, else whichever there is.
    pub fn main_dir(&self) -> Option<&Dir> {
        let v1 = || {
            let named = |name: &str| self.v1.iter().find(|d| d.has(name));
            named("devices")
                .or_else(|| named("freezer"))
                .or_else(|| self.v1.iter().find(|d| !d.is_named_only()))
        };
        match self.mode {
            Mode::V2 => self.v2.as_ref(),
            Mode::V1 | Mode::Hybrid => v1().or(self.v2.as_ref()).or_else(|| self.v1.first()),
        }
    }

    /// The directory with `controller` (a v1 name) and whether it is a v2 one.
    ///
    /// On hybrid hosts a controller that has no v1 hierarchy is looked for in the v2 tree.
    pub fn controller_dir(&self, controller: &str) -> Option<(&Dir, bool)> {
        let v1 = self.v1.iter().find(|d| d.has(controller)).map(|d| (d, false));
        v1.or_else(|| self.v2.as_ref().map(|d| (d, true)))
    }

    /// Whether the cgroup's main directory is there.
    pub fn exists(&self) -> bool {
        self.main_dir().is_some_and(|d| d.dir().exists())
    }

    /// `error`, or that the whole cgroup is gone (somebody removed it under the container), if that is the reason.
    #[must_use]
    pub fn explain(&self, error: Error) -> Error {
        match self.main_dir() {
            Some(dir) if error.is_gone() && !self.exists() => {
                let path = dir.dir().display().to_string();
                Error::message(format!("the container's cgroup {path:?} is gone"))
            }
            _ => error,
        }
    }

    /// The v2 directory for `clone3(CLONE_INTO_CGROUP)`: of the main tree, or of a hybrid host's; `None` without.
    ///
    /// # Errors
    /// When the directory cannot be opened, `ENOENT` before [`Cgroup::create`].
    pub fn v2_dir_fd(&self) -> Result<Option<OwnedFd>> {
        let open = |d: &Dir| files::open_file(&d.dir(), OFlag::O_PATH | OFlag::O_DIRECTORY);
        self.v2.as_ref().map(open).transpose()
    }

    /// The cgroup that `exec --cgroup` names by `specs`: `PATH` for all hierarchies, or `CONTROLLER[,…]:PATH` for
    /// some (v1), with the path below this cgroup. Hierarchies that are not named keep this cgroup.
    ///
    /// # Errors
    /// For a path that leaves this cgroup, an unknown controller, or one named twice.
    pub fn sub_cgroup(&self, specs: &[&str]) -> Result<Self> {
        let mut sub = self.clone();
        let mut seen: Vec<&str> = Vec::new();
        for spec in specs {
            let (controllers, path) = match spec.split_once(':') {
                Some((controllers, path)) => (controllers.split(',').collect(), path),
                None if specs.len() > 1 => {
                    return Err(Error::message(format!(
                        "invalid --cgroup argument {spec:?}: missing \"controller:\" prefix"
                    )));
                }
                None => (Vec::new(), *spec),
            };
            let below = clean(path)
                .map_err(|_| Error::message(format!("bad sub cgroup path: {path:?}")))?;
            if controllers.is_empty() {
                sub.v1.iter_mut().chain(&mut sub.v2).for_each(|d| d.path.push_str(&below));
            }
            for controller in controllers {
                if seen.contains(&controller) {
                    return Err(Error::message(format!(
                        "invalid --cgroup argument {spec:?}: controller {controller:?} named twice"
                    )));
                }
                seen.push(controller);
                let named = format!("name={controller}");
                let dir = sub.v1.iter_mut().find(|d| d.has(controller) || d.has(&named));
                let dir = dir.ok_or_else(|| {
                    Error::message(format!(
                        "invalid --cgroup argument {spec:?}: unknown controller {controller:?}"
                    ))
                })?;
                dir.path.push_str(&below);
            }
        }
        Ok(sub)
    }

    /// Whether `error` may be passed over under the rules of [`Cgroup::rootless`].
    fn excuses(&self, error: &Error) -> bool {
        self.rootless && !self.explicit_path && error.is_permission()
    }

    /// As [`Cgroup::excuses`]; besides, hierarchies that limit nothing are never insisted upon.
    fn excuses_for(&self, dir: &Dir, error: &Error) -> bool {
        let limits_nothing =
            dir.is_named_only() || (dir.controllers.is_empty() && self.mode == Mode::Hybrid);
        self.excuses(error) || (limits_nothing && (error.is_permission() || error.is_gone()))
    }
}

/// The path of a cgroup as it was written to a file, which may have been changed since: what is in the root of a
/// hierarchy, and would be killed with a container there, is the whole host.
fn below_root<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    match clean(&path) {
        Ok(clean) if clean == path && !path.is_empty() => Ok(path),
        _ => Err(D::Error::custom(format!("bad cgroup path {path:?}"))),
    }
}

/// `path` as `/a/b`, or empty for the root.
fn clean(path: &str) -> Result<String> {
    let mut out = String::with_capacity(path.len() + 1);
    if path.contains(['\0', '\n']) {
        return Err(Error::message(format!("bad cgroup path {path:?}: control character")));
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                return Err(Error::message(format!("bad cgroup path {path:?}: \"..\" in it")));
            }
            part => {
                out.push('/');
                out.push_str(part);
            }
        }
    }
    Ok(out)
}

/// The directories from below `mount_point` down to `leaf`, the uppermost first.
fn steps_down(mount_point: &Path, path: &str) -> Vec<PathBuf> {
    let mut current = mount_point.to_owned();
    path.split('/')
        .filter(|part| !part.is_empty())
        .map(|part| {
            current.push(part);
            current.clone()
        })
        .collect()
}

#[cfg(test)]
mod tests;
