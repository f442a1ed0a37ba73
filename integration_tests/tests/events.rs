//! `events`: statistics, the stream of them, and word of lack of memory.

use integration_tests::{Bundle, Cgroups, View, differs, need_files, need_root, skip, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Skips the test without root, and for peers that have another verb of that name or none.
macro_rules! need_events {
    () => {
        need_root!();
        differs!(Crun | Youki, "has no events as runc has them");
    };
}

/// An `events` that is still going, with what it wrote in files; killed at the end.
struct Stream {
    child: Child,
    out: std::path::PathBuf,
    err: std::path::PathBuf,
}

impl Stream {
    fn start(bundle: &Bundle, flags: &[&str]) -> Self {
        let [out, err] = ["events.out", "events.err"].map(|name| bundle.dir().join(name));
        let make = |path| fs::File::create(path).expect("make a file for the output");
        let mut command = bundle.command(&[&["events"], flags, &[&bundle.id]].concat());
        command.stdin(Stdio::null()).stdout(make(&out)).stderr(make(&err));
        Self { child: command.spawn().expect("start events"), out, err }
    }

    /// The lines so far, each of them JSON.
    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.out).expect("read the output");
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        whole.lines().map(parse).collect()
    }

    fn count(&self, kind: &str) -> usize {
        self.lines().iter().filter(|line| line["type"] == kind).count()
    }

    /// Whether it has a descriptor of that kind.
    fn holds(&self, kind: &str) -> bool {
        let fds = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        let mut links = fds.into_iter().flatten().flatten().map(|fd| fs::read_link(fd.path()));
        links.any(|link| link.is_ok_and(|link| link.to_string_lossy().contains(kind)))
    }

    /// Its exit status, which must come within ten seconds, and what it had to say.
    fn end(&mut self) -> (i32, String) {
        let mut status = None;
        wait_until("the end of events", || {
            status = self.child.try_wait().expect("wait");
            status.is_some()
        });
        let code = status.and_then(|status| status.code()).unwrap_or(-1);
        (code, fs::read_to_string(&self.err).expect("read the errors"))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One `events --stats`, with the line end checked.
#[track_caller]
fn stats(bundle: &Bundle) -> Value {
    let output = bundle.call(&["events", "--stats", &bundle.id]);
    let text = output.ok();
    assert_eq!(text.matches('\n').count(), 1, "{output}");
    assert!(text.ends_with('\n'), "{output}");
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {output}"))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

#[test]
fn stats_have_the_keys_of_runc_and_plausible_values() {
    need_events!();
    let mut bundle = Bundle::new(&["all", "spin", "1", "--", "sleep", "100"]);
    bundle.set("/linux/resources/memory", json!({ "limit": 67_108_864 }));
    bundle.set("/linux/resources/pids", json!({ "limit": 42 }));
    bundle.drop_unavailable_limits();
    bundle.up();
    let event = stats(&bundle);
    assert_eq!(event["type"], "stats");
    assert_eq!(event["id"], bundle.id.as_str());
    let data = &event["data"];
    // serde_json sorts them.
    let wanted =
        ["blkio", "cpu", "cpuset", "hugetlb", "intel_rdt", "memory", "network_interfaces", "pids"];
    let mut found = keys(data);
    found.retain(|key| *key != "rdma");
    assert_eq!(found, wanted, "{event}");
    assert_eq!(data["intel_rdt"], json!({}));
    assert!(data["network_interfaces"].is_null());
    assert!(data["hugetlb"].is_object());
    if Cgroups::detect().has("pids") {
        assert!(number(data, "/pids/current") >= 1, "{event}");
        assert_eq!(number(data, "/pids/limit"), 42, "{event}");
    }
    if Cgroups::detect().has("memory") {
        assert!(number(data, "/memory/usage/usage") > 0, "{event}");
        assert_eq!(number(data, "/memory/usage/limit"), 67_108_864, "{event}");
        // It may take the kernel two seconds to add them up.
        assert!(data["memory"]["raw"]["pgfault"].is_u64(), "{event}");
    }
    if Cgroups::detect().is_v1("cpuset") {
        assert!(!data["cpuset"]["cpus"].as_array().is_none_or(Vec::is_empty), "{event}");
    }
    if Cgroups::detect().has("cpuacct") || Cgroups::detect().view() == View::V2 {
        let total = |event: &Value| number(event, "/data/cpu/usage/total");
        let before = total(&event);
        wait_until("processor time", || total(&stats(&bundle)) > before + 1_000_000);
    }
    bundle.delete();
}

#[test]
fn keys_are_in_the_order_of_runc() {
    need_events!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let output = bundle.call(&["events", "--stats", &bundle.id]);
    let head = format!("{{\"type\":\"stats\",\"id\":\"{}\",\"data\":{{\"cpu\":{{", bundle.id);
    assert!(output.ok().starts_with(&head), "{output}");
    // In this order, whatever each of them holds.
    let order = ["\"cpuset\":{", "\"memory\":{", "\"pids\":{", "\"blkio\":{", "\"hugetlb\":{"];
    let places: Vec<_> = order.iter().map(|key| output.stdout.find(key)).collect();
    assert!(places.is_sorted() && places[0].is_some(), "{places:?}: {output}");
    assert!(
        output.stdout.ends_with("\"intel_rdt\":{},\"network_interfaces\":null}}\n"),
        "{output}"
    );
    bundle.delete();
}

#[test]
fn pressure_is_there_with_a_v2_tree() {
    need_events!();
    differs!(Runc, "1.1 has none, later ones have it on pure v2 hosts alone");
    let bundle = Bundle::new(&["sleep", "100"]);
    let file = Cgroups::detect().dir("", &bundle.cgroup()).map(|dir| dir.join("cpu.pressure"));
    bundle.up();
    if file.is_none_or(|file| fs::read(file).is_err()) {
        skip!("no v2 tree at /sys/fs/cgroup, or no PSI in this kernel");
    }
    let event = stats(&bundle);
    for part in ["cpu", "memory", "blkio"] {
        assert!(event["data"][part]["psi"].is_object(), "{part}: {event}");
    }
    bundle.delete();
}

#[test]
fn created_and_paused_containers_have_statistics_too() {
    need_events!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.create().ok();
    assert_eq!(stats(&bundle)["type"], "stats");
    bundle.start();
    if bundle.call(&["pause", &bundle.id]).code != 0 {
        skip!("in part: no freezer here");
    }
    assert_eq!(stats(&bundle)["type"], "stats");
    bundle.call(&["resume", &bundle.id]).ok();
    bundle.delete();
}

#[test]
fn a_stream_goes_on_until_the_container_stops() {
    need_events!();
    differs!(Runc, "fails without a memory controller, and on v1 goes on until the cgroup is gone");
    for flags in [&["--interval=100ms"][..], &["-interval=0.1s"], &["--interval", "100000us"]] {
        let bundle = Bundle::new(&["sleep", "100"]);
        bundle.up();
        let begin = Instant::now();
        let mut stream = Stream::start(&bundle, flags);
        wait_until("three lines", || stream.count("stats") >= 3);
        assert!(begin.elapsed() >= Duration::from_millis(290), "{flags:?}: too early");
        bundle.kill("KILL");
        let (code, said) = stream.end();
        assert_eq!(code, 0, "{flags:?}: {said}");
        assert_eq!(stream.count("oom"), 0, "{flags:?}");
        // Without a memory controller it warns.
        assert!(said.is_empty() || !Cgroups::detect().has("memory"), "{flags:?}: {said}");
        bundle.delete();
    }
}

#[test]
fn flags_may_stand_behind_the_id() {
    need_events!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    bundle.call(&["events", &bundle.id, "--stats"]).ok();
    bundle.call(&["events", "-stats=true", "-interval=1s", &bundle.id]).ok();
    bundle.delete();
}

#[test]
fn nobody_reads_any_more() {
    need_events!();
    differs!(Runc, "notices when it writes next, logs that, and goes on");
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    // One that would write soon, and one that would not for an hour.
    for interval in ["10ms", "1h"] {
        let mut command = bundle.command(&["events", "--interval", interval, &bundle.id]);
        let err = bundle.dir().join("events.err");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(fs::File::create(&err).expect("make a file"));
        let child = command.spawn().expect("start events");
        let mut stream = Stream { child, out: err.clone(), err };
        let mut pipe = stream.child.stdout.take().expect("a pipe");
        if interval == "10ms" {
            pipe.read_exact(&mut [0; 1]).expect("the first byte");
        }
        drop(pipe);
        let (code, said) = stream.end();
        assert_eq!(code, 0, "{interval}: {said}");
        assert!(said.is_empty() || !Cgroups::detect().has("memory"), "{interval}: {said}");
    }
    bundle.delete();
}

#[test]
fn lack_of_memory_is_told() {
    need_events!();
    if !Cgroups::detect().has("memory") {
        skip!("no memory controller");
    }
    differs!(Runc, "on v1 it goes on until the cgroup is gone");
    need_files!(
        "systemd takes the empty cgroup away, and its counters with it, before they can be read"
    );
    let mut bundle = Bundle::new(&["all", "signal-wait", "--", "alloc", "200"]);
    bundle.set("/linux/resources/memory", json!({ "limit": 33_554_432, "swap": 33_554_432 }));
    bundle.up().wait_log("ready");
    let mut stream = Stream::start(&bundle, &["--interval=50ms"]);
    wait_until("the first statistics", || stream.count("stats") >= 1);
    bundle.kill("TERM");
    let (code, said) = stream.end();
    assert_eq!((code, said.as_str()), (0, ""));
    let lines = stream.lines();
    let oom: Vec<_> = lines.iter().filter(|line| line["type"] == "oom").collect();
    assert!(!oom.is_empty(), "{lines:?}");
    assert_eq!(*oom[0], json!({ "type": "oom", "id": bundle.id }));
    let text = fs::read_to_string(&stream.out).expect("read");
    assert!(text.contains(&format!("{{\"type\":\"oom\",\"id\":\"{}\"}}\n", bundle.id)), "{text}");
    bundle.wait_status("stopped");
    bundle.delete();
}

/// What is killed is not the container's first process, so that it lives on.
#[test]
fn lack_of_memory_of_an_exec_does_not_end_the_stream() {
    need_events!();
    if !Cgroups::detect().has("memory") {
        skip!("no memory controller");
    }
    let mut bundle = Bundle::new(&["sleep", "100"]);
    bundle.set("/linux/resources/memory", json!({ "limit": 33_554_432, "swap": 33_554_432 }));
    bundle.up();
    let mut stream = Stream::start(&bundle, &["--interval=50ms"]);
    wait_until("the first statistics", || stream.count("stats") >= 1);
    for round in 1..=2 {
        bundle.exec(&["alloc", "200"]).exits(137);
        wait_until("an event", || stream.count("oom") >= round);
        let before = stream.count("stats");
        wait_until("more statistics", || stream.count("stats") > before);
    }
    assert!(stream.child.try_wait().expect("wait").is_none(), "the stream has ended");
    bundle.delete();
}

#[test]
fn the_end_does_not_wait_for_the_interval() {
    need_events!();
    differs!(Runc, "fails without a memory controller");
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let mut stream = Stream::start(&bundle, &["--interval=1h"]);
    wait_until("the stream to watch the container", || stream.holds("pidfd"));
    bundle.delete();
    let (code, said) = stream.end();
    assert_eq!(code, 0, "{said}");
    assert!(stream.lines().is_empty(), "{:?}", stream.lines());
}

#[test]
fn bad_intervals() {
    need_events!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    for interval in ["5", "1.5", "1x", "", "5s5", "abc"] {
        let flag = format!("--interval={interval}");
        let output = bundle.call(&["events", &flag, &bundle.id]);
        output.fails_with(&["invalid value", "interval"]);
        assert_eq!(output.stdout.matches("\"type\"").count(), 0, "{output}");
    }
    for interval in ["0", "0s", "-1s"] {
        for more in [&[][..], &["--stats"]] {
            let words = [&["events", "--interval", interval], more, &[&bundle.id]].concat();
            bundle.call(&words).fails_with(&["duration interval must be greater than 0"]);
        }
    }
    bundle.delete();
}

#[test]
fn no_container_and_no_running_one() {
    need_events!();
    let bundle = Bundle::new(&["true"]);
    for flags in [&["events", "--stats"][..], &["events"]] {
        let call = |id| bundle.call(&[flags, &[id]].concat());
        call(&bundle.id).fails_with(&["container does not exist"]);
        bundle.up();
        bundle.wait_status("stopped");
        call(&bundle.id).fails_with(&[&format!("container with id {} is not running", bundle.id)]);
        bundle.delete();
    }
    bundle.call(&["events"]).fails_with(&["requires exactly 1 argument"]);
}

#[test]
fn a_container_without_a_cgroup() {
    need_events!();
    differs!(Runc, "always has a cgroup");
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.write();
    let path = bundle.path();
    let manager = ["--cgroup-manager", "disabled"];
    bundle.detached(&[&manager[..], &["run", "-d", "-b", &path, &bundle.id]].concat()).ok();
    for flags in [&["events", "--stats"][..], &["events"]] {
        let output = bundle.call(&[flags, &[&bundle.id]].concat());
        output.fails_with(&["the container has no cgroup"]);
    }
    bundle.delete();
}

/// Its process ends by a signal as any other's, and leaves nothing.
#[test]
fn a_stream_can_be_interrupted() {
    need_events!();
    differs!(Runc, "fails without a memory controller");
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let mut stream = Stream::start(&bundle, &["--interval=20ms"]);
    wait_until("a line", || stream.count("stats") >= 1);
    kill(Pid::from_raw(stream.child.id().cast_signed()), Signal::SIGTERM).expect("kill");
    stream.end();
    assert_eq!(bundle.status(), "running");
    bundle.delete();
}
