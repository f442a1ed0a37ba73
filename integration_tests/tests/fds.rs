//! Descriptors: nothing leaks in, what is asked for is passed, odd stdio is survived.

use integration_tests::{Bundle, Output, Peer, differs, need_root, peer, run};
use std::process::Command;

/// Calls the runtime through sh, so that descriptors can be opened and closed as a caller might.
fn through_shell(bundle: &Bundle, before: &str, verb: &str, after: &str) -> Output {
    bundle.write();
    let line = format!("{before} exec {} {verb} {after}", bundle.command_line());
    run(Command::new("sh").args(["-c", &line]).env("ONGGI_TEST_ID", &bundle.id))
}

fn call(bundle: &Bundle, before: &str, options: &str, redirections: &str) -> Output {
    through_shell(
        bundle,
        before,
        "run",
        &format!("--bundle '{}' {options} {} {redirections}", bundle.path(), bundle.id),
    )
}

fn numbers(output: &Output) -> Vec<u32> {
    output.ok().lines().filter_map(|l| l.split(" -> ").next()?.parse().ok()).collect()
}

#[test]
fn nothing_leaks_into_run() {
    need_root!();
    let bundle = Bundle::new(&["fds"]);
    let output = call(&bundle, "exec 3</etc/hostname 5</ 9>/dev/null;", "", "");
    assert_eq!(numbers(&output), [0, 1, 2], "{output}");
    bundle.assert_clean();
}

#[test]
fn preserved_descriptors_are_passed() {
    need_root!();
    let bundle = Bundle::new(&["fds"]);
    let output = call(
        &bundle,
        "exec 3</etc/hostname 4</etc/hostname 5</etc/hostname;",
        "--preserve-fds 2",
        "",
    );
    assert_eq!(numbers(&output), [0, 1, 2, 3, 4], "{output}");
    bundle.assert_clean();
}

#[test]
fn preserved_descriptors_are_passed_by_exec() {
    need_root!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let before = "exec 3</etc/hostname 4</etc/hostname 5</etc/hostname;";
    let output = through_shell(
        &bundle,
        before,
        "exec",
        &format!("--preserve-fds 1 {} /runtimetest fds", bundle.id),
    );
    assert_eq!(numbers(&output), [0, 1, 2, 3], "{output}");
    bundle.delete();
}

#[test]
fn preserving_what_is_not_open_fails() {
    need_root!();
    differs!(Runc | Crun | Youki, "passes over it, older runc hands out its own");
    let bundle = Bundle::new(&["fds"]);
    call(&bundle, "exec 3<&- 4<&- 5<&-;", "--preserve-fds 2", "").fails_with(&[]);
    bundle.assert_clean();
}

#[test]
fn socket_activation_passes_listen_fds() {
    need_root!();
    let bundle = Bundle::new(&["all", "fds", "--", "env"]);
    let output = call(
        &bundle,
        "exec 3</etc/hostname 4</etc/hostname; export LISTEN_FDS=1 LISTEN_PID=$$;",
        "",
        "",
    );
    assert_eq!(numbers(&output), [0, 1, 2, 3], "{output}");
    assert!(
        output.stdout.contains("LISTEN_FDS=1\n") && output.stdout.contains("LISTEN_PID=1\n"),
        "{output}"
    );
    bundle.assert_clean();
}

#[test]
fn closed_stdio_gets_nothing_of_the_runtime() {
    need_root!();
    for redirection in ["<&-", "2>&-", "<&- 2>&-"] {
        let bundle = Bundle::new(&["fds"]);
        let output = call(&bundle, "", "", redirection);
        if peer() != Peer::Onggi {
            continue;
        }
        for line in output.ok().lines() {
            let (fd, target) = line.split_once(" -> ").unwrap_or_default();
            let own = ["/dev/null", "/null"].contains(&target)
                || target.contains("onggi-out")
                || target.starts_with("pipe:");
            assert!(fd.parse::<u32>().is_ok_and(|n| n < 3) && own, "{redirection}: {output}");
        }
        bundle.assert_clean();
    }
}

#[test]
fn closed_stdout_is_no_harm() {
    need_root!();
    let bundle = Bundle::new(&["exit", "5"]);
    let output = call(&bundle, "", "", ">&-");
    assert!(!output.stderr.contains("panicked"), "{output}");
    if peer() == Peer::Onggi {
        output.exits(5);
    }
    bundle.assert_clean();
}

#[test]
fn created_container_holds_nothing_of_the_caller() {
    need_root!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.create().ok();
    let pid = bundle.pid();
    bundle.start();
    integration_tests::wait_until("execve", || {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        name.starts_with("runtimetest")
    });
    let count = std::fs::read_dir(format!("/proc/{pid}/fd")).map(Iterator::count).unwrap_or(0);
    assert_eq!(count, 3);
    bundle.delete();
}

/// An engine's lock or pipe must not be held until `start`.
#[test]
fn a_created_container_holds_nothing_of_the_callers() {
    need_root!();
    differs!(Runc | Crun | Youki, "has descriptors of its own open");
    let bundle = Bundle::new(&["true"]);
    let lock = bundle.dir().join("lock");
    let before = format!("exec 9>'{}'; flock 9;", lock.display());
    let options = format!("--bundle '{}' {} >/dev/null </dev/null", bundle.path(), bundle.id);
    bundle.write();
    through_shell(&bundle, &before, "create", &options).exits(0);
    let flock = run(Command::new("flock").arg("-n").arg(&lock).arg("true"));
    let list = std::fs::read_dir(format!("/proc/{}/fd", bundle.pid())).expect("its descriptors");
    let targets: Vec<String> = list
        .flatten()
        .filter_map(|entry| Some(std::fs::read_link(entry.path()).ok()?.display().to_string()))
        .filter(|target| !target.starts_with("/dev/null") && !target.contains("onggi-out"))
        .collect();
    flock.exits(0);
    // The two FIFOs of the state directory and the end of the socket; standard error is the test's.
    let known = |target: &String| target.ends_with("/exec.fifo") || target.starts_with("socket:");
    assert!(targets.iter().filter(|target| !known(target)).count() <= 1, "{targets:?}");
    bundle.delete();
}
