//! Annotations that do something.

use serde_json::json;

use super::*;
use crate::plan::MountContext;

fn with(name: &str, value: &str) -> Vec<(&'static str, Value)> {
    vec![("/annotations", json!({ name: value }))]
}

/// The plan's warnings, those of annotations alone.
fn notes(changes: &[(&str, Value)]) -> Vec<String> {
    good(changes).warnings.into_iter().filter(|note| note.starts_with("/annotations/")).collect()
}

#[test]
fn handlers_are_refused_where_they_would_be_needed() {
    for handler in ["wasm", "krun", "no-such", ""] {
        let error = try_plan(&with("run.oci.handler", handler), &facts()).expect_err(handler);
        let text = error.to_string();
        assert!(text.contains("/annotations/run.oci.handler: handler"), "{text}");
    }
    let smart = with("run.oci.handler", "wasm-smart");
    assert!(notes(&smart)[0].contains("\"wasm-smart\" is ignored"), "{:?}", notes(&smart));
    let variant = with("module.wasm.image/variant", "compat-smart");
    let found = notes(&variant);
    assert!(found[0].starts_with("/annotations/module.wasm.image~1variant: variant"), "{found:?}");
    // The first container of a pod in which others are modules.
    let sandbox =
        json!({ "run.oci.handler": "wasm", "io.kubernetes.cri.container-type": "sandbox" });
    assert!(notes(&[("/annotations", sandbox)]).is_empty());
    let member =
        json!({ "run.oci.handler": "wasm", "io.kubernetes.cri.container-type": "container" });
    assert!(try_plan(&[("/annotations", member)], &facts()).is_err());
}

#[test]
fn plugins_are_refused() {
    let error =
        try_plan(&with("run.oci.seccomp.plugins", "/lib/a.so"), &facts()).expect_err("plugins");
    assert!(error.to_string().contains("cannot load shared objects"), "{error}");
    assert!(notes(&with("run.oci.seccomp.plugins", "")).is_empty());
}

#[test]
fn unknown_ones_of_crun_are_noted() {
    let found = notes(&with("run.oci.no_such", "1"));
    assert_eq!(found, ["/annotations/run.oci.no_such: is ignored: it is not known"]);
    assert!(notes(&with("run.ocicrypt", "1")).is_empty());
    assert!(notes(&with("io.podman.annotations.init", "TRUE")).is_empty());
}

#[test]
fn mount_contexts() {
    assert_eq!(good(&[]).mount_context, MountContext::Context);
    for option in ["context", "fscontext", "defcontext", "rootcontext"] {
        let plan = good(&with("run.oci.mount_context_type", option));
        assert_eq!(plan.mount_context.option(), option);
    }
    let error = try_plan(&with("run.oci.mount_context_type", "x"), &facts()).expect_err("x");
    assert!(error.to_string().contains("\"x\" is none of context"), "{error}");
}

#[test]
fn systemds_hierarchy_takes_the_place_of_a_cgroup_mount() {
    const NAME: &str = "run.oci.systemd.force_cgroup_v1";
    let mount = json!([{ "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup" }]);
    let with_mount = |value: &str| {
        let mut changes = with(NAME, value);
        changes.push(("/mounts", mount.clone()));
        try_plan(&changes, &facts())
    };
    assert!(!good(&[("/mounts", mount.clone())]).systemd_v1);
    assert!(with_mount("/sys/fs/cgroup/").is_ok_and(|plan| plan.systemd_v1));
    for value in ["/sys", "sys/fs/cgroup", ""] {
        assert!(with_mount(value).is_err(), "{value:?}");
    }
    assert!(try_plan(&with(NAME, "/sys/fs/cgroup"), &facts()).is_err());
}

#[test]
fn cgroups_below() {
    for (value, path) in [
        ("a", Some("a")),
        ("a/b", Some("a/b")),
        ("/a//./b/", Some("a/b")),
        ("", None),
        ("/", None),
        ("..a", Some("..a")),
    ] {
        let unit = good(&with("run.oci.systemd.subgroup", value)).sub_cgroups;
        assert_eq!((unit.unit.as_deref(), unit.delegated), (path, None), "{value}");
        let below = good(&with("run.oci.delegate-cgroup", value)).sub_cgroups;
        assert_eq!((below.delegated.as_deref(), below.unit), (path, None), "{value}");
    }
    for value in ["..", "a/../b", "/../a", "a\nb", "a\0b"] {
        for name in ["run.oci.systemd.subgroup", "run.oci.delegate-cgroup"] {
            assert!(try_plan(&with(name, value), &facts()).is_err(), "{name} {value:?}");
        }
    }
}

/// `ret ALLOW` and `ret USER_NOTIF` on a machine with the bytes in this order.
const ALLOW: &str = if cfg!(target_endian = "little") { "BgAAAAAA/38=" } else { "AAYAAH//AAA=" };
const NOTIFY: &str = if cfg!(target_endian = "little") { "BgAAAAAAwH8=" } else { "AAYAAH/AAAA=" };

#[test]
fn a_ready_filter_takes_the_place_of_none() {
    const NAME: &str = "run.oci.seccomp_bpf_data";
    let plan = good(&with(NAME, ALLOW));
    let program = plan.seccomp_program.expect("a program");
    assert_eq!((program.len(), program[0].code, program[0].k), (1, 6, 0x7fff_0000));
    assert!(plan.seccomp.is_some_and(|profile| profile.flags == [::seccomp::Flag::SpecAllow]));
    let refused = |changes: &[(&str, Value)], words: &str| {
        let text = try_plan(changes, &facts()).expect_err(words).to_string();
        assert!(text.contains(words), "{text}");
    };
    refused(&with(NAME, "BgAAAAAA/38"), "is not base64");
    refused(&with(NAME, ""), "0 bytes are no filter");
    refused(&with(NAME, "AAAA"), "3 bytes are no filter");
    refused(&with(NAME, &"A".repeat(4097 * 8 / 3 * 4 + 4)), "are no filter");
    // No profile gives way to it: it may come from an image.
    let mut both = with(NAME, ALLOW);
    both.push(("/linux/seccomp", json!({ "defaultAction": "SCMP_ACT_ERRNO" })));
    refused(&both, "not of linux.seccomp");
    refused(&with(NAME, NOTIFY), "needs listenerPath");
    let receiver = json!({ NAME: NOTIFY, "run.oci.seccomp.receiver": "/run/agent" });
    let plan = good(&[("/annotations", receiver)]);
    let path = plan.seccomp.and_then(|profile| profile.listener_path);
    assert_eq!(path.as_deref(), Some("/run/agent"));
}
