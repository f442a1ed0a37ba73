//! The default devices and links, and `linux.devices`.

use crate::config::{Config, strings};
use crate::report::Report;
use nix::sys::stat::{major, minor};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

const DEFAULT: &[(&str, u64, u64)] = &[
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

const LINKS: &[(&str, &str)] = &[
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

pub(crate) fn check(config: &Config, report: &mut Report) {
    let bound = config.list("/mounts").iter().any(|m| {
        let bind = m["type"] == "bind"
            || strings(&m["options"]).iter().any(|o| matches!(*o, "bind" | "rbind"));
        m["destination"].as_str().is_some_and(|d| d.trim_end_matches('/') == "/dev") && bind
    });
    if bound {
        return report.skip("default devices", "/dev is bind mounted");
    }
    for (path, major, minor) in DEFAULT {
        if !listed(config, path) {
            device(path, 'c', Some((*major, *minor)), report);
        }
    }
    for (path, target) in LINKS {
        let found = fs::read_link(path).map(|p| p.to_string_lossy().into_owned());
        report.test(&format!("link {path}"), found.as_deref().ok() == Some(target), || {
            format!("expected {target}, found {found:?}")
        });
    }
    ptmx(config, report);
    for wanted in config.list("/linux/devices") {
        configured(wanted, report);
    }
    let written = fs::write("/dev/null", b"x");
    report.test("/dev/null can be written", written.is_ok(), || format!("{written:?}"));
}

fn listed(config: &Config, path: &str) -> bool {
    config.list("/linux/devices").iter().any(|d| d["path"] == path)
}

fn ptmx(config: &Config, report: &mut Report) {
    if !config.list("/mounts").iter().any(|m| m["type"] == "devpts") {
        return report.skip("/dev/ptmx", "no devpts mount");
    }
    match fs::read_link("/dev/ptmx") {
        Ok(link) => report.test(
            "/dev/ptmx",
            link.to_string_lossy().trim_start_matches("/dev/") == "pts/ptmx",
            || format!("links to {link:?}"),
        ),
        Err(_) => {
            device("/dev/ptmx", 'c', Some((5, 2)), report);
        }
    }
}

fn device(
    path: &str,
    kind: char,
    numbers: Option<(u64, u64)>,
    report: &mut Report,
) -> Option<fs::Metadata> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(why) => {
            report.fail(&format!("device {path}"), why.to_string());
            return None;
        }
    };
    let kinds = meta.file_type();
    let found = match () {
        () if kinds.is_char_device() => 'c',
        () if kinds.is_block_device() => 'b',
        () if kinds.is_fifo() => 'p',
        () => '?',
    };
    let have = numbers.map(|_| (major(meta.rdev()), minor(meta.rdev())));
    report.equal(&format!("device {path}"), &(kind, numbers), &(found, have));
    Some(meta)
}

fn configured(wanted: &Value, report: &mut Report) {
    let path = wanted["path"].as_str().unwrap_or_default();
    let kind = match wanted["type"].as_str().unwrap_or_default() {
        "b" => 'b',
        "p" => 'p',
        _ => 'c',
    };
    let number = |key: &str| wanted[key].as_u64().unwrap_or(0);
    let numbers = (kind != 'p').then(|| (number("major"), number("minor")));
    let Some(meta) = device(path, kind, numbers, report) else {
        return;
    };
    if let Some(mode) = wanted["fileMode"].as_u64() {
        report.equal(
            &format!("device {path} mode"),
            &(mode & 0o7777),
            &u64::from(meta.mode() & 0o7777),
        );
    }
    for (key, found) in [("uid", meta.uid()), ("gid", meta.gid())] {
        if let Some(id) = wanted[key].as_u64() {
            report.equal(&format!("device {path} {key}"), &id, &u64::from(found));
        }
    }
}
