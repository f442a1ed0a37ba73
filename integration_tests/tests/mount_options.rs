//! Every mount option of config.md ("Mounts", Linux mount options), read back from the kernel's list of
//! mounts: on a bind mount with a mount below, and on a new tmpfs.

use integration_tests::{Bundle, HostMount, differs, mount, need_root, skip};
use nix::mount::MsFlags as Ms;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// What a line of mountinfo has to show, and what not.
#[derive(Clone, Copy, Default)]
struct Want {
    has: &'static [&'static str],
    lacks: &'static [&'static str],
}

const fn has(words: &'static [&'static str]) -> Want {
    Want { has: words, lacks: &[] }
}

const fn lacks(words: &'static [&'static str]) -> Want {
    Want { has: &[], lacks: words }
}

const ANY: Want = Want { has: &[], lacks: &[] };
const STRICT: Want = lacks(&["noatime", "relatime"]);
const RELATIVE: Want = Want { has: &["relatime"], lacks: &["noatime"] };

/// Which source a bind mount has: one with no flags, or one with all of [`FLAGS`].
#[derive(Clone, Copy, PartialEq)]
enum Source {
    Plain,
    Flagged,
}
use Source::{Flagged, Plain};

const FLAGS: &[(&str, Ms)] = &[
    ("ro", Ms::MS_RDONLY),
    ("nosuid", Ms::MS_NOSUID),
    ("nodev", Ms::MS_NODEV),
    ("noexec", Ms::MS_NOEXEC),
    ("noatime", Ms::MS_NOATIME),
    ("nodiratime", Ms::MS_NODIRATIME),
    ("nosymfollow", Ms::from_bits_retain(256)),
];

/// Options, the source, what the bind mount shows, what the mount below it does.
type BindRow = (&'static [&'static str], Source, Want, Want);

#[rustfmt::skip]
const BIND: &[BindRow] = &[
    (&["ro"],             Plain,   has(&["ro"]),              lacks(&["ro"])),
    (&["nosuid"],         Plain,   has(&["nosuid"]),          lacks(&["nosuid"])),
    (&["nodev"],          Plain,   has(&["nodev"]),           lacks(&["nodev"])),
    (&["noexec"],         Plain,   has(&["noexec"]),          lacks(&["noexec"])),
    (&["nosymfollow"],    Plain,   has(&["nosymfollow"]),     lacks(&["nosymfollow"])),
    (&["noatime"],        Plain,   has(&["noatime"]),         lacks(&["noatime"])),
    (&["nodiratime"],     Plain,   has(&["nodiratime"]),      lacks(&["nodiratime"])),
    (&["strictatime"],    Plain,   STRICT,                    RELATIVE),
    (&["relatime"],       Flagged, RELATIVE,                  has(&["noatime"])),
    (&["rw"],             Flagged, lacks(&["ro"]),            has(&["ro"])),
    (&["suid", "ro"],     Flagged, Want { has: &["ro"], lacks: &["nosuid"] }, has(&["nosuid"])),
    (&["dev", "ro"],      Flagged, Want { has: &["ro"], lacks: &["nodev"] },  has(&["nodev"])),
    (&["exec", "ro"],     Flagged, Want { has: &["ro"], lacks: &["noexec"] }, has(&["noexec"])),
    (&["symfollow"],      Flagged, lacks(&["nosymfollow"]),   has(&["nosymfollow"])),
    // As in mount(2), these take back an earlier word and leave alone what the source has.
    (&["noatime", "atime"],             Plain, RELATIVE,      RELATIVE),
    (&["nodiratime", "diratime"],       Plain, lacks(&["nodiratime"]), ANY),
    (&["strictatime", "nostrictatime"], Plain, RELATIVE,      RELATIVE),
    (&["norelatime"],     Plain,   RELATIVE,                  RELATIVE),
    (&["atime"],          Flagged, has(&["noatime"]),         has(&["noatime"])),
    (&["diratime"],       Flagged, has(&["nodiratime"]),      has(&["nodiratime"])),
    (&["rro"],            Plain,   has(&["ro"]),              has(&["ro"])),
    (&["rnosuid"],        Plain,   has(&["nosuid"]),          has(&["nosuid"])),
    (&["rnodev"],         Plain,   has(&["nodev"]),           has(&["nodev"])),
    (&["rnoexec"],        Plain,   has(&["noexec"]),          has(&["noexec"])),
    (&["rnosymfollow"],   Plain,   has(&["nosymfollow"]),     has(&["nosymfollow"])),
    (&["rnoatime"],       Plain,   has(&["noatime"]),         has(&["noatime"])),
    (&["rnodiratime"],    Plain,   has(&["nodiratime"]),      has(&["nodiratime"])),
    (&["rstrictatime"],   Flagged, STRICT,                    STRICT),
    (&["rrelatime"],      Flagged, RELATIVE,                  RELATIVE),
    (&["ratime"],         Flagged, lacks(&["noatime"]),       lacks(&["noatime"])),
    (&["rnorelatime"],    Plain,   lacks(&["noatime"]),       lacks(&["noatime"])),
    (&["rstrictatime", "rnostrictatime"], Flagged, RELATIVE,  RELATIVE),
    (&["rrw"],            Flagged, Want { has: &["nosuid"], lacks: &["ro"] }, lacks(&["ro"])),
    (&["rsuid"],          Flagged, Want { has: &["ro"], lacks: &["nosuid"] }, lacks(&["nosuid"])),
    (&["rdev"],           Flagged, Want { has: &["ro"], lacks: &["nodev"] },  lacks(&["nodev"])),
    (&["rexec"],          Flagged, Want { has: &["ro"], lacks: &["noexec"] }, lacks(&["noexec"])),
    (&["rsymfollow"],     Flagged, lacks(&["nosymfollow"]),   lacks(&["nosymfollow"])),
    (&["rdiratime"],      Flagged, lacks(&["nodiratime"]),    lacks(&["nodiratime"])),
    // The last word wins; one for the mount itself does not reach below.
    (&["rro", "rw"],      Plain,   has(&["ro"]),              has(&["ro"])),
    (&["ro", "rrw"],      Plain,   lacks(&["ro"]),            lacks(&["ro"])),
    // Nothing of a bind mount's own: the file system is as its source has it.
    (&["sync"],           Plain,   lacks(&["sync"]),          ANY),
    (&["dirsync"],        Plain,   lacks(&["dirsync"]),       ANY),
    (&["lazytime"],       Plain,   lacks(&["lazytime"]),      ANY),
];

