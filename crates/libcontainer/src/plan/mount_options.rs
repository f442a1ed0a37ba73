//! What each word among the options of a mount does.

use nix::libc::{
    MOUNT_ATTR__ATIME as ATIME, MOUNT_ATTR_NOATIME as NOATIME, MOUNT_ATTR_NODEV as NODEV,
    MOUNT_ATTR_NODIRATIME as NODIRATIME, MOUNT_ATTR_NOEXEC as NOEXEC, MOUNT_ATTR_NOSUID as NOSUID,
    MOUNT_ATTR_NOSYMFOLLOW as NOSYMFOLLOW, MOUNT_ATTR_RDONLY as RDONLY,
    MOUNT_ATTR_RELATIME as RELATIME, MOUNT_ATTR_STRICTATIME as STRICTATIME,
};

use super::{Attributes, Propagation};

// mount(2); defined here because the width of libc's constants depends on the target.
const MS_UNBINDABLE: u64 = 1 << 17;
const MS_PRIVATE: u64 = 1 << 18;
const MS_SLAVE: u64 = 1 << 19;
const MS_SHARED: u64 = 1 << 20;

/// What an option does.
#[derive(Debug, Clone, Copy)]
enum Effect {
    /// Accepted for its meaning to others.
    Nothing,
    /// `bind` and `rbind`
    Bind { recursive: bool },
    /// `remount`
    Remount,
    /// `tmpcopyup`
    CopyUp,
    /// `idmap` and `ridmap`
    IdMap { recursive: bool },
    /// Changes the mount itself.
    Own(Change),
    /// Changes the mount and all below it.
    Tree(Change),
    /// A superblock flag to set.
    On(&'static str),
    /// A word that takes a superblock flag back.
    Off { word: &'static str, flag: &'static str },
    /// Changes the propagation.
    Propagate(u64, Recursion),
}

/// How an option changes [`Attributes`].
#[derive(Debug, Clone, Copy)]
enum Change {
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
enum Recursion {
    Mount,
    Tree,
}

use Change::{Clear, Mode, NoMode, Set, Unset};
use Effect::{Bind, CopyUp, IdMap, Nothing, Off, On, Own, Propagate, Remount, Tree};

/// Every known option, sorted by name. What is not here belongs to the file system.
///
/// `silent`, `loud`, `iversion` and `noiversion` do nothing: the first two only steer messages in the
/// kernel's log, and file systems keep the change counter by themselves.
#[rustfmt::skip]
const TABLE: &[(&str, Effect)] = &[
    ("async",          Off { word: "async", flag: "sync" }),
    ("atime",          Own(Unset(NOATIME))),
    ("bind",           Bind { recursive: false }),
    ("defaults",       Nothing),
    ("dev",            Own(Clear(NODEV))),
    ("diratime",       Own(Unset(NODIRATIME))),
    ("dirsync",        On("dirsync")),
    ("exec",           Own(Clear(NOEXEC))),
    ("idmap",          IdMap { recursive: false }),
    ("iversion",       Nothing),
    ("lazytime",       On("lazytime")),
    ("loud",           Nothing),
    ("mand",           On("mand")),
    ("noatime",        Own(Mode(NOATIME))),
    ("nodev",          Own(Set(NODEV))),
    ("nodiratime",     Own(Set(NODIRATIME))),
    ("noexec",         Own(Set(NOEXEC))),
    ("noiversion",     Nothing),
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
    ("silent",         Nothing),
    ("slave",          Propagate(MS_SLAVE, Recursion::Mount)),
    ("strictatime",    Own(Mode(STRICTATIME))),
    ("suid",           Own(Clear(NOSUID))),
    ("symfollow",      Own(Clear(NOSYMFOLLOW))),
    ("sync",           On("sync")),
    ("tmpcopyup",      CopyUp),
    ("unbindable",     Propagate(MS_UNBINDABLE, Recursion::Mount)),
];

/// The options that this runtime acts on, sorted, for the `features` verb.
pub fn mount_option_names() -> Vec<&'static str> {
    TABLE.iter().map(|(name, _)| *name).collect()
}

/// The options of one mount, sorted by what they concern.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) attributes: Attributes,
    /// Whether there was any word that concerns them.
    pub(super) any_attribute: bool,
    pub(super) recursive_attributes: Attributes,
    pub(super) propagation: Vec<Propagation>,
    pub(super) copy_up: bool,
    pub(super) remount: bool,
    /// `Some(true)` for `rbind`.
    pub(super) bind: Option<bool>,
    /// Superblock flags that are on.
    pub(super) superblock: Vec<&'static str>,
    /// Words that take superblock flags back, which only a remount needs to say.
    pub(super) superblock_off: Vec<&'static str>,
    /// `idmap` or `ridmap`
    pub(super) idmap: Option<IdMapOption>,
    /// What belongs to the file system, each with its position.
    pub(super) data: Vec<(usize, String)>,
}

