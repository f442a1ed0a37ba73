//! Configurations that Docker, Podman, containerd and Kubernetes have really written.

use integration_tests::{
    Bundle, Capture, Cgroups, ConsoleSocket, busybox_bundle, capture, fill, need_root, read_for,
    skip, wait_until,
};
use serde_json::Value;
use std::fs;
use std::time::Duration;

/// A filled-in bundle, and the sandbox whose namespaces it joins.
struct Ready {
    bundle: Bundle,
    capture: Capture,
    _sandbox: Option<Bundle>,
}

/// None when the host has no busybox, which the recorded command lines need.
fn ready(name: &str) -> Option<Ready> {
    let capture = capture(name);
    let mut bundle = busybox_bundle()?;
    let sandbox = capture.json.to_string().contains("@PID@/ns").then(sandbox);
    let pid = sandbox.as_ref().map_or(1, Bundle::pid);
    fill(&mut bundle, &capture, pid);
    Some(Ready { bundle, capture, _sandbox: sandbox })
}

/// What the pause container is to a pod: it holds pid, ipc, uts and network namespaces.
fn sandbox() -> Bundle {
    let bundle = Bundle::new(&["sleep", "1000"]);
    bundle.up();
    bundle
}

macro_rules! ready {
    ($name:expr) => {
        match ready($name) {
            Some(ready) => ready,
            None => skip!("no static busybox on this host"),
        }
    };
}

fn hello(name: &str) {
    let ready = ready!(name);
    let output = ready.bundle.run();
    assert_eq!(output.ok(), "hello\n");
    hooks_have_run(&ready);
    ready.bundle.assert_clean();
}

/// The recorder of `fill` got one state document per hook.
fn hooks_have_run(ready: &Ready) {
    let wanted: usize = ready.capture.json["hooks"]
        .as_object()
        .into_iter()
        .flat_map(|m| m.values())
        .filter_map(Value::as_array)
        .map(Vec::len)
        .sum();
    let text = fs::read_to_string(ready.bundle.dir().join("hook-state")).unwrap_or_default();
    let states: Vec<Value> =
        serde_json::Deserializer::from_str(&text).into_iter().flatten().collect();
    assert_eq!(states.len(), wanted, "hooks: {text}");
    assert!(states.iter().all(|s| s["id"] == ready.bundle.id.as_str()), "{text}");
}

