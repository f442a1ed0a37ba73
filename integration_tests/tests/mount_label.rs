//! `linux.mountLabel`.

use integration_tests::{Bundle, differs, mount, need_root, selinux_knows, selinux_runs, skip};
use serde_json::json;

/// A label for files of containers, of distributions and of the test host's policy.
const LABEL: &str = "system_u:object_r:container_file_t:s0:c1,c2";

/// Where SELinux runs the new file systems have the label, but for those that have their own; elsewhere it
/// is passed over, since engines name one whatever the host.
#[test]
fn is_that_of_new_file_systems_where_selinux_runs() {
    need_root!();
    let known = selinux_knows(LABEL);
    if selinux_runs() && !known {
        skip!("SELinux has no label for files of containers");
    }
    let mut bundle = Bundle::new(&["cat", "/proc/self/mountinfo"]);
    bundle.set("/root/readonly", json!(false)).set("/linux/mountLabel", json!(LABEL));
    bundle.push("/mounts", mount("/scratch", "tmpfs", "tmpfs", &["size=64k"]));
    let output = bundle.run();
    let label = format!("context=\"{LABEL}\"");
    for (target, labelled) in
        [("/scratch", true), ("/dev", true), ("/dev/pts", true), ("/proc", false), ("/sys", false)]
    {
        let mut lines = output.ok().lines();
        let line = lines.rfind(|line| line.split(' ').nth(4) == Some(target));
        let line = line.unwrap_or_else(|| panic!("{target} is no mount: {output}"));
        assert_eq!(line.contains(&label), known && labelled, "{line}");
    }
    bundle.assert_clean();
}

/// With the option that an annotation names, the same file systems are labelled in another way.
#[test]
fn an_annotation_names_the_option() {
    need_root!();
    differs!(Runc | Youki, "it knows no such annotation");
    if !selinux_knows(LABEL) {
        skip!("SELinux does not run here, or has no label for files of containers");
    }
    let mut bundle = Bundle::new(&["cat", "/proc/self/mountinfo"]);
    bundle.set("/root/readonly", json!(false)).set("/linux/mountLabel", json!(LABEL));
    bundle.push("/mounts", mount("/scratch", "tmpfs", "tmpfs", &["size=64k"]));
    for option in ["rootcontext", "fscontext"] {
        bundle.set("/annotations", json!({ "run.oci.mount_context_type": option }));
        let output = bundle.run();
        let mut lines = output.ok().lines();
        let line = lines.rfind(|line| line.split(' ').nth(4) == Some("/scratch"));
        let line = line.unwrap_or_else(|| panic!("no such mount: {output}"));
        assert!(line.contains(&format!(",{option}=\"{LABEL}\"")), "{line}");
        assert!(!line.contains(&format!(",context=\"{LABEL}\"")), "{line}");
    }
    // The kernel says which file systems take which.
    bundle.set("/annotations", json!({ "run.oci.mount_context_type": "defcontext" }));
    bundle.run().exits(1).fails_with(&["invalid argument"]);
    bundle.set("/annotations", json!({ "run.oci.mount_context_type": "no-such" }));
    bundle.run().exits(1).fails_with(&["no-such"]);
    bundle.assert_clean();
}

#[test]
fn a_broken_one_is_refused() {
    need_root!();
    let mut bundle = Bundle::new(&["true"]);
    bundle.set("/linux/mountLabel", json!("a\0b"));
    if integration_tests::peer() == integration_tests::Peer::Onggi {
        bundle.run().exits(1).fails_with(&["/linux/mountLabel", "null byte"]);
    }
}
