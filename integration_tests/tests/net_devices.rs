//! `linux.netDevices`: devices of a network namespace that stands for the host's, moved to containers.

use integration_tests::{
    Bundle, Output, differs, need_root, run, skip, wait_until, without_namespace,
};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A named network namespace with a pair of virtual devices, `onggi0` and `onggi1`.
struct Net(String);

impl Net {
    fn new(bundle: &Bundle, what: &str) -> Self {
        let net = Self(format!("{}-{what}", bundle.id));
        run(Command::new("ip").args(["netns", "add", &net.0])).ok();
        net
    }

    /// The one that the runtime is called in, with devices.
    fn host(bundle: &Bundle) -> Self {
        let net = Self::new(bundle, "host");
        net.ip(&["link", "add", "onggi0", "type", "veth", "peer", "name", "onggi1"]).ok();
        net
    }

    fn path(&self) -> String {
        format!("/run/netns/{}", self.0)
    }

    fn ip(&self, words: &[&str]) -> Output {
        run(Command::new("ip").args([&["-n", &self.0], words].concat()))
    }

    fn has(&self, device: &str) -> bool {
        self.ip(&["link", "show", "dev", device]).code == 0
    }

    /// The runtime in this namespace.
    fn command(&self, bundle: &Bundle, verb: &str) -> Command {
        let inner = bundle.command(&[verb, "--bundle", &bundle.path(), &bundle.id]);
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path())).arg(inner.get_program());
        command.args(inner.get_args()).current_dir(bundle.dir());
        command.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command
    }

    /// Calls the runtime in this namespace.
    fn call(&self, bundle: &Bundle, verb: &str) -> Output {
        bundle.write();
        let mut command = self.command(bundle, verb);
        if verb == "run" {
            return run(&mut command);
        }
        // What `create` leaves would hold pipes open.
        let log = bundle.dir().join("log");
        let open = || std::fs::File::options().create(true).append(true).open(&log).expect("open");
        command.stdin(Stdio::null()).stdout(open()).stderr(open());
        let code = command.status().expect("create").code().unwrap_or(-1);
        let said = bundle.logs();
        Output { command: format!("{command:?}"), code, stdout: said.clone(), stderr: said }
    }

    fn create(&self, bundle: &Bundle) {
        self.call(bundle, "create").ok();
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).output();
    }
}

/// A device in the network namespace of a container, as `ip -j addr` tells of it.
fn inside(bundle: &Bundle, device: &str) -> Value {
    let net = format!("--net=/proc/{}/ns/net", bundle.pid());
    let words = ["ip", "-d", "-j", "addr", "show", "dev", device];
    let output = run(Command::new("nsenter").arg(net).args(words));
    let list: Value = serde_json::from_str(output.ok()).expect("JSON of ip");
    list[0].clone()
}

/// `ADDRESS/PREFIX` of all addresses of global scope.
fn global(link: &Value) -> Vec<String> {
    let list = link["addr_info"].as_array().cloned().unwrap_or_default();
    let kept = list.iter().filter(|one| one["scope"] == "global");
    kept.map(|one| format!("{}/{}", one["local"].as_str().unwrap_or("?"), one["prefixlen"]))
        .collect()
}

fn can_make_devices() -> bool {
    let bundle = Bundle::new(&["true"]);
    let net = Net(format!("{}-try", bundle.id));
    let ip = |words: &[&str]| {
        Command::new("ip").args(words).output().is_ok_and(|output| output.status.success())
    };
    ip(&["netns", "add", &net.0]) && ip(&["-n", &net.0, "link", "add", "onggi0", "type", "veth"])
}

macro_rules! need_devices {
    () => {
        need_root!();
        differs!(Runc | Crun | Youki, "not in older ones");
        if !can_make_devices() {
            skip!("needs ip, nsenter, and virtual Ethernet devices in the kernel");
        }
    };
}

#[path = "net_devices/failures.rs"]
mod failures;

fn sleeper(devices: Value) -> Bundle {
    let mut bundle = Bundle::new(&["sleep", "1000"]);
    bundle.set("/linux/netDevices", devices);
    bundle
}

