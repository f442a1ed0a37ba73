//! What a filter costs each call: instructions, counted in the interpreter, beside libseccomp's filter as runc loads it.
#![cfg(target_env = "gnu")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::cast_precision_loss, reason = "averages are printed")]

mod common;

use common::library::{self, agreed};
use common::{Call, docker, podman, run};
use seccomp::{Arch, Insn, Profile, compile, syscall_number};

/// What servers, databases and shells call most.
const COMMON: [&str; 10] = [
    "read",
    "write",
    "close",
    "futex",
    "epoll_wait",
    "openat",
    "newfstatat",
    "mmap",
    "recvfrom",
    "sendto",
];

fn steps(program: &[Insn]) -> Vec<usize> {
    let step = |name: &&str| {
        let number = syscall_number(name, Arch::X86_64).unwrap();
        run(program, &Call::new(Arch::X86_64, number, [0; 6])).1
    };
    COMMON.iter().map(step).collect()
}

fn average(steps: &[usize]) -> f64 {
    steps.iter().sum::<usize>() as f64 / steps.len() as f64
}

#[test]
fn a_call_takes_no_more_instructions_than_with_libseccomp() {
    for (name, profile) in [("Docker", docker()), ("Podman", podman())] {
        for others in [vec![], vec![Arch::X86, Arch::X32]] {
            let profile = Profile { architectures: others, ..profile.clone() };
            let profile = agreed(profile, Arch::X86_64);
            let ours = steps(&compile(&profile, Arch::X86_64).unwrap().instructions);
            print!(
                "{name}, {} architectures: {:.1}",
                1 + profile.architectures.len(),
                average(&ours)
            );
            for level in [1, 2] {
                let mut filter = library::filter(&profile, Arch::X86_64).unwrap();
                let theirs = library::bpf_optimized(&mut filter, Arch::X86_64, level);
                let theirs = steps(&theirs);
                print!(", libseccomp at level {level} {:.1}", average(&theirs));
                assert!(average(&ours) <= average(&theirs), "{ours:?} {theirs:?}");
                if level == 2 {
                    assert!(
                        ours.iter().zip(&theirs).all(|(ours, theirs)| ours <= theirs),
                        "{ours:?} {theirs:?}"
                    );
                }
            }
            println!(" {ours:?}");
        }
    }
}
