//! Id-mapped mounts: whose mappings, on what, and what cannot be mapped.

use integration_tests::{
    Bundle, HostMount, Output, differs, mount, namespace_link, need_root, skip, wait_until,
    without_namespace,
};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

macro_rules! need_id_maps {
    () => {
        need_root!();
        differs!(Runc | Crun | Youki, "not in older ones");
    };
}

/// Ends the test where the file system of the bundle cannot be mapped.
macro_rules! need_file_system {
    ($output:expr) => {
        if $output.stderr.contains("doesn't support idmap mounts") {
            skip!("the file system here has no id-mapped mounts");
        }
    };
}

#[path = "idmapped_mounts/cost.rs"]
mod cost;

/// Files `/v/file` of 0:0 and `/v/other` of 5:6.
fn volume(bundle: &Bundle) -> PathBuf {
    let volume = bundle.dir().join("volume");
    fs::create_dir(&volume).expect("mkdir");
    for (name, uid, gid) in [("file", 0, 0), ("other", 5, 6)] {
        fs::write(volume.join(name), "x").expect("write");
        chown(volume.join(name), Some(uid), Some(gid)).expect("chown");
    }
    volume
}

fn map(container: u32, host: u32, size: u32) -> Value {
    json!({ "containerID": container, "hostID": host, "size": size })
}

/// A bind mount of `source` at `/v`; empty maps leave the fields out.
fn mapped(source: &Path, options: &[&str], uid: &[Value], gid: &[Value]) -> Value {
    let mut entry = mount("/v", "bind", &source.to_string_lossy(), options);
    for (field, maps) in [("uidMappings", uid), ("gidMappings", gid)] {
        if !maps.is_empty() {
            entry[field] = json!(maps);
        }
    }
    entry
}

/// The owners in what `runtimetest stat` printed, as `uid:gid`.
fn owners(output: &Output) -> Vec<String> {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    output.ok().lines().map(words).map(|words| format!("{}:{}", words[3], words[4])).collect()
}

const NOBODY: &str = "65534:65534";

/// The mount's own mappings and, where the options stand alone, those of the container.
#[test]
fn owners_are_mapped() {
    need_id_maps!();
    let far = [map(0, 100_000, 65_536)];
    let apart = ([map(0, 100_100, 10)], [map(0, 100_200, 10)]);
    for (user_namespace, options, uid, gid, want) in [
        (true, &["bind"][..], &far[..], &far[..], ["0:0", "5:6"]),
        (true, &["bind", "idmap"], &far, &far, ["0:0", "5:6"]),
        (true, &["bind", "idmap"], &[], &[], ["0:0", "5:6"]),
        (true, &["rbind", "ridmap"], &[], &[], ["0:0", "5:6"]),
        (true, &["bind"], &apart.0, &apart.1, ["100:200", "105:206"]),
        (true, &["bind"], &[], &[], [NOBODY, NOBODY]),
        (false, &["bind"], &apart.0, &apart.1, ["100100:100200", "100105:100206"]),
        (false, &["bind"], &[map(5, 7, 1)], &[map(6, 8, 1)], [NOBODY, "7:8"]),
    ] {
        let mut bundle = Bundle::new(&["stat", "/v/file", "/v/other"]);
        let volume = volume(&bundle);
        bundle.set("/root/readonly", json!(false));
        if user_namespace {
            bundle.user_namespace();
        }
        bundle.push("/mounts", mapped(&volume, options, uid, gid));
        let output = bundle.run();
        need_file_system!(output);
        assert_eq!(owners(&output), want, "{user_namespace} {options:?} {uid:?} {gid:?}");
        bundle.assert_clean();
    }
}

/// `idmap=…` of crun: mappings of its own, from the ids of the container where there is an `@`.
#[test]
fn mappings_in_the_option() {
    need_id_maps!();
    let plain = "idmap=uids=0-100100-3#5-7-1;gids=0-100200-10";
    let relative = "ridmap=gids=@0-200-10;uids=@0-100-10";
    for (user_namespace, option, want) in [
        (true, plain, ["100:200", "65534:206"]),
        (false, plain, ["100100:100200", "7:100206"]),
        (true, relative, ["100:200", "105:206"]),
        (true, "idmap=", ["0:0", "5:6"]),
    ] {
        let mut bundle = Bundle::new(&["stat", "/v/file", "/v/other"]);
        let volume = volume(&bundle);
        bundle.set("/root/readonly", json!(false));
        if user_namespace {
            bundle.user_namespace();
        }
        bundle.push("/mounts", mapped(&volume, &["rbind", option], &[], &[]));
        let output = bundle.run();
        need_file_system!(output);
        assert_eq!(owners(&output), want, "{user_namespace} {option}");
        bundle.assert_clean();
    }
    let mut bundle = Bundle::new(&["true"]);
    let volume = volume(&bundle);
    bundle.push("/mounts", mapped(&volume, &["bind", relative], &[], &[]));
    let last = bundle.config["mounts"].as_array().map_or(0, |list| list.len() - 1);
    bundle.run().fails_with(&[&format!("/mounts/{last}/options/1"), "relative"]);
}

