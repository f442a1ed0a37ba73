//! `mounts`.

use serde_json::{Value, json};

use super::*;

pub(super) fn mount(value: Value) -> Mount {
    good(&[("/mounts/0", value)]).mounts.remove(0)
}

#[test]
fn mount_kinds() {
    let bind = |source: &str, recursive| {
        let source = source.into();
        MountKind::Bind { source, recursive, unnamed: 0, links: Links::default() }
    };
    let kind = |value| mount(value).kind;
    assert_eq!(
        kind(json!({"destination": "/d", "type": "bind", "source": "/s"})),
        bind("/s", false)
    );
    let both = json!({"destination": "/d", "source": "s", "options": ["rbind", "bind", "sync"]});
    assert_eq!(kind(both), bind("/bundle/s", true));
    let none = json!({"destination": "/d", "type": "none", "source": "/s", "options": ["bind"]});
    assert_eq!(kind(none), bind("/s", false));
    for fstype in ["cgroup", "cgroup2"] {
        assert_eq!(kind(json!({"destination": "/d", "type": fstype})), MountKind::Cgroup);
    }
    let flags = vec!["rw".into(), "async".into()];
    let options = FilesystemOptions { flags, ..FilesystemOptions::default() };
    assert_eq!(
        kind(json!({"destination": "/d", "options": ["remount", "rw", "async", "silent"]})),
        MountKind::Remount { bind: false, options }
    );
    let again = kind(json!({"destination": "/d", "options": ["remount", "bind", "nosuid"]}));
    assert_eq!(again, MountKind::Remount { bind: true, options: FilesystemOptions::default() });
}

#[test]
fn filesystem_options() {
    let parts = |value| match mount(value).kind {
        MountKind::Filesystem { source, options, .. } => (source, options.flags, options.values),
        other => panic!("{other:?}"),
    };
    let options = json!(["ro", "size=1m,mode=0=1", "newinstance", "sync", "async", "mand"]);
    let (source, flags, values) =
        parts(json!({"destination": "/d", "type": "devpts", "options": options}));
    assert_eq!(
        (source.as_str(), flags),
        ("none", vec!["ro".into(), "mand".into(), "newinstance".into()])
    );
    assert_eq!(values, [("size".into(), "1m".into()), ("mode".to_owned(), "0=1".to_owned())]);
    let tmpfs = json!({"destination": "/d", "type": "tmpfs", "source": "s", "options": ["ro", "tmpcopyup"]});
    let plan = mount(tmpfs.clone());
    assert!(plan.copy_up && plan.attributes.set == 1);
    assert_eq!(parts(tmpfs), ("s".into(), vec![], vec![]));
    let plan = good(&[(
        "/mounts/0",
        json!({"destination": "d", "type": "sysfs", "options": ["tmpcopyup"]}),
    )]);
    assert_eq!(plan.mounts[0].destination, PathBuf::from("/d"));
    assert!(!plan.mounts[0].copy_up);
    warns(&plan, "/mounts/0: tmpcopyup is ignored");
    warns(&plan, "/mounts/0/destination: mount destination d is not absolute");
}

#[test]
fn bad_mounts() {
    let cases = [
        (json!({"destination": ""}), "/type", "name a filesystem type"),
        (json!({"destination": "", "type": "tmpfs"}), "/destination", "must not be empty"),
        (json!({"destination": "/a\0", "type": "tmpfs"}), "/destination", "null byte"),
        (json!({"destination": "/a", "type": "tmp\0fs"}), "/type", "null byte"),
        (
            json!({"destination": "/a", "type": "tmpfs", "options": ["a", "b\0"]}),
            "/options/1",
            "null",
        ),
        (json!({"destination": "/a", "options": ["bind"]}), "/source", "needs a source"),
        (
            json!({"destination": "/a", "source": "/b", "options": ["bind", "size=3", "galaxy"]}),
            "/options/2",
            "unknown mount option \"galaxy\": bind mounts cannot have any filesystem-specific options",
        ),
        (json!({"destination": "/proc", "type": "tmpfs"}), "/destination", "is not of type proc"),
        (
            json!({"destination": "/x/../proc/self/.", "type": "tmpfs"}),
            "/destination",
            "is inside /proc",
        ),
    ];
    for (value, at, words) in cases {
        bad("/mounts/0", value, &format!("/mounts/0{at}"), words);
    }
    let leftover = json!({"destination": "/a", "source": "/b", "options": ["bind", "size=3"]});
    warns(
        &good(&[("/mounts/0", leftover)]),
        "/mounts/0/options/1: mount option \"size=3\" means nothing",
    );
    mount(json!({"destination": "/proc/uptime", "source": "/b", "options": ["bind"]}));
    mount(json!({"destination": "/proc", "type": "proc"}));
    mount(json!({"destination": "/process", "type": "tmpfs"}));
}

pub(super) fn bind(more: &Value) -> Value {
    let mut entry = json!({"destination": "/d", "source": "/s", "options": ["rbind"]});
    for (key, value) in more.as_object().expect("object") {
        entry[key] = value.clone();
    }
    entry
}

/// `copy-symlink`, `src-nofollow`, `dest-nofollow`, as crun has them.
#[test]
fn links_at_the_ends() {
    let links = |options: &[&str]| match mount(bind(&json!({ "options": options }))).kind {
        MountKind::Bind { links, .. } => links,
        other => panic!("{other:?}"),
    };
    let copied = Links { copy: true, ..Links::default() };
    assert_eq!(links(&["bind"]), Links::default());
    assert_eq!(links(&["copy-symlink", "bind", "ro"]), copied);
    let both = Links { copy: false, source: true, destination: true };
    assert_eq!(links(&["rbind", "dest-nofollow", "src-nofollow"]), both);
    for options in
        [["bind", "copy-symlink", "src-nofollow"], ["bind", "dest-nofollow", "copy-symlink"]]
    {
        let entry = bind(&json!({ "options": options }));
        bad("/mounts/0", entry, "/mounts/0/options/2", "mutually exclusive");
    }
    for (more, at) in [
        (json!({"type": "tmpfs", "options": ["copy-symlink"]}), 0),
        (json!({"options": ["remount", "bind", "dest-nofollow"]}), 2),
    ] {
        let plan = good(&[("/mounts/0", bind(&more))]);
        warns(
            &plan,
            &format!(
                "/mounts/0/options/{at}: {} is ignored",
                more["options"][at].as_str().expect("word")
            ),
        );
    }
}

#[test]
fn labels() {
    let label = "system_u:object_r:container_file_t:s0:c1,c2";
    assert_eq!(good(&[("/linux/mountLabel", json!(label))]).mount_label.as_deref(), Some(label));
    assert_eq!(good(&[("/linux/mountLabel", json!(""))]).mount_label, None);
    assert_eq!(good(&[]).mount_label, None);
    bad("/linux/mountLabel", json!("a\0b"), "/linux/mountLabel", "null byte");
    let options = json!([format!("size=1m,context=\"{label}\",x=\"y\"")]);
    match mount(json!({"destination": "/d", "type": "tmpfs", "options": options})).kind {
        MountKind::Filesystem { options, .. } => assert_eq!(
            options.values,
            [("size", "1m"), ("context", label), ("x", "\"y\"")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
        ),
        other => panic!("{other:?}"),
    }
}
