//! That AppArmor holds a confined process back, whatever else it is, with profiles that the tests load.

use integration_tests::{Bundle, apparmor_runs, differs, mount, need_root, run, skip};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

const CURRENT: &str = "/proc/self/attr/current";

/// A profile of the kernel's until it is dropped. It allows all but to read `/etc/secret`.
struct Profile {
    name: String,
}

impl Profile {
    fn load() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let profile = Self { name: format!("onggi-it-aa-{}-{number}", std::process::id()) };
        let text = format!(
            "profile {} flags=(attach_disconnected,mediate_deleted) {{\n\
             file,\n capability,\n network,\n signal,\n ptrace,\n mount,\n umount,\n\
             deny /etc/secret r,\n}}\n",
            profile.name
        );
        let path = std::env::temp_dir().join(&profile.name);
        fs::write(&path, text).expect("write the profile");
        let mut parser = Command::new("apparmor_parser");
        let loaded = run(parser.args(["--replace", "--skip-cache"]).arg(&path));
        fs::remove_file(&path).expect("remove the text");
        loaded.ok();
        profile
    }

    /// What a process under it reads of itself.
    fn enforced(&self) -> String {
        format!("{} (enforce)\n", self.name)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        let path = "/sys/kernel/security/apparmor/.remove";
        if let Err(error) = fs::write(path, &self.name) {
            eprintln!("remove profile {}: {error}", self.name);
        }
    }
}

/// Skips the test unless profiles can be loaded here.
macro_rules! need_apparmor {
    () => {
        need_root!();
        if !apparmor_runs() {
            skip!("AppArmor is not enabled (make test-hosts)");
        }
        if Command::new("apparmor_parser").arg("--version").output().is_err() {
            skip!("there is no apparmor_parser to load a profile with");
        }
    };
}

/// A bundle whose process is under the profile, with a file that this does not let it read.
fn confined(profile: &Profile, args: &[&str]) -> Bundle {
    let mut bundle = Bundle::new(args);
    bundle.set("/process/apparmorProfile", json!(profile.name));
    for name in ["secret", "open"] {
        fs::write(bundle.rootfs().join("etc").join(name), format!("{name}\n")).expect("write");
    }
    bundle
}

#[test]
fn the_process_is_confined() {
    need_apparmor!();
    let profile = Profile::load();
    for no_new_privileges in [true, false] {
        let tools = ["all", "cat", CURRENT, "--", "cat", "/etc/open", "--", "cat", "/etc/secret"];
        let mut bundle = confined(&profile, &tools);
        bundle.set("/process/noNewPrivileges", json!(no_new_privileges));
        let output = bundle.run();
        assert_eq!(output.stdout, profile.enforced() + "open\n", "{output}");
        assert_ne!(output.code, 0, "{output}");
        assert!(output.stderr.contains("Permission denied"), "{output}");
        bundle.unset("/process/apparmorProfile");
        let output = bundle.run();
        assert_eq!(output.ok(), "unconfined\nopen\nsecret\n");
        bundle.assert_clean();
    }
}

#[test]
fn a_profile_that_nobody_has_loaded() {
    need_apparmor!();
    let mut bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let output = bundle.exec_with(&["--apparmor", "no-such"], &["cat", CURRENT]);
    output.exits(255).fails_with(&["apparmor", "no-such"]);
    bundle.delete();
    bundle.set("/process/apparmorProfile", json!("no-such"));
    bundle.run().exits(1).fails_with(&["apparmor profile", "no-such"]);
    bundle.assert_clean();
}

