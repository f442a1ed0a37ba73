//! Layouts of real hosts.

use super::*;

const ROOT: &str = "23 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n";

fn layout(mounts: &str, own: &str) -> Layout {
    Layout::parse(&format!("{ROOT}{mounts}"), own).expect("layout")
}

#[test]
fn pure_v2() {
    let l = layout(
        "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
        "0::/user.slice/user-1000.slice/session-1.scope\n",
    );
    assert_eq!(l.mode(), Mode::V2);
    assert!(l.v1().is_empty());
    let v2 = l.v2().expect("v2");
    assert_eq!(v2.mount_point, Path::new("/sys/fs/cgroup"));
    assert_eq!(v2.own_below_mount(), "/user.slice/user-1000.slice/session-1.scope");
}

#[test]
fn v2_with_a_stray_v1_hierarchy_stays_v2() {
    let l = layout(
        "30 23 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw\n\
         90 30 0:60 / /sys/fs/cgroup/net_cls rw - cgroup cgroup rw,net_cls\n",
        "3:net_cls:/\n0::/init.scope\n",
    );
    assert_eq!(l.mode(), Mode::V2);
    assert!(l.v1().is_empty());
}

const HYBRID: &str = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
    32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
    35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
    40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd\n\
    41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
const HYBRID_OWN: &str = "9:name=systemd:/\n4:memory:/jobs/one\n1:cpu,cpuacct:/\n2:pids:/\n0::/\n";

#[test]
fn hybrid() {
    let l = layout(HYBRID, HYBRID_OWN);
    assert_eq!(l.mode(), Mode::Hybrid);
    let names: Vec<_> = l.v1().iter().map(|h| h.controllers.join("+")).collect();
    assert_eq!(names, ["name=systemd", "memory", "cpu+cpuacct"], "pids is not mounted");
    assert_eq!(l.v1()[1].own_below_mount(), "/jobs/one");
    assert_eq!(l.v2().map(|h| h.mount_point.as_path()), Some(Path::new("/sys/fs/cgroup/unified")));
}

#[test]
fn v1_alone() {
    let mounts = HYBRID.lines().take(4).collect::<Vec<_>>().join("\n");
    let l = layout(&mounts, HYBRID_OWN);
    assert_eq!(l.mode(), Mode::V1);
    assert!(l.v2().is_none());
}

#[test]
fn mounts_under_other_mounts_do_not_count() {
    // A v2 tree mounted over the whole of a v1 host, without taking that away first.
    let mounts = format!("{HYBRID}99 31 0:38 / /sys/fs/cgroup rw - cgroup2 none rw\n");
    let l = layout(&mounts, HYBRID_OWN);
    assert_eq!(l.mode(), Mode::V2);
    assert_eq!(l.v2().map(|h| h.mount_point.as_path()), Some(Path::new("/sys/fs/cgroup")));
    // One controller covered by a tmpfs.
    let mounts = format!("{HYBRID}99 35 0:50 / /sys/fs/cgroup/memory rw - tmpfs none rw\n");
    let l = layout(&mounts, HYBRID_OWN);
    assert!(!l.v1().iter().any(|h| h.controllers == ["memory"]));
}

#[test]
fn nested_in_a_container_that_shares_the_cgroup_namespace() {
    let l = layout(
        "50 23 0:40 / /sys/fs/cgroup ro - tmpfs tmpfs rw\n\
         51 50 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
        "4:memory:/docker/abc/inner\n0::/docker/abc\n",
    );
    assert_eq!(l.v1()[0].own_below_mount(), "/inner");
    let elsewhere = Hierarchy { own: "/docker/abcdef".into(), ..l.v1()[0].clone() };
    assert_eq!(elsewhere.own_below_mount(), "/");
    let outside = Hierarchy { own: "/docker/abc/../x".into(), ..l.v1()[0].clone() };
    assert_eq!(outside.own_below_mount(), "/");
    let same = Hierarchy { own: "/docker/abc".into(), ..l.v1()[0].clone() };
    assert_eq!(same.own_below_mount(), "/");
}

#[test]
fn a_second_mount_of_a_hierarchy_elsewhere_is_not_preferred() {
    let l = layout(
        &format!("29 23 0:32 / /mnt/mem rw - cgroup cgroup rw,memory\n{HYBRID}"),
        HYBRID_OWN,
    );
    let memory = l.v1().iter().find(|h| h.controllers == ["memory"]).expect("memory");
    assert_eq!(memory.mount_point, Path::new("/sys/fs/cgroup/memory"));
}

#[test]
fn no_cgroups() {
    let e = Layout::parse(ROOT, "0::/\n").expect_err("nothing mounted");
    assert_eq!(e.to_string(), "find cgroups: no cgroup file system is mounted");
}
