//! Names, without a kernel.

use super::*;

const HYBRID: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
    32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
    35 31 0:32 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices\n\
    40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
    41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";

fn hybrid() -> Layout {
    Layout::parse(HYBRID, "3:name=systemd:/s\n2:devices:/d/own\n1:cpu,cpuacct:/\n0::/u/own\n")
        .expect("layout")
}

fn v2(own: &str) -> Layout {
    Layout::parse(V2, &format!("0::{own}\n")).expect("layout")
}

fn dirs(cgroup: &Cgroup) -> Vec<String> {
    cgroup.dirs().map(|d| d.dir().display().to_string()).collect()
}

#[test]
fn absolute_paths_count_from_the_mount_point() {
    let cgroup = Cgroup::resolve(&hybrid(), Some("/docker//./x"), "id").expect("resolve");
    assert_eq!(
        dirs(&cgroup),
        [
            "/sys/fs/cgroup/systemd/docker/x",
            "/sys/fs/cgroup/devices/docker/x",
            "/sys/fs/cgroup/cpu,cpuacct/docker/x",
            "/sys/fs/cgroup/unified/docker/x",
        ]
    );
    assert_eq!(cgroup.main_dir().map(|d| d.path.as_str()), Some("/docker/x"));
    assert!(cgroup.main_dir().is_some_and(|d| d.has("devices")));
}

#[test]
fn relative_paths_count_from_our_own() {
    let expected = [
        "/sys/fs/cgroup/systemd/s/id",
        "/sys/fs/cgroup/devices/d/own/id",
        "/sys/fs/cgroup/cpu,cpuacct/id",
        "/sys/fs/cgroup/unified/u/id",
    ];
    for path in [None, Some(""), Some("id")] {
        let cgroup = Cgroup::resolve(&hybrid(), path, "id").expect("resolve");
        assert_eq!(dirs(&cgroup), expected);
    }
    let cgroup = Cgroup::resolve(&v2("/a/b"), None, "id").expect("resolve");
    assert_eq!(dirs(&cgroup), ["/sys/fs/cgroup/a/id"]);
    let cgroup = Cgroup::resolve(&v2("/"), None, "id").expect("resolve");
    assert_eq!(dirs(&cgroup), ["/sys/fs/cgroup/id"]);
}

#[test]
fn paths_that_are_refused() {
    for path in ["..", "/..", "/a/../b", "a/..", "/a/../../etc", "/", "//.", ".", "/a\nb", "a\0"] {
        assert!(Cgroup::resolve(&hybrid(), Some(path), "id").is_err(), "{path:?}");
    }
    for id in ["", "..", ".", "a/b", "/a"] {
        assert!(Cgroup::resolve(&hybrid(), None, id).is_err(), "{id:?}");
    }
}

#[test]
fn nested_mount_roots() {
    let layout = Layout::parse(
        "51 50 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
        "4:memory:/docker/abc/inner\n",
    )
    .expect("layout");
    let cgroup = Cgroup::resolve(&layout, None, "id").expect("resolve");
    assert_eq!(dirs(&cgroup), ["/sys/fs/cgroup/memory/inner/id"]);
    assert_eq!(cgroup.v1()[0].in_hierarchy(), "/docker/abc/inner/id");
}

#[test]
fn sub_cgroups() {
    let cgroup = Cgroup::resolve(&hybrid(), Some("/x"), "id").expect("resolve");
    let all = cgroup.sub_cgroup(&["a/b"]).expect("sub");
    assert!(all.dirs().all(|d| d.path == "/x/a/b"));
    let some = cgroup.sub_cgroup(&["devices,systemd:/a", "cpu:b"]).expect("sub");
    let paths: Vec<_> = some.dirs().map(|d| d.path.as_str()).collect();
    assert_eq!(paths, ["/x/a", "/x/a", "/x/b", "/x"]);
    assert_eq!(cgroup.sub_cgroup(&["/"]), Ok(cgroup.clone()));
    for bad in [&["../y"][..], &["a", "b"], &["nosuch:a"], &["cpu:a", "cpu:b"], &[":a"]] {
        assert!(cgroup.sub_cgroup(bad).is_err(), "{bad:?}");
    }
    let e = cgroup.sub_cgroup(&["a/../../y"]).expect_err("escape");
    assert_eq!(e.to_string(), "bad sub cgroup path: \"a/../../y\"");
}