#[test]
fn in_a_user_namespace_as_another_user_and_without_proc() {
    need_apparmor!();
    let profile = Profile::load();
    let label = |bundle: &Bundle| {
        fs::read_to_string(format!("/proc/{}/attr/current", bundle.pid())).expect("read the label")
    };
    let mut bundle = confined(&profile, &["sleep", "100"]);
    bundle.user_namespace().set("/process/user", json!({ "uid": 1000, "gid": 1000 }));
    bundle.up();
    assert_eq!(label(&bundle), profile.enforced());
    bundle.delete();
    let mut bundle = confined(&profile, &["sleep", "100"]);
    let mounts = bundle.config["mounts"].as_array().expect("mounts");
    let others: Vec<_> = mounts.iter().filter(|m| m["destination"] != "/proc").cloned().collect();
    bundle.set("/mounts", json!(others)).set("/linux/maskedPaths", json!([]));
    bundle.set("/linux/readonlyPaths", json!([]));
    bundle.up();
    assert_eq!(label(&bundle), profile.enforced());
    bundle.delete();
    bundle.assert_clean();
}

#[test]
fn exec_takes_that_of_the_container_or_its_own() {
    need_apparmor!();
    let (profile, other) = (Profile::load(), Profile::load());
    let bundle = confined(&profile, &["sleep", "100"]);
    bundle.up();
    let cat = ["cat", CURRENT];
    assert_eq!(bundle.exec(&cat).ok(), profile.enforced());
    assert_eq!(bundle.exec_with(&["--apparmor", &other.name], &cat).ok(), other.enforced());
    let process = json!({
        "args": ["/runtimetest", "cat", CURRENT], "cwd": "/", "user": { "uid": 0, "gid": 0 }, "apparmorProfile": other.name,
        "noNewPrivileges": true,
    });
    let path = bundle.dir().join("process.json");
    fs::write(&path, process.to_string()).expect("write");
    let path = path.to_string_lossy();
    let output = bundle.call(&["exec", "--process", &path, &bundle.id]);
    assert_eq!(output.ok(), other.enforced());
    let output = bundle.exec(&["cat", "/etc/secret"]);
    assert!(output.code != 0 && output.stderr.contains("Permission denied"), "{output}");
    bundle.delete();
    bundle.assert_clean();
}

/// CVE-2019-16884 and CVE-2023-28642: an image or a volume takes the place of /proc, so that the profile is
/// written to a file that does nothing.
#[test]
fn nothing_in_the_place_of_proc_keeps_a_profile_off() {
    need_apparmor!();
    differs!(Runc | Crun | Youki, "each has other words, or runs it");
    let profile = Profile::load();
    let cat = ["cat", "/etc/secret"];
    let fake = |dir: &Path| {
        for file in ["self/attr/apparmor/exec", "thread-self/attr/apparmor/exec", "self/attr/exec"]
        {
            let path = dir.join(file);
            fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
            fs::write(path, "").expect("write");
        }
    };
    // A volume over it.
    let mut bundle = confined(&profile, &cat);
    let volume = bundle.dir().join("volume");
    fake(&volume);
    bundle.push("/mounts", mount("/proc", "bind", &volume.to_string_lossy(), &["rbind"]));
    bundle.run().exits(1).fails_with(&["/proc"]);
    bundle.assert_clean();
    // A link of the image's.
    let bundle = confined(&profile, &cat);
    fake(&bundle.rootfs().join("tmp/proc"));
    fs::remove_dir(bundle.rootfs().join("proc")).expect("rmdir");
    std::os::unix::fs::symlink("tmp/proc", bundle.rootfs().join("proc")).expect("link");
    let output = bundle.run();
    assert!(output.code != 0 && !output.stdout.contains("secret"), "{output}");
    bundle.assert_clean();
    // A volume over one of its directories.
    let mut bundle = confined(&profile, &cat);
    fake(&bundle.dir().join("volume"));
    let attr = bundle.dir().join("volume/self/attr");
    bundle.push("/mounts", mount("/proc/self/attr", "bind", &attr.to_string_lossy(), &["bind"]));
    let output = bundle.run();
    assert!(output.code != 0 && !output.stdout.contains("secret"), "{output}");
    bundle.assert_clean();
}
