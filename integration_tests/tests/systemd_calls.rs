//! What is said between the runtime and systemd, and what becomes of a container when a part of it is lost.

use integration_tests::{
    ANSWER, Bundle, Cgroups, Fate, Manager, Proxy, default_slice, differs, ends_within, need_root,
    need_strace, need_systemd, others_scope, run, skip, strace, systemctl, unit_name,
    unit_property, wait_until,
};
use serde_json::json;
use std::fs;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn bundle(args: &[&str]) -> Bundle {
    let mut bundle = Bundle::new(args);
    bundle.managed_by(Manager::Systemd);
    bundle
}

macro_rules! need_onggi {
    () => {
        need_systemd!();
        need_root!();
        differs!(Runc | Crun | Youki, "say more");
        let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    };
}

/// One test holds systemd still.
static TURN: Mutex<()> = Mutex::new(());

/// What the runtime gives systemd for a job. Where nothing depends on the answer it is 3 s, and only a very slow machine
/// makes that look like this.
const PATIENCE_OF_JOBS: Duration = Duration::from_secs(30);

/// Calls the runtime by way of the proxy. What `create` leaves would hold pipes open.
#[track_caller]
fn call(proxy: &Proxy, bundle: &Bundle, words: &[&str]) {
    let mut command = proxy.command(bundle, words);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    assert!(command.status().expect("start").success(), "{words:?}");
}

#[test]
fn one_message_makes_a_unit() {
    need_onggi!();
    let bundle = bundle(&["sleep", "100"]);
    bundle.write();
    let proxy = Proxy::new(&bundle, |_| Fate::Pass);
    let id = bundle.id.as_str();
    for (words, calls) in [
        (&["create", "--bundle", &bundle.path(), id][..], &["StartTransientUnit"][..]),
        (&["start", id], &[]),
        (&["state", id], &[]),
        (&["exec", id, "/runtimetest", "true"], &[]),
        (&["pause", id], &[]),
        (&["resume", id], &[]),
        (&["ps", id], &[]),
        (&["update", "--pids-limit", "70", id], &["SetUnitProperties"]),
    ] {
        call(&proxy, &bundle, words);
        let said = proxy.calls();
        assert_eq!(said, calls, "{words:?}");
    }
    call(&proxy, &bundle, &["delete", "--force", id]);
    let mut said = proxy.calls();
    // Which one it is; and if systemd has not seen itself by then that the unit is empty, that it is to stop. The
    // third is for those that have failed. In between the directory may be gone and the unit not yet.
    said.retain(|call| call != "GetUnitProcesses");
    assert!(
        !said.is_empty() && ["Get", "Stop", "ResetFailed"].starts_with(&as_text(&said)),
        "{said:?}"
    );
    bundle.assert_clean();
}

fn as_text(said: &[String]) -> Vec<&str> {
    said.iter().map(String::as_str).collect()
}

/// systemd has done its work, but the word of it is lost: where the process is tells the truth, after the time that is
/// given to a job.
#[test]
fn an_end_of_a_job_that_is_never_told() {
    need_onggi!();
    let bundle = bundle(&["sleep", "100"]);
    bundle.write();
    let proxy = Proxy::new(&bundle, |member| match member {
        "JobRemoved" => Fate::Lose,
        _ => Fate::Pass,
    });
    let begin = Instant::now();
    let words = ["create", "--bundle", &bundle.path(), &bundle.id];
    let mut create = proxy.command(&bundle, &words);
    create.stdin(Stdio::null()).stdout(Stdio::null());
    let status = ends_within(create.spawn().expect("start create"), Duration::from_secs(90));
    assert!(status.is_some_and(|status| status.success()), "create: {status:?}");
    assert!(begin.elapsed() >= PATIENCE_OF_JOBS, "no signal was lost");
    assert_eq!(bundle.status(), "created");
    // Nobody is in it any more, so nothing depends on the answer.
    let begin = Instant::now();
    call(&proxy, &bundle, &["delete", "--force", &bundle.id]);
    assert!(begin.elapsed() < PATIENCE_OF_JOBS, "{:?}", begin.elapsed());
    bundle.assert_clean();
}

/// Holds systemd still while it lives: it then sees and answers nothing.
struct Held;

impl Held {
    const FILE: &str = "/sys/fs/cgroup/init.scope/cgroup.freeze";

    fn new() -> Self {
        fs::write(Self::FILE, "1").expect("freeze systemd");
        Self
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = fs::write(Self::FILE, "0");
    }
}

/// Engines give `delete` few seconds. What systemd has not done by then it does when it sees that nobody is there.
#[test]
fn delete_does_not_wait_long_for_systemd() {
    need_onggi!();
    if !std::path::Path::new(Held::FILE).exists() {
        skip!("needs cgroup v2 to hold systemd still");
    }
    let bundle = bundle(&["sleep", "100"]);
    bundle.up();
    let held = Held::new();
    let begin = Instant::now();
    let output = bundle.call(&["delete", "--force", &bundle.id]);
    let time = begin.elapsed();
    drop(held);
    output.ok();
    assert!(time < PATIENCE_OF_JOBS, "{time:?}");
    bundle.assert_clean();
}

