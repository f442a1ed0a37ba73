//! `ls`, `stat`, `readlink`, `mkdir`, `mknod`, `touch`, `pwd`.

use super::{complain, number};
use nix::sys::stat::{Mode, SFlag, major, makedev, minor};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

pub(super) fn ls(args: &[&str]) -> i32 {
    let path = args.get(1).unwrap_or(&".");
    match fs::read_dir(path) {
        Ok(dir) => {
            let mut names: Vec<_> =
                dir.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names.iter().for_each(|n| println!("{n}"));
            0
        }
        Err(why) => complain(args, path, &why),
    }
}

/// One line per path: `PATH TYPE MODE UID GID MAJOR:MINOR SIZE`, links not followed.
pub(super) fn stat(args: &[&str]) -> i32 {
    let mut code = 0;
    for path in &args[1..] {
        match fs::symlink_metadata(path) {
            Ok(m) => {
                let t = m.file_type();
                let kind = match () {
                    () if t.is_dir() => 'd',
                    () if t.is_symlink() => 'l',
                    () if t.is_char_device() => 'c',
                    () if t.is_block_device() => 'b',
                    () if t.is_fifo() => 'p',
                    () if t.is_socket() => 's',
                    () => 'f',
                };
                let (major, minor) = (major(m.rdev()), minor(m.rdev()));
                println!(
                    "{path} {kind} {:o} {} {} {major}:{minor} {}",
                    m.mode() & 0o7777,
                    m.uid(),
                    m.gid(),
                    m.size()
                );
            }
            Err(why) => code = complain(args, path, &why),
        }
    }
    code
}

pub(super) fn readlink(args: &[&str]) -> i32 {
    let mut code = 0;
    for path in &args[1..] {
        match fs::read_link(path) {
            Ok(target) => println!("{}", target.display()),
            Err(why) => code = complain(args, path, &why),
        }
    }
    code
}

pub(super) fn mkdir(args: &[&str]) -> i32 {
    args[1..].iter().fold(0, |code, path| {
        fs::create_dir(path).map_or_else(|e| complain(args, path, &e), |()| code)
    })
}

pub(super) fn touch(args: &[&str]) -> i32 {
    let make = |path: &str| fs::OpenOptions::new().append(true).create(true).open(path).map(drop);
    args[1..]
        .iter()
        .fold(0, |code, path| make(path).map_or_else(|e| complain(args, path, &e), |()| code))
}

/// `mknod PATH c|b|p [MAJOR MINOR]`
pub(super) fn mknod(args: &[&str]) -> i32 {
    let [_, path, kind, rest @ ..] = args else {
        return 2;
    };
    let flag = match *kind {
        "c" => SFlag::S_IFCHR,
        "b" => SFlag::S_IFBLK,
        _ => SFlag::S_IFIFO,
    };
    let device = makedev(number(rest.first()), number(rest.get(1)));
    nix::sys::stat::mknod(*path, flag, Mode::from_bits_truncate(0o600), device)
        .map_or_else(|e| complain(args, path, &e), |()| 0)
}

pub(super) fn pwd(args: &[&str]) -> i32 {
    match std::env::current_dir() {
        Ok(path) => {
            println!("{}", path.display());
            0
        }
        Err(why) => complain(args, "getcwd", &why),
    }
}
