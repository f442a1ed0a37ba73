//! `linux.mountLabel`.

use integration_tests::{Bundle, mount, need_root, selinux_label, selinux_runs, skip};
use serde_json::json;

/// Labels for files of containers: those of the test hosts' policy, and of distributions.
const LABELS: [&str; 2] =
    ["onggi_u:onggi_r:onggi_box_t", "system_u:object_r:container_file_t:s0:c1,c2"];

/// Where SELinux runs the new file systems have the label, but for those that have their own; elsewhere it
/// is passed over, since engines name one whatever the host.
#[test]
fn is_that_of_new_file_systems_where_selinux_runs() {
    need_root!();
    let known = selinux_label(&LABELS);
    if selinux_runs() && known.is_none() {
        skip!("SELinux has no label for files of containers");
    }
    let label = known.unwrap_or(LABELS[1]);
    let mut bundle = Bundle::new(&["cat", "/proc/self/mountinfo"]);
    bundle.set("/root/readonly", json!(false)).set("/linux/mountLabel", json!(label));
    bundle.push("/mounts", mount("/scratch", "tmpfs", "tmpfs", &["size=64k"]));
    let output = bundle.run();
    // In quotes where it has a comma.
    let shown = [format!("context={label}"), format!("context=\"{label}\"")];
    for (target, labelled) in
        [("/scratch", true), ("/dev", true), ("/dev/pts", true), ("/proc", false), ("/sys", false)]
    {
        let mut lines = output.ok().lines();
        let line = lines.rfind(|line| line.split(' ').nth(4) == Some(target));
        let line = line.unwrap_or_else(|| panic!("{target} is no mount: {output}"));
        assert_eq!(
            shown.iter().any(|text| line.contains(text)),
            known.is_some() && labelled,
            "{line}"
        );
    }
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
