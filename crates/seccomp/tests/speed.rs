//! How long a profile takes to compile. Prints; the limit is loose, for a debug build on a busy machine.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::{Duration, Instant};

use seccomp::{Arch, compile};

#[test]
fn dockers_profile_compiles_in_no_time() {
    let profile = common::docker();
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let start = Instant::now();
            let program = compile(&profile, Arch::X86_64).unwrap();
            let time = start.elapsed();
            assert!(!program.instructions.is_empty());
            time
        })
        .collect();
    println!("first {:?}", times[0]);
    times.sort_unstable();
    println!("median {:?}", times[times.len() / 2]);
    assert!(times[times.len() / 2] < Duration::from_millis(10));
}