/// Propagation; the source is shared. Without a word the mounts are slaves.
#[rustfmt::skip]
const PROPAGATION: &[BindRow] = &[
    (&[],                 Plain,   has(&["master"]),          has(&["master"])),
    (&["private"],        Plain,   lacks(&["shared", "master"]), lacks(&["shared"])),
    (&["rprivate"],       Plain,   lacks(&["shared", "master"]), lacks(&["shared", "master"])),
    (&["slave"],          Plain,   Want { has: &["master"], lacks: &["shared"] }, lacks(&["shared"])),
    (&["rslave"],         Plain,   Want { has: &["master"], lacks: &["shared"] }, has(&["master"])),
    (&["shared"],         Plain,   has(&["shared"]),          lacks(&["shared"])),
    (&["rshared"],        Plain,   has(&["shared"]),          has(&["shared"])),
    (&["unbindable"],     Plain,   has(&["unbindable"]),      lacks(&["unbindable"])),
    (&["runbindable"],    Plain,   has(&["unbindable"]),      has(&["unbindable"])),
];

#[rustfmt::skip]
const TMPFS: &[(&[&str], Want)] = &[
    (&["defaults"],       Want { has: &["relatime"], lacks: &["ro", "nosuid", "nodev", "noexec"] }),
    (&["ro"],             has(&["ro"])),
    (&["ro", "rw"],       lacks(&["ro"])),
    (&["rw"],             lacks(&["ro"])),
    (&["nosuid"],         has(&["nosuid"])),
    (&["nosuid", "suid"], lacks(&["nosuid"])),
    (&["nodev"],          has(&["nodev"])),
    (&["nodev", "dev"],   lacks(&["nodev"])),
    (&["noexec"],         has(&["noexec"])),
    (&["noexec", "exec"], lacks(&["noexec"])),
    (&["nosymfollow"],    has(&["nosymfollow"])),
    (&["nosymfollow", "symfollow"], lacks(&["nosymfollow"])),
    (&["noatime"],        has(&["noatime"])),
    (&["noatime", "atime"], RELATIVE),
    (&["nodiratime"],     has(&["nodiratime"])),
    (&["nodiratime", "diratime"], lacks(&["nodiratime"])),
    (&["relatime"],       RELATIVE),
    (&["norelatime"],     RELATIVE),
    (&["strictatime"],    STRICT),
    (&["strictatime", "nostrictatime"], RELATIVE),
    (&["sync"],           has(&["sync"])),
    (&["sync", "async"],  lacks(&["sync"])),
    (&["dirsync"],        has(&["dirsync"])),
    (&["lazytime"],       has(&["lazytime"])),
    (&["lazytime", "nolazytime"], lacks(&["lazytime"])),
    (&["mand", "nomand"], lacks(&["mand"])),
    (&["rro"],            has(&["ro"])),
    (&["rro", "rrw"],     lacks(&["ro"])),
    (&["rnosuid", "rnodev", "rnoexec"], has(&["nosuid", "nodev", "noexec"])),
    (&["nosuid", "rsuid", "nodev", "rdev"], lacks(&["nosuid", "nodev"])),
    (&["rnoatime", "rnodiratime"], has(&["noatime", "nodiratime"])),
    (&["private"],        lacks(&["shared", "master"])),
    (&["rprivate"],       lacks(&["shared", "master"])),
    (&["slave"],          lacks(&["shared"])),
    (&["rslave"],         lacks(&["shared"])),
    (&["shared"],         has(&["shared"])),
    (&["rshared"],        has(&["shared"])),
    (&["unbindable"],     has(&["unbindable"])),
    (&["runbindable"],    has(&["unbindable"])),
];