/// Name, hardware address, MTU and global addresses of both families are kept; it is up.
#[test]
fn all_that_was_set_goes_along() {
    need_devices!();
    let bundle = sleeper(json!({ "onggi0": { "name": "eth0" } }));
    let host = Net::host(&bundle);
    let dev = ["dev", "onggi0"];
    for words in [
        &["link", "set", "onggi0", "address", "02:00:00:00:00:07", "mtu", "1400"][..],
        &["addr", "add", "10.7.0.1/24", "broadcast", "10.7.0.255", "label", "onggi0:a"],
        &["addr", "add", "10.7.0.2/24"],
        &["addr", "add", "10.8.0.1", "peer", "10.8.0.9/32", "metric", "77"],
        &["addr", "add", "fd00:7::1/64", "nodad", "noprefixroute"],
        // Not to be kept: of this link alone, and with an end.
        &["addr", "add", "10.9.0.1/24", "scope", "link"],
        &["addr", "add", "10.6.0.1/24", "valid_lft", "1000", "preferred_lft", "1000"],
    ] {
        let with_device =
            if words[0] == "addr" { [words, &dev[..]].concat() } else { words.to_vec() };
        host.ip(&with_device).ok();
    }
    host.ip(&["link", "set", "onggi0", "up"]).ok();
    host.create(&bundle);
    let link = inside(&bundle, "eth0");
    assert_eq!(link["address"], "02:00:00:00:00:07", "{link}");
    assert_eq!(link["mtu"], 1400, "{link}");
    assert!(link["flags"].as_array().is_some_and(|flags| flags.contains(&json!("UP"))), "{link}");
    let mut kept = global(&link);
    kept.sort();
    assert_eq!(kept, ["10.7.0.1/24", "10.7.0.2/24", "10.8.0.1/32", "fd00:7::1/64"], "{link}");
    let find = |local: &str| {
        let list = link["addr_info"].as_array().cloned().unwrap_or_default();
        list.into_iter().find(|one| one["local"] == local).expect("the address")
    };
    assert_eq!(find("10.7.0.1")["label"], "eth0:a");
    assert_eq!(find("10.7.0.1")["broadcast"], "10.7.0.255");
    assert_eq!(find("10.7.0.2")["label"], "eth0");
    assert_eq!(find("10.8.0.1")["address"], "10.8.0.9");
    assert_eq!(find("10.8.0.1")["metric"], 77);
    assert_eq!(find("fd00:7::1")["noprefixroute"], true, "{link}");
    assert!(!host.has("onggi0"));
    bundle.delete();
    bundle.assert_clean();
}

/// It was down: the spec has it up in the container. Its sysctls can be set by config.json.
#[test]
fn without_a_new_name_it_keeps_its_own_and_is_brought_up() {
    need_devices!();
    let mut bundle = sleeper(json!({ "onggi0": {} }));
    bundle.set("/linux/sysctl", json!({ "net/ipv4/conf/onggi0/forwarding": "1" }));
    let host = Net::host(&bundle);
    host.create(&bundle);
    let link = inside(&bundle, "onggi0");
    assert!(link["flags"].as_array().is_some_and(|flags| flags.contains(&json!("UP"))), "{link}");
    bundle.start();
    let output = bundle.exec(&["cat", "/proc/sys/net/ipv4/conf/onggi0/forwarding"]);
    assert_eq!(output.ok(), "1\n");
    bundle.delete();
}

/// Both ends of a pair change names with each other, and templates get the first free number.
#[test]
fn names_are_exchanged_and_filled_in() {
    need_devices!();
    let bundle = sleeper(json!({ "onggi0": { "name": "onggi1" }, "onggi1": { "name": "onggi0" } }));
    let host = Net::host(&bundle);
    host.ip(&["link", "set", "onggi0", "address", "02:00:00:00:00:07"]).ok();
    host.create(&bundle);
    assert_eq!(inside(&bundle, "onggi1")["address"], "02:00:00:00:00:07");
    bundle.delete();

    let bundle = sleeper(json!({ "onggi0": { "name": "net%d" }, "onggi1": { "name": "net%d" } }));
    let host = Net::host(&bundle);
    for device in ["onggi0", "onggi1"] {
        host.ip(&["addr", "add", &format!("10.7.0.{}/24", device.len()), "dev", device]).ok();
    }
    host.create(&bundle);
    for device in ["net0", "net1"] {
        assert_eq!(global(&inside(&bundle, device)), ["10.7.0.6/24"]);
    }
    bundle.delete();
}