/// Nothing is changed on the host: what is written gets the owner that the mapping leads back to.
#[test]
fn writes_get_the_owner_of_the_source() {
    need_id_maps!();
    let mut bundle = Bundle::new(&["write", "/v/new", "text"]);
    let volume = volume(&bundle);
    bundle.set("/root/readonly", json!(false)).user_namespace();
    bundle.push("/mounts", mapped(&volume, &["bind", "idmap"], &[], &[]));
    let output = bundle.run();
    need_file_system!(output);
    output.ok();
    for (name, uid) in [("new", 0), ("file", 0), ("other", 5)] {
        assert_eq!(fs::metadata(volume.join(name)).expect("stat").uid(), uid, "{name}");
    }
}

/// Without a mapping of the user there is no owner to write as.
#[test]
fn an_unmapped_user_cannot_write() {
    need_id_maps!();
    let mut bundle = Bundle::new(&["write", "/v/new", "text"]);
    let volume = volume(&bundle);
    bundle.set("/root/readonly", json!(false));
    let far = [map(0, 100_000, 10)];
    bundle.push("/mounts", mapped(&volume, &["bind"], &far, &far));
    let output = bundle.run();
    need_file_system!(output);
    assert!(output.stderr.contains("Value too large"), "{output}");
    assert!(!volume.join("new").exists());
}

#[test]
fn a_joined_user_namespace_has_its_mappings() {
    need_id_maps!();
    let mut first = Bundle::new(&["sleep", "100"]);
    first.user_namespace();
    first.up();
    let mut bundle = Bundle::new(&["stat", "/v/file", "/v/other"]);
    let volume = volume(&bundle);
    let path = format!("/proc/{}/ns/user", first.pid());
    bundle.set("/root/readonly", json!(false));
    bundle.push("/linux/namespaces", json!({ "type": "user", "path": path }));
    bundle.own_rootfs(100_000);
    bundle.push("/mounts", mapped(&volume, &["bind", "idmap"], &[], &[]));
    let output = bundle.run();
    first.delete();
    need_file_system!(output);
    assert_eq!(owners(&output), ["0:0", "5:6"]);
    bundle.assert_clean();
}

/// `idmap` maps the mount alone, `ridmap` those below as well.
#[test]
fn mounts_below_are_mapped_by_ridmap_alone() {
    need_id_maps!();
    let maps = [map(0, 1000, 10)];
    for (options, below) in
        [(&["rbind"][..], "5:6"), (&["rbind", "idmap"], "5:6"), (&["rbind", "ridmap"], "1005:1006")]
    {
        let mut bundle = Bundle::new(&["stat", "/v/other", "/v/below/other"]);
        let volume = volume(&bundle);
        let top = bundle.dir().join("top");
        fs::create_dir(&top).expect("mkdir");
        fs::copy(volume.join("other"), top.join("other")).expect("copy");
        chown(top.join("other"), Some(1), Some(2)).expect("chown");
        let _below = HostMount::bind(&volume, top.join("below"));
        bundle.set("/root/readonly", json!(false));
        bundle.push("/mounts", mapped(&top, options, &maps, &maps));
        let output = bundle.run();
        need_file_system!(output);
        assert_eq!(owners(&output), ["1001:1002", below], "{options:?}");
    }
}

/// A source in the container's own root shows earlier mounts, which the process itself has made.
#[test]
fn a_source_inside_the_root() {
    need_id_maps!();
    for (user_namespace, want) in [(false, "100000:100000"), (true, "0:0")] {
        let mut bundle = Bundle::new(&["stat", "/v/file"]);
        let volume = volume(&bundle).to_string_lossy().into_owned();
        bundle.set("/root/readonly", json!(false));
        if user_namespace {
            bundle.user_namespace();
        }
        let inside = bundle.rootfs().join("first");
        let maps = [map(0, 100_000, 65_536)];
        bundle.push("/mounts", mount("/first", "bind", &volume, &["bind"]));
        bundle.push("/mounts", mapped(&inside, &["bind"], &maps, &maps));
        let output = bundle.run();
        need_file_system!(output);
        assert_eq!(owners(&output), [want], "user namespace: {user_namespace}");
        bundle.assert_clean();
    }
}

