//! When `create` or `run` fails: the devices are the host's as before, and nothing else is.

use super::*;

/// What fails leaves the host's devices as they were, also those that had been moved before.
#[test]
fn a_failure_leaves_all_on_the_host() {
    need_devices!();
    let taken = json!({ "onggi0": { "name": "eth0" }, "onggi1": { "name": "lo" } });
    let missing = json!({ "onggi0": { "name": "eth0" }, "onggi9": {} });
    // Only the kernel knows that a loopback device stays where it is, once onggi0 has gone: "lo" is
    // sorted before it, so it goes by another name.
    let immovable = json!({ "onggi0": { "name": "eth0" }, "zlo": { "name": "lo%d" } });
    for (devices, words) in [
        (taken, &["onggi1", "file exists"][..]),
        (missing, &["onggi9", "no such device"]),
        (immovable, &["zlo", "move network device"]),
    ] {
        let bundle = sleeper(devices);
        let host = Net::host(&bundle);
        host.ip(&["link", "set", "lo", "name", "zlo"]).ok();
        host.ip(&["addr", "add", "10.7.0.1/24", "dev", "onggi0"]).ok();
        host.ip(&["addr", "add", "10.9.0.1/24", "scope", "link", "dev", "onggi0"]).ok();
        host.ip(&["addr", "add", "fd00:7::1/64", "nodad", "dev", "onggi0"]).ok();
        host.ip(&["link", "set", "onggi0", "up"]).ok();
        let output = host.call(&bundle, "run");
        output.exits(1).fails_with(words);
        let text = host.ip(&["addr", "show", "dev", "onggi0"]).ok().to_owned();
        for part in ["10.7.0.1/24", "10.9.0.1/24", "fd00:7::1/64", ",UP"] {
            assert!(text.contains(part), "{part} is gone after {output}: {text}");
        }
        bundle.assert_clean();
    }
}

/// Once they were moved: a later step of `create` fails, the very last one, or the start of `run`.
#[test]
fn a_later_failure_gives_them_back() {
    need_devices!();
    let hook = json!({ "createContainer": [{ "path": "/bin/false" }] });
    for (verb, joins, change) in [
        ("create", false, ("/process/args", json!(["/nonexistent"]))),
        ("create", true, ("/process/args", json!(["/nonexistent"]))),
        ("create", true, ("/hooks", hook.clone())),
        ("create", false, ("/annotations", json!({ "run.oci.pidfd_receiver": "/nonexistent" }))),
        ("run", true, ("/hooks", hook)),
        ("run", false, ("/hooks", json!({ "startContainer": [{ "path": "/nonexistent" }] }))),
    ] {
        let mut bundle =
            sleeper(json!({ "onggi0": { "name": "eth0" }, "onggi1": { "name": "net%d" } }));
        bundle.set(change.0, change.1.clone());
        let host = Net::host(&bundle);
        let target = Net::new(&bundle, "pod");
        if joins {
            without_namespace(&mut bundle.config, "network");
            bundle.push("/linux/namespaces", json!({ "type": "network", "path": target.path() }));
        }
        host.ip(&["link", "set", "onggi0", "address", "02:00:00:00:00:07"]).ok();
        host.ip(&["addr", "add", "10.7.0.1/24", "dev", "onggi0"]).ok();
        host.ip(&["link", "set", "onggi0", "up"]).ok();
        let output = host.call(&bundle, verb);
        assert_ne!(output.code, 0, "{change:?}: {output}");
        assert!(!output.stderr.contains("bring back"), "{output}");
        let text = host.ip(&["addr", "show", "dev", "onggi0"]).ok().to_owned();
        for part in ["10.7.0.1/24", "02:00:00:00:00:07", ",UP"] {
            assert!(text.contains(part), "{part} is gone after {output}: {text}");
        }
        assert!(host.has("onggi1"), "onggi1 is gone after {output}");
        assert!(!target.has("eth0") && !target.has("net0"), "{output}");
        bundle.assert_clean();
    }
}

/// Whoever is in a namespace that is joined may put a device of his own in the place of one that is to go back: with its
/// name and its addresses, his end of a cable would be the host's.
#[test]
fn a_device_that_was_exchanged_does_not_go_to_the_host() {
    need_devices!();
    for name in ["eth0", "net%d"] {
        let mut bundle = sleeper(json!({ "onggi0": { "name": name } }));
        let host = Net::host(&bundle);
        let target = Net::new(&bundle, "pod");
        without_namespace(&mut bundle.config, "network");
        bundle.push("/linux/namespaces", json!({ "type": "network", "path": target.path() }));
        host.ip(&["addr", "add", "10.7.0.1/24", "dev", "onggi0"]).ok();
        host.ip(&["link", "set", "onggi0", "up"]).ok();
        // Done by a hook, so that it is done in time.
        let script = format!(
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin; now={}; set -e; ip='ip -n {}'; \
             number=$($ip -o link show dev $now | cut -d : -f 1); $ip link del $now; \
             $ip link add name $now index $number address 02:00:00:00:00:66 type veth peer name other; \
             echo exchanged >&2; exit 1",
            name.replace("%d", "0"),
            target.0
        );
        let hook = json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }]);
        bundle.set("/hooks", json!({ "createRuntime": hook }));
        let output = host.call(&bundle, "run");
        output.fails_with(&["exchanged", "bring back network device", "onggi0"]);
        assert!(!host.has("onggi0"), "the host has the device of somebody else: {output}");
        assert!(target.has("other"), "{output}");
        bundle.assert_clean();
    }
}
