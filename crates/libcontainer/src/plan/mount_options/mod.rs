//! What each word among the options of a mount does.

mod table;

use nix::libc::{
    MOUNT_ATTR__ATIME as ATIME, MOUNT_ATTR_NODEV as NODEV, MOUNT_ATTR_NODIRATIME as NODIRATIME,
    MOUNT_ATTR_NOEXEC as NOEXEC, MOUNT_ATTR_NOSUID as NOSUID,
    MOUNT_ATTR_NOSYMFOLLOW as NOSYMFOLLOW, MOUNT_ATTR_RDONLY as RDONLY,
};

use self::table::{Change, Effect, Recursion, TABLE};
use super::{Attributes, Links, Propagation};
use Change::{Clear, Mode, NoMode, Set, Unset};
use Effect::{
    Bind, Call, CopyUp, IdMap, Link, NoCall, Nothing, Off, On, Own, Propagate, Remount, Tree,
};

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
    /// Flags that only mount(2) takes.
    pub(super) mount_flags: u64,
    /// Words that take superblock flags back, which only a remount needs to say.
    pub(super) superblock_off: Vec<&'static str>,
    /// `idmap` or `ridmap`
    pub(super) idmap: Option<IdMapOption>,
    /// What becomes of links at the ends of a bind mount.
    pub(super) links: Links,
    /// The position of the last word that concerns them.
    pub(super) links_at: Option<usize>,
    /// What belongs to the file system, each with its position.
    pub(super) data: Vec<(usize, String)>,
}

/// `idmap` or `ridmap`, the last one given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdMapOption {
    /// Its position among the options.
    pub(super) index: usize,
    pub(super) recursive: bool,
    /// What is behind its `=`, if anything.
    pub(super) maps: Option<String>,
}

impl Options {
    /// Sorts `options` by the table; the later one of two that contradict each other wins.
    pub(super) fn parse(options: &[String]) -> Self {
        let mut result = Self::default();
        for (index, option) in options.iter().enumerate() {
            match (effect(option), mapped(option)) {
                (Some(effect), _) => result.apply(effect, index),
                (None, Some((recursive, maps))) => {
                    let maps = Some(maps.to_owned()).filter(|maps| !maps.is_empty());
                    result.idmap = Some(IdMapOption { index, recursive, maps });
                }
                (None, None) => {
                    result.data.extend(split_data(option).map(|item| (index, item.to_owned())))
                }
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
            IdMap { recursive } => {
                self.idmap = Some(IdMapOption { index, recursive, maps: None });
            }
            Link(Links { copy, source, destination }) => {
                self.links.copy |= copy;
                self.links.source |= source;
                self.links.destination |= destination;
                self.links_at = Some(index);
            }
            Own(change) => {
                self.any_attribute = true;
                change.apply(&mut self.attributes);
            }
            Tree(change) => change.apply(&mut self.recursive_attributes),
            Call(flag) => self.mount_flags |= flag,
            NoCall(flag) => self.mount_flags &= !flag,
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

/// Whether an `idmap=…` is `ridmap=…`, and what is behind the `=`.
fn mapped(option: &str) -> Option<(bool, &str)> {
    let (name, maps) = option.split_once('=')?;
    match effect(name) {
        Some(IdMap { recursive }) => Some((recursive, maps)),
        _ => None,
    }
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
    use nix::libc::{MOUNT_ATTR_NOATIME as NOATIME, MOUNT_ATTR_STRICTATIME as STRICTATIME};

    use super::table::{MS_I_VERSION, MS_SILENT, MS_SLAVE};
    use super::*;

    fn parse(options: &[&str]) -> Options {
        Options::parse(&options.iter().map(|o| (*o).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn table_is_sorted_and_whole() {
        let names: Vec<&str> = TABLE.iter().map(|(name, _)| *name).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(names.len(), 65);
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
    fn mappings_of_an_option() {
        let idmap = |options: &[&str]| parse(options).idmap;
        let want = |recursive, maps: Option<&str>| {
            Some(IdMapOption { index: 1, recursive, maps: maps.map(str::to_owned) })
        };
        assert_eq!(idmap(&["ro", "idmap=uids=0-1-2"]), want(false, Some("uids=0-1-2")));
        assert_eq!(idmap(&["idmap=a=b", "ridmap=a=b"]), want(true, Some("a=b")));
        assert_eq!(idmap(&["idmap=a=b", "idmap="]), want(false, None));
        assert_eq!(idmap(&["idmapped=a=b", "size=idmap"]), None);
        assert_eq!(parse(&["idmap=a=b", "ro=1"]).data, [(1, "ro=1".to_owned())]);
    }

    #[test]
    fn flags_of_mount_2() {
        let both = MS_SILENT | MS_I_VERSION;
        for (options, flags) in [
            (&["silent", "iversion"][..], both),
            (&["loud", "noiversion"], 0),
            (&["silent", "loud", "iversion"], MS_I_VERSION),
            (&["noiversion", "iversion", "silent", "noiversion"], MS_SILENT),
        ] {
            let parsed = parse(options);
            assert_eq!((parsed.mount_flags, parsed.data.len()), (flags, 0), "{options:?}");
        }
    }

    #[test]
    fn words_for_links_add_up() {
        let options = parse(&["src-nofollow", "ro", "dest-nofollow", "bind"]);
        let want = Links { copy: false, source: true, destination: true };
        assert_eq!((options.links, options.links_at), (want, Some(2)));
        assert_eq!(parse(&["ro"]).links_at, None);
    }

    #[test]
    fn propagation_words() {
        let want = Some(Propagation { kind: MS_SLAVE, recursive: true });
        assert_eq!(propagation("rslave"), want);
        assert_eq!(propagation("ro"), None);
        assert_eq!(parse(&["bind", "rslave"]).propagation, want.into_iter().collect::<Vec<_>>());
    }
}
