//! What tells of a container's end and of what happens before it: `wait` and `events --follow`.

use integration_tests::{Bundle, Cgroups, differs, need_root, skip, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

/// Skips the test without root, and for peers, which have no such verbs.
macro_rules! need_own {
    () => {
        need_root!();
        differs!(Runc | Crun | Youki, "has no such verb");
    };
}

/// A command that is still going, with what it wrote in files; killed at the end.
struct Going {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Going {
    fn start(bundle: &Bundle, args: &[&str]) -> Self {
        let name = args.concat().replace('-', "");
        let [out, err] = ["out", "err"].map(|end| bundle.dir().join(format!("{name}.{end}")));
        let make = |path| fs::File::create(path).expect("make a file for the output");
        let mut command = bundle.command(args);
        command.arg(&bundle.id).stdin(Stdio::null()).stdout(make(&out)).stderr(make(&err));
        Self { child: command.spawn().expect("start"), out, err }
    }

    fn output(&self) -> String {
        fs::read_to_string(&self.out).expect("read the output")
    }

    fn errors(&self) -> String {
        fs::read_to_string(&self.err).expect("read the errors")
    }

    /// The kinds of the events so far.
    fn kinds(&self) -> Vec<String> {
        let text = self.output();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.map(|line| line["type"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until it sleeps with a descriptor of that kind.
    fn ready(&self, kind: &str) {
        wait_until(&format!("a {kind} to be watched"), || {
            let fds = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
            let mut links = fds.into_iter().flatten().flatten().map(|fd| fs::read_link(fd.path()));
            links.any(|link| link.is_ok_and(|link| link.to_string_lossy().contains(kind)))
        });
        wait_until("it to sleep", || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
            stat.is_ok_and(|stat| {
                stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'))
            })
        });
    }

    /// Its exit status, which must come within ten seconds.
    #[track_caller]
    fn end(&mut self) -> i32 {
        let mut status = None;
        wait_until("the end of the command", || {
            status = self.child.try_wait().expect("wait");
            status.is_some()
        });
        status.and_then(|status| status.code()).unwrap_or(-1)
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn wait_gives_the_status_of_a_container_that_another_process_created() {
    need_own!();
    for (args, status) in [(&["exit", "42"][..], 42), (&["true"], 0), (&["exit", "255"], 255)] {
        let bundle = Bundle::new(args);
        bundle.create().ok();
        let mut wait = Going::start(&bundle, &["wait"]);
        wait.ready("pidfd");
        assert_eq!(wait.output(), "", "nothing has ended yet");
        bundle.start();
        assert_eq!(wait.end(), status, "{}", wait.errors());
        assert_eq!(wait.output(), format!("{status}\n"));
        assert_eq!(wait.errors(), "");
        bundle.call(&["delete", &bundle.id]).ok();
        bundle.assert_clean();
    }
}

#[test]
fn wait_gives_128_and_the_signal() {
    need_own!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let mut waits = [Going::start(&bundle, &["wait"]), Going::start(&bundle, &["--debug", "wait"])];
    waits.iter().for_each(|wait| wait.ready("pidfd"));
    bundle.kill("KILL");
    for wait in &mut waits {
        assert_eq!(wait.end(), 137, "{}", wait.errors());
        assert_eq!(wait.output(), "137\n");
    }
    bundle.delete();
}

/// A child of its own that nobody has waited for yet is a zombie, whose status is still there.
#[test]
fn wait_after_the_end_knows_the_status_or_says_that_it_does_not() {
    need_own!();
    let bundle = Bundle::new(&["exit", "9"]);
    bundle.up();
    bundle.wait_status("stopped");
    let output = bundle.call(&["wait", &bundle.id]);
    if output.code == 9 {
        assert_eq!(output.stdout, "9\n", "{output}");
    } else {
        output.exits(255).fails_with(&["exit status is not known"]);
        assert_eq!(output.stdout, "", "{output}");
    }
    bundle.delete();
    let output = bundle.call(&["wait", &bundle.id]);
    output.exits(255).fails_with(&["container does not exist"]);
    assert_eq!(output.stdout, "");
}

#[test]
fn followed_events_come_as_they_happen() {
    need_own!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.create().ok();
    let mut events = Going::start(&bundle, &["events", "--follow"]);
    events.ready("pidfd");
    bundle.start();
    if bundle.call(&["pause", &bundle.id]).code == 0 {
        wait_until("freeze", || events.kinds() == ["freeze"]);
        bundle.call(&["resume", &bundle.id]).ok();
        wait_until("thaw", || events.kinds() == ["freeze", "thaw"]);
    } else {
        integration_tests::record_skip("in part: no freezer here");
    }
    bundle.kill("KILL");
    assert_eq!(events.end(), 0, "{}", events.errors());
    let last = events.output().lines().last().map(str::to_owned).unwrap_or_default();
    assert_eq!(last, format!(r#"{{"type":"exit","id":"{}","data":{{"status":137}}}}"#, bundle.id));
    bundle.delete();
    bundle.call(&["events", "--follow", &bundle.id]).exits(1).fails_with(&["does not exist"]);
}

#[test]
fn followed_events_tell_of_lack_of_memory() {
    need_own!();
    let cgroups = Cgroups::detect();
    if !cgroups.is_v1("memory") && !cgroups.is_v2("memory") {
        skip!("no memory controller here");
    }
    let mut bundle = Bundle::new(&["alloc", "268435456"]);
    bundle.set("/linux/resources/memory", json!({ "limit": 33_554_432, "swap": 33_554_432 }));
    if bundle.create().code != 0 {
        bundle.set("/linux/resources/memory", json!({ "limit": 33_554_432 }));
        bundle.create().ok();
    }
    let mut events = Going::start(&bundle, &["events", "--follow"]);
    events.ready("pidfd");
    bundle.start();
    assert_eq!(events.end(), 0, "{}", events.errors());
    let kinds = events.kinds();
    assert!(kinds.contains(&"oom".to_owned()), "{kinds:?}");
    assert_eq!(kinds.last().map(String::as_str), Some("exit"), "{kinds:?}");
    bundle.delete();
}

#[test]
fn followed_events_end_when_nobody_reads_any_more() {
    need_own!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let (reader, writer) = std::io::pipe().expect("make a pipe");
    let mut command = bundle.command(&["events", "--follow", &bundle.id]);
    let child = command.stdin(Stdio::null()).stdout(writer).spawn().expect("start");
    let mut events = Going { child, out: PathBuf::new(), err: PathBuf::new() };
    drop(command);
    events.ready("pidfd");
    drop(reader);
    assert_eq!(events.end(), 0);
    bundle.delete();
}

#[test]
fn stopped_containers_are_not_followed() {
    need_own!();
    let bundle = Bundle::new(&["true"]);
    bundle.up();
    bundle.wait_status("stopped");
    bundle.call(&["events", "--follow", &bundle.id]).exits(1).fails_with(&["is not running"]);
    bundle.delete();
}
