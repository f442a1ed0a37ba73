//! The fallbacks for kernels that lack a system call: the same result by another way. The calls are
//! taken away by a filter, which the container inherits too, so it is asked nothing that needs them.

use integration_tests::{
    Bundle, Output, Peer, mount, need_root, peer, run, runtime, runtimetest, skip,
};
use serde_json::json;
use std::process::Command;

/// Runs the runtime where the kernel does not know the calls `names`.
fn call_without(names: &str, bundle: &Bundle, args: &[&str]) -> Output {
    bundle.write();
    let state = bundle.state_root();
    let mut command = Command::new(runtimetest());
    command.args(["without", names]).arg(runtime()).arg("--root").arg(&state).args(args);
    run(&mut command)
}

fn run_without(names: &str, bundle: &Bundle) -> Output {
    call_without(names, bundle, &["run", "--bundle", &bundle.path(), &bundle.id])
}

macro_rules! only_onggi {
    () => {
        need_root!();
        if peer() != Peer::Onggi {
            skip!("the peers' fallbacks are their own affair");
        }
    };
}

#[test]
fn without_openat2_links_stay_inside() {
    only_onggi!();
    let words = ["all", "ls", "/real/mounted", "--", "ls", "/dev/pts", "--", "cat", "/link"];
    let mut bundle = Bundle::new(&words);
    bundle.set("/root/readonly", json!(false));
    let root = bundle.rootfs();
    std::fs::create_dir_all(root.join("real")).expect("mkdir");
    std::os::unix::fs::symlink("/../../real", root.join("link")).expect("symlink");
    let source = bundle.dir().join("source");
    std::fs::create_dir(&source).expect("mkdir");
    std::fs::write(source.join("mark"), "").expect("write");
    bundle.push("/mounts", mount("/link/mounted", "bind", &source.to_string_lossy(), &["bind"]));
    std::fs::write(bundle.dir().join("file"), "on the link\n").expect("write");
    bundle.push("/mounts", mount("/link", "bind", "file", &["bind", "dest-nofollow"]));
    let output = run_without("openat2", &bundle);
    assert!(output.ok().contains("mark") && output.ok().contains("on the link"), "{output}");
    bundle.assert_clean();
}

#[test]
fn without_mount_setattr_read_only_is_read_only() {
    only_onggi!();
    let mut bundle = Bundle::new(&["touch", "/bound/new"]);
    let source = bundle.dir().join("source");
    std::fs::create_dir(&source).expect("mkdir");
    bundle.push("/mounts", mount("/bound", "bind", &source.to_string_lossy(), &["bind", "ro"]));
    let output = run_without("mount_setattr", &bundle);
    assert!(output.exits(1).stderr.contains("Read-only"), "{output}");
    bundle.args(&["/runtimetest", "touch", "/new"]);
    let output = run_without("mount_setattr", &bundle);
    assert!(output.exits(1).stderr.contains("Read-only"), "{output}");
    bundle.args(&["/runtimetest", "write", "/proc/sys/kernel/hostname", "x"]);
    let output = run_without("mount_setattr", &bundle);
    assert!(output.exits(1).stderr.contains("Read-only"), "{output}");
    // What only the new call can do is refused, not left out.
    bundle.push("/mounts", mount("/deep", "bind", &source.to_string_lossy(), &["rbind", "rro"]));
    run_without("mount_setattr", &bundle).fails_with(&["not implemented"]);
    let last = bundle.config["mounts"].as_array().map_or(0, |list| list.len() - 1);
    let mut mapped = mount("/deep", "bind", &source.to_string_lossy(), &["bind"]);
    mapped["uidMappings"] = json!([{ "containerID": 0, "hostID": 1000, "size": 1 }]);
    mapped["gidMappings"] = mapped["uidMappings"].clone();
    bundle.set(&format!("/mounts/{last}"), mapped);
    run_without("mount_setattr", &bundle).fails_with(&["MOUNT_ATTR_IDMAP", "Linux 5.12"]);
    bundle.assert_clean();
}

#[test]
fn without_clone3_and_close_range() {
    only_onggi!();
    let bundle = Bundle::new(&["all", "fds", "--", "exit", "7"]);
    let output = run_without("clone3,close_range", &bundle);
    let fds: Vec<&str> =
        output.exits(7).stdout.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(fds, ["0", "1", "2"], "{output}");
    bundle.assert_clean();
}

#[test]
fn create_start_exec_delete_without_any_of_them() {
    only_onggi!();
    let names = "openat2,clone3,mount_setattr,close_range,faccessat2,setns-of-several";
    let bundle = Bundle::new(&["signal-wait"]);
    let id = bundle.id.clone();
    let path = bundle.path();
    call_without(names, &bundle, &["run", "--detach", "--bundle", &path, &id]).exits(0);
    bundle.wait_status("running");
    let output = call_without(names, &bundle, &["exec", &id, "/runtimetest", "echo", "in"]);
    assert_eq!(output.ok(), "in\n");
    call_without(names, &bundle, &["kill", &id, "KILL"]).exits(0);
    bundle.wait_status("stopped");
    call_without(names, &bundle, &["delete", &id]).exits(0);
    bundle.assert_clean();
}
