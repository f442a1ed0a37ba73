//! The stopwatch. It is a process of its own because `ru_maxrss` of a child begins with the size
//! of the parent that it was forked from: a bigger parent would hide what is measured.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::raw;

/// Runs `command` with its output thrown away for at most `limit` milliseconds and prints
/// `WALL_NS USER_US SYSTEM_US MAXRSS_KIB STATUS`; STATUS is `timeout` when the time was up.
// It is waited for by wait4, which alone tells the usage.
#[allow(clippy::zombie_processes)]
pub(crate) fn measure(limit: i32, command: &[&str]) -> ExitCode {
    let begin = Instant::now();
    let child = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    let child =
        child.unwrap_or_else(|error| raw::fail(command[0], error.raw_os_error().unwrap_or(0)));
    let pid = child.id() as libc::pid_t;
    let pidfd = raw::pidfd_open(pid);
    let Some((status, usage)) = raw::wait_usage(pid, &pidfd, limit) else {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        raw::wait_usage(pid, &pidfd, -1);
        println!("0 0 0 0 timeout");
        return ExitCode::SUCCESS;
    };
    let wall = begin.elapsed().as_nanos();
    let micros = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
    let code = ExitStatus::from_raw(status).code().unwrap_or(-1);
    println!(
        "{wall} {} {} {} {code}",
        micros(usage.ru_utime),
        micros(usage.ru_stime),
        usage.ru_maxrss
    );
    ExitCode::SUCCESS
}
