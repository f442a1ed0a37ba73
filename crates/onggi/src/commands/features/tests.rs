//! What is claimed, against the schema of the runtime-spec and against the planner.

use std::collections::BTreeSet;
use std::path::Path;

use libcontainer::plan::{HostFacts, Plan};
use libcontainer::spec;
use serde_json::{Value, json};

use super::*;

#[path = "../../../../libcontainer/tests/common/schema.rs"]
mod schema;

fn document() -> Value {
    serde_json::to_value(features()).unwrap()
}

fn words<'a>(document: &'a Value, pointer: &str) -> Vec<&'a str> {
    let list = document.pointer(pointer).and_then(Value::as_array);
    list.unwrap_or_else(|| panic!("no {pointer}"))
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect()
}

/// The plan of a small config.json with a change.
fn planned(pointer: &str, name: &str, value: Value) -> Result<Plan, String> {
    let mut document = json!({
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs"},
        "mounts": [{"destination": "/a", "type": "bind", "source": "/srv"}],
        "process": {"cwd": "/", "args": ["sh"], "user": {}},
        "linux": {"namespaces": [{"type": "mount"}, {"type": "network"}], "resources": {}},
    });
    document.pointer_mut(pointer).unwrap()[name] = value;
    let facts = HostFacts { bundle: "/bundle".into(), euid: 0, last_cap: 63 };
    let text = document.to_string();
    let (spec, _) =
        spec::parse(text.as_bytes(), Path::new("c")).map_err(|error| error.to_string())?;
    plan::plan(&spec, &facts).map_err(|error| error.to_string())
}

/// Each word of a list makes another plan than none, or the same in the place of a default; another word an error.
#[track_caller]
fn all_plan(list: &[&str], make: impl Fn(&str) -> Result<Plan, String>) {
    assert!(!list.is_empty());
    for word in list {
        if let Err(error) = make(word) {
            panic!("{word}: {error}");
        }
    }
    for word in ["", "x", "no_such_word"] {
        assert!(make(word).is_err(), "{word:?}");
    }
}

/// The words that the schema has for a place of config.json.
fn schema_words(pointer: &str) -> BTreeSet<String> {
    let schema = schema::config();
    let list = schema.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
    serde_json::from_value(list.clone()).unwrap()
}

fn set(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn follows_the_schema() {
    let schema = schema::features();
    assert_eq!(schema::violations(&schema, &document()), Vec::<String>::new());
    let folder = schema::folder().join("features");
    let read = |file: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap()
    };
    for (file, is_good) in [
        ("good/runc.json", true),
        ("good/minimal.json", true),
        ("bad/missing-ociVersionMax.json", false),
    ] {
        assert_eq!(schema::violations(&schema, &read(file)).is_empty(), is_good, "{file}");
    }
    // Old words of file systems, which runc does not list any more.
    let runc = read("good/runc.json");
    let others = set(&["acl", "noacl"]);
    let missing = &set(&words(&runc, "/mountOptions")) - &set(&words(&document(), "/mountOptions"));
    assert_eq!(missing, others);
}

/// The members are those of the runtime-spec's Go types, which engines read the document with.
#[test]
fn members_are_spelt_as_engines_read_them() {
    let mut found = BTreeSet::new();
    members(&document(), "", &mut found);
    let known = [
        "ociVersionMin",
        "ociVersionMax",
        "hooks",
        "mountOptions",
        "linux",
        "annotations",
        "potentiallyUnsafeConfigAnnotations",
        "linux/namespaces",
        "linux/capabilities",
        "linux/cgroup",
        "linux/cgroup/v1",
        "linux/cgroup/v2",
        "linux/cgroup/systemd",
        "linux/cgroup/systemdUser",
        "linux/cgroup/rdma",
        "linux/seccomp",
        "linux/seccomp/enabled",
        "linux/seccomp/actions",
        "linux/seccomp/operators",
        "linux/seccomp/archs",
        "linux/seccomp/knownFlags",
        "linux/seccomp/supportedFlags",
        "linux/apparmor",
        "linux/apparmor/enabled",
        "linux/selinux",
        "linux/selinux/enabled",
        "linux/intelRdt",
        "linux/intelRdt/enabled",
        "linux/intelRdt/schemata",
        "linux/intelRdt/monitoring",
        "linux/memoryPolicy",
        "linux/memoryPolicy/modes",
        "linux/memoryPolicy/flags",
        "linux/mountExtensions",
        "linux/mountExtensions/idmap",
        "linux/mountExtensions/idmap/enabled",
        "linux/netDevices",
        "linux/netDevices/enabled",
    ];
    assert_eq!(found, set(&known));
}