/// `idmap` or `ridmap`, the last one given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IdMapOption {
    /// Its position among the options.
    pub(super) index: usize,
    pub(super) recursive: bool,
}

impl Options {
    /// Sorts `options` by the table; the later one of two that contradict each other wins.
    pub(super) fn parse(options: &[String]) -> Self {
        let mut result = Self::default();
        for (index, option) in options.iter().enumerate() {
            match effect(option) {
                Some(effect) => result.apply(effect, index),
                None => result.data.extend(split_data(option).map(|item| (index, item.to_owned()))),
            }
        }
        result
    }

    fn apply(&mut self, effect: Effect, index: usize) {
        match effect {
            Nothing => {}
            Bind { recursive } => self.bind = Some(recursive || self.bind == Some(true)),
            Remount => self.remount = true,
            CopyUp => self.copy_up = true,
            IdMap { recursive } => self.idmap = Some(IdMapOption { index, recursive }),
            Own(change) => {
                self.any_attribute = true;
                change.apply(&mut self.attributes);
            }
            Tree(change) => change.apply(&mut self.recursive_attributes),
            On(flag) => {
                self.superblock_off.retain(|word| !word.ends_with(flag));
                if !self.superblock.contains(&flag) {
                    self.superblock.push(flag);
                }
            }
            Off { word, flag } => {
                self.superblock.retain(|on| *on != flag);
                if !self.superblock_off.contains(&word) {
                    self.superblock_off.push(word);
                }
            }
            Propagate(kind, recursion) => {
                self.propagation
                    .push(Propagation { kind, recursive: matches!(recursion, Recursion::Tree) });
            }
        }
    }

    /// The attributes of a bind mount, and those of its source that go because another word was
    /// there and none was for them. Access times stay as they are unless one of their words is there;
    /// then all that concerns them follows it. This is what runc's remount comes to.
    pub(super) fn bind_attributes(&self) -> (Attributes, u64) {
        let mut named = self.attributes;
        if named.clear & ATIME != 0 || named.set & NODIRATIME != 0 {
            named.clear |= ATIME | NODIRATIME & !named.set;
        }
        let unnamed = (RDONLY | NOSUID | NODEV | NOEXEC | NOSYMFOLLOW) & !named.set & !named.clear;
        (named, if self.any_attribute { unnamed } else { 0 })
    }

    /// Whether the mount is to be read-only.
    pub(super) fn read_only(&self) -> bool {
        self.attributes.set & RDONLY != 0
    }

    /// Whether the mount is explicitly to be writable.
    pub(super) fn read_write(&self) -> bool {
        self.attributes.clear & RDONLY != 0
    }
}

impl Change {
    fn apply(self, attributes: &mut Attributes) {
        match self {
            Set(bit) => {
                attributes.set |= bit;
                attributes.clear &= !bit;
            }
            Clear(bit) => {
                attributes.set &= !bit;
                attributes.clear |= bit;
            }
            Mode(mode) => {
                attributes.set = attributes.set & !ATIME | mode;
                attributes.clear |= ATIME;
            }
            NoMode(mode) => {
                if attributes.set & ATIME == mode {
                    attributes.set &= !ATIME;
                }
                attributes.clear |= ATIME;
            }
            Unset(NODIRATIME) => attributes.set &= !NODIRATIME,
            Unset(mode) => {
                if attributes.clear & ATIME != 0 && attributes.set & ATIME == mode {
                    attributes.set &= !ATIME;
                    attributes.clear &= !ATIME;
                }
            }
        }
    }
}

fn effect(name: &str) -> Option<Effect> {
    TABLE.binary_search_by_key(&name, |(known, _)| known).ok().map(|index| TABLE[index].1)
}

/// What a word of `linux.rootfsPropagation` stands for.
pub(super) fn propagation(word: &str) -> Option<Propagation> {
    match effect(word) {
        Some(Propagate(kind, recursion)) => {
            Some(Propagation { kind, recursive: matches!(recursion, Recursion::Tree) })
        }
        _ => None,
    }
}

