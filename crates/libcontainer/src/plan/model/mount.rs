//! Mounts of the plan.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use super::super::mount_ids::{MountIds, MountMaps};

/// How mount events travel; see mount_namespaces(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Propagation {
    /// One of `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE`, `MS_UNBINDABLE`.
    pub kind: u64,
    /// Whether the whole tree below changes too.
    pub recursive: bool,
}

/// Mount attributes (`MOUNT_ATTR_*` of mount_setattr(2)) to set and to clear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    /// To set. An atime mode also needs `MOUNT_ATTR__ATIME` in `clear`.
    pub set: u64,
    /// To clear.
    pub clear: u64,
}

impl Attributes {
    /// Whether there is nothing to change.
    pub fn is_empty(self) -> bool {
        self.set == 0 && self.clear == 0
    }
}

/// One entry of `mounts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where, as an absolute path inside the container.
    pub destination: PathBuf,
    /// What.
    pub kind: MountKind,
    /// Other owners of its files than those of its source.
    pub ids: Option<MountIds>,
    /// Attributes of the mount itself.
    pub attributes: Attributes,
    /// Attributes of the mount and of all below it (`rro`, `rnosuid`, …).
    pub recursive_attributes: Attributes,
    /// Propagation changes in the order in which the options stand.
    pub propagation: Vec<Propagation>,
    /// `tmpcopyup`: the directory's contents are copied into the new tmpfs.
    pub copy_up: bool,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountKind {
    /// `bind` or `rbind`: a file or directory of the host.
    Bind {
        /// Absolute; a relative source is taken from the bundle.
        source: PathBuf,
        /// `rbind`: with everything mounted below the source.
        recursive: bool,
        /// Attributes of the source that the mount is not to have, where the kernel lets go of them: in
        /// a user namespace it may not.
        unnamed: u64,
        /// What becomes of links at its ends.
        links: Links,
    },
    /// A new instance of a file system.
    Filesystem {
        /// Its type, for example `tmpfs`.
        fstype: String,
        /// What mountinfo shows as its source.
        source: String,
        /// Its own options.
        options: FilesystemOptions,
    },
    /// Type `cgroup`: the container's own view of its cgroup, of whichever version the host has.
    Cgroup,
    /// `remount`: change what is mounted at the destination already.
    Remount {
        /// With `bind`: the mount's attributes only, not the file system's options.
        bind: bool,
        /// The file system's options.
        options: FilesystemOptions,
    },
}

/// What becomes of a symbolic link at an end of a bind mount: options of crun. Without them both are
/// followed, that of the destination inside of the root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Links {
    /// `copy-symlink`: a source that is one is made once more at the destination, and nothing is mounted.
    pub copy: bool,
    /// `src-nofollow`: a source that is one is mounted itself.
    pub source: bool,
    /// `dest-nofollow`: a destination that is one is itself mounted on.
    pub destination: bool,
}

impl Links {
    /// Whether a source that is a link is taken itself.
    pub fn keep_source(self) -> bool {
        self.copy || self.source
    }
}

/// Options of the file system itself, as fsconfig(2) takes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilesystemOptions {
    /// Keys without a value: superblock flags (`ro`, `sync`, `dirsync`, `lazytime`, `mand`) and
    /// the file system's own words (`newinstance`).
    pub flags: Vec<String>,
    /// Keys with a value (`size=64k`).
    pub values: Vec<(String, String)>,
    /// `MS_SILENT` and `MS_I_VERSION`, which fsconfig(2) cannot set; a new file system with one is made by
    /// mount(2).
    pub mount_flags: u64,
}

/// What of a new file system has its label; see mount(8).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountContext {
    /// All files and the file system itself.
    #[default]
    Context,
    /// The file system itself.
    Fscontext,
    /// Files without a label of their own.
    Defcontext,
    /// The root directory.
    Rootcontext,
}

impl MountContext {
    const ALL: [Self; 4] = [Self::Context, Self::Fscontext, Self::Defcontext, Self::Rootcontext];

    /// The mount option.
    pub fn option(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Fscontext => "fscontext",
            Self::Defcontext => "defcontext",
            Self::Rootcontext => "rootcontext",
        }
    }

    /// The reverse of [`MountContext::option`].
    pub fn from_option(option: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.option() == option)
    }
}