/// Another name of a device finds it; it is not what it is called then.
#[test]
fn alternative_names_find_a_device() {
    need_devices!();
    let bundle = sleeper(json!({ "other0": {} }));
    let host = Net::host(&bundle);
    if host.ip(&["link", "property", "add", "dev", "onggi0", "altname", "other0"]).code != 0 {
        skip!("needs alternative names of network devices: Linux 5.5");
    }
    host.create(&bundle);
    assert_eq!(inside(&bundle, "onggi0")["ifname"], "onggi0");
    bundle.delete();
}

/// A namespace that is joined keeps the device when the container is gone.
#[test]
fn a_joined_namespace_keeps_it() {
    need_devices!();
    let mut bundle = sleeper(json!({ "onggi0": { "name": "net%d" } }));
    let host = Net::host(&bundle);
    let target = Net::new(&bundle, "pod");
    target.ip(&["link", "add", "net0", "type", "veth", "peer", "name", "net2"]).ok();
    without_namespace(&mut bundle.config, "network");
    bundle.push("/linux/namespaces", json!({ "type": "network", "path": target.path() }));
    host.ip(&["addr", "add", "10.7.0.1/24", "dev", "onggi0"]).ok();
    host.create(&bundle);
    assert_eq!(global(&inside(&bundle, "net1")), ["10.7.0.1/24"]);
    bundle.delete();
    bundle.assert_clean();
    assert!(target.has("net1") && !host.has("onggi0"));
}

#[test]
fn with_a_user_namespace() {
    need_devices!();
    let mut bundle = sleeper(json!({ "onggi0": { "name": "eth0" } }));
    bundle.user_namespace();
    let host = Net::host(&bundle);
    host.ip(&["addr", "add", "10.7.0.1/24", "dev", "onggi0"]).ok();
    host.create(&bundle);
    assert_eq!(global(&inside(&bundle, "eth0")), ["10.7.0.1/24"]);
    bundle.delete();
}

/// A `run` that stays does not keep the namespace: it ends with the container's processes.
#[test]
fn a_run_in_the_foreground_keeps_no_namespace() {
    need_devices!();
    let bundle = sleeper(json!({ "onggi0": {} }));
    let host = Net::host(&bundle);
    bundle.write();
    let mut command = host.command(&bundle, "run");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut runtime = command.spawn().expect("run");
    wait_until("the container", || {
        let output = bundle.call(&["state", &bundle.id]);
        output.code == 0 && output.stdout.contains("\"running\"")
    });
    let holds = |runtime: &std::process::Child| {
        let fds = std::fs::read_dir(format!("/proc/{}/fd", runtime.id())).expect("descriptors");
        let mut links = fds.flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok());
        links.any(|link| link.to_string_lossy().starts_with("net:"))
    };
    // Its program may run some moments before the runtime knows.
    let deadline = Instant::now() + Duration::from_secs(30);
    while holds(&runtime) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    let held = holds(&runtime);
    bundle.kill("KILL");
    let _ = runtime.wait();
    assert!(!held, "the runtime keeps a network namespace open");
    bundle.assert_clean();
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_touched() {
    need_devices!();
    let mut bundle = sleeper(json!({ "onggi0": {} }));
    let host = Net::host(&bundle);
    without_namespace(&mut bundle.config, "network");
    host.call(&bundle, "run").exits(1).fails_with(&["without a NET namespace"]);
    // The host's own, by its path.
    bundle.push("/linux/namespaces", json!({ "type": "network", "path": host.path() }));
    host.call(&bundle, "run").exits(1).fails_with(&["that of the devices"]);
    bundle.set("/linux/netDevices", json!({ "onggi0": { "name": "a/b" } }));
    host.call(&bundle, "run").exits(1).fails_with(&["invalid network device name"]);
    assert!(host.has("onggi0") && Path::new(&host.path()).exists());
    bundle.assert_clean();
}

/// The kernel ends a virtual device with the namespace; nobody moves it out before.
#[test]
fn it_ends_with_the_namespace_of_the_container() {
    need_devices!();
    let bundle = sleeper(json!({ "onggi0": {} }));
    let host = Net::host(&bundle);
    host.create(&bundle);
    bundle.delete();
    // The other end goes with it.
    let gone = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        !host.has("onggi1")
    });
    assert!(gone && !host.has("onggi0"));
}
