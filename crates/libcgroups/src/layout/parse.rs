//! The text of `/proc/self/mountinfo` and `/proc/self/cgroup` (proc_pid_mountinfo(5), cgroups(7)).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where every distribution mounts cgroups.
pub(super) const USUAL: &str = "/sys/fs/cgroup";

/// A visible cgroup mount.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CgroupMount {
    pub(super) v2: bool,
    pub(super) root: String,
    pub(super) mount_point: PathBuf,
    options: String,
}

impl CgroupMount {
    pub(super) fn has_option(&self, name: &str) -> bool {
        self.options.split(',').any(|option| option == name)
    }
}

/// One line of `/proc/self/cgroup`; no controllers for the v2 tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OwnCgroup {
    pub(super) controllers: Vec<String>,
    pub(super) path: String,
}

/// A line of mountinfo, split but not decoded.
struct Line<'a> {
    id: u32,
    parent: u32,
    root: &'a str,
    mount_point: &'a str,
    kind: &'a str,
    options: &'a str,
}

fn line(text: &str) -> Option<Line<'_>> {
    let (head, tail) = text.split_once(" - ")?;
    let mut head = head.split(' ');
    let id = head.next()?.parse().ok()?;
    let parent = head.next()?.parse().ok()?;
    let root = head.nth(1)?;
    let mount_point = head.next()?;
    let mut tail = tail.split(' ');
    let kind = tail.next()?;
    let options = tail.nth(1).unwrap_or_default();
    Some(Line { id, parent, root, mount_point, kind, options })
}

/// The cgroup mounts that are not hidden under other mounts, in the order of the file.
pub(super) fn cgroup_mounts(mountinfo: &str) -> Vec<CgroupMount> {
    let lines: Vec<Line<'_>> = mountinfo.lines().filter_map(line).collect();
    lines
        .iter()
        .filter(|l| matches!(l.kind, "cgroup" | "cgroup2") && visible(l, &lines))
        .map(|l| CgroupMount {
            v2: l.kind == "cgroup2",
            root: path(l.root).to_string_lossy().into_owned(),
            mount_point: path(l.mount_point).into(),
            options: l.options.to_owned(),
        })
        .collect()
}

/// Whether walking to the mount point really ends in this mount: nothing on top of it, and of no mount on the way.
fn visible(mount: &Line<'_>, all: &[Line<'_>]) -> bool {
    if all.iter().any(|other| other.parent == mount.id && other.mount_point == mount.mount_point) {
        return false;
    }
    let mut current = mount;
    // The walk ends at the root of the namespace, whose parent is not listed; the bound is for broken input.
    for _ in 0..all.len() {
        let covered = all.iter().any(|other| {
            other.parent == current.parent
                && other.id != current.id
                && is_above(other.mount_point, current.mount_point)
        });
        if covered {
            return false;
        }
        match all.iter().find(|other| other.id == current.parent && other.id != current.id) {
            Some(parent) => current = parent,
            None => break,
        }
    }
    true
}

/// Whether directory `upper` is a true ancestor of `lower`.
fn is_above(upper: &str, lower: &str) -> bool {
    match lower.strip_prefix(upper) {
        Some(rest) => !rest.is_empty() && (upper.ends_with('/') || rest.starts_with('/')),
        None => false,
    }
}

/// The mount to use when a hierarchy has several: the usual place, then below it, then the first.
pub(super) fn choose<'a>(mounts: impl Iterator<Item = &'a CgroupMount>) -> Option<&'a CgroupMount> {
    mounts.min_by_key(|mount| {
        let usual = Path::new(USUAL);
        match &mount.mount_point {
            point if point == usual => 0,
            point if point.starts_with(usual) => 1,
            _ => 2,
        }
    })
}

/// The lines of `/proc/self/cgroup`.
pub(super) fn own_cgroups(text: &str) -> Vec<OwnCgroup> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (_id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            Some(OwnCgroup {
                controllers: controllers
                    .split(',')
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect(),
                path: path.strip_suffix(" (deleted)").unwrap_or(path).to_owned(),
            })
        })
        .collect()
}

/// A path of mountinfo.
fn path(text: &str) -> OsString {
    sys::mountinfo::unescape(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded() {
        let mounts = cgroup_mounts(r"1 0 0:1 /a\040b /c\134d rw - cgroup2 none rw");
        let found: Vec<_> = mounts.iter().map(|one| (&*one.root, &*one.mount_point)).collect();
        assert_eq!(found, [("/a b", Path::new(r"/c\d"))]);
    }

    #[test]
    fn ancestors() {
        assert!(is_above("/sys", "/sys/fs"));
        assert!(is_above("/", "/sys"));
        assert!(!is_above("/sys", "/sys"));
        assert!(!is_above("/sy", "/sys"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_survived(text in r"([0-9 /\\:a-z,-]{0,40}\n){0,8}") {
            let _ = cgroup_mounts(&text);
            let _ = own_cgroups(&text);
            let _ = super::super::Layout::parse(&text, &text);
        }
    }
}