/// Cuts an option at its commas, as mount(2) does, but not inside quotes (`context="a,b"`) nor after a
/// backslash (overlay's `lowerdir=a\,b`).
fn split_data(option: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    option
        .split(move |c| {
            let cut = c == ',' && !quoted && !escaped;
            quoted ^= c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            cut
        })
        .filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[&str]) -> Options {
        Options::parse(&options.iter().map(|o| (*o).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn table_is_sorted_and_whole() {
        let names: Vec<&str> = TABLE.iter().map(|(name, _)| *name).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(names.len(), 62);
        assert_eq!(mount_option_names(), names);
        assert!(names.iter().all(|name| effect(name).is_some()));
    }

    #[test]
    fn the_later_word_wins() {
        let both = parse(&["nosuid", "suid", "dev", "nodev", "ro", "rw"]).attributes;
        assert_eq!(both, Attributes { set: NODEV, clear: NOSUID | RDONLY });
        assert!(parse(&["rw", "ro"]).read_only());
        let sync = parse(&["sync", "async", "async", "nolazytime", "lazytime"]);
        assert_eq!((sync.superblock, sync.superblock_off), (vec!["lazytime"], vec!["async"]));
        assert_eq!(parse(&["async", "sync"]).superblock_off, Vec::<&str>::new());
    }

    #[test]
    fn access_time_modes_replace_each_other() {
        for (options, set) in [
            (&["noatime"][..], NOATIME),
            (&["noatime", "relatime"], 0),
            (&["noatime", "strictatime"], STRICTATIME),
            (&["strictatime", "atime"], STRICTATIME),
        ] {
            assert_eq!(parse(options).attributes, Attributes { set, clear: ATIME }, "{options:?}");
        }
        for options in [
            &["noatime", "atime"][..],
            &["strictatime", "nostrictatime"],
            &["nodiratime", "diratime"],
            &["norelatime", "defaults", "silent", "iversion"],
        ] {
            assert!(parse(options).attributes.is_empty(), "{options:?}");
        }
        for word in ["rrelatime", "ratime", "rnorelatime", "rnostrictatime"] {
            assert_eq!(
                parse(&[word]).recursive_attributes,
                Attributes { set: 0, clear: ATIME },
                "{word}"
            );
        }
    }

    #[test]
    fn bind_mounts_have_what_is_named() {
        let all = RDONLY | NOSUID | NODEV | NOEXEC | NOSYMFOLLOW;
        for (options, set, clear, unnamed) in [
            (&[][..], 0, 0, 0),
            (&["rprivate", "rro"], 0, 0, 0),
            (&["ro"], RDONLY, 0, all & !RDONLY),
            (&["dev"], 0, NODEV, all & !NODEV),
            (&["atime"], 0, 0, all),
            (&["relatime"], 0, ATIME | NODIRATIME, all),
            (&["nodiratime"], NODIRATIME, ATIME, all),
            (&["nodiratime", "noatime"], NODIRATIME | NOATIME, ATIME, all),
        ] {
            let want = (Attributes { set, clear }, unnamed);
            assert_eq!(parse(options).bind_attributes(), want, "{options:?}");
        }
    }

    #[test]
    fn recursive_words_leave_the_mount_alone() {
        let options = parse(&["rro", "rnosuid", "rdev", "rnoatime"]);
        assert!(options.attributes.is_empty());
        let want = Attributes { set: RDONLY | NOSUID | NOATIME, clear: NODEV | ATIME };
        assert_eq!(options.recursive_attributes, want);
    }

    #[test]
    fn data_is_cut_at_commas() {
        let options =
            parse(&["mode=755,size=1m", "", "newinstance", "context=\"a,b\"", "lowerdir=a\\,b,x"]);
        let items: Vec<_> =
            options.data.iter().map(|(index, item)| (*index, item.as_str())).collect();
        let want = [(0, "mode=755"), (0, "size=1m"), (2, "newinstance"), (3, "context=\"a,b\"")];
        assert_eq!(items[..4], want);
        assert_eq!(items[4..], [(4, "lowerdir=a\\,b"), (4, "x")]);
    }

    #[test]
    fn propagation_words() {
        let want = Some(Propagation { kind: MS_SLAVE, recursive: true });
        assert_eq!(propagation("rslave"), want);
        assert_eq!(propagation("ro"), None);
        assert_eq!(parse(&["bind", "rslave"]).propagation, want.into_iter().collect::<Vec<_>>());
    }
}
