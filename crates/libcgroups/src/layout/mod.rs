//! What cgroup hierarchies the host has, where they are mounted, and where we are in them.

mod parse;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;

/// The v1 hierarchy that systemd keeps its units in.
pub(crate) const SYSTEMDS: &str = "name=systemd";

/// Which generation of cgroups does the work here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Only v1 hierarchies.
    V1,
    /// v1 hierarchies, and a v2 tree beside them that may have some controllers or none.
    Hybrid,
    /// The v2 tree alone; v1 hierarchies that somebody mounted elsewhere are left alone.
    V2,
}

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Its controllers, or `name=…` for a named one without; empty for the v2 tree.
    pub controllers: Vec<String>,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// Which of its directories is mounted there: `/` but for bind mounts (nested containers).
    pub root: String,
    /// Our own cgroup in it, as `/proc/self/cgroup` says.
    pub own: String,
}

impl Hierarchy {
    /// Our own cgroup as a path below the mount point; `/` when it cannot be seen from there.
    pub fn own_below_mount(&self) -> String {
        // As seen from a cgroup namespace that we are outside of.
        if self.own.split('/').any(|part| part == "..") {
            return "/".to_owned();
        }
        if self.root == "/" {
            return self.own.clone();
        }
        match self.own.strip_prefix(self.root.as_str()) {
            Some(rest) if rest.starts_with('/') => rest.to_owned(),
            _ => "/".to_owned(),
        }
    }
}

/// The hierarchies of this host as this process sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    mode: Mode,
    v1: Vec<Hierarchy>,
    v2: Option<Hierarchy>,
    /// In [`Mode::V2`]: the v1 hierarchy without controllers that older versions of systemd want.
    systemds: Option<Hierarchy>,
}

impl Layout {
    /// Finds everything in one pass over `/proc/self/mountinfo` and `/proc/self/cgroup`.
    ///
    /// # Errors
    /// When one of the two cannot be read, or no cgroup file system is mounted.
    pub fn detect() -> Result<Self> {
        let mounts = files::read_path(Path::new("/proc/self/mountinfo"))?;
        let own = files::read_path(Path::new("/proc/self/cgroup"))?;
        Self::parse(&mounts, &own)
    }

    /// As [`Layout::detect`], from the text of the two files.
    ///
    /// # Errors
    /// When no cgroup file system is mounted.
    pub fn parse(mountinfo: &str, own_cgroups: &str) -> Result<Self> {
        let mounts = parse::cgroup_mounts(mountinfo);
        let own = parse::own_cgroups(own_cgroups);
        let v1: Vec<Hierarchy> = own
            .iter()
            .filter(|line| !line.controllers.is_empty())
            .filter_map(|line| {
                let mount = parse::choose(
                    mounts.iter().filter(|m| !m.v2 && m.has_option(&line.controllers[0])),
                )?;
                Some(Hierarchy {
                    controllers: line.controllers.clone(),
                    mount_point: mount.mount_point.clone(),
                    root: mount.root.clone(),
                    own: line.path.clone(),
                })
            })
            .collect();
        let v2 = parse::choose(mounts.iter().filter(|m| m.v2)).map(|mount| Hierarchy {
            controllers: Vec::new(),
            mount_point: mount.mount_point.clone(),
            root: mount.root.clone(),
            own: own
                .iter()
                .find(|line| line.controllers.is_empty())
                .map_or_else(|| "/".to_owned(), |line| line.path.clone()),
        });
        let v1_controls = v1.iter().any(|h| h.controllers.iter().any(|c| !c.starts_with("name=")));
        let v2_is_main = v2.as_ref().is_some_and(|h| h.mount_point == Path::new(parse::USUAL));
        match (v2_is_main || !v1_controls, v2) {
            // Named or stray v1 hierarchies (VPN programs mount net_cls) do not make a v2 host hybrid.
            (true, Some(v2)) => {
                let systemds = v1.into_iter().find(|h| h.controllers == [SYSTEMDS]);
                Ok(Self { mode: Mode::V2, v1: Vec::new(), v2: Some(v2), systemds })
            }
            (_, Some(v2)) => Ok(Self { mode: Mode::Hybrid, v1, v2: Some(v2), systemds: None }),
            (_, None) if !v1.is_empty() => {
                Ok(Self { mode: Mode::V1, v1, v2: None, systemds: None })
            }
            (_, None) => Err(Error::message("find cgroups: no cgroup file system is mounted")),
        }
    }

    /// Which generation does the work here.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The v1 hierarchies, named ones included; none in [`Mode::V2`].
    pub fn v1(&self) -> &[Hierarchy] {
        &self.v1
    }

    /// The v1 hierarchy `name=systemd` of a host in [`Mode::V2`], if somebody has mounted it.
    pub(crate) fn systemds(&self) -> Option<&Hierarchy> {
        self.systemds.as_ref()
    }

    /// The v2 tree; none in [`Mode::V1`].
    pub fn v2(&self) -> Option<&Hierarchy> {
        self.v2.as_ref()
    }
}

#[cfg(test)]
mod tests;