#[test]
fn state_survives_json() {
    let cgroup = Cgroup::resolve(&hybrid(), Some("/x"), "id").expect("resolve").rootless(true);
    let text = serde_json::to_string(&cgroup).expect("json");
    assert_eq!(serde_json::from_str::<Cgroup>(&text).expect("back"), cgroup);
}

#[test]
fn views_of_a_hybrid_host() {
    let layout = hybrid();
    let cgroup = Cgroup::resolve(&layout, Some("/x"), "id").expect("resolve");
    let views = cgroup.mount_views(&layout);
    let names: Vec<_> =
        views.v1.iter().map(|v| (v.name.as_str(), v.options.as_str(), v.cgroup.as_str())).collect();
    assert_eq!(
        names,
        [
            ("systemd", "name=systemd", "/x"),
            ("devices", "devices", "/x"),
            ("cpu,cpuacct", "cpu,cpuacct", "/x"),
        ]
    );
    let links = [("cpu", "cpu,cpuacct"), ("cpuacct", "cpu,cpuacct")];
    assert_eq!(views.symlinks, links.map(|(a, b)| (a.to_owned(), b.to_owned())));
    let v2 = views.v2.expect("v2");
    assert_eq!(v2.host_dir, Path::new("/sys/fs/cgroup/unified/x"));
}

/// Hierarchies where nobody may make a directory.
fn forbidden(own: &str) -> Layout {
    Layout::parse("30 23 0:26 / /sys/kernel rw - cgroup cgroup rw,memory\n", own).expect("layout")
}

#[test]
fn without_rights() {
    let layout = forbidden("4:memory:/\n");
    let limit = crate::Memory { limit: Some(1 << 26), ..crate::Memory::default() };
    let limited = crate::Resources { memory: limit, ..crate::Resources::default() };

    let mut nameless = Cgroup::resolve(&layout, None, "onggi-x").expect("resolve").rootless(true);
    nameless.create().expect("passed over");
    assert_eq!(nameless.dirs().count(), 0);
    nameless.join(1, false).expect("nothing to join");
    nameless.remove().expect("nothing to remove");
    nameless.apply(&crate::Resources::default()).expect("nothing asked for");
    let e = nameless.apply(&limited).expect_err("a limit must hold");
    assert_eq!(
        e.to_string(),
        "set memory limit: cgroup controller \"memory\" is not available here"
    );

    let mut named =
        Cgroup::resolve(&layout, Some("/onggi-x"), "x").expect("resolve").rootless(true);
    assert!(named.create().expect_err("asked for by name").is_permission());
    let mut by_root = Cgroup::resolve(&layout, None, "onggi-x").expect("resolve");
    assert!(by_root.create().expect_err("not rootless").is_permission());
}

#[test]
fn without_rights_to_a_hierarchy_that_limits_nothing() {
    let mounts = "30 23 0:26 / /sys/kernel rw - cgroup cgroup rw,name=systemd\n";
    let layout = Layout::parse(mounts, "4:name=systemd:/\n").expect("layout");
    let mut cgroup = Cgroup::resolve(&layout, Some("/onggi-x"), "x").expect("resolve");
    cgroup.create().expect("passed over");
    assert_eq!(cgroup.dirs().count(), 0);
}

#[test]
fn a_remembered_path_is_never_the_root() {
    let cgroup = Cgroup::resolve(&hybrid(), Some("/a/b"), "id").expect("resolve");
    let text = serde_json::to_string(&cgroup).expect("json");
    assert_eq!(serde_json::from_str::<Cgroup>(&text).expect("as it was"), cgroup);
    for path in ["/", "", "//", "/a/../..", "a/b", "/a/", "/./a"] {
        let changed = text.replacen("\"/a/b\"", &format!("{path:?}"), 1);
        // The first directory is that of the first hierarchy.
        assert_ne!(changed, text);
        let e = serde_json::from_str::<Cgroup>(&changed).expect_err(path);
        assert!(e.to_string().starts_with(&format!("bad cgroup path {path:?}")), "{e}");
    }
}