/// Known words that no list of mounts shows. `loud`, `silent`, `iversion` and `noiversion` are in
/// mount_flags.rs, the others have tests of their own.
const UNSEEN: &[&str] = &[
    "bind",
    "copy-symlink",
    "dest-nofollow",
    "idmap",
    "iversion",
    "loud",
    "mand",
    "noiversion",
    "rbind",
    "remount",
    "ridmap",
    "silent",
    "src-nofollow",
    "tmpcopyup",
];

/// Words of the line for `target`: options of the mount and of its file system, kinds of propagation.
fn words(mountinfo: &str, target: &str) -> BTreeSet<String> {
    let line = mountinfo.lines().rfind(|line| line.split(' ').nth(4) == Some(target));
    let line = line.unwrap_or_else(|| panic!("{target} is no mount: {mountinfo}"));
    let (left, right) = line.split_once(" - ").unwrap_or((line, ""));
    let fields = left.split(' ').skip(5).chain(right.split(' ').skip(2));
    let of_super = right.split(' ').nth(2).unwrap_or_default();
    let plain = |word: &str| word.split(':').next().unwrap_or_default().to_owned();
    // A mount whose file system is read-only says so in both lists; here only its own counts.
    fields
        .flat_map(|field| field.split(',').filter(move |word| field != of_super || *word != "ro"))
        .map(plain)
        .collect()
}

#[track_caller]
fn check(mountinfo: &str, target: &str, want: Want, options: &[&str]) {
    let found = words(mountinfo, target);
    for word in want.has {
        assert!(found.contains(*word), "{options:?}: {target} lacks {word}: {found:?}");
    }
    for word in want.lacks {
        assert!(!found.contains(*word), "{options:?}: {target} has {word}: {found:?}");
    }
}

fn bundle() -> Bundle {
    let mut bundle = Bundle::new(&["cat", "/proc/self/mountinfo"]);
    bundle.set("/root/readonly", json!(false));
    bundle
}

/// A shared tmpfs with a shared one below, all with or without [`FLAGS`].
fn source(path: &Path, kind: Source) -> [HostMount; 2] {
    let top = HostMount::tmpfs(path.to_owned());
    top.change(Ms::MS_SHARED);
    let below = HostMount::tmpfs(path.join("below"));
    below.change(Ms::MS_SHARED);
    if kind == Flagged {
        let flags = FLAGS.iter().fold(Ms::MS_BIND | Ms::MS_REMOUNT, |all, (_, flag)| all | *flag);
        below.change(flags);
        top.change(flags);
    }
    // Dropped in this order: the mount below first.
    [below, top]
}

