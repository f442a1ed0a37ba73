//! `mounts add` and `mounts remove`

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use oci_spec::runtime::Mount as OciMount;

use super::host::{facts, protect_descriptors, selinux_is_enabled};
use super::{Container, Runtime, not_running};
use crate::error::{Error, Result};
use crate::init::{self, LivePlace, MountLabel};
use crate::launch::{MountIdMapper, read_id_maps, visit};
use crate::notes::Notes;
use crate::plan::{self, Mount, MountKind, Namespace, Namespaces};
use crate::spec;
use crate::state::Status;

/// What the document is called in messages.
const DOCUMENT: &str = "mounts";

/// Mounts what `document` lists, in the form of `mounts` of config.json, in a container that is there.
/// Sources of bind mounts are the host's, relative ones taken from the bundle, and so are block devices. All are made or none.
///
/// # Errors
/// When the document is broken, the container is not running, or a mount cannot be made.
pub fn add_mounts(runtime: &Runtime, id: &str, document: &[u8]) -> Result<()> {
    let (container, init) = live(runtime, id)?;
    let mut notes = Notes::new(runtime.strict);
    let list = spec::parse_mounts(document, Path::new(DOCUMENT), &mut notes)?;
    let mut warnings = Vec::new();
    let facts = facts(&container.state.bundle)?;
    let pid = container.init()?.pid;
    let user_namespace = container.state.namespaces & nix::libc::CLONE_NEWUSER != 0;
    let namespaces = if user_namespace { joined(pid)? } else { Namespaces::default() };
    let planned = plan::live_mounts(&list, &facts, &namespaces, &mut warnings);
    let mounts = notes.before(planned.map_err(named))?;
    notes.add(warnings);
    notes.settle()?;
    let deep = |mount: &Mount| matches!(mount.kind, MountKind::Bind { recursive: true, .. });
    if mounts.iter().any(deep) {
        // A copy of the mount namespace is without the namespaces that somebody has pinned to files, which
        // could not be mounted in a newer one. Who may not have it goes on with what there is.
        let _ = unshare(CloneFlags::CLONE_NEWNS);
    }
    let exec = if selinux_is_enabled() { Some(container.dir.load_exec()?) } else { None };
    let label = exec
        .as_ref()
        .and_then(|exec| MountLabel::new(exec.mount_label.as_deref(), exec.mount_context));
    let place = LivePlace { user_namespace, label };
    let mut mapper = MountIdMapper::new(pid);
    let sources = mounts.iter().map(|mount| source(mount, &mut mapper, place));
    let sources = sources.collect::<Result<Vec<_>>>()?;
    if mounts.iter().any(|mount| mount.ids.is_some()) {
        // What was opened by its number was the container's own if the process is still there.
        sys::pidfd::send_signal(init.as_fd(), 0).map_err(|_| not_running())?;
    }
    visit(&container.state, &init, |root| init::add_mounts(root, &mounts, sources, place))
}

/// Unmounts what is mounted, last and uppermost, at each destination that `document` lists, with all
/// mounts below; the last of the list goes first. Of the rest of the document only `copy-symlink` is
/// looked at: there a link is removed.
///
/// # Errors
/// When the document is broken, the container is not running, or nothing is mounted there.
pub fn remove_mounts(runtime: &Runtime, id: &str, document: &[u8]) -> Result<()> {
    let (container, init) = live(runtime, id)?;
    let mut notes = Notes::new(runtime.strict);
    let list = spec::parse_mounts(document, Path::new(DOCUMENT), &mut notes)?;
    notes.settle()?;
    visit(&container.state, &init, |root| {
        let place = |mount| (OciMount::destination(mount).as_path(), plan::copies_links(mount));
        init::remove_mounts(root, list.iter().rev().map(place))
    })
}

/// The container and a pidfd of its first process.
fn live(runtime: &Runtime, id: &str) -> Result<(Container, OwnedFd)> {
    protect_descriptors(0)?;
    let container = Container::load(runtime, id)?;
    match container.status() {
        Status::Creating | Status::Stopped => Err(not_running()),
        _ => {
            let init = container.init()?.pidfd().map_err(|_| not_running())?;
            Ok((container, init))
        }
    }
}

/// The user namespace of the container, with the mappings that it has.
fn joined(pid: i32) -> Result<Namespaces> {
    let (uid_maps, gid_maps) = read_id_maps(pid)?;
    let user = Namespace::Join(format!("/proc/{pid}/ns/user").into());
    Ok(Namespaces { user, uid_maps, gid_maps, ..Namespaces::default() })
}

/// The source of a bind mount or a file system on a block device, detached: only the host's mount namespace has it.
fn source<'a>(
    mount: &'a Mount,
    mapper: &mut MountIdMapper<'a>,
    place: LivePlace<'_>,
) -> Result<Option<OwnedFd>> {
    let (source, recursive, links) = match &mount.kind {
        MountKind::Bind { source, recursive, links, .. } => (source, recursive, links),
        // The kernel lets no user namespace have one on a block device.
        MountKind::Filesystem { fstype, .. } if !place.user_namespace && takes_device(fstype) => {
            return init::make_filesystem(mount, place.label);
        }
        _ => return Ok(None),
    };
    let tree =
        init::clone_source(source, *recursive, *links).map_err(|error| match error.errno() {
            Some(Errno::ENOSYS) => {
                Error::message("live mounts need open_tree(2) and move_mount(2): Linux 5.2")
            }
            _ => error,
        })?;
    if !init::is_copied_link(&tree, *links) {
        mapper.apply(mount, tree.as_fd())?;
    }
    Ok(Some(tree))
}

/// Whether a file system is on a block device, as far as the kernel has not said that it is on none.
fn takes_device(fstype: &str) -> bool {
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    // One of fuse has the name of its kind behind a dot.
    let name = fstype.split('.').next().unwrap_or(fstype);
    !known.lines().any(|line| line.strip_prefix("nodev\t") == Some(name))
}

/// Errors of the plan name places in config.json; this document is another one.
fn named(error: Error) -> Error {
    match error {
        Error::Config { pointer, message } => {
            Error::message(format!("{DOCUMENT}: {pointer}: {message}"))
        }
        other => other,
    }
}
