//! Mounts that come and go while the container runs.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, readlinkat};
use nix::mount::{MntFlags, umount2};
use nix::sched::CloneFlags;
use nix::sys::stat::{Mode, SFlag};
use sys::{Proc, Root};

use super::attach::new_filesystem;
use super::join::{JoinTarget, enter_all};
use super::label::{self, MountLabel};
use super::mounts::{LateReadonly, Made, Mounter, Peers, failed};
use super::{begin, credentials};
use crate::error::{Error, Result};
use crate::plan::{Mount, MountKind};
use crate::sync::ChildEnd;

/// What a process needs that is to work in a running container.
#[derive(Debug)]
pub(crate) struct VisitContext<'a> {
    /// The container's first process, whose namespaces are joined.
    pub(crate) target: JoinTarget<'a>,
    /// Which of them; none when the process was born in all.
    pub(crate) namespaces: CloneFlags,
    /// Root directory of the container, where it has no mount namespace of its own.
    pub(crate) root: Option<OwnedFd>,
    /// Whether the container has a user namespace of its own.
    pub(crate) in_user_namespace: bool,
}

/// What mounts of a running container have to heed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LivePlace<'a> {
    /// Whether it has a user namespace of its own.
    pub(crate) user_namespace: bool,
    /// SELinux label of new file systems.
    pub(crate) label: Option<MountLabel<'a>>,
}

