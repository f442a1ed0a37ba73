//! What hostile programs try: `syscall NAME`, `open-write PATH…`, `open-loop PATH STOP`, `race-exe SECONDS`,
//! `peek-others SECONDS`; and `without NAMES COMMAND`, an older kernel.

use super::complain;
use crate::checks::PROBES;
use crate::raw;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

/// Makes each call, named (with harmless arguments) or by number, and prints `NAME ok` or `NAME errno N`.
pub(super) fn syscall(args: &[&str]) -> i32 {
    for name in &args[1..] {
        let probe = PROBES.iter().find(|p| p.name == *name).map(|p| (p.number, p.args));
        // Numbers of this architecture, with no arguments.
        let Some((number, args)) = probe.or(name.parse().ok().map(|number| (number, [0; 5])))
        else {
            println!("{name} unknown");
            continue;
        };
        match raw::syscall(number, args) {
            Ok(_) => println!("{name} ok"),
            Err(errno) => println!("{name} errno {errno}"),
        }
    }
    0
}

/// Tries to open each path for writing; status 0 when none could be.
pub(super) fn open_write(args: &[&str]) -> i32 {
    let mut code = 0;
    for path in &args[1..] {
        match fs::OpenOptions::new().write(true).open(path) {
            Ok(_) => {
                println!("{path} opened");
                code = 1;
            }
            Err(why) => println!("{path} {why}"),
        }
    }
    code
}

/// `open-loop PATH STOP`: opens PATH again and again until there is a file STOP; prints how often it was refused.
pub(super) fn open_loop(args: &[&str]) -> i32 {
    let [_, path, stop] = args else { return 2 };
    let (mut opened, mut refused) = (0_u64, 0_u64);
    println!("ready");
    while !fs::exists(stop).unwrap_or(true) {
        for _ in 0..1000 {
            match fs::File::open(path) {
                Ok(_) => opened += 1,
                Err(_) => refused += 1,
            }
        }
    }
    println!("opened {opened} refused {refused}");
    0
}

/// Holds the exe of every process that appears in this pid namespace and tries to write to it as
/// soon as it is no longer running, as CVE-2019-5736 did. Prints `safe` or `WRITTEN`.
pub(super) fn race_exe(args: &[&str]) -> i32 {
    let end = Instant::now() + Duration::from_secs(super::number(args.get(1)));
    let own = fs::canonicalize("/proc/self/exe").unwrap_or_default();
    let mut held = Vec::new();
    println!("ready");
    while Instant::now() < end {
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
                continue;
            };
            let exe = format!("/proc/{pid}/exe");
            if pid == 1 || fs::read_link(&exe).is_ok_and(|p| p == own) || held.len() > 200 {
                continue;
            }
            // O_PATH keeps the inode while the process goes on to execve.
            held.extend(fs::OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(&exe));
        }
        for file in &held {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            if fs::OpenOptions::new().write(true).open(&path).is_ok() {
                println!("WRITTEN {}", fs::read_link(&path).unwrap_or_default().display());
                return 1;
            }
        }
    }
    println!("safe {}", held.len());
    0
}

/// `without NAME[,NAME...] COMMAND [ARGUMENT...]`: runs a command as an older kernel would.
pub(super) fn without(args: &[&str]) -> i32 {
    use std::os::unix::process::CommandExt;
    /// Not a call but a way to call one.
    const OLD_SETNS: &str = "setns-of-several";
    const NEWER: [(&str, i64); 6] = [
        ("openat2", libc::SYS_openat2),
        ("clone3", libc::SYS_clone3),
        ("mount_setattr", libc::SYS_mount_setattr),
        ("close_range", libc::SYS_close_range),
        ("faccessat2", libc::SYS_faccessat2),
        ("pidfd_open", libc::SYS_pidfd_open),
    ];
    let [_, names, command, rest @ ..] = args else {
        return complain(args, "usage", &"without NAMES COMMAND [ARGUMENTS]");
    };
    let number =
        |name: &str| NEWER.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    let old_setns = names.split(',').any(|name| name == OLD_SETNS);
    let others = names.split(',').filter(|name| *name != OLD_SETNS);
    let Some(numbers) = others.map(number).collect::<Option<Vec<i64>>>() else {
        return complain(args, names, &"a system call this tool does not know");
    };
    if let Err(errno) = raw::forget_syscalls(&numbers, old_setns) {
        return complain(args, names, &std::io::Error::from_raw_os_error(errno));
    }
    complain(args, command, &std::process::Command::new(command).args(rest).exec())
}

/// `peek-others SECONDS`: tries to look into every other process it sees, for which it needs the
/// right to trace it, and names those it could.
pub(super) fn peek_others(args: &[&str]) -> i32 {
    let seconds = args.get(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    let end = Instant::now() + Duration::from_secs(seconds);
    println!("waiting");
    while Instant::now() < end {
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid: u32 = entry.file_name().to_string_lossy().parse().unwrap_or(1);
            if pid == 1 || fs::read_link(entry.path().join("root")).is_err() {
                continue;
            }
            // Not `comm`, which execve(2) changes a moment after it has let others look.
            let program = fs::read_link(entry.path().join("exe")).unwrap_or_default();
            let name = program.file_name().unwrap_or_default().to_string_lossy();
            println!("peeked {name}");
        }
    }
    0
}
