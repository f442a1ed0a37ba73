//! The runtime's way into a running container: for the process of `exec`, and for its own short stays.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open as open_file};
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::Mode;
use sys::clone::{Cloned, clone3};

use super::namespaces::{clone_into, open, relay};
use crate::error::{Error, Result};
use crate::init::{CLONE_NEWTIME, JoinTarget, enter_all};
use crate::state::State;

/// How a process is born in a running container.
pub(super) struct Entry<'a> {
    /// The container's first process.
    pub(super) target: JoinTarget<'a>,
    /// All namespaces of the container that are not the host's.
    all: CloneFlags,
    way_back: WayBack,
    /// Whether a process in between joins all of them, since this one could not come back.
    pub(super) by_relay: bool,
    pub(super) unprivileged: bool,
}

impl<'a> Entry<'a> {
    /// Finds out how; nothing is entered yet. `init` is the container's first process.
    pub(super) fn open(state: &State, init: &'a OwnedFd) -> Result<Self> {
        let all = CloneFlags::from_bits_retain(state.namespaces);
        // Asked before the clone: in a user namespace the answer is another.
        let unprivileged = !nix::unistd::geteuid().is_root();
        let way_back = WayBack::open(all & born_in())?;
        let by_relay =
            all.contains(CloneFlags::CLONE_NEWUSER) && unprivileged || !way_back.is_open();
        let target = JoinTarget { pidfd: init, pid: state.init.map_or(0, |init| init.pid) };
        Ok(Self { target, all, way_back, by_relay, unprivileged })
    }

    /// Whether the container has a user namespace of its own.
    pub(super) fn in_user_namespace(&self) -> bool {
        self.all.contains(CloneFlags::CLONE_NEWUSER)
    }

    /// What the new process has still to join.
    pub(super) fn left_to_join(&self) -> CloneFlags {
        if self.by_relay { CloneFlags::empty() } else { self.all & !born_in() }
    }

    /// Makes the process, and says whether it is in the v2 cgroup already. A relay does `first` before it
    /// joins anything.
    pub(super) fn clone(
        &self,
        cgroup: Option<&OwnedFd>,
        first: impl FnOnce() -> Result<()>,
    ) -> Result<(Cloned, bool)> {
        if self.by_relay {
            let spawn = || {
                first()?;
                enter_all(&self.target, self.all)?;
                clone3(CloneFlags::CLONE_PARENT, None)
                    .map_err(|errno| Error::os("clone process", "", errno))
            };
            return relay(spawn).map(|cloned| (cloned, false));
        }
        let visited = self.all & born_in();
        if !visited.is_empty() {
            enter_all(&self.target, visited)?;
        }
        let cloned = clone_into(CloneFlags::empty(), cgroup)?;
        if matches!(cloned.0, Cloned::Parent { .. }) {
            self.way_back.go()?;
        }
        Ok(cloned)
    }
}

/// Namespaces that only the children of who joins them are in.
fn born_in() -> CloneFlags {
    CloneFlags::CLONE_NEWPID | CloneFlags::from_bits_retain(CLONE_NEWTIME)
}

/// The namespaces that this process's own children are born in.
struct WayBack(Vec<(OwnedFd, CloneFlags)>);

impl WayBack {
    fn open(namespaces: CloneFlags) -> Result<Self> {
        let table = [
            (CloneFlags::CLONE_NEWPID, "/proc/self/ns/pid"),
            (CloneFlags::from_bits_retain(CLONE_NEWTIME), "/proc/self/ns/time"),
        ];
        let wanted = table.iter().filter(|(flag, _)| namespaces.contains(*flag));
        wanted
            .map(|(flag, path)| Ok((open(Path::new(path))?, *flag)))
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Whether it can be gone: not from a user namespace to what the host's own, or another, has made.
    fn is_open(&self) -> bool {
        self.0.iter().all(|(own, flag)| setns(own, *flag) != Err(Errno::EPERM))
    }

    fn go(&self) -> Result<()> {
        self.0.iter().try_for_each(|(own, flag)| {
            setns(own, *flag).map_err(|errno| Error::os("return from", "namespaces", errno))
        })
    }
}

/// The container's root directory, where it shares the mount namespace with others.
pub(super) fn root_of(state: &State, init_pidfd: &OwnedFd) -> Result<Option<OwnedFd>> {
    let Some(init) = state.init.filter(|_| !state.own_mounts) else {
        return Ok(None);
    };
    let path = format!("/proc/{}/root", init.pid);
    open_file(path.as_str(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| Error::os("open", &path, errno))
        .and_then(|root| {
            // The number may have passed on meanwhile; the pidfd tells.
            sys::pidfd::send_signal(init_pidfd.as_fd(), 0)
                .map_err(|_| Error::message("container not running"))?;
            Ok(Some(root))
        })
}
