//! Processes, signals, memory: `exit`, `sleep`, `signal-wait`, `spin`, `alloc`, `fork-sleep`, …

use super::{complain, number};
use crate::raw;
use nix::sys::signal::{SigSet, Signal, raise};
use std::io::Write;
use std::thread::sleep as pause;
use std::time::{Duration, Instant};

pub(super) fn exit(args: &[&str]) -> i32 {
    i32::try_from(number(args.get(1))).unwrap_or(255)
}

/// `sleep SECONDS`, fractions allowed.
pub(super) fn sleep(args: &[&str]) -> i32 {
    let seconds: f64 = args.get(1).and_then(|t| t.parse().ok()).unwrap_or(0.0);
    pause(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(100_000)));
    0
}

fn say(text: &str) {
    println!("{text}");
    let _ = std::io::stdout().flush();
}

/// Prints `ready`, waits for TERM, INT, HUP or USR1, prints its name and exits 0.
pub(super) fn signal_wait(args: &[&str]) -> i32 {
    let mut set = SigSet::empty();
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1]
        .into_iter()
        .for_each(|s| set.add(s));
    if let Err(why) = set.thread_block() {
        return complain(args, "sigprocmask", &why);
    }
    say("ready");
    match set.wait() {
        Ok(signal) => {
            say(signal.as_str());
            0
        }
        Err(why) => complain(args, "sigwait", &why),
    }
}

/// Ignores TERM and sleeps: only KILL ends it.
pub(super) fn ignore_term(_args: &[&str]) -> i32 {
    let mut set = SigSet::empty();
    set.add(Signal::SIGTERM);
    let _ = set.thread_block();
    say("ready");
    pause(Duration::from_secs(100_000));
    0
}

/// `spin SECONDS` of CPU work.
pub(super) fn spin(args: &[&str]) -> i32 {
    let end = Instant::now() + Duration::from_secs(number(args.get(1)));
    let mut value = 1_u64;
    while Instant::now() < end {
        value = std::hint::black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
    i32::from(value == 0)
}

/// `alloc MIB`: touches that much memory.
pub(super) fn alloc(args: &[&str]) -> i32 {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    for _ in 0..number(args.get(1)) {
        blocks.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
    say(&format!("allocated {} MiB", blocks.len()));
    0
}

/// `hold MIB SECONDS`: touches that much memory and keeps it.
pub(super) fn hold(args: &[&str]) -> i32 {
    let bytes = usize::try_from(number(args.get(1))).unwrap_or(0) << 20;
    let block = std::hint::black_box(vec![1_u8; bytes]);
    say(&format!("holding {} MiB", block.len() >> 20));
    pause(Duration::from_secs(number(args.get(2))));
    i32::from(block.first() == Some(&0))
}

/// `fork-sleep SECONDS`: a child sleeps, the parent waits as long.
pub(super) fn fork_sleep(args: &[&str]) -> i32 {
    match raw::fork() {
        Ok(0) => sleep(args),
        Ok(pid) => {
            say(&format!("child {pid}"));
            sleep(args)
        }
        Err(errno) => complain(args, "fork", &format!("errno {errno}")),
    }
}

/// `forks N`: how many of N children could be made before fork failed.
pub(super) fn forks(args: &[&str]) -> i32 {
    let mut made = 0;
    for _ in 0..number(args.get(1)) {
        match raw::fork() {
            Ok(0) => {
                pause(Duration::from_secs(30));
                return 0;
            }
            Ok(_) => made += 1,
            Err(errno) => {
                say(&format!("forked {made}, then errno {errno}"));
                return 1;
            }
        }
    }
    say(&format!("forked {made}"));
    0
}

/// `kill-self NUMBER`
pub(super) fn kill_self(args: &[&str]) -> i32 {
    let signal = i32::try_from(number(args.get(1))).ok().and_then(|n| Signal::try_from(n).ok());
    if let Some(signal) = signal {
        let _ = raise(signal);
    }
    1
}

/// `all TOOL ARG… -- TOOL ARG… -- …`: one after the other; the status of the last that failed.
pub(super) fn all(args: &[&str]) -> i32 {
    args[1..].split(|a| *a == "--").fold(0, |code, words| match super::run(words) {
        0 => code,
        bad => bad,
    })
}
