//! `linux.mountLabel`: the SELinux label of all files in the file systems that the container gets new.
//!
//! Only where the kernel runs SELinux; elsewhere the label is taken out of the plan before.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use crate::error::{Error, Result};
use crate::plan::{FilesystemOptions, MountContext, Plan};

/// The options by which SELinux is told of labels; see mount(8).
const KEYS: [&str; 4] = ["context", "fscontext", "defcontext", "rootcontext"];

/// The label, and the option that says it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MountLabel<'a> {
    pub(crate) text: &'a str,
    pub(crate) option: MountContext,
}

impl<'a> MountLabel<'a> {
    pub(crate) fn new(text: Option<&'a str>, option: MountContext) -> Option<Self> {
        text.map(|text| Self { text, option })
    }

    pub(crate) fn of(plan: &'a Plan) -> Option<Self> {
        Self::new(plan.mount_label.as_deref(), plan.mount_context)
    }
}

/// Adds the label to the options of a new file system, where they say nothing of labels themselves. procfs
/// and sysfs have labels of their own, and cgroup ones, too; mqueue takes no such option.
pub(super) fn add(fstype: &str, options: &mut FilesystemOptions, label: Option<MountLabel<'_>>) {
    let Some(label) = label else { return };
    let own = matches!(fstype, "proc" | "sysfs" | "cgroup" | "cgroup2" | "mqueue");
    let said = options.values.iter().any(|(key, _)| KEYS.contains(&key.as_str()));
    if !own && !said {
        // Not in quotes: those are for lists of options in one string.
        options.values.push((label.option.option().to_owned(), label.text.to_owned()));
    }
}

/// Labels the root directory of a new file system that takes no label as an option.
pub(super) fn set_on_root(
    fstype: &str,
    tree: BorrowedFd<'_>,
    label: Option<MountLabel<'_>>,
) -> Result<()> {
    let Some(label) = label.filter(|_| fstype == "mqueue") else { return Ok(()) };
    let set = || {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let root = openat(tree, ".", flags, Mode::empty())?;
        sys::fd::set_xattr(root.as_fd(), "security.selinux", label.text.as_bytes())
    };
    match set() {
        // As runc sees it: a file system without labels needs none.
        Err(Errno::EOPNOTSUPP) => Ok(()),
        other => other.map_err(|errno| Error::os("set label of", fstype, errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: &str = "system_u:object_r:container_file_t:s0:c1,c2";

    fn label(option: MountContext) -> Option<MountLabel<'static>> {
        Some(MountLabel { text: LABEL, option })
    }

    fn options(values: &[(&str, &str)]) -> FilesystemOptions {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let values = values.iter().map(pair).collect();
        FilesystemOptions { flags: vec!["sync".into()], values, mount_flags: 0 }
    }

    #[test]
    fn new_file_systems_get_the_label() {
        for fstype in ["tmpfs", "devpts", "overlay", "ext4"] {
            let mut labelled = options(&[("size", "1m")]);
            add(fstype, &mut labelled, label(MountContext::Context));
            assert_eq!(labelled, options(&[("size", "1m"), ("context", LABEL)]), "{fstype}");
        }
    }

    #[test]
    fn an_annotation_chooses_the_option() {
        for key in KEYS {
            let mut labelled = options(&[]);
            add("tmpfs", &mut labelled, label(MountContext::from_option(key).expect("an option")));
            assert_eq!(labelled, options(&[(key, LABEL)]));
        }
    }

    #[test]
    fn some_have_labels_of_their_own() {
        for fstype in ["proc", "sysfs", "cgroup", "cgroup2", "mqueue"] {
            let mut same = options(&[]);
            add(fstype, &mut same, label(MountContext::Context));
            assert_eq!(same, options(&[]), "{fstype}");
        }
        for key in KEYS {
            let mut same = options(&[(key, "a:b:c:d")]);
            add("tmpfs", &mut same, label(MountContext::Rootcontext));
            assert_eq!(same, options(&[(key, "a:b:c:d")]));
        }
        let mut same = options(&[]);
        add("tmpfs", &mut same, None);
        assert_eq!(same, options(&[]));
    }
}
