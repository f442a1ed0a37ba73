//! What a caller does with signals must not reach the container, nor disturb the runtime.

use integration_tests::{Bundle, Output, need_root, run};
use std::process::Command;

/// Runs the bundle from a shell that has done `before`.
fn run_after(before: &str, bundle: &Bundle) -> Output {
    bundle.write();
    let line = format!(
        "{before} exec {} run --bundle '{}' {} </dev/null",
        bundle.command_line(),
        bundle.path(),
        bundle.id
    );
    run(Command::new("bash").args(["-c", &line]).env("ONGGI_TEST_ID", &bundle.id))
}

#[test]
fn ignored_signals_are_not_passed_on() {
    need_root!();
    let bundle = Bundle::new(&["status"]);
    let output = run_after("trap '' USR1 XFSZ PIPE ALRM;", &bundle);
    let mask = |name: &str| {
        let line = output.ok().lines().find_map(|line| line.strip_prefix(name)).unwrap_or("none");
        u64::from_str_radix(line.trim(), 16).unwrap_or(u64::MAX)
    };
    // The program inside ignores SIGPIPE itself, as every Rust program does.
    let pipe = 1 << (13 - 1);
    assert_eq!(mask("SigIgn:") & !pipe, 0, "{output}");
    assert_eq!(mask("SigBlk:"), 0, "{output}");
    bundle.assert_clean();
}

#[test]
fn a_caller_that_ignores_sigchld_still_gets_the_status() {
    need_root!();
    let bundle = Bundle::new(&["exit", "7"]);
    run_after("trap '' CHLD;", &bundle).exits(7);
    bundle.assert_clean();
}