/// Goes into the container, does `task` and ends.
pub(crate) fn run(
    context: VisitContext<'_>,
    channel: &ChildEnd,
    task: impl FnOnce(&Root) -> Result<()>,
) -> ! {
    let done = enter(context, channel).and_then(|root| task(&root));
    match done.and_then(|()| channel.ready(0)) {
        Ok(()) => sys::clone::exit_now(0),
        Err(error) => {
            channel.failed(&error);
            sys::clone::exit_now(1)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the root directory itself is no link")]
fn enter(context: VisitContext<'_>, channel: &ChildEnd) -> Result<Root> {
    begin(channel, &[], false)?;
    if !context.namespaces.is_empty() {
        enter_all(&context.target, context.namespaces)?;
    }
    if context.in_user_namespace {
        credentials::become_namespace_root(false)?;
    }
    if let Some(root) = context.root {
        return Ok(Root::new(root));
    }
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open("/", flags, Mode::empty()).map(Root::new).map_err(|errno| Error::os("open", "/", errno))
}

/// The new file system that `entry` asks for, attached nowhere. Made by the runtime where it is on a block device: what
/// has the name of that in the container may be another one, which its own processes could not open.
pub(crate) fn make_filesystem(
    entry: &Mount,
    label: Option<MountLabel<'_>>,
) -> Result<Option<OwnedFd>> {
    let MountKind::Filesystem { fstype, source, options } = &entry.kind else { return Ok(None) };
    let mut options = options.clone();
    label::add(fstype, &mut options, label);
    let made = new_filesystem(fstype, source, &options, entry.attributes.set);
    made.map(Some).map_err(|error| failed(entry, &error))
}

/// Makes all of `mounts`, or none: what was made before a failure is taken away again. `sources` are
/// those of the bind mounts among them, from the host's mount namespace, and what [`make_filesystem`] has made.
pub(crate) fn add(
    root: &Root,
    mounts: &[Mount],
    sources: Vec<Option<OwnedFd>>,
    place: LivePlace<'_>,
) -> Result<()> {
    let mounter = Mounter {
        root,
        // All sources are open already.
        rootfs: Path::new("/"),
        user_namespace: place.user_namespace,
        label: place.label,
        peers: Peers::Cut,
        runtime: None,
        sources: &sources,
        cgroup_views: &libcgroups::MountViews { v1: vec![], v2: None, symlinks: vec![] },
        own_cgroup_namespace: true,
    };
    let mut late = LateReadonly::default();
    let mut made = Vec::with_capacity(mounts.len());
    let done = mounts.iter().enumerate().try_for_each(|(index, entry)| {
        made.push((mounter.mount_one(index, entry, &mut late)?, &*entry.destination));
        Ok(())
    });
    done.and_then(|()| late.apply()).inspect_err(|_| {
        for (made, destination) in made.into_iter().rev() {
            // The failure itself is what has to be told.
            let _ = match made {
                // Not by the path, which may lead to another one by now.
                Made::Mount(tree) => unmount(&tree, destination),
                Made::Link => remove_link(root, destination),
                Made::Nothing | Made::Other => Ok(()),
            };
        }
    })
}

/// Takes away what is mounted at each of `destinations`, the uppermost mount of each; where there may be
/// a link instead (`copy-symlink`), which the flag says, that.
pub(crate) fn remove<'a>(
    root: &Root,
    destinations: impl IntoIterator<Item = (&'a Path, bool)>,
) -> Result<()> {
    destinations.into_iter().try_for_each(|(destination, link)| match root.find_link(destination) {
        Ok(place) if link && is_link(&place) => remove_link(root, destination),
        _ => detach(root, destination),
    })
}

fn is_link(place: &OwnedFd) -> bool {
    sys::fd::kind(place) == Ok(SFlag::S_IFLNK)
}

fn remove_link(root: &Root, destination: &Path) -> Result<()> {
    root.remove_link(destination).map_err(|errno| Error::os("remove link", destination, errno))
}

/// Unmounts what is at `destination`. A link there is followed unless it is what is mounted.
fn detach(root: &Root, destination: &Path) -> Result<()> {
    let nothing = || Error::message(format!("unmount {destination:?}: nothing is mounted there"));
    let fail = |errno| match errno {
        Errno::EINVAL => nothing(),
        errno => Error::os("unmount", destination, errno),
    };
    let place = root.find_link(destination).map_err(fail)?;
    let link = is_link(&place);
    match unmount_other(&place, destination) {
        Err(error) if link && error.errno() == Some(Errno::EINVAL) => {}
        other => return other.map_err(|error| error.errno().map_or(error, fail)),
    }
    let place = root.find(destination).map_err(fail)?;
    unmount_other(&place, destination).map_err(|error| error.errno().map_or(error, fail))
}

/// Unmounts what `target` is the root of, unless it confines the container; `EINVAL` when it is none.
fn unmount_other(target: &OwnedFd, destination: &Path) -> Result<()> {
    let fail = |errno| Error::os("unmount", destination, errno);
    let proc = private_proc()?;
    let place = readlinkat(proc.as_fd(), link_of(target).as_str()).map_err(fail)?;
    if confines(Path::new(&place)) {
        return Err(Error::message(format!(
            "unmount {destination:?}: {place:?} is part of what confines the container"
        )));
    }
    unmount_in(&proc, target).map_err(fail)
}

/// Unmounts what `target` is the root of.
fn unmount(target: &OwnedFd, destination: &Path) -> Result<()> {
    let fail = |errno| Error::os("unmount", destination, errno);
    unmount_in(&private_proc()?, target).map_err(fail)
}

/// A procfs that nobody can have tampered with: of the kernel's own links only one in it is followed.
fn private_proc() -> Result<Proc> {
    Proc::open().map_err(|errno| Error::os("open private", "proc", errno))
}

fn link_of(target: &OwnedFd) -> String {
    format!("self/fd/{}", target.as_raw_fd())
}

fn unmount_in(proc: &Proc, target: &OwnedFd) -> nix::Result<()> {
    nix::unistd::fchdir(proc.as_fd())?;
    umount2(link_of(target).as_str(), MntFlags::MNT_DETACH)
}

/// Where a mount may hide something from the container, or be its root.
fn confines(place: &Path) -> bool {
    let whole = ["/", "/dev"].iter().any(|path| place == Path::new(path));
    whole || ["/proc", "/sys"].iter().any(|path| place.starts_with(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_confine() {
        for (place, yes) in [
            ("/", true),
            ("/dev", true),
            ("/dev/x", false),
            ("/proc", true),
            ("/proc/kcore", true),
            ("/sys/firmware", true),
            ("/process", false),
            ("/data", false),
        ] {
            assert_eq!(confines(Path::new(place)), yes, "{place}");
        }
    }
}
