//! What every kind of mount needs: a new file system or a copy of a tree, its attributes, and a
//! destination that may be covered.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::fstat;
use sys::Root;
use sys::mount::{self, ATTR_RDONLY, FsContext, MountAttr};

use crate::error::{Error, Result};
use crate::plan::{self, Attributes, FilesystemOptions, Mount, MountKind, Propagation};

/// `f_type` of procfs.
const PROC_SUPER_MAGIC: i64 = 0x9fa0;

/// Inode number of the root of every procfs.
const PROC_ROOT_INODE: u64 = 1;

/// Refuses a destination that nothing may be mounted on. Over the root directory, where a link of the image
/// can lead as well, a mount would be out of sight: the container's root is what lies below it.
pub(super) fn check_place(
    root: &Root,
    entry: &Mount,
    target: BorrowedFd<'_>,
    tree: Option<&OwnedFd>,
) -> Result<()> {
    if root.is(target).map_err(|errno| Error::os("stat", &entry.destination, errno))? {
        return Err(Error::message(plan::OVER_ROOT));
    }
    check_proc(entry, target, tree)
}

/// Nothing may cover parts of a procfs but the few files above: what the runtime and security
/// modules write there must reach the kernel.
fn check_proc(entry: &Mount, target: BorrowedFd<'_>, tree: Option<&OwnedFd>) -> Result<()> {
    let magic = mount::filesystem_magic(target)
        .map_err(|errno| Error::os("statfs", &entry.destination, errno))?;
    let clean = plan::clean(&entry.destination);
    let whole = clean == Path::new("/proc");
    if whole && !is_procfs(entry, tree) {
        return Err(Error::message("\"/proc\" cannot be mounted because it is not of type proc"));
    }
    if magic != PROC_SUPER_MAGIC {
        return Ok(());
    }
    if whole && is_procfs(entry, tree) || plan::covers_a_file_of_proc(&clean) {
        return Ok(());
    }
    Err(Error::message(format!(
        "{:?} cannot be mounted because it is inside /proc",
        entry.destination
    )))
}

/// Whether the mount shows a whole procfs; `tree` is the source of a bind mount.
pub(super) fn is_procfs(entry: &Mount, tree: Option<&OwnedFd>) -> bool {
    match (&entry.kind, tree) {
        (MountKind::Filesystem { fstype, .. }, _) => fstype == "proc",
        (MountKind::Bind { .. }, Some(tree)) => {
            mount::filesystem_magic(tree) == Ok(PROC_SUPER_MAGIC)
                && fstat(tree).is_ok_and(|root| root.st_ino == PROC_ROOT_INODE)
        }
        _ => false,
    }
}

/// A change of a mount and whether it goes down the tree.
pub(super) type Change = (MountAttr, bool);

pub(super) fn push_attributes(changes: &mut Vec<Change>, attributes: Attributes, recursive: bool) {
    if !attributes.is_empty() {
        changes.push((MountAttr::attributes(attributes.set, attributes.clear), recursive));
    }
}

pub(super) fn propagation_change(propagation: Propagation) -> Change {
    (MountAttr::propagation(propagation.kind), propagation.recursive)
}

/// Attaches a detached mount with its attributes already in force; on kernels that can only change
/// attached mounts, right after.
pub(super) fn attach_with(
    tree: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    changes: &[Change],
    destination: &Path,
) -> Result<()> {
    let fail = |op: &'static str| move |errno| Error::os(op, destination, errno);
    let mut changes = changes.iter();
    let mut pending = None;
    for change in changes.by_ref() {
        match mount::set_attributes(tree, change.0, change.1) {
            Ok(()) => {}
            Err(Errno::ENOSYS) => {
                pending = Some(change);
                break;
            }
            Err(errno) => return Err(fail("set mount attributes of")(errno)),
        }
    }
    mount::attach(tree, target).map_err(fail("mount on"))?;
    pending.into_iter().chain(changes).try_for_each(|change| {
        mount::set_attributes_attached(tree, change.0, change.1)
            .map_err(fail("set mount attributes of"))
    })
}

/// Makes an attached mount read-only. One in a detached tree cannot be changed, but covered by a
/// changed copy.
pub(super) fn make_readonly(mount: &OwnedFd) -> Result<()> {
    let attr = MountAttr::attributes(ATTR_RDONLY, 0);
    match mount::set_attributes_attached(mount.as_fd(), attr, false) {
        Err(Errno::EINVAL) => mount::clone_mount(mount.as_fd(), true).and_then(|copy| {
            mount::set_attributes(copy.as_fd(), attr, false)?;
            mount::attach(copy.as_fd(), mount.as_fd())
        }),
        other => other,
    }
    .map_err(|errno| Error::os("make read-only", "tmpfs", errno))
}