/// Between the last look at a unit and the word to stop it, it may end by itself, and its name be somebody else's.
#[test]
fn who_gets_the_name_meanwhile_is_left_alone() {
    need_onggi!();
    let bundle = bundle(&["true"]);
    bundle.up();
    bundle.wait_status("stopped");
    let unit = unit_name("onggi", &bundle.id);
    let gone = |unit: &str| unit_property(unit, "LoadState") == "not-found";
    wait_until("the unit to go", || gone(&unit));
    // The scopes of that name, the first one in the place of the container's.
    let first = others_scope(&unit, &["--slice", default_slice()]);
    let scopes = Arc::new(Mutex::new((first, None::<Child>, false)));
    let (shared, name) = (Arc::clone(&scopes), unit.clone());
    let proxy = Proxy::new(&bundle, move |member| {
        let (first, second, asked) = &mut *shared.lock().expect("scopes");
        *asked |= member == "Get";
        if member == ANSWER && *asked && second.is_none() {
            // Now it is known which one is meant.
            let _ = (first.kill(), first.wait());
            wait_until("the first scope to end", || gone(&name));
            *second = Some(others_scope(&name, &["--slice", "elsewhere.slice"]));
        }
        Fate::Pass
    });
    let begin = Instant::now();
    call(&proxy, &bundle, &["delete", &bundle.id]);
    // It waits for 3 s, in which the second scope has to begin.
    let in_time = begin.elapsed() < Duration::from_secs(3);
    let told = proxy.calls().contains(&"Stop".to_owned());
    let (_, second, _) = &mut *scopes.lock().expect("scopes");
    let second = second.as_mut().expect("nobody asked which one there is");
    let alive = matches!(second.try_wait(), Ok(None));
    let state = unit_property(&unit, "ActiveState");
    let _ = (second.kill(), second.wait());
    assert!(alive && state == "active", "the unit of somebody else is {state}");
    bundle.assert_clean();
    assert!(told || !in_time, "nobody was told to stop");
    if !told {
        skip!("this machine is too slow to start a unit within 3 s");
    }
}

/// Properties of the unit and files of the cgroup that an update changes.
fn limits(bundle: &Bundle) -> Vec<(String, String)> {
    let cgroups = Cgroups::detect();
    let unit = unit_name("onggi", &bundle.id);
    let properties = ["TasksMax", "MemoryMax", "MemoryLow", "CPUQuotaPerSecUSec", "MemoryLimit"];
    let mut found: Vec<_> =
        properties.map(|name| (name.to_owned(), unit_property(&unit, name))).to_vec();
    for (controller, v1, v2) in [
        ("pids", "pids.max", "pids.max"),
        ("memory", "memory.limit_in_bytes", "memory.max"),
        ("memory", "memory.soft_limit_in_bytes", "memory.low"),
        ("cpu", "cpu.shares", "cpu.weight"),
        ("cpu", "cpu.cfs_quota_us", "cpu.max"),
    ] {
        let text = cgroups.read(controller, &bundle.cgroup(), v1, v2).unwrap_or_default();
        found.push((v1.to_owned(), text));
    }
    found
}

/// Each write of an update fails once, before and after systemd was told: it then knows the old limits, as the files do.
#[test]
fn an_update_that_fails_is_taken_back_from_systemd() {
    need_onggi!();
    need_strace!();
    let mut bundle = bundle(&["sleep", "100"]);
    bundle.set("/linux/resources/pids", json!({ "limit": 50 }));
    bundle
        .set("/linux/resources/memory", json!({ "limit": 67_108_864, "reservation": 33_554_432 }));
    bundle
        .set("/linux/resources/cpu", json!({ "quota": 50_000, "period": 100_000, "shares": 512 }));
    bundle.drop_unavailable_limits();
    bundle.up();
    let rule = json!({ "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw" });
    let all = json!({ "allow": false, "access": "rwm" });
    let document = bundle.dir().join("resources");
    let resources = json!({
        "devices": [all, rule],
        "pids": { "limit": 70 },
        "memory": { "limit": 100_663_296, "reservation": 50_331_648 },
        "cpu": { "quota": 70_000, "period": 100_000, "shares": 2048 },
    });
    fs::write(&document, resources.to_string()).expect("write");
    let document = document.to_string_lossy();
    let before = limits(&bundle);
    let mut failures = 0;
    for n in 1..100 {
        let inject = format!("inject=write:error=EIO:when={n}");
        let options = ["-o", "/dev/null", "-e", "trace=write", "-e", &inject];
        let words = ["update", "--resources", &document, &bundle.id];
        if run(&mut strace(&bundle, &options, &words)).code == 0 && limits(&bundle) != before {
            break;
        }
        assert_eq!(limits(&bundle), before, "write {n}");
        failures += 1;
    }
    assert!(failures > 3, "only {failures} writes");
    assert_eq!(unit_property(&unit_name("onggi", &bundle.id), "TasksMax"), "70");
    bundle.delete();
}

/// What the runtime makes beside systemd's directories goes with a `create` that fails.
#[test]
fn parents_that_were_made_go_with_a_failed_create() {
    need_onggi!();
    let mut bundle = bundle(&["/nonexistent"]);
    bundle.args(&["/nonexistent"]);
    let slice = format!("failed{}.slice", std::process::id());
    bundle.set("/linux/cgroupsPath", json!(format!("{slice}:onggi:{}", bundle.id)));
    bundle.create().fails_with(&["/nonexistent"]);
    systemctl(&["stop", &slice]);
    bundle.assert_clean();
    let dirs = || Cgroups::detect().find(&slice);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !dirs().is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    let left = dirs();
    left.iter().for_each(|dir| drop(fs::remove_dir(dir)));
    assert!(left.is_empty(), "{left:?}");
}