/// The same configuration with `runtimetest check` as its process.
fn checked(name: &str) {
    let mut ready = ready!(name);
    let bundle = &mut ready.bundle;
    bundle.args(&["/runtimetest", "check"]);
    let terminal = bundle.config["process"]["terminal"] == true;
    bundle.set("/process/terminal", Value::Bool(false));
    let mut joined = serde_json::json!({});
    for namespace in bundle.config["linux"]["namespaces"].as_array().into_iter().flatten() {
        if let (Some(kind), Some(path)) = (namespace["type"].as_str(), namespace["path"].as_str()) {
            joined[kind] =
                Value::from(fs::read_link(path).unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    bundle.expect["joinedNamespaces"] = joined;
    let output = bundle.run();
    output.checked().ok();
    assert!(terminal || ready.capture.json["process"]["terminal"] != true);
    bundle.assert_clean();
}

#[test]
fn docker_hello() {
    need_root!();
    hello("docker-hello");
}

#[test]
fn podman_hello() {
    need_root!();
    hello("podman-hello");
}

#[test]
fn containerd_hello() {
    need_root!();
    hello("containerd-hello");
}

#[test]
fn everything_is_seen_from_inside_docker() {
    need_root!();
    for name in [
        "docker-hello",
        "docker-volume",
        "docker-tty",
        "docker-cap-drop",
        "docker-join-namespaces",
        "docker-limits",
    ] {
        checked(name);
    }
}

#[test]
fn everything_is_seen_from_inside_podman() {
    need_root!();
    for name in ["podman-hello", "podman-mounts", "podman-limits"] {
        checked(name);
    }
}

#[test]
fn everything_is_seen_from_inside_a_user_namespace() {
    need_root!();
    checked("podman-userns");
}

#[test]
fn everything_is_seen_from_inside_containerd_and_cri() {
    need_root!();
    for name in ["containerd-hello", "containerd-limits", "cri-container", "cri-sandbox"] {
        checked(name);
    }
}

#[test]
fn docker_cap_drop() {
    need_root!();
    let ready = ready!("docker-cap-drop");
    assert_eq!(ready.bundle.run().ok().trim(), "CapEff:\t0000000000000000");
    ready.bundle.assert_clean();
}

#[test]
fn docker_volume() {
    need_root!();
    let ready = ready!("docker-volume");
    let output = ready.bundle.run();
    let line = output
        .ok()
        .lines()
        .find(|l| l.contains(" on /t "))
        .unwrap_or_else(|| panic!("no /t: {output}"));
    for word in ["tmpfs", "nosuid", "nodev", "noexec", "size=1024k"] {
        assert!(line.contains(word), "{line}");
    }
    ready.bundle.assert_clean();
}

#[test]
fn podman_mounts() {
    need_root!();
    let ready = ready!("podman-mounts");
    let output = ready.bundle.run();
    output.ok();
    for mount in ready.bundle.config["mounts"].as_array().into_iter().flatten() {
        let target = mount["destination"].as_str().unwrap_or_default();
        let args = ready.bundle.config["process"]["args"].to_string();
        assert!(
            !args.contains("mount") || output.stdout.contains(&format!(" on {target} ")),
            "{target} is not in {output}"
        );
    }
    ready.bundle.assert_clean();
}

#[test]
fn podman_userns() {
    need_root!();
    let ready = ready!("podman-userns");
    let output = ready.bundle.run();
    output.ok();
    if ready.bundle.config["process"]["args"].to_string().contains("uid_map") {
        let words: Vec<&str> = output.stdout.split_whitespace().collect();
        assert_eq!(words, ["0", "100000", "65536"], "{output}");
    }
    ready.bundle.assert_clean();
}

#[test]
fn docker_joined_namespaces_show_the_others_processes() {
    need_root!();
    let ready = ready!("docker-join-namespaces");
    let output = ready.bundle.run();
    assert!(output.ok().contains("sleep 1000"), "{output}");
    ready.bundle.assert_clean();
}

#[test]
fn docker_tty() {
    need_root!();
    let ready = ready!("docker-tty");
    let bundle = &ready.bundle;
    let socket = ConsoleSocket::new(bundle.dir(), "console.sock");
    bundle.create_with(&["--console-socket", &socket.path()]).ok();
    let master = socket.master();
    bundle.start();
    let text = read_for(&master, "\n", Duration::from_secs(10));
    assert!(text.contains("/dev/"), "{text:?}");
    bundle.wait_status("stopped");
    bundle.call(&["delete", &bundle.id]).ok();
    bundle.assert_clean();
}

/// Long-running: limits in the cgroup, exec by the engine's process.json, TERM, exit 0.
fn limits(name: &str, exec: &str) {
    let ready = ready!(name);
    let bundle = &ready.bundle;
    bundle.up();
    if bundle.config["process"]["args"].to_string().contains("echo") {
        wait_until("output", || !bundle.logs().is_empty());
    }
    check_resources(bundle);
    let status = fs::read_to_string(format!("/proc/{}/status", bundle.pid())).unwrap_or_default();
    let filtered = !ready.capture.json["linux"]["seccomp"].is_null();
    assert_eq!(status.contains("Seccomp:\t2"), filtered, "{status}");

    let process = bundle.dir().join("process.json");
    fs::write(&process, capture(exec).json.to_string()).expect("write process.json");
    let pid_file = bundle.dir().join("exec.pid");
    let args = [
        "exec",
        "--process",
        &process.to_string_lossy(),
        "--pid-file",
        &pid_file.to_string_lossy(),
        &bundle.id,
    ];
    assert_eq!(bundle.call(&args).ok(), "in\n");
    bundle.kill("15");
    bundle.wait_status("stopped");
    bundle.call(&["delete", &bundle.id]).ok();
    bundle.assert_clean();
}

/// Compares the cgroup's files with `linux.resources`, as far as the host has the controllers.
fn check_resources(bundle: &Bundle) {
    let resources = &bundle.config["linux"]["resources"];
    let cgroups = Cgroups::detect();
    let path = bundle.cgroup();
    let file = |controller: &str, v1: &str, v2: &str| cgroups.read(controller, &path, v1, v2);
    for (key, v1, v2) in
        [("memory", "memory.limit_in_bytes", "memory.max"), ("pids", "pids.max", "pids.max")]
    {
        if let (Some(limit @ 1..), Some(found)) =
            (resources[key]["limit"].as_i64(), file(key, v1, v2))
        {
            assert_eq!(found, limit.to_string());
        }
    }
    if let (Some(quota), Some(period)) =
        (resources["cpu"]["quota"].as_i64(), resources["cpu"]["period"].as_u64())
    {
        if cgroups.is_v1("cpu") {
            assert_eq!(file("cpu", "cpu.cfs_quota_us", ""), Some(quota.to_string()));
            assert_eq!(file("cpu", "cpu.cfs_period_us", ""), Some(period.to_string()));
        } else if let Some(found) = file("cpu", "", "cpu.max") {
            assert_eq!(found, format!("{quota} {period}"));
        }
    }
    if let (Some(shares), true) =
        (resources["cpu"]["shares"].as_u64().filter(|s| *s > 0), cgroups.is_v1("cpu"))
    {
        assert_eq!(file("cpu", "cpu.shares", ""), Some(shares.to_string()));
    }
    if cgroups.is_v1("devices") && resources["devices"][0]["allow"] == false {
        let list = file("devices", "devices.list", "").unwrap_or_default();
        assert!(!list.starts_with("a *:* rwm"), "{list}");
    }
}

#[test]
fn docker_limits() {
    need_root!();
    limits("docker-limits", "docker-exec");
}

#[test]
fn podman_limits() {
    need_root!();
    limits("podman-limits", "podman-exec");
}

#[test]
fn containerd_limits() {
    need_root!();
    limits("containerd-limits", "containerd-exec");
}

#[test]
fn cri_container() {
    need_root!();
    limits("cri-container", "cri-exec");
}

#[test]
fn cri_sandbox() {
    need_root!();
    let ready = ready!("cri-sandbox");
    let bundle = &ready.bundle;
    bundle.up();
    check_resources(bundle);
    bundle.kill("9");
    bundle.wait_status("stopped");
    bundle.call(&["delete", &bundle.id]).ok();
    bundle.assert_clean();
}

/// The whole life as a containerd shim leads it, with its flags and their order.
#[test]
fn life_under_containerd() {
    need_root!();
    let ready = ready!("containerd-limits");
    let bundle = &ready.bundle;
    bundle.write();
    let file = |name: &str| bundle.dir().join(name).to_string_lossy().into_owned();
    let (log, pid_file, path) = (file("log.json"), file("init.pid"), bundle.path());
    let global = ["--log", &log, "--log-format", "json"];
    let with = |args: &[&'static str]| [&global[..], args, &[bundle.id.as_str()]].concat();
    let create = ["create", "--bundle", &path, "--pid-file", &pid_file, &bundle.id];
    bundle.detached(&[&global[..], &create].concat()).ok();
    bundle.call(&with(&["start"])).ok();
    let process = file("process.json");
    fs::write(&process, capture("containerd-exec").json.to_string()).expect("write process.json");
    let exec_pid = file("e1.pid");
    let before = bundle.logs().len();
    let exec = ["exec", "--process", &process, "--detach", "--pid-file", &exec_pid, &bundle.id];
    bundle.detached(&[&global[..], &exec].concat()).ok();
    wait_until("output of exec", || bundle.logs()[before..].contains("in\n"));
    assert!(fs::read_to_string(&exec_pid).is_ok_and(|t| t.parse::<i32>().is_ok()));
    let pids: Vec<i32> =
        serde_json::from_str(bundle.call(&with(&["ps", "--format", "json"])).ok()).expect("a list");
    assert!(pids.contains(&bundle.pid()));
    bundle.call(&with(&["pause"])).ok();
    bundle.call(&with(&["resume"])).ok();
    bundle.call(&[&global[..], &["kill", &bundle.id, "15"]].concat()).ok();
    bundle.wait_status("stopped");
    bundle.call(&[&global[..], &["kill", "--all", &bundle.id, "9"]].concat()).ok();
    bundle.call(&with(&["delete"])).ok();
    bundle.call(&with(&["delete", "--force"])).ok();
    bundle.assert_clean();
    let text = fs::read_to_string(&log).unwrap_or_default();
    assert!(!text.contains("\"level\":\"error\""), "{text}");
}
