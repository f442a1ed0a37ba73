//! That SELinux holds a labelled process back, under the policy of the test host (`hosts/selinux.cil`). What
//! any policy shows is in `security_modules.rs`.

use integration_tests::{Bundle, mount, need_root, selinux_knows, skip};
use serde_json::json;
use std::fs;

const CURRENT: &str = "/proc/self/attr/current";
const CONTAINER: &str = "system_u:system_r:container_t:s0:c1,c2";
const PRIVILEGED: &str = "system_u:system_r:spc_t:s0";
const SECRET: &str = "system_u:object_r:secret_t:s0";

/// Skips the test unless the kernel enforces the policy of integration_tests/hosts.
macro_rules! need_policy {
    () => {
        need_root!();
        let enforced = fs::read_to_string("/sys/fs/selinux/enforce").unwrap_or_default();
        if !selinux_knows(SECRET) || enforced != "1" {
            skip!("the policy of the test host is not in force here (make test-hosts)");
        }
    };
}

/// A bundle whose process has the label, with a directory at `/secret` that is not for containers.
fn labelled(label: &str, args: &[&str]) -> Bundle {
    let mut bundle = Bundle::new(args);
    bundle.set("/process/selinuxLabel", json!(label)).set("/root/readonly", json!(false));
    bundle.push(
        "/mounts",
        mount("/secret", "tmpfs", "tmpfs", &["size=64k", &format!("context={SECRET}")]),
    );
    bundle
}

#[test]
fn the_process_is_confined() {
    need_policy!();
    for no_new_privileges in [true, false] {
        let mut bundle = labelled(
            CONTAINER,
            &["all", "cat", CURRENT, "--", "ls", "/etc", "--", "ls", "/secret"],
        );
        bundle.set("/process/noNewPrivileges", json!(no_new_privileges));
        let output = bundle.run();
        assert!(output.stdout.starts_with(CONTAINER), "{output}");
        assert!(output.code != 0 && output.stderr.contains("Permission denied"), "{output}");
        bundle.set("/process/selinuxLabel", json!(PRIVILEGED));
        let output = bundle.run();
        assert!(output.ok().starts_with(PRIVILEGED), "{output}");
        bundle.assert_clean();
    }
}

#[test]
fn exec_takes_that_of_the_container_or_its_own() {
    need_policy!();
    let bundle = labelled(CONTAINER, &["sleep", "100"]);
    bundle.up();
    let cat = ["cat", CURRENT];
    let output = bundle.exec(&cat);
    assert!(output.ok().starts_with(CONTAINER), "{output}");
    let output = bundle.exec_with(&["--process-label", PRIVILEGED], &cat);
    assert!(output.ok().starts_with(PRIVILEGED), "{output}");
    let process = json!({
        "args": ["/runtimetest", "cat", CURRENT], "cwd": "/", "user": { "uid": 0, "gid": 0 }, "selinuxLabel": PRIVILEGED,
    });
    let path = bundle.dir().join("process.json");
    fs::write(&path, process.to_string()).expect("write");
    let output = bundle.call(&["exec", "--process", &path.to_string_lossy(), &bundle.id]);
    assert!(output.ok().starts_with(PRIVILEGED), "{output}");
    let output = bundle.exec(&["ls", "/secret"]);
    assert!(output.code != 0 && output.stderr.contains("Permission denied"), "{output}");
    bundle.delete();
    bundle.assert_clean();
}

/// The session keyring that the runtime makes is for the process, not for the runtime.
#[test]
fn the_process_may_use_its_keyring() {
    need_policy!();
    let bundle = labelled(CONTAINER, &["keyring"]);
    let serial = bundle.run().ok().trim().parse::<i64>();
    assert!(serial.is_ok_and(|serial| serial > 0), "a serial number");
    let bundle = labelled(CONTAINER, &["sleep", "100"]);
    bundle.up();
    bundle.exec(&["keyring"]).ok();
    bundle.delete();
    bundle.assert_clean();
}