/// One mount for each row, in one container.
fn bind_rows(rows: &[BindRow], user_namespace: bool) {
    let mut bundle = bundle();
    if user_namespace {
        bundle.user_namespace();
    }
    let dir = bundle.dir().to_owned();
    let _plain = source(&dir.join("plain"), Plain);
    let _flagged = source(&dir.join("flagged"), Flagged);
    for (number, (options, kind, ..)) in rows.iter().enumerate() {
        let source = dir.join(if *kind == Plain { "plain" } else { "flagged" });
        let options = [&["rbind"], *options].concat();
        let target = format!("/m/{number}");
        bundle.push("/mounts", mount(&target, "bind", &source.to_string_lossy(), &options));
    }
    let host = std::fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let output = bundle.run();
    let below = |text: &str, place: &str| -> BTreeSet<String> {
        let lines = text
            .lines()
            .filter(|line| line.split(' ').nth(4).is_some_and(|at| at.starts_with(place)));
        lines
            .flat_map(|line| line.split(' '))
            .filter(|word| word.starts_with("shared:"))
            .map(str::to_owned)
            .collect()
    };
    let (theirs, ours) = (below(&host, &dir.to_string_lossy()), below(output.ok(), "/m/"));
    assert!(!theirs.is_empty() && theirs.is_disjoint(&ours), "{theirs:?} {ours:?}");
    for (number, (options, _, own, below)) in rows.iter().enumerate() {
        check(output.ok(), &format!("/m/{number}"), *own, options);
        check(output.ok(), &format!("/m/{number}/below"), *below, options);
    }
}

#[test]
fn of_a_bind_mount() {
    need_root!();
    differs!(Runc | Crun | Youki, "not all");
    bind_rows(BIND, false);
}

/// What is shared on the host has no peer in the container, also not where a user namespace has the
/// runtime open the source.
#[test]
fn propagation_of_a_bind_mount() {
    need_root!();
    differs!(Runc | Crun | Youki, "not all");
    for user_namespace in [false, true] {
        bind_rows(PROPAGATION, user_namespace);
    }
}

#[test]
fn of_a_new_tmpfs() {
    need_root!();
    differs!(Runc | Crun | Youki, "not all");
    let mut bundle = bundle();
    for (number, (options, _)) in TMPFS.iter().enumerate() {
        bundle.push("/mounts", mount(&format!("/m/{number}"), "tmpfs", "tmpfs", options));
    }
    let output = bundle.run();
    for (number, (options, want)) in TMPFS.iter().enumerate() {
        check(output.ok(), &format!("/m/{number}"), *want, options);
    }
}

/// `remount` changes what is there already, by itself and with `bind`.
#[test]
fn of_a_remount() {
    need_root!();
    differs!(Crun | Youki, "differs in detail");
    let mut bundle = bundle();
    for (target, options) in [
        ("/m/whole", &["remount", "ro", "lazytime", "nosuid"][..]),
        ("/m/bind", &["remount", "bind", "ro", "noexec"]),
    ] {
        bundle.push("/mounts", mount(target, "tmpfs", "tmpfs", &[]));
        bundle.push("/mounts", mount(target, "tmpfs", "tmpfs", options));
    }
    let output = bundle.run();
    check(output.ok(), "/m/whole", has(&["ro", "lazytime", "nosuid"]), &["remount"]);
    check(output.ok(), "/m/bind", has(&["ro", "noexec"]), &["remount", "bind"]);
}

/// What `features` names is what the tables here try.
#[test]
fn every_known_word_is_in_a_table() {
    let bundle = Bundle::new(&["true"]);
    let output = bundle.call(&["features"]);
    if output.code != 0 {
        skip!("this runtime has no features verb");
    }
    let features: Value = serde_json::from_str(output.ok()).expect("JSON");
    let known: BTreeSet<&str> = features["mountOptions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let rows = BIND.iter().chain(PROPAGATION).map(|row| row.0).chain(TMPFS.iter().map(|row| row.0));
    let tried: BTreeSet<&str> = rows.chain([UNSEEN]).flatten().copied().collect();
    differs!(Runc | Crun | Youki, "knows others");
    assert_eq!(known, tried);
}
