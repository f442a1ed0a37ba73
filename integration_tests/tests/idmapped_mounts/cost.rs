//! What they take: descriptors, and user namespaces that hold their mappings.

use super::{map, mapped, volume};
use integration_tests::{Bundle, differs, need_root, need_strace, run, skip, strace};
use serde_json::json;
use std::fs;

/// Descriptors, options and propagation are as for any other mount.
#[test]
fn checked_from_inside() {
    need_id_maps!();
    for user_namespace in [false, true] {
        let mut bundle = Bundle::check();
        let volume = volume(&bundle);
        if user_namespace {
            bundle.user_namespace();
        }
        bundle.set("/root/readonly", json!(false));
        let limit = json!({ "type": "RLIMIT_NOFILE", "soft": 20, "hard": 20 });
        bundle.set("/process/rlimits", json!([limit]));
        for number in 0..30 {
            let maps = [map(number % 3, 100_000, 10)];
            let options = ["bind", "ro", "nosuid", "noexec", "rshared"];
            let mut entry = mapped(&volume, &options, &maps, &maps);
            entry["destination"] = json!(format!("/v/{number}"));
            bundle.push("/mounts", entry);
        }
        let output = bundle.run();
        need_file_system!(output);
        output.checked().ok();
        bundle.assert_clean();
    }
}

/// A created container that waits has neither the mounts nor the user namespaces open.
#[test]
fn nothing_stays_open() {
    need_id_maps!();
    let mut bundle = Bundle::new(&["true"]);
    let volume = volume(&bundle);
    bundle.set("/root/readonly", json!(false)).user_namespace();
    let one = [map(0, 100_000, 10)];
    bundle.push("/mounts", mapped(&volume, &["bind"], &one, &one));
    let output = bundle.create();
    need_file_system!(output);
    output.ok();
    let dir = fs::read_dir(format!("/proc/{}/fd", bundle.pid())).expect("ls");
    let mut links = 0;
    for entry in dir.flatten() {
        let link = fs::read_link(entry.path()).expect("readlink").to_string_lossy().into_owned();
        // A detached mount shows as its own root.
        assert!(link != "/" && !link.starts_with("user:"), "{entry:?}: {link}");
        links += 1;
    }
    assert!(links > 2, "nothing was looked at");
    bundle.call(&["delete", "--force", &bundle.id]).ok();
    bundle.assert_clean();
}

/// One user namespace for equal mappings, none for those of the container, none without any.
#[test]
fn equal_mappings_share_a_user_namespace() {
    need_id_maps!();
    need_strace!();
    let containers = [map(0, 100_000, 65_536)];
    let (one, other) = ([map(0, 100_000, 10)], [map(0, 100_010, 10)]);
    for (list, want) in [
        (&[][..], 1),
        (&[&containers[..], &[]], 1),
        (&[&one, &one, &one], 2),
        (&[&one, &other, &one, &containers], 3),
    ] {
        let mut bundle = Bundle::new(&["true"]);
        let volume = volume(&bundle);
        bundle.set("/root/readonly", json!(false)).user_namespace();
        for (number, maps) in list.iter().enumerate() {
            let mut entry = mapped(&volume, &["bind", "idmap"], maps, maps);
            entry["destination"] = json!(format!("/v/{number}"));
            bundle.push("/mounts", entry);
        }
        bundle.write();
        let trace = bundle.dir().join("trace");
        let file = trace.to_string_lossy();
        let options = ["-f", "-e", "trace=clone,clone3,mount_setattr", "-o", &file];
        let words = ["run", "--bundle", &bundle.path(), &bundle.id];
        let output = run(&mut strace(&bundle, &options, &words));
        need_file_system!(output);
        output.ok();
        let trace = fs::read_to_string(&trace).expect("trace");
        assert_eq!(trace.matches("CLONE_NEWUSER").count(), want, "{list:?}: {trace}");
        assert_eq!(trace.matches("MOUNT_ATTR_IDMAP").count(), list.len(), "{list:?}: {trace}");
        bundle.assert_clean();
    }
}
