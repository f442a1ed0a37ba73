//! Masked and read-only paths beyond what conformance.rs sees.

use integration_tests::{Bundle, mount, need_root};
use serde_json::json;
use std::fs;

#[test]
fn masked_things_cannot_be_read_or_listed() {
    need_root!();
    let mut bundle =
        Bundle::new(&["all", "cat", "/secret", "--", "ls", "/dir", "--", "echo", "end"]);
    fs::write(bundle.rootfs().join("secret"), "secret").expect("write");
    fs::create_dir(bundle.rootfs().join("dir")).expect("mkdir");
    fs::write(bundle.rootfs().join("dir/file"), "secret").expect("write");
    bundle.set("/linux/maskedPaths", json!(["/secret", "/dir"]));
    assert_eq!(bundle.run().ok(), "end\n");
    assert_eq!(fs::read_to_string(bundle.rootfs().join("secret")).ok().as_deref(), Some("secret"));
}

#[test]
fn masked_directory_cannot_be_written() {
    need_root!();
    let mut bundle = Bundle::new(&["touch", "/dir/new"]);
    fs::create_dir(bundle.rootfs().join("dir")).expect("mkdir");
    bundle.set("/linux/maskedPaths", json!(["/dir"])).set("/root/readonly", json!(false));
    bundle.capabilities(&["CAP_DAC_OVERRIDE"]);
    assert!(bundle.run().exits(1).stderr.contains("Read-only"));
}

#[test]
fn masks_reach_mounts_of_the_container() {
    need_root!();
    let mut bundle = Bundle::new(&["all", "cat", "/v/secret", "--", "ls", "/v/dir"]);
    let volume = bundle.dir().join("volume");
    fs::create_dir_all(volume.join("dir/sub")).expect("mkdir");
    fs::write(volume.join("secret"), "secret").expect("write");
    bundle.set("/root/readonly", json!(false));
    bundle.push("/mounts", mount("/v", "bind", &volume.to_string_lossy(), &["rbind"]));
    bundle.set("/linux/maskedPaths", json!(["/v/secret", "/v/dir"]));
    assert_eq!(bundle.run().ok(), "");
}

#[test]
fn read_only_path_keeps_its_content_and_flags() {
    need_root!();
    let mut bundle = Bundle::new(&[
        "all",
        "cat",
        "/ro/file",
        "--",
        "open-write",
        "/ro/file",
        "--",
        "cat",
        "/proc/self/mountinfo",
    ]);
    fs::create_dir(bundle.rootfs().join("ro")).expect("mkdir");
    fs::write(bundle.rootfs().join("ro/file"), "text\n").expect("write");
    bundle
        .set("/linux/readonlyPaths", json!(["/ro", "/proc/sys"]))
        .set("/root/readonly", json!(false));
    let mounts = bundle.config["mounts"].as_array_mut().expect("mounts");
    mounts[0]["options"] = json!(["nosuid", "nodev", "noexec"]);
    let output = bundle.run();
    assert!(output.ok().starts_with("text\n") && output.stdout.contains("Read-only"), "{output}");
    let line = output.stdout.lines().find(|l| l.contains(" /proc/sys ")).unwrap_or_default();
    for flag in ["ro", "nosuid", "nodev", "noexec"] {
        assert!(line.split([' ', ',']).any(|w| w == flag), "{flag}: {line}");
    }
}

#[test]
fn absent_paths_are_passed_over() {
    need_root!();
    let mut bundle = Bundle::new(&["echo", "ran"]);
    bundle
        .set("/linux/maskedPaths", json!(["/no/such", "/proc/no-such"]))
        .set("/linux/readonlyPaths", json!(["/no/such/either"]));
    assert_eq!(bundle.run().ok(), "ran\n");
    assert!(!bundle.rootfs().join("no").exists());
}

#[test]
fn many_masked_directories() {
    need_root!();
    let mut bundle = Bundle::new(&["ls", "/d/63"]);
    let mut paths = Vec::new();
    for number in 0..64 {
        fs::create_dir_all(bundle.rootfs().join(format!("d/{number}/sub"))).expect("mkdir");
        paths.push(format!("/d/{number}"));
    }
    bundle.set("/linux/maskedPaths", json!(paths));
    assert_eq!(bundle.run().ok(), "");
    bundle.assert_clean();
}
