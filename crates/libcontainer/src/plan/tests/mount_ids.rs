//! `uidMappings` and `gidMappings` of mounts, `idmap` and `ridmap`.

use serde_json::{Value, json};

use super::mounts::{bind, mount};
use super::*;

#[test]
fn mapped_ids() {
    let own = |uid: u32, gid: u32| MountMaps::Own {
        uid: vec![IdMap { container: 0, host: uid, size: 10 }],
        gid: vec![IdMap { container: 0, host: gid, size: 10 }],
    };
    let given =
        |uid, gid| json!({"uidMappings": [map(0, uid, 10)], "gidMappings": [map(0, gid, 10)]});
    let with = |mut value: Value, word: &str| {
        value["options"] = json!(["rbind", word]);
        value
    };
    let empty = json!({"uidMappings": [], "gidMappings": [], "options": ["bind", "ridmap"]});
    let list = json!([map(0, 100, 10), map(10, 200, 10)]);
    let user = user_with(list.clone(), list);
    let turned = json!([map(10, 200, 10), map(0, 100, 10)]);
    let turned = json!({"uidMappings": turned, "gidMappings": turned});
    let join = [("/linux/namespaces/2", json!({"type": "user", "path": "/proc/1/ns/user"}))];
    for (entry, namespaces, maps, recursive) in [
        (given(100, 200), &[][..], own(100, 200), false),
        (with(given(100, 200), "idmap"), &[], own(100, 200), false),
        (with(given(100, 200), "ridmap"), &[], own(100, 200), true),
        (given(100, 200), &user, own(100, 200), false),
        (given(100, 200), &join, own(100, 200), false),
        (turned, &user, MountMaps::Container, false),
        (json!({"options": ["bind", "idmap"]}), &user, MountMaps::Container, false),
        (json!({"options": ["ridmap", "bind", "idmap"]}), &join, MountMaps::Container, false),
        (empty.clone(), &user, MountMaps::Container, true),
    ] {
        let changes = [namespaces, &[("/mounts/0", bind(&entry))]].concat();
        let ids = good(&changes).mounts.remove(0).ids;
        assert_eq!(ids, Some(MountIds { maps, recursive }), "{entry}");
    }
    let none = json!({"uidMappings": [], "gidMappings": []});
    assert_eq!(mount(bind(&none)).ids, None);

    let both = "must have both uid and gid mappings";
    for (entry, at, words) in [
        (empty, "/options/1", both),
        (json!({"options": ["bind", "idmap"]}), "/options/1", both),
        (json!({"uidMappings": [map(0, 0, 1)]}), "/uidMappings", both),
        (json!({"gidMappings": [map(0, 0, 1)]}), "/gidMappings", both),
        (given(u32::MAX, 0), "/uidMappings/0", "beyond 4294967294"),
        (json!({"gidMappings": [map(0, 0, 2), map(1, 2, 2)]}), "/gidMappings/1", "overlaps"),
        (json!({"type": "tmpfs", "options": ["ridmap"]}), "/options/0", "only supported for bind"),
        (json!({"options": ["remount", "bind", "idmap"]}), "/options/2", "only supported for bind"),
    ] {
        bad("/mounts/0", bind(&entry), &format!("/mounts/0{at}"), words);
    }
    let rootless = HostFacts { euid: 1000, ..facts() };
    let maps = json!([map(0, 1000, 1)]);
    let mut changes = user_with(maps.clone(), maps);
    changes.push(("/mounts/0", bind(&json!({"options": ["bind", "idmap"]}))));
    bad_with(&changes, &rootless, "/mounts/0/options/1", "not supported for rootless containers");
}