/// A new, detached instance of a file system.
pub(super) fn new_filesystem(
    fstype: &str,
    source: &str,
    options: &FilesystemOptions,
    attributes: u64,
) -> Result<OwnedFd> {
    if options.mount_flags != 0 || is_long(source, options) {
        let (data, flags) = for_mount_call(options);
        if data.len() > LONGEST_DATA {
            let text =
                format!("mount options of {} bytes: {LONGEST_DATA} are the most", data.len());
            return Err(Error::message(text));
        }
        return mount::new_mount(fstype, source, &data, attributes, flags).map_err(|errno| {
            match errno {
                Errno::EAGAIN => Error::message(format!(
                    "mount {fstype:?}: no process is left for it: raise the limit of pids by one"
                )),
                errno => Error::os("mount", fstype, errno),
            }
        });
    }
    let context = FsContext::new(fstype).map_err(|errno| Error::os("fsopen", fstype, errno))?;
    if !source.is_empty() {
        context
            .set_string("source", source)
            .map_err(|errno| complain(&context, "set source", errno))?;
    }
    configure(&context, options)?;
    context
        .mount(attributes)
        .map_err(|errno| complain(&context, &format!("mount {fstype:?}"), errno))
}

/// fsconfig(2) takes no longer values than this, in bytes. The list of an overlay's layers is soon longer.
const LONGEST_VALUE: usize = 255;
/// What mount(2) takes of all options together where pages are smallest; the rest it would cut off in silence.
const LONGEST_DATA: usize = 4095;

fn is_long(source: &str, options: &FilesystemOptions) -> bool {
    let values = options.values.iter().map(|(_, value)| value.as_str());
    values.chain([source]).any(|value| value.len() > LONGEST_VALUE)
}

/// Options as mount(2) takes them: one text, and flags.
fn for_mount_call(options: &FilesystemOptions) -> (String, u64) {
    /// `MS_*` of mount(2).
    const FLAGS: [(&str, u64); 5] =
        [("ro", 1), ("sync", 16), ("mand", 64), ("dirsync", 128), ("lazytime", 1 << 25)];
    let mut flags = options.mount_flags;
    let mut words = Vec::with_capacity(options.flags.len() + options.values.len());
    for word in &options.flags {
        match FLAGS.iter().find(|(name, _)| name == word) {
            Some((_, flag)) => flags |= flag,
            None => words.push(word.clone()),
        }
    }
    // Security modules take labels, in which there are commas, out of quotes.
    words.extend(options.values.iter().map(|(key, value)| match key.ends_with("context") {
        true => format!("{key}=\"{value}\""),
        false => format!("{key}={value}"),
    }));
    (words.join(","), flags)
}

pub(super) fn configure(context: &FsContext, options: &FilesystemOptions) -> Result<()> {
    for flag in &options.flags {
        context
            .set_flag(flag)
            .map_err(|errno| complain(context, &format!("mount option {flag:?}"), errno))?;
    }
    for (key, value) in &options.values {
        if value.len() > LONGEST_VALUE {
            let length = value.len();
            return Err(Error::message(format!(
                "mount option {key}: {length} bytes, fsconfig(2) takes {LONGEST_VALUE}"
            )));
        }
        context
            .set_string(key, value)
            .map_err(|errno| complain(context, &format!("mount option {key}={value:?}"), errno))?;
    }
    Ok(())
}

/// The failure with what the file system itself has to say about it.
pub(super) fn complain(context: &FsContext, op: &str, errno: Errno) -> Error {
    let error = Error::os(op, "", errno);
    match context.complaint() {
        Some(text) if !text.is_empty() => Error::message(format!("{error} ({text})")),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_for_mount_2() {
        let options = FilesystemOptions {
            flags: ["ro", "newinstance", "lazytime"].map(str::to_owned).to_vec(),
            values: [("size", "1m"), ("rootcontext", "a:b:c1,c2")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .to_vec(),
            mount_flags: 1 << 15,
        };
        let data = "newinstance,size=1m,rootcontext=\"a:b:c1,c2\"".to_owned();
        assert_eq!(for_mount_call(&options), (data, 1 | 1 << 15 | 1 << 25));
    }
}