fn members(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        let path = if at.is_empty() { name.clone() } else { format!("{at}/{name}") };
        if at != "annotations" {
            found.insert(path.clone());
        }
        members(member, &path, found);
    }
}

#[test]
fn versions_are_taken() {
    let document = document();
    for key in ["ociVersionMin", "ociVersionMax"] {
        assert!(planned("", "ociVersion", document[key].clone()).is_ok(), "{key}");
    }
    assert!(planned("", "ociVersion", json!("2.0.0")).is_err());
}

#[test]
fn namespaces_and_hooks_plan() {
    let document = document();
    let namespaces = words(&document, "/linux/namespaces");
    assert_eq!(
        set(&namespaces),
        schema_words("/properties/linux/properties/namespaces/items/anyOf/0/properties/type/enum")
    );
    let map = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
    all_plan(&namespaces, |word| {
        let mut linux = json!({"namespaces": [{"type": word}]});
        if word == "user" {
            linux["uidMappings"] = map.clone();
            linux["gidMappings"] = map.clone();
        }
        planned("", "linux", linux)
    });
    let hooks = words(&document, "/hooks");
    let schema: BTreeSet<String> = schema::config()["properties"]["hooks"]["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(set(&hooks), schema);
    for kind in hooks {
        let plan = planned("", "hooks", json!({kind: [{"path": "/bin/true"}]})).unwrap();
        assert_ne!(plan.hooks, Default::default(), "{kind}");
    }
}

#[test]
fn mount_options_plan_and_others_do_not() {
    let map = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
    let document = document();
    let list = words(&document, "/mountOptions");
    assert!(list.is_sorted());
    all_plan(&list, |word| {
        let mut mount =
            json!({"destination": "/a", "type": "bind", "source": "/srv", "options": [word]});
        if word.ends_with("idmap") {
            mount["uidMappings"] = map.clone();
            mount["gidMappings"] = map.clone();
        }
        // An empty word is none.
        if word.is_empty() { Err("none".into()) } else { planned("", "mounts", json!([mount])) }
    });
    for word in ["acl", "noacl", "rosy", "nosuidd", "rbindx", "RO", "quota"] {
        let mount =
            json!({"destination": "/a", "type": "bind", "source": "/srv", "options": [word]});
        assert!(!list.contains(&word) && planned("", "mounts", json!([mount])).is_err(), "{word}");
    }
    // What containerd and Docker look for.
    assert!(list.contains(&"rro"));
}

#[test]
fn capabilities_plan() {
    let document = document();
    let list = words(&document, "/linux/capabilities");
    for (number, name) in list.iter().enumerate() {
        let plan = planned("/process", "capabilities", json!({"bounding": [name]})).unwrap();
        assert_eq!(plan.process.unwrap().capabilities.bounding, 1 << number, "{name}");
        assert_eq!(plan.warnings, Vec::<String>::new(), "{name}");
    }
    assert_eq!(list.len(), 41);
}

#[test]
fn seccomp_plans() {
    let document = document();
    let at = "/properties/linux/properties/seccomp/properties";
    let make = |seccomp: Value| planned("/linux", "seccomp", seccomp);
    let actions = words(&document, "/linux/seccomp/actions");
    assert_eq!(set(&actions), schema_words(&format!("{at}/defaultAction/enum")));
    all_plan(&actions, |word| {
        let rule = json!({"names": ["read"], "action": word});
        make(
            json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule], "listenerPath": "/run/l"}),
        )
    });
    let operators = words(&document, "/linux/seccomp/operators");
    assert_eq!(
        set(&operators),
        schema_words(&format!("{at}/syscalls/items/properties/args/items/properties/op/enum"))
    );
    all_plan(&operators, |word| {
        let args = json!([{"index": 0, "value": 1, "op": word}]);
        let rule = json!({"names": ["read"], "action": "SCMP_ACT_LOG", "args": args});
        make(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    });
    let archs = words(&document, "/linux/seccomp/archs");
    assert_eq!(set(&archs), schema_words(&format!("{at}/architectures/items/enum")));
    all_plan(&archs, |word| {
        make(json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": [word]}))
    });
    for key in ["knownFlags", "supportedFlags"] {
        let flags = words(&document, &format!("/linux/seccomp/{key}"));
        assert_eq!(set(&flags), schema_words(&format!("{at}/flags/items/enum")));
        all_plan(&flags, |word| make(json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": [word]})));
    }
}

#[test]
fn memory_policy_plans() {
    let document = document();
    let at = "/properties/linux/properties/memoryPolicy/properties";
    let modes = words(&document, "/linux/memoryPolicy/modes");
    let flags = words(&document, "/linux/memoryPolicy/flags");
    assert_eq!(set(&modes), schema_words(&format!("{at}/mode/enum")));
    assert_eq!(set(&flags), schema_words(&format!("{at}/flags/items/enum")));
    let policy = |mode: &str, flags: &[&str]| {
        let nodes = if ["MPOL_DEFAULT", "MPOL_LOCAL"].contains(&mode) { "" } else { "0" };
        planned("/linux", "memoryPolicy", json!({"mode": mode, "nodes": nodes, "flags": flags}))
    };
    all_plan(&modes, |mode| policy(mode, &[]));
    all_plan(&flags, |flag| policy("MPOL_BIND", &[flag]));
}

/// What is said to be there plans, what is said not to be there is refused.
#[test]
fn switches_are_true() {
    let document = document();
    let map = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
    let mapped = json!([{"destination": "/a", "type": "bind", "source": "/srv", "options": ["bind"],
        "uidMappings": map, "gidMappings": map}]);
    for (claim, at, name, value) in [
        ("mountExtensions/idmap/enabled", "", "mounts", mapped),
        ("netDevices/enabled", "/linux", "netDevices", json!({"eth0": {}})),
        ("intelRdt/enabled", "/linux", "intelRdt", json!({"closID": "a"})),
        ("intelRdt/schemata", "/linux", "intelRdt", json!({"closID": "a", "schemata": ["L3:0=f"]})),
        (
            "intelRdt/monitoring",
            "/linux",
            "intelRdt",
            json!({"closID": "a", "enableMonitoring": true}),
        ),
        ("cgroup/rdma", "/linux/resources", "rdma", json!({"mlx5_0": {"hcaHandles": 1}})),
        ("apparmor/enabled", "/process", "apparmorProfile", json!("p")),
    ] {
        let claim = document["linux"].pointer(&format!("/{claim}")).unwrap().as_bool().unwrap();
        let plan = planned(at, name, value);
        assert_eq!(plan.is_ok(), claim, "{name}: {plan:?}");
    }
    let label = planned("/linux", "mountLabel", json!("a")).unwrap();
    let is_ignored = label.warnings.iter().any(|warning| warning.starts_with("/linux/mountLabel"));
    assert_eq!(document["linux"]["selinux"]["enabled"], !is_ignored);
    for prefix in words(&document, "/potentiallyUnsafeConfigAnnotations") {
        assert!(prefix.ends_with('.'), "{prefix} is a prefix");
    }
}
