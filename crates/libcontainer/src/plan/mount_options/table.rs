//! The words among the options of a mount.

use nix::libc::{
    MOUNT_ATTR_NOATIME as NOATIME, MOUNT_ATTR_NODEV as NODEV, MOUNT_ATTR_NODIRATIME as NODIRATIME,
    MOUNT_ATTR_NOEXEC as NOEXEC, MOUNT_ATTR_NOSUID as NOSUID,
    MOUNT_ATTR_NOSYMFOLLOW as NOSYMFOLLOW, MOUNT_ATTR_RDONLY as RDONLY,
    MOUNT_ATTR_RELATIME as RELATIME, MOUNT_ATTR_STRICTATIME as STRICTATIME,
};

use crate::plan::Links;

// mount(2); defined here because the width of libc's constants depends on the target.
pub(super) const MS_SILENT: u64 = 1 << 15;
pub(super) const MS_UNBINDABLE: u64 = 1 << 17;
pub(super) const MS_PRIVATE: u64 = 1 << 18;
pub(super) const MS_SLAVE: u64 = 1 << 19;
pub(super) const MS_SHARED: u64 = 1 << 20;
pub(super) const MS_I_VERSION: u64 = 1 << 23;

const NONE: Links = Links { copy: false, source: false, destination: false };

/// What an option does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Effect {
    /// Accepted for its meaning to others.
    Nothing,
    /// `bind` and `rbind`
    Bind { recursive: bool },
    /// `remount`
    Remount,
    /// `tmpcopyup`
    CopyUp,
    /// `idmap` and `ridmap`, alone or with mappings behind a `=`.
    IdMap { recursive: bool },
    /// What becomes of a symbolic link at an end of a bind mount.
    Link(Links),
    /// Changes the mount itself.
    Own(Change),
    /// Changes the mount and all below it.
    Tree(Change),
    /// A flag (`MS_*`) that only mount(2) takes, and only for a new file system.
    Call(u64),
    /// Takes such a flag back.
    NoCall(u64),
    /// A superblock flag to set.
    On(&'static str),
    /// A word that takes a superblock flag back.
    Off { word: &'static str, flag: &'static str },
    /// Changes the propagation.
    Propagate(u64, Recursion),
}

/// How an option changes [`crate::plan::Attributes`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Set(u64),
    Clear(u64),
    /// Chooses one of the access-time modes.
    Mode(u64),
    /// Gives one of them up, for `relatime`, unless another one was chosen before.
    NoMode(u64),
    /// Takes back what an earlier word said of access times; by itself it changes nothing, as in mount(2).
    Unset(u64),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Recursion {
    Mount,
    Tree,
}

use Change::{Clear, Mode, NoMode, Set, Unset};
use Effect::{
    Bind, Call, CopyUp, IdMap, Link, NoCall, Nothing, Off, On, Own, Propagate, Remount, Tree,
};

/// Every known option, sorted by name. What is not here belongs to the file system.
///
/// `silent` keeps a file system that cannot be mounted from saying why in the kernel's log; those on block
/// devices do, others say nothing. `iversion` has the kernel count the changes of each inode. ext4 since
/// Linux 6.1, XFS, btrfs and tmpfs do so anyway; the count is for the NFS server and IMA, no call tells it,
/// and only ext4 before 6.1 lists the option, as `i_version`. A bind mount and a `remount`, which keeps what
/// the file system has, take all four without an effect.
#[rustfmt::skip]
pub(super) const TABLE: &[(&str, Effect)] = &[
    ("async",          Off { word: "async", flag: "sync" }),
    ("atime",          Own(Unset(NOATIME))),
    ("bind",           Bind { recursive: false }),
    ("copy-symlink",   Link(Links { copy: true, ..NONE })),
    ("defaults",       Nothing),
    ("dest-nofollow",  Link(Links { destination: true, ..NONE })),
    ("dev",            Own(Clear(NODEV))),
    ("diratime",       Own(Unset(NODIRATIME))),
    ("dirsync",        On("dirsync")),
    ("exec",           Own(Clear(NOEXEC))),
    ("idmap",          IdMap { recursive: false }),
    ("iversion",       Call(MS_I_VERSION)),
    ("lazytime",       On("lazytime")),
    ("loud",           NoCall(MS_SILENT)),
    ("mand",           On("mand")),
    ("noatime",        Own(Mode(NOATIME))),
    ("nodev",          Own(Set(NODEV))),
    ("nodiratime",     Own(Set(NODIRATIME))),
    ("noexec",         Own(Set(NOEXEC))),
    ("noiversion",     NoCall(MS_I_VERSION)),
    ("nolazytime",     Off { word: "nolazytime", flag: "lazytime" }),
    ("nomand",         Off { word: "nomand", flag: "mand" }),
    ("norelatime",     Own(Unset(RELATIME))),
    ("nostrictatime",  Own(Unset(STRICTATIME))),
    ("nosuid",         Own(Set(NOSUID))),
    ("nosymfollow",    Own(Set(NOSYMFOLLOW))),
    ("private",        Propagate(MS_PRIVATE, Recursion::Mount)),
    ("ratime",         Tree(NoMode(NOATIME))),
    ("rbind",          Bind { recursive: true }),
    ("rdev",           Tree(Clear(NODEV))),
    ("rdiratime",      Tree(Clear(NODIRATIME))),
    ("relatime",       Own(Mode(RELATIME))),
    ("remount",        Remount),
    ("rexec",          Tree(Clear(NOEXEC))),
    ("ridmap",         IdMap { recursive: true }),
    ("rnoatime",       Tree(Mode(NOATIME))),
    ("rnodev",         Tree(Set(NODEV))),
    ("rnodiratime",    Tree(Set(NODIRATIME))),
    ("rnoexec",        Tree(Set(NOEXEC))),
    ("rnorelatime",    Tree(NoMode(RELATIME))),
    ("rnostrictatime", Tree(NoMode(STRICTATIME))),
    ("rnosuid",        Tree(Set(NOSUID))),
    ("rnosymfollow",   Tree(Set(NOSYMFOLLOW))),
    ("ro",             Own(Set(RDONLY))),
    ("rprivate",       Propagate(MS_PRIVATE, Recursion::Tree)),
    ("rrelatime",      Tree(Mode(RELATIME))),
    ("rro",            Tree(Set(RDONLY))),
    ("rrw",            Tree(Clear(RDONLY))),
    ("rshared",        Propagate(MS_SHARED, Recursion::Tree)),
    ("rslave",         Propagate(MS_SLAVE, Recursion::Tree)),
    ("rstrictatime",   Tree(Mode(STRICTATIME))),
    ("rsuid",          Tree(Clear(NOSUID))),
    ("rsymfollow",     Tree(Clear(NOSYMFOLLOW))),
    ("runbindable",    Propagate(MS_UNBINDABLE, Recursion::Tree)),
    ("rw",             Own(Clear(RDONLY))),
    ("shared",         Propagate(MS_SHARED, Recursion::Mount)),
    ("silent",         Call(MS_SILENT)),
    ("slave",          Propagate(MS_SLAVE, Recursion::Mount)),
    ("src-nofollow",   Link(Links { source: true, ..NONE })),
    ("strictatime",    Own(Mode(STRICTATIME))),
    ("suid",           Own(Clear(NOSUID))),
    ("symfollow",      Own(Clear(NOSYMFOLLOW))),
    ("sync",           On("sync")),
    ("tmpcopyup",      CopyUp),
    ("unbindable",     Propagate(MS_UNBINDABLE, Recursion::Mount)),
];
