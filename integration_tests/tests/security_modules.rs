//! Labels of SELinux on kernels that run it (see integration_tests/hosts), and labels for modules that do not run.

use integration_tests::{
    Bundle, apparmor_runs, differs, need_root, run, selinux_knows, selinux_runs, skip,
};
use serde_json::json;
use std::fs;

/// A label for containers, of distributions and of the test host's policy.
const LABEL: &str = "system_u:system_r:container_t:s0:c1,c2";

/// What a file of /proc/PID/attr said, without the NUL or the line end behind it.
fn clean(text: &str) -> &str {
    text.trim_end_matches(['\0', '\n', ' '])
}

#[test]
fn selinux_label_of_program_keyring_and_exec() {
    need_root!();
    differs!(Youki, "has no SELinux");
    if !selinux_knows(LABEL) {
        skip!("SELinux does not run here, or has no label for containers");
    }
    let mut bundle = Bundle::new(&["cat", "/proc/self/attr/current"]);
    // A policy may forbid such a change to those that shall get no new privileges.
    bundle.set("/process/noNewPrivileges", json!(false));
    let without = bundle.run();
    assert_ne!(clean(without.ok()), LABEL);
    bundle.set("/process/selinuxLabel", json!(LABEL));
    assert_eq!(clean(bundle.run().ok()), LABEL);
    bundle.args(&["/runtimetest", "keyring", "label"]);
    assert_eq!(clean(bundle.run().ok()), LABEL);

    bundle.args(&["/runtimetest", "sleep", "1000"]);
    bundle.up();
    let own = ["cat", "/proc/self/attr/current"];
    assert_eq!(clean(bundle.exec(&own).ok()), LABEL);
    let other = clean(without.stdout.as_str());
    assert_eq!(clean(bundle.exec_with(&["--process-label", other], &own).ok()), other);
    bundle.exec_with(&["--process-label", "no:such:label"], &own).exits(255).fails_with(&["label"]);
    bundle.delete();
    bundle.assert_clean();
}

#[test]
fn selinux_label_that_the_policy_does_not_know() {
    need_root!();
    differs!(Youki, "has no SELinux");
    if !selinux_knows(LABEL) {
        skip!("SELinux does not run here, or has no label for containers");
    }
    let mut bundle = Bundle::new(&["true"]);
    bundle.set("/process/selinuxLabel", json!("no:such:label"));
    bundle.run().exits(1).fails_with(&["label", "invalid argument"]);
    bundle.assert_clean();
}

/// What engines name by default must work on kernels without it.
#[test]
fn labels_for_modules_that_do_not_run() {
    need_root!();
    differs!(Runc | Youki, "refuses one or the other");
    let (apparmor, selinux) = (apparmor_runs(), selinux_runs());
    let mut bundle = Bundle::new(&["echo", "ran"]);
    if !apparmor {
        bundle.set("/process/apparmorProfile", json!("docker-default"));
    }
    if !selinux {
        bundle.set("/process/selinuxLabel", json!("system_u:system_r:container_t:s0"));
    }
    assert_eq!(bundle.run().ok(), "ran\n");
    let log = bundle.dir().join("log.json");
    bundle.write();
    let words =
        ["--debug", "--log", &log.to_string_lossy(), "run", "-b", &bundle.path(), &bundle.id];
    run(&mut bundle.command(&words)).ok();
    let text = fs::read_to_string(&log).unwrap_or_default();
    assert_eq!(text.contains("AppArmor is not enabled"), !apparmor, "{text}");
    assert_eq!(text.contains("SELinux is not enabled"), !selinux, "{text}");
}
