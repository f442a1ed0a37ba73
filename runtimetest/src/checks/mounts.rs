//! `mounts`: present, on top, of the right type, with the right options.

use crate::config::{Config, strings};
use crate::mountinfo::{self, Mount};
use crate::report::Report;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// Options that show in mountinfo: name, word, whether the word must be there.
const FLAGS: &[(&str, &str, bool)] = &[
    ("ro", "ro", true),
    ("rw", "ro", false),
    ("nosuid", "nosuid", true),
    ("suid", "nosuid", false),
    ("nodev", "nodev", true),
    ("dev", "nodev", false),
    ("noexec", "noexec", true),
    ("exec", "noexec", false),
    ("noatime", "noatime", true),
    ("atime", "noatime", false),
    ("nodiratime", "nodiratime", true),
    ("diratime", "nodiratime", false),
    ("relatime", "relatime", true),
    ("strictatime", "relatime", false),
    ("nosymfollow", "nosymfollow", true),
    ("symfollow", "nosymfollow", false),
    ("sync", "sync", true),
    ("async", "sync", false),
    ("dirsync", "dirsync", true),
    ("mand", "mand", true),
    ("nomand", "mand", false),
    ("lazytime", "lazytime", true),
    ("nolazytime", "lazytime", false),
];

/// Options that belong to the file system, which a bind mount cannot change.
const SUPER: &[&str] = &["sync", "dirsync", "mand", "lazytime"];

pub(crate) fn check(config: &Config, report: &mut Report) {
    let all = match mountinfo::read() {
        Ok(all) => all,
        Err(why) => return report.skip("mounts", &why),
    };
    let wanted = config.list("/mounts");
    for (index, mount) in wanted.iter().enumerate() {
        let target = normal(mount["destination"].as_str().unwrap_or_default());
        let name = format!("mount {index} {target}");
        let target =
            fs::canonicalize(&target).map_or(target.clone(), |p| p.to_string_lossy().into_owned());
        let covered = |other: &Value| {
            let above = normal(other["destination"].as_str().unwrap_or_default());
            above == target || target.starts_with(&format!("{}/", above.trim_end_matches('/')))
        };
        let hidden = wanted[index + 1..].iter().any(covered);
        let here: Vec<&Mount> = all.iter().filter(|m| m.target == target).collect();
        let top = mountinfo::mount_id_of(&target);
        let Some(found) = here.iter().find(|m| Some(m.id) == top).copied() else {
            if !hidden {
                report.fail(
                    &name,
                    format!("not a mount as seen by a lookup; mountinfo has {}", here.len()),
                );
            }
            continue;
        };
        if !hidden {
            one(mount, found, &name, &all, report);
        }
    }
}

fn one(wanted: &Value, found: &Mount, name: &str, all: &[Mount], report: &mut Report) {
    let options = strings(&wanted["options"]);
    let bind = options.iter().any(|o| matches!(*o, "bind" | "rbind")) || wanted["type"] == "bind";
    let kind = wanted["type"].as_str().unwrap_or("none");
    if !bind && kind == "cgroup" {
        cgroup(found, name, all, report);
    } else if !bind && kind != "none" {
        report.equal(&format!("{name} type"), &kind, &found.fstype.as_str());
    }
    let mut flags: Vec<(&str, bool)> = Vec::new();
    for option in &options {
        if let Some((_, word, on)) = FLAGS.iter().find(|(n, _, _)| n == option) {
            flags.retain(|(w, _)| w != word);
            flags.push((word, *on));
        }
    }
    for (word, on) in flags {
        if bind && SUPER.contains(&word) {
            continue;
        }
        // A cgroup mount's super block is the host's: only the mount's own ro counts.
        let has = if word == "ro" && (bind || kind == "cgroup" || kind == "cgroup2") {
            found.options.iter().any(|o| o == "ro")
        } else {
            found.has(word)
        };
        if word == "ro" && kind == "cgroup" && found.fstype == "tmpfs" {
            cgroup_v1_ro(on, found, name, all, report);
            continue;
        }
        report.test(&format!("{name} option {word}"), has == on, || {
            format!(
                "expected {}, found {:?} {:?}",
                if on { "it" } else { "none" },
                found.options,
                found.super_options
            )
        });
    }
    for option in options {
        recursive(option, found, name, all, report);
        propagation(option, found, name, report);
        data(option, kind, found, name, report);
    }
}

