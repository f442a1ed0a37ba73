//! What the process is: `id`, `status`, `fds`, `umask`, `tty`, `hostname`, `keyring`, `clock`, and
//! `bpf-programs` of the host.

use super::complain;
use crate::raw;
use crate::status::Status;
use nix::time::{ClockId, clock_gettime};

/// `uid=0 gid=0 groups=1,2`, the effective ones.
pub(super) fn id(args: &[&str]) -> i32 {
    let groups: Vec<String> = Status::read()
        .map(|s| s.numbers("Groups"))
        .unwrap_or_default()
        .iter()
        .map(u64::to_string)
        .collect();
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    println!("uid={uid} gid={gid} groups={}", groups.join(","));
    i32::from(args.is_empty())
}

/// All of /proc/self/status, or only the lines of the named fields.
pub(super) fn status(args: &[&str]) -> i32 {
    let text = match std::fs::read_to_string("/proc/self/status") {
        Ok(text) => text,
        Err(why) => return complain(args, "/proc/self/status", &why),
    };
    let wanted = |line: &&str| {
        args.len() == 1 || args[1..].iter().any(|f| line.split(':').next() == Some(f))
    };
    text.lines().filter(wanted).for_each(|l| println!("{l}"));
    0
}

/// `N -> TARGET` per open descriptor.
pub(super) fn fds(args: &[&str]) -> i32 {
    match crate::checks::open_fds() {
        Ok(fds) => {
            for fd in fds {
                let target = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
                println!("{fd} -> {}", target.display());
            }
            0
        }
        Err(why) => complain(args, "/proc/self/fd", &why),
    }
}

pub(super) fn umask(_args: &[&str]) -> i32 {
    println!("{:04o}", raw::umask());
    0
}

/// The terminal's name and size, or `not a tty` and status 1.
pub(super) fn tty(_args: &[&str]) -> i32 {
    match raw::window_size(0) {
        Ok((rows, columns)) => {
            let name = std::fs::read_link("/proc/self/fd/0").unwrap_or_default();
            println!("{} {rows}x{columns}", name.display());
            0
        }
        Err(_) => {
            println!("not a tty");
            1
        }
    }
}

/// Host name and domain name.
pub(super) fn hostname(args: &[&str]) -> i32 {
    match nix::unistd::gethostname() {
        Ok(name) => {
            let domain = std::fs::read_to_string("/proc/sys/kernel/domainname").unwrap_or_default();
            println!("{} {}", name.to_string_lossy(), domain.trim());
            0
        }
        Err(why) => complain(args, "gethostname", &why),
    }
}

/// Serial number of the session keyring, or with `label` its security label.
pub(super) fn keyring(args: &[&str]) -> i32 {
    if args.get(1) == Some(&"label") {
        return match raw::keyring_label() {
            Ok(label) => {
                println!("{label}");
                0
            }
            Err(errno) => complain(args, "keyctl", &format!("errno {errno}")),
        };
    }
    match raw::syscall(libc::SYS_keyctl, [0, -3, 0, 0, 0]) {
        Ok(serial) => {
            println!("{serial}");
            0
        }
        Err(errno) => complain(args, "keyctl", &format!("errno {errno}")),
    }
}

/// Seconds of the monotonic and the boot-time clock.
pub(super) fn clock(args: &[&str]) -> i32 {
    match (clock_gettime(ClockId::CLOCK_MONOTONIC), clock_gettime(ClockId::CLOCK_BOOTTIME)) {
        (Ok(monotonic), Ok(boottime)) => {
            println!("{} {}", monotonic.tv_sec(), boottime.tv_sec());
            0
        }
        _ => complain(args, "clock_gettime", &"failed"),
    }
}

/// How many BPF programs of a name the kernel holds.
pub(super) fn bpf_programs(args: &[&str]) -> i32 {
    match raw::bpf_program_names() {
        Ok(names) => {
            println!("{}", names.iter().filter(|name| args.get(1) == Some(&name.as_str())).count());
            0
        }
        Err(errno) => complain(args, "bpf", &std::io::Error::from_raw_os_error(errno)),
    }
}
