//! What went wrong where a runtime began to make the mount namespace out of the root file system alone
//! (`OPEN_TREE_NAMESPACE`, Linux 7.0): five reports of crun's users, each as a test. They hold for any way
//! to make it.

use integration_tests::{Bundle, HostMount, Output, differs, mount, need_root, run, skip};
use nix::mount::MsFlags;
use serde_json::json;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// containers/crun#2119: the host's devices were out of reach, `/dev/null` became a file, and the output
/// went there.
#[test]
fn output_is_not_lost_in_a_false_null_device() {
    need_root!();
    for user_namespace in [false, true] {
        let mut bundle = Bundle::new(&["all", "echo", "here", "--", "stat", "/dev/null"]);
        if user_namespace {
            bundle.user_namespace();
        }
        bundle.write();
        let mut command = bundle.command(&["run", "--bundle", &bundle.path(), &bundle.id]);
        // By pipes, as an engine has them.
        let output = run(&mut command);
        assert!(output.ok().starts_with("here\n/dev/null c 666 "), "{output}");
        // By files, with nothing to read.
        let file = bundle.dir().join("output");
        let mut command = bundle.command(&["run", "--bundle", &bundle.path(), &bundle.id]);
        command.stdin(Stdio::null()).stdout(fs::File::create(&file).expect("create"));
        assert!(command.status().expect("run").success());
        assert_eq!(fs::read_to_string(&file).expect("read"), output.stdout);
        bundle.assert_clean();
    }
}

/// The peer group (`shared:N`) in the line of mountinfo for `target`.
fn peer_group(mountinfo: &str, target: &str) -> Option<String> {
    let line = mountinfo.lines().rfind(|line| line.split(' ').nth(4) == Some(target))?;
    line.split(' ').find(|word| word.starts_with("shared:")).map(str::to_owned)
}

/// containers/crun#2122: copies that were cut off first came back as peers of nobody.
#[test]
fn a_shared_mount_stays_a_peer_of_the_hosts() {
    need_root!();
    differs!(Crun | Youki, "some versions cut it off");
    let mut bundle = Bundle::new(&["sleep", "100"]);
    let volume = HostMount::tmpfs(bundle.dir().join("volume"));
    volume.change(MsFlags::MS_SHARED);
    fs::create_dir(volume.0.join("later")).expect("mkdir");
    let source = volume.0.to_string_lossy().into_owned();
    bundle.set("/root/readonly", json!(false)).set("/linux/rootfsPropagation", json!("rshared"));
    bundle.push("/mounts", mount("/v", "bind", &source, &["rbind", "rshared"]));
    bundle.up();
    let host = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let inside = bundle.exec(&["cat", "/proc/self/mountinfo"]);
    let group = peer_group(&host, &source);
    assert!(group.is_some(), "{host}");
    assert_eq!(peer_group(inside.ok(), "/v"), group);
    let later = HostMount::tmpfs(volume.0.join("later"));
    fs::write(later.0.join("file"), "x").expect("write");
    assert_eq!(bundle.exec(&["ls", "/v/later"]).ok(), "file\n");
    drop(later);
    bundle.call(&["delete", "--force", &bundle.id]).ok();
    drop(volume);
    bundle.assert_clean();
}

/// containers/crun#2124: who is root of a user namespace only, as below rootless Podman, lost `/proc`.
#[test]
fn as_root_of_a_user_namespace() {
    need_root!();
    differs!(Runc | Crun | Youki, "wants other cgroups for it");
    let mut bundle = Bundle::new(&["all", "ls", "/proc/self/ns", "--", "cat", "/v/file"]);
    let volume = bundle.dir().join("volume");
    fs::create_dir(&volume).expect("mkdir");
    fs::write(volume.join("file"), "seen\n").expect("write");
    bundle.set("/root/readonly", json!(false)).unset("/linux/resources");
    // There is one group only.
    for entry in bundle.config["mounts"].as_array_mut().into_iter().flatten() {
        if let Some(options) = entry["options"].as_array_mut() {
            options.retain(|option| option != "gid=5");
        }
    }
    bundle.push("/mounts", mount("/v", "bind", &volume.to_string_lossy(), &["rbind", "ro"]));
    bundle.write();
    let runtime = bundle.command(&["run", "--bundle", &bundle.path(), &bundle.id]);
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "--"]).arg(runtime.get_program());
    let output = run(command.args(runtime.get_args()));
    if output.stderr.starts_with("unshare:") {
        skip!("no user namespaces here");
    }
    assert!(output.ok().contains("mnt\n") && output.stdout.ends_with("seen\n"), "{output}");
    bundle.assert_clean();
}