/// `idmap=…` as crun has it.
#[test]
fn mapped_ids_of_an_option() {
    let entry = |text: &str| bind(&json!({"options": ["bind", text]}));
    let id = |container, host, size| IdMap { container, host, size };
    let uids = json!([map(0, 0, 1), map(1, 2, 1000)]);
    let user = user_with(uids, json!([map(0, 100, 10)]));
    let nobody: &[(&'static str, Value)] = &[];
    for (text, changes, uid, gid, recursive) in [
        (
            "idmap=uids=0-1-10#10-11-10;gids=0-100-10",
            nobody,
            vec![id(0, 1, 10), id(10, 11, 10)],
            vec![id(0, 100, 10)],
            false,
        ),
        ("ridmap=gids=5-6-7;uids=1-2-3;", nobody, vec![id(1, 2, 3)], vec![id(5, 6, 7)], true),
        // The example of crun(1).
        ("idmap=uids=@1-3-10;gids=7-8-1", &user, vec![id(1, 4, 10)], vec![id(7, 8, 1)], false),
        (
            "idmap=uids=@5-0-1#6-2000-1;gids=@0-9-1",
            &user,
            vec![id(5, 0, 1), id(6, 2000, 1)],
            vec![id(0, 109, 1)],
            false,
        ),
    ] {
        let ids = good(&[changes, &[("/mounts/0", entry(text))]].concat()).mounts.remove(0).ids;
        let maps = MountMaps::Own { uid, gid };
        assert_eq!(ids, Some(MountIds { maps, recursive }), "{text}");
    }
    // Said otherwise, those of the container.
    for text in ["idmap=", "idmap=uids=@0-0-1#@1-1-1000;gids=@0-0-10"] {
        let ids = good(&[&user[..], &[("/mounts/0", entry(text))]].concat()).mounts.remove(0).ids;
        assert_eq!(ids, Some(MountIds { maps: MountMaps::Container, recursive: false }), "{text}");
    }
    let refused = |text: &str, changes: &[(&'static str, Value)], words: &str| {
        let changes = [changes, &[("/mounts/0", entry(text))]].concat();
        bad_with(&changes, &facts(), "/mounts/0/options/1", words);
    };
    for (text, words) in [
        ("idmap=uids=0-0-1", "must have both"),
        ("idmap=;", "there are no mappings"),
        ("idmap=users=0-0-1", "\"users\" is neither uids nor gids"),
        ("idmap=uids", "is not SOURCE-HOST-SIZE"),
        ("idmap=uids=0-0;gids=0-0-1", "\"0-0\" is not"),
        ("idmap=uids=0-0-1-2;gids=0-0-1", "is not"),
        ("idmap=uids=0-+1-1;gids=0-0-1", "is not"),
        ("idmap=uids=0- 1-1;gids=0-0-1", "is not"),
        ("idmap=uids=0-4294967296-1;gids=0-0-1", "is not"),
        ("idmap=uids=0-0-1#;gids=0-0-1", "\"\" is not"),
        ("idmap=uids=0-0-0;gids=0-0-1", "uids: mapping 0: size must be at least 1"),
        (
            "idmap=uids=0-0-2#1-5-1;gids=0-0-1",
            "uids: mapping 1: containerID overlaps with mapping 0",
        ),
        ("idmap=gids=0-4294967295-1;uids=0-0-1", "gids: mapping 0: the mapped ids go beyond"),
        ("idmap=uids=0-0-1;uids=1-1-1;gids=0-0-1", "uids is there twice"),
        ("idmap=uids=@0-0-1;gids=0-0-1", "config.json has none"),
    ] {
        refused(text, nobody, words);
    }
    for text in ["idmap=uids=@0-0-2;gids=0-0-1", "idmap=uids=@0-1001-1;gids=0-0-1"] {
        refused(text, &user, "not within one mapping of the user namespace");
    }
    let both = json!({"options": ["bind", "idmap=uids=0-0-1;gids=0-0-1"], "uidMappings": [map(0, 0, 1)],
        "gidMappings": [map(0, 0, 1)]});
    bad("/mounts/0", bind(&both), "/mounts/0/options/1", "give other mappings already");
    let tmpfs = json!({"type": "tmpfs", "options": ["idmap=uids=0-0-1;gids=0-0-1"]});
    bad("/mounts/0", bind(&tmpfs), "/mounts/0/options/0", "only supported for bind");
}
