//! One small config.json for each rule.

mod annotations;
mod linux;
mod mount_ids;
mod mounts;
mod process;
mod resources;
mod seccomp;

use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::error::Error;

fn facts() -> HostFacts {
    HostFacts { bundle: PathBuf::from("/bundle"), euid: 0, last_cap: 40 }
}

fn base() -> Value {
    json!({
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs"},
        "process": {"user": {}, "args": ["sh"], "cwd": "/"},
        "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]},
    })
}

/// Sets the member at a pointer; the objects and arrays above it are made as needed.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (above, key) = pointer.rsplit_once('/').expect("pointer");
    if document.pointer(above).is_none() {
        set(document, above, if key.parse::<usize>().is_ok() { json!([]) } else { json!({}) });
    }
    match document.pointer_mut(above).expect("above") {
        Value::Array(list) => {
            let index: usize = key.parse().expect("index");
            list.resize(list.len().max(index + 1), Value::Null);
            list[index] = value;
        }
        member => member[key] = value,
    }
}

fn changed(changes: &[(&str, Value)]) -> Value {
    let mut document = base();
    for (pointer, value) in changes {
        set(&mut document, pointer, value.clone());
    }
    document
}

fn try_plan(changes: &[(&str, Value)], facts: &HostFacts) -> Result<Plan> {
    let spec: Spec =
        serde_json::from_value(changed(changes)).expect("a document that oci-spec takes");
    plan(&spec, facts)
}

#[track_caller]
fn good(changes: &[(&str, Value)]) -> Plan {
    try_plan(changes, &facts()).expect("plan")
}

#[track_caller]
fn bad_with(changes: &[(&str, Value)], facts: &HostFacts, pointer: &str, words: &str) {
    match try_plan(changes, facts) {
        Err(Error::Config { pointer: at, message }) => {
            assert_eq!(at, pointer, "{message}");
            assert!(message.contains(words), "{message:?} lacks {words:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn bad(pointer: &str, value: Value, at: &str, words: &str) {
    bad_with(&[(pointer, value)], &facts(), at, words);
}

#[track_caller]
fn warns(plan: &Plan, words: &str) {
    assert!(plan.warnings.iter().any(|warning| warning.contains(words)), "{:?}", plan.warnings);
}

#[test]
fn smallest_document() {
    let spec: Spec = serde_json::from_value(json!({"ociVersion": "1.0.0", "root": {"path": "/r"}}))
        .expect("spec");
    let plan = plan(&spec, &facts()).expect("plan");
    assert_eq!(plan.rootfs, Rootfs { path: "/r".into(), readonly: false, propagation: None });
    assert_eq!(plan.namespaces, Namespaces::default());
    assert_eq!((plan.process.is_none(), plan.mounts.len(), plan.masked_paths.len()), (true, 0, 0));
    assert_eq!((plan.devices.len(), plan.resources.devices.len()), (6, 11));
    warns(&plan, "no mount namespace");
}

#[test]
fn root() {
    assert_eq!(good(&[]).rootfs.path, PathBuf::from("/bundle/rootfs"));
    assert!(good(&[("/root/readonly", json!(true))]).rootfs.readonly);
    bad("/root", Value::Null, "/root", "root must be specified");
    bad("/root/path", json!(""), "/root/path", "must not be empty");
    bad("/root/path", json!("a\0b"), "/root/path", "null byte");
    let shared = good(&[("/linux/rootfsPropagation", json!("rshared"))]).rootfs.propagation;
    assert_eq!(shared, Some(Propagation { kind: 1 << 20, recursive: true }));
    bad("/linux/rootfsPropagation", json!("ro"), "/linux/rootfsPropagation", "is not supported");
    let changes = [("/linux/rootfsPropagation", json!("slave")), ("/linux/namespaces", json!([]))];
    bad_with(&changes, &facts(), "/linux/rootfsPropagation", "needs a mount namespace");
}

#[test]
fn version_and_names() {
    bad("/ociVersion", json!("2.0.0"), "/ociVersion", "is not supported");
    bad(
        "/hostname",
        json!("h"),
        "/hostname",
        "unable to set hostname without a private UTS namespace",
    );
    bad("/domainname", json!("h"), "/domainname", "without a private UTS namespace");
    let uts = ("/linux/namespaces/2", json!({"type": "uts"}));
    let plan = good(&[uts.clone(), ("/hostname", json!("h")), ("/domainname", json!(""))]);
    assert_eq!((plan.hostname.as_deref(), plan.domainname), (Some("h"), None));
    bad_with(&[uts, ("/hostname", json!("h".repeat(65)))], &facts(), "/hostname", "at most 64");
}

const USER: (&str, &str) = ("/linux/namespaces/2", "user");

fn user_with(uid: Value, gid: Value) -> Vec<(&'static str, Value)> {
    vec![
        (USER.0, json!({"type": USER.1})),
        ("/linux/uidMappings", uid),
        ("/linux/gidMappings", gid),
    ]
}

fn map(container: u32, host: u32, size: u32) -> Value {
    json!({"containerID": container, "hostID": host, "size": size})
}

#[test]
fn rootless() {
    let facts = HostFacts { euid: 1000, ..facts() };
    bad_with(&[], &facts, "/linux/namespaces", "rootless container requires user namespaces");
    let mut changes = user_with(json!([map(0, 1000, 1)]), json!([map(0, 1000, 1)]));
    let pts = json!({"destination": "/dev/pts", "type": "devpts", "options": ["uid=0", "gid=5"]});
    changes.push(("/mounts/0", pts));
    bad_with(
        &changes,
        &facts,
        "/mounts/0/options",
        "cannot specify gid=5 mount option for rootless",
    );
    changes.pop();
    assert!(try_plan(&changes, &facts).is_ok());
}