/// containers/crun#2167: createContainer hooks come when all mounts are there, and before the root is
/// changed: NVIDIA's look into `proc` of the root by its path on the host.
#[test]
fn create_container_hooks_see_the_mounts_and_the_host() {
    need_root!();
    differs!(Crun | Youki, "some versions run them too early");
    let mut bundle = Bundle::new(&["true"]);
    let volume = bundle.dir().join("volume");
    fs::create_dir(&volume).expect("mkdir");
    fs::write(volume.join("file"), "x").expect("write");
    bundle.set("/root/readonly", json!(false));
    bundle.push("/mounts", mount("/v", "bind", &volume.to_string_lossy(), &["rbind"]));
    let line = "cd \"$1\" && test -e rootfs/proc/version && test -c rootfs/dev/null && \
                test -e rootfs/dev/pts/ptmx && test -e rootfs/v/file && test -d rootfs/sys/kernel && \
                echo all there > record";
    let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", line, "sh", bundle.path()] });
    bundle.set("/hooks/createContainer", json!([hook]));
    bundle.run().ok();
    assert_eq!(fs::read_to_string(bundle.dir().join("record")).expect("record"), "all there\n");
}

/// Mount namespaces that are pinned to files below a directory, as snapd does in /run.
struct Pinned {
    volume: HostMount,
    holders: Vec<Child>,
}

impl Pinned {
    /// Three of them; `None` where the kernel lets no mount namespace be pinned.
    fn new(dir: &Path) -> Option<Self> {
        let volume = HostMount::tmpfs(dir.to_owned());
        volume.change(MsFlags::MS_PRIVATE);
        fs::create_dir(dir.join("ns")).expect("mkdir");
        fs::write(dir.join("file"), "seen\n").expect("write");
        let mut pinned = Self { volume, holders: Vec::new() };
        let own = namespace_number("self");
        for _ in 0..30 {
            let mut command = Command::new("unshare");
            let holder = command.args(["--mount", "sleep", "100"]).spawn().expect("unshare");
            let pid = holder.id().to_string();
            pinned.holders.push(holder);
            integration_tests::wait_until("the namespace", || namespace_number(&pid) != own);
            let place = dir.join("ns").join(&pid);
            fs::write(&place, "").expect("write");
            let source = format!("/proc/{pid}/ns/mnt");
            let flags = MsFlags::MS_BIND;
            // Refused for a namespace that counts as older than this process's.
            let _ = nix::mount::mount(Some(&*source), &place, None::<&str>, flags, None::<&str>);
            let text = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
            if text.matches(" - nsfs ").count() > 2 {
                return Some(pinned);
            }
        }
        None
    }

    fn path(&self) -> String {
        self.volume.0.to_string_lossy().into_owned()
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        for holder in &mut self.holders {
            let _ = holder.kill();
            let _ = holder.wait();
        }
    }
}

fn namespace_number(pid: &str) -> Option<u64> {
    fs::metadata(format!("/proc/{pid}/ns/mnt")).ok().map(|meta| meta.ino())
}

/// containers/crun#2262 and #2264: a recursive bind mount of what has such namespaces below failed with
/// ELOOP, or the container's own root was bound in its place.
#[test]
fn pinned_mount_namespaces_below_a_source() {
    need_root!();
    differs!(Crun | Youki, "some versions fail");
    for user_namespace in [false, true] {
        for propagation in ["rslave", "rshared"] {
            let mut bundle = Bundle::new(&["cat", "/v/file"]);
            let Some(pinned) = Pinned::new(&bundle.dir().join("volume")) else {
                skip!("no mount namespace can be pinned here");
            };
            bundle.set("/root/readonly", json!(false));
            bundle.set("/linux/rootfsPropagation", json!(propagation));
            if user_namespace {
                bundle.user_namespace();
            }
            let options = ["rbind", propagation];
            bundle.push("/mounts", mount("/v", "bind", &pinned.path(), &options));
            let output: Output = bundle.run();
            assert_eq!(output.ok(), "seen\n", "{user_namespace} {propagation}");
            drop(pinned);
            bundle.assert_clean();
        }
    }
}

#[test]
fn pinned_mount_namespaces_below_a_source_that_is_added() {
    need_root!();
    differs!(Runc | Crun | Youki, "has no such verb, or fails");
    for user_namespace in [false, true] {
        let mut bundle = Bundle::new(&["sleep", "100"]);
        let Some(pinned) = Pinned::new(&bundle.dir().join("volume")) else {
            skip!("no mount namespace can be pinned here");
        };
        bundle.set("/root/readonly", json!(false));
        if user_namespace {
            bundle.user_namespace();
        }
        bundle.up();
        let list = bundle.dir().join("mounts.json");
        let entry = mount("/v", "bind", &pinned.path(), &["rbind"]);
        fs::write(&list, json!([entry]).to_string()).expect("write");
        bundle.call(&["mounts", "add", &bundle.id, &list.to_string_lossy()]).ok();
        assert_eq!(bundle.exec(&["cat", "/v/file"]).ok(), "seen\n", "{user_namespace}");
        bundle.call(&["delete", "--force", &bundle.id]).ok();
        drop(pinned);
        bundle.assert_clean();
    }
}
