//! systemd that hangs, is started anew, or cannot be reached.

use super::bundle;
use integration_tests::{
    Bundle, Peer, differs, ends_within, need_root, need_systemd, others_scope, peer, run,
    systemctl, unit_name, wait_until, without_systemd,
};
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A socket that takes connections and is silent, as one of a systemd that hangs.
fn silent_socket(bundle: &Bundle) -> (PathBuf, UnixListener) {
    let path = bundle.dir().join("silent");
    let listener = UnixListener::bind(&path).expect("bind");
    (path, listener)
}

/// There may be a unit of that name by the time that nobody has created: it is not the container's.
#[test]
fn a_unit_of_the_same_name_elsewhere_outlives_a_create_that_was_killed() {
    need_systemd!();
    need_root!();
    differs!(Runc | Crun | Youki, "may stop it");
    let bundle = bundle(&["sleep", "100"]);
    bundle.write();
    let (path, _silent) = silent_socket(&bundle);
    let words = ["create", "--bundle", &bundle.path(), &bundle.id];
    let mut create = without_systemd(&bundle, Some(&path), &words);
    let mut create = create.stdin(Stdio::null()).spawn().expect("start create");
    let state = bundle.state_root().join(&bundle.id).join("state.json");
    let has_process = || fs::read_to_string(&state).is_ok_and(|text| text.contains("\"init\":{"));
    wait_until("a first process", has_process);
    let _ = create.kill();
    let _ = create.wait();
    let unit = unit_name("onggi", &bundle.id);
    let mut other = others_scope(&unit, &["--slice", "elsewhere.slice"]);
    bundle.call(&["delete", "--force", &bundle.id]).ok();
    let alive = matches!(other.try_wait(), Ok(None));
    let _ = other.kill();
    let _ = other.wait();
    assert!(alive, "the unit of somebody else was stopped");
    bundle.assert_clean();
}

#[test]
fn create_gives_a_silent_systemd_up() {
    need_systemd!();
    need_root!();
    differs!(Runc | Crun | Youki, "wait longer");
    let bundle = bundle(&["true"]);
    bundle.write();
    let (path, _silent) = silent_socket(&bundle);
    let said = bundle.dir().join("said");
    let file = fs::File::create(&said).expect("create a file");
    let words = ["create", "--bundle", &bundle.path(), &bundle.id];
    let mut create = without_systemd(&bundle, Some(&path), &words);
    let create = create.stdin(Stdio::null()).stderr(file).spawn().expect("start create");
    // 30 s for systemd, and some time to take all back.
    let status = ends_within(create, Duration::from_secs(90));
    assert!(status.is_some_and(|status| !status.success()), "{status:?}");
    let said = fs::read_to_string(said).expect("read");
    let unit = unit_name("onggi", &bundle.id);
    assert!(said.contains(&unit) && said.contains("did not answer in time"), "{said}");
    bundle.assert_clean();
}

/// A systemd that hangs, or is just replaced by a newer one, must not hang the containers: what is
/// there already is handled by files and signals alone.
#[test]
fn a_running_container_needs_no_word_of_systemd() {
    need_systemd!();
    need_root!();
    let bundle = bundle(&["sleep", "100"]);
    bundle.up();
    let (path, silent) = silent_socket(&bundle);
    silent.set_nonblocking(true).expect("set nonblocking");
    let call = |words: &[&str]| run(&mut without_systemd(&bundle, Some(&path), words));
    let id = bundle.id.as_str();
    assert!(call(&["state", id]).ok().contains("\"running\""));
    assert!(call(&["list"]).ok().contains(id));
    assert_eq!(call(&["exec", id, "/runtimetest", "echo", "in"]).ok(), "in\n");
    call(&["pause", id]).ok();
    assert_eq!(bundle.status(), "paused");
    call(&["resume", id]).ok();
    assert!(call(&["ps", "--format", "json", id]).ok().contains(&bundle.pid().to_string()));
    call(&["kill", id, "KILL"]).ok();
    bundle.wait_status("stopped");
    assert!(silent.accept().is_err(), "somebody called systemd");
    bundle.delete();
}

#[test]
fn create_without_systemd_names_the_unit_and_leaves_nothing() {
    need_systemd!();
    need_root!();
    let bundle = bundle(&["true"]);
    bundle.write();
    let words = ["create", "--bundle", &bundle.path(), &bundle.id];
    let output = run(&mut without_systemd(&bundle, None, &words));
    let unit = unit_name("onggi", &bundle.id);
    output.fails_with(&[if peer() == Peer::Crun { "" } else { &unit }]);
    bundle.assert_clean();
}

/// `daemon-reexec` makes systemd hang up on everybody.
#[test]
fn systemd_may_be_started_anew_meanwhile() {
    need_systemd!();
    differs!(Crun | Youki, "fails when systemd hangs up");
    need_root!();
    let reexec = std::thread::spawn(|| {
        for _ in 0..3 {
            let _ = run(Command::new("systemctl").arg("daemon-reexec"));
            std::thread::sleep(Duration::from_millis(700));
        }
    });
    for _ in 0..8 {
        let bundle = bundle(&["sleep", "100"]);
        bundle.up();
        bundle.delete();
    }
    reexec.join().expect("reexec");
    wait_until("systemd to answer", || systemctl(&["show", "--property=Version"]).code == 0);
}