/// `rro` and the like speak of every mount below, too.
fn recursive(option: &str, top: &Mount, name: &str, all: &[Mount], report: &mut Report) {
    let Some((_, word, on)) =
        option.strip_prefix('r').and_then(|o| FLAGS.iter().find(|(n, _, _)| *n == o))
    else {
        return;
    };
    // `relatime` is its own word, not the recursive form of `elatime`; `ro`, `rw` are not `o`, `w`.
    let below = all
        .iter()
        .filter(|m| m.target == top.target || m.target.starts_with(&format!("{}/", top.target)));
    for mount in below {
        let has = mount.options.iter().any(|o| o == word);
        report.test(&format!("{name} option {option} at {}", mount.target), has == *on, || {
            format!("found {:?}", mount.options)
        });
    }
}

fn propagation(option: &str, found: &Mount, name: &str, report: &mut Report) {
    let good = match option.strip_prefix('r').unwrap_or(option) {
        "shared" => found.has_propagation("shared:"),
        // A slave of a private mount is private.
        "slave" | "private" => !found.has_propagation("shared:"),
        "unbindable" => found.has_propagation("unbindable"),
        _ => return,
    };
    report.test(&format!("{name} {option}"), good, || format!("found {:?}", found.propagation));
}

/// `size=`, `mode=` … as the file system shows them.
fn data(option: &str, kind: &str, found: &Mount, name: &str, report: &mut Report) {
    let Some((key, value)) = option.split_once('=') else {
        return;
    };
    let name = format!("{name} {key}");
    match (kind, key) {
        ("tmpfs", "size") if value.ends_with('%') => {}
        ("tmpfs", "size") => {
            let page = crate::raw::page_size();
            let kib = bytes(value).div_ceil(page) * (page / 1024);
            report.test(&name, found.has(&format!("size={kib}k")), || {
                format!("expected {kib}k, found {:?}", found.super_options)
            });
        }
        ("tmpfs", "mode" | "uid" | "gid") => match fs::metadata(&found.target) {
            Ok(meta) => {
                let radix = if key == "mode" { 8 } else { 10 };
                let have = match key {
                    "mode" => meta.mode() & 0o7777,
                    "uid" => meta.uid(),
                    _ => meta.gid(),
                };
                report.equal(&name, &u32::from_str_radix(value, radix).unwrap_or(u32::MAX), &have);
            }
            Err(why) => report.fail(&name, why.to_string()),
        },
        ("devpts", "mode" | "ptmxmode") => {
            let octal = |text: &str| u32::from_str_radix(text, 8).unwrap_or(u32::MAX);
            let have = found
                .super_options
                .iter()
                .find_map(|o| o.strip_prefix(&format!("{key}=")))
                .map(octal);
            report.equal(&name, &Some(octal(value)), &have);
        }
        ("devpts", "gid") => {
            // mountinfo gives the number of the initial user namespace, stat that of ours.
            let have = fs::metadata(&found.target).is_ok();
            report.test(&name, have, || "cannot stat".to_owned());
        }
        _ => {}
    }
}

fn cgroup(found: &Mount, name: &str, all: &[Mount], report: &mut Report) {
    let below = all
        .iter()
        .any(|m| m.fstype == "cgroup" && m.target.starts_with(&format!("{}/", found.target)));
    let good = found.fstype == "cgroup2" || (found.fstype == "tmpfs" && below);
    report.test(&format!("{name} type"), good, || {
        format!("found {} with {}", found.fstype, if below { "v1 mounts" } else { "nothing below" })
    });
}

/// With several v1 hierarchies, it is those that must be read-only.
fn cgroup_v1_ro(on: bool, top: &Mount, name: &str, all: &[Mount], report: &mut Report) {
    let below = format!("{}/", top.target);
    for mount in all.iter().filter(|m| m.target.starts_with(&below)) {
        let has = mount.options.iter().any(|o| o == "ro");
        report.test(&format!("{name} option ro at {}", mount.target), has == on, || {
            format!("found {:?}", mount.options)
        });
    }
}

fn bytes(text: &str) -> u64 {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().unwrap_or(0);
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "k" => 10,
        "m" => 20,
        "g" => 30,
        _ => 0,
    };
    number << shift
}

fn normal(path: &str) -> String {
    let words: Vec<&str> = path.split('/').filter(|w| !w.is_empty() && *w != ".").collect();
    format!("/{}", words.join("/"))
}
