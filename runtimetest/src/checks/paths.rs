//! `linux.maskedPaths` and `linux.readonlyPaths`.

use crate::config::{Config, strings};
use crate::report::Report;
use nix::errno::Errno;
use nix::sys::statvfs::{FsFlags, statvfs};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

pub(crate) fn check(config: &Config, report: &mut Report) {
    for path in strings(config.at("/linux/maskedPaths")) {
        masked(path, report);
    }
    for path in strings(config.at("/linux/readonlyPaths")) {
        let name = format!("read-only path {path}");
        match statvfs(path) {
            Ok(stat) => report.test(&name, stat.flags().contains(FsFlags::ST_RDONLY), || {
                format!("flags {:?}", stat.flags())
            }),
            Err(Errno::ENOENT) => report.skip(&name, "does not exist"),
            Err(why) => report.fail(&name, why.to_string()),
        }
    }
}

fn masked(path: &str, report: &mut Report) {
    let name = format!("masked path {path}");
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(_) => return report.skip(&name, "does not exist"),
    };
    if meta.is_dir() {
        let entries = fs::read_dir(path).map(Iterator::count);
        report.test(&name, matches!(entries, Ok(0)), || {
            format!("expected an empty directory, found {entries:?}")
        });
        let probe = fs::write(format!("{path}/.runtimetest"), b"x").is_err();
        report.test(&format!("{name} cannot be written"), probe, || {
            "a file could be made in it".to_owned()
        });
    } else {
        let null =
            meta.file_type().is_char_device() && meta.rdev() == nix::sys::stat::makedev(1, 3);
        report.test(&name, null, || {
            format!("expected /dev/null, found mode {:o} rdev {:#x}", meta.mode(), meta.rdev())
        });
    }
}