/// A mount namespace that is joined has nothing to do with who may map.
#[test]
fn in_a_joined_mount_namespace() {
    need_id_maps!();
    let mut holder = Command::new("unshare");
    let mut holder = holder.args(["--mount", "sleep", "100"]).spawn().expect("unshare");
    let own = namespace_link("self", "mnt");
    wait_until("the namespace", || namespace_link(&holder.id().to_string(), "mnt") != own);
    let mut bundle = Bundle::new(&["stat", "/v/file", "/v/other"]);
    let volume = volume(&bundle);
    without_namespace(&mut bundle.config, "mount");
    let path = format!("/proc/{}/ns/mnt", holder.id());
    bundle.push("/linux/namespaces", json!({ "type": "mount", "path": path }));
    bundle.set("/root/readonly", json!(false));
    bundle.unset("/linux/maskedPaths").unset("/linux/readonlyPaths");
    let maps = [map(0, 1000, 10)];
    bundle.push("/mounts", mapped(&volume, &["bind"], &maps, &maps));
    let output = bundle.run();
    let _ = holder.kill();
    let _ = holder.wait();
    need_file_system!(output);
    if output.stderr.contains("mount on \"/proc\": invalid argument") {
        skip!("mounts in a detached tree need Linux 6.15");
    }
    assert_eq!(owners(&output), ["1000:1000", "1005:1006"]);
}

#[test]
fn mounts_added_later() {
    need_id_maps!();
    let maps = [map(0, 100_100, 10)];
    for (user_namespace, options, maps, want) in [
        (true, &["bind", "idmap"][..], &[][..], "0:0"),
        (true, &["bind", "idmap=uids=@0-7-1;gids=@0-8-1"], &[], "7:8"),
        (true, &["bind"], &maps, "100:100"),
        (false, &["bind"], &maps, "100100:100100"),
    ] {
        let mut bundle = Bundle::new(&["sleep", "100"]);
        let volume = volume(&bundle);
        bundle.set("/root/readonly", json!(false));
        if user_namespace {
            bundle.user_namespace();
        }
        bundle.up();
        let list = bundle.dir().join("mounts.json");
        fs::write(&list, json!([mapped(&volume, options, maps, maps)]).to_string()).expect("write");
        let add = ["mounts", "add", &bundle.id, &list.to_string_lossy()];
        let output = bundle.call(&add);
        need_file_system!(output);
        output.ok();
        assert_eq!(owners(&bundle.exec(&["stat", "/v/file"])), [want]);
        let alone = mapped(&volume, &["bind", "idmap"], &[], &[]);
        if !user_namespace {
            fs::write(&list, json!([alone]).to_string()).expect("write");
            bundle.call(&add).exits(1).fails_with(&["/0/options/1", "must have both uid and gid"]);
        }
        bundle.delete();
        bundle.assert_clean();
    }
}

#[test]
fn what_cannot_be_mapped_says_why() {
    need_id_maps!();
    let maps = [map(0, 1000, 10)];
    for (source, options, maps, words) in [
        ("/sys", &["bind"][..], &maps[..], "doesn't support idmap mounts on this kernel"),
        ("/etc", &["bind", "idmap"], &[], "must have both uid and gid mappings specified"),
        ("/etc", &["bind", "idmap"], &[map(0, u32::MAX, 1)], "go beyond 4294967294"),
    ] {
        let mut bundle = Bundle::new(&["true"]);
        bundle.set("/root/readonly", json!(false));
        bundle.push("/mounts", mapped(Path::new(source), options, maps, maps));
        bundle.run().exits(1).fails_with(&[words]);
        bundle.assert_clean();
    }
    let mut bundle = Bundle::new(&["true"]);
    let mut tmpfs = mapped(Path::new("tmpfs"), &["idmap"], &maps, &maps);
    tmpfs["type"] = json!("tmpfs");
    bundle.push("/mounts", tmpfs);
    bundle.run().exits(1).fails_with(&["only supported for bind-mounts"]);
}

/// By which containerd decides whether to give volumes to containers with a user namespace.
#[test]
fn features_tell_of_them() {
    need_id_maps!();
    let output = Bundle::new(&["true"]).call(&["features"]);
    let features: Value = serde_json::from_str(output.ok()).expect("JSON");
    assert_eq!(features["linux"]["mountExtensions"]["idmap"]["enabled"], true);
    for word in ["idmap", "ridmap"] {
        let words = features["mountOptions"].as_array().expect("mountOptions");
        assert!(words.iter().any(|known| known == word), "{word}");
    }
}
