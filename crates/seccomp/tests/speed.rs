//! How long a profile takes to compile: the best of many tries, so that a busy machine does not matter.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::{Duration, Instant};

use seccomp::{Arch, compile};

#[test]
fn the_profiles_of_the_engines_compile_in_no_time() {
    // Without optimisation it takes some ten times as long.
    let limit = Duration::from_micros(if cfg!(debug_assertions) { 5000 } else { 300 });
    for (name, profile) in [("Docker", common::docker()), ("Podman", common::podman())] {
        let mut times: Vec<Duration> = (0..300)
            .map(|_| {
                let start = Instant::now();
                let program = compile(&profile, Arch::X86_64).unwrap();
                let time = start.elapsed();
                assert!(!program.instructions.is_empty());
                time
            })
            .collect();
        let first = times[0];
        times.sort_unstable();
        println!("{name}: best {:?}, median {:?}, first {first:?}", times[0], times[150]);
        assert!(times[0] < limit, "{name}: {:?}", times[0]);
    }
}
