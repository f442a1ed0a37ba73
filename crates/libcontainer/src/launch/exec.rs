//! The runtime's side of `exec`.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::sched::{CloneFlags, setns};
use sys::clone::{Cloned, clone3};

use super::handover::{self, Listener};
use super::namespaces::relay;
use super::{Entrance, Launched, cgroup_error};
use crate::error::{Error, Result};
use crate::init::{CLONE_NEWTIME, ExecContext, Filter, JoinTarget, enter_all, run_exec};
use crate::plan::Process;
use crate::state::{ExecDefaults, InitProcess, State, Status};
use crate::sync::{Report, pair};

/// What `exec` launches.
pub(crate) struct ExecLaunch<'a> {
    pub(crate) state: &'a State,
    /// What the container does, in the words of the runtime-spec.
    pub(crate) status: Status,
    pub(crate) defaults: &'a ExecDefaults,
    pub(crate) process: &'a Process,
    pub(crate) filter: Option<Filter>,
    /// The container's first process.
    pub(crate) init: &'a OwnedFd,
    /// Where the process goes: the container's cgroup, or one below it.
    pub(crate) cgroup: Option<&'a libcgroups::Cgroup>,
    /// Whether it may go where the first process is instead: below, where the v2 cgroup takes no
    /// processes.
    pub(crate) follow_init: bool,
    pub(crate) console_socket: Option<&'a Path>,
    pub(crate) preserve_fds: u32,
}

/// Makes a process in a running container and sets it up.
pub(crate) fn launch_exec(launch: ExecLaunch<'_>) -> Result<Launched> {
    let console_socket = launch.console_socket.map(handover::connect_console).transpose()?;
    let entrance = Entrance::open(launch.cgroup, launch.follow_init)
        .map_err(|error| error.context("adding pid of the new process to cgroups"))?;
    let all = CloneFlags::from_bits_retain(launch.state.namespaces);
    let pid_namespace = all & CloneFlags::CLONE_NEWPID;
    let time_namespace = all & CloneFlags::from_bits_retain(CLONE_NEWTIME);
    // Asked before the clone: in a user namespace the answer is another.
    let unprivileged = !nix::unistd::geteuid().is_root();
    // Only children are born in these two.
    let born_in = pid_namespace | time_namespace;
    let way_back = WayBack::open(born_in)?;
    let needs_relay =
        all.contains(CloneFlags::CLONE_NEWUSER) && unprivileged || !way_back.is_open();
    let (parent, child) = pair()?;
    let pid = launch.state.init.map_or(0, |init| init.pid);
    let target = JoinTarget { pidfd: launch.init, pid };
    if !unprivileged {
        super::namespaces::protect()?;
    }
    let root = root_of(launch.state, launch.init)?;
    let usual_cpus = start_on(launch.process.exec_affinity.initial.as_deref())?;
    let (cloned, in_v2) = if needs_relay {
        let flags = CloneFlags::CLONE_PARENT;
        let adjust = launch.process.oom_score_adj;
        let spawn = || {
            // While its files in /proc are still its own.
            adjust.map_or(Ok(()), |adjust| handover::write_oom_score_adj("self", adjust))?;
            super::namespaces::protect()?;
            enter_all(&target, all)?;
            clone3(flags, None).map_err(|errno| Error::os("clone process", "", errno))
        };
        (relay(spawn)?, false)
    } else {
        if !born_in.is_empty() {
            enter_all(&target, born_in)?;
        }
        let cloned = super::namespaces::clone_into(CloneFlags::empty(), entrance.v2.as_ref())?;
        if matches!(cloned.0, Cloned::Parent { .. }) {
            way_back.go()?;
        }
        cloned
    };
    // Files in /proc/PID are closed to the unprivileged once the process has protected itself.
    let wait_first = entrance.lacks_v2(in_v2) || unprivileged;
    let (pid, pidfd) = match cloned {
        Cloned::Parent { pid, pidfd } => {
            // The runtime itself may go on where it was; if not, it is only slower.
            usual_cpus.map(|cpus| sys::sched::set_affinity(&cpus));
            (pid, pidfd)
        }
        Cloned::Child => {
            drop(parent);
            let context = ExecContext {
                process: launch.process,
                id: &launch.state.id,
                target,
                namespaces: if needs_relay {
                    CloneFlags::empty()
                } else {
                    all & !(pid_namespace | time_namespace)
                },
                root,
                filter: launch.filter,
                join_files: entrance.v1,
                wait_first,
                new_keyring: launch.defaults.new_keyring,
                in_user_namespace: all.contains(CloneFlags::CLONE_NEWUSER),
                preserve_fds: launch.preserve_fds,
                personality: launch.defaults.personality,
                memory_policy: launch.defaults.memory_policy.as_ref(),
            };
            run_exec(&context, &child)
        }
    };
    drop(child);
    let mut launched = Launched::new(pid, pidfd, false, parent);
    let placed = place(&launch, &launched, in_v2, wait_first, needs_relay);
    match placed.and_then(|()| attend(&launch, &mut launched, console_socket.as_ref())) {
        Ok(()) => Ok(launched),
        Err(error) => {
            launched.kill();
            Err(error)
        }
    }
}

/// Moves this process to the CPUs that the one it is about to make begins on; where it was before.
fn start_on(cpus: Option<&[u64]>) -> Result<Option<Vec<u64>>> {
    let Some(cpus) = cpus else { return Ok(None) };
    let fail = |errno| Error::os("set initial CPU affinity", "", errno);
    let before = sys::sched::affinity().map_err(fail)?;
    sys::sched::set_affinity(cpus).map_err(fail)?;
    Ok(Some(before))
}

/// The container's root directory, where it shares the mount namespace with others.
pub(super) fn root_of(state: &State, init_pidfd: &OwnedFd) -> Result<Option<OwnedFd>> {
    let Some(init) = state.init.filter(|_| !state.own_mounts) else {
        return Ok(None);
    };
    let path = format!("/proc/{}/root", init.pid);
    let flags = nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_CLOEXEC;
    nix::fcntl::open(path.as_str(), flags, nix::sys::stat::Mode::empty())
        .map_err(|errno| Error::os("open", &path, errno))
        .and_then(|root| {
            // The number may have passed on meanwhile; the pidfd tells.
            sys::pidfd::send_signal(init_pidfd.as_fd(), 0)
                .map_err(|_| Error::message("container not running"))?;
            Ok(Some(root))
        })
}

/// The namespaces that this process's own children are born in.
pub(super) struct WayBack(Vec<(OwnedFd, CloneFlags)>);

impl WayBack {
    pub(super) fn open(namespaces: CloneFlags) -> Result<Self> {
        let table = [
            (CloneFlags::CLONE_NEWPID, "/proc/self/ns/pid"),
            (CloneFlags::from_bits_retain(CLONE_NEWTIME), "/proc/self/ns/time"),
        ];
        let wanted = table.iter().filter(|(flag, _)| namespaces.contains(*flag));
        wanted
            .map(|(flag, path)| Ok((super::namespaces::open(Path::new(path))?, *flag)))
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Whether it can be gone: not from a user namespace to what the host's own, or another, has made.
    pub(super) fn is_open(&self) -> bool {
        self.0.iter().all(|(own, flag)| setns(own, *flag) != Err(nix::errno::Errno::EPERM))
    }

    pub(super) fn go(self) -> Result<()> {
        self.0.iter().try_for_each(|(own, flag)| {
            setns(own, *flag).map_err(|errno| Error::os("return from", "namespaces", errno))
        })
    }
}

fn place(
    launch: &ExecLaunch<'_>,
    launched: &Launched,
    in_v2: bool,
    wait_first: bool,
    relayed: bool,
) -> Result<()> {
    if let Some(adjust) = launch.process.oom_score_adj.filter(|_| !relayed) {
        handover::write_oom_score_adj(&launched.pid.to_string(), adjust)?;
    }
    if let Some(cgroup) = launch.cgroup.filter(|_| !in_v2) {
        let pid = launched.pid;
        join_v2(cgroup, launch.state.init.filter(|_| launch.follow_init), pid)
            .map_err(|error| error.context(&format!("adding pid {pid} to cgroups")))?;
    }
    let group = launch.state.rdt.as_ref();
    group.map_or(Ok(()), |group| group.join_if_there(launched.pid))?;
    if wait_first {
        launched.go()?;
    }
    launched.go()
}

/// Into the container's v2 cgroup, or where its first process has gone below it.
fn join_v2(cgroup: &libcgroups::Cgroup, init: Option<InitProcess>, pid: i32) -> Result<()> {
    match (cgroup.join_v2(pid), init) {
        (Err(error), Some(init)) if error.errno() == Some(nix::errno::Errno::EBUSY) => {
            cgroup.beside(init.pid).and_then(|beside| beside.join_v2(pid)).map_err(cgroup_error)
        }
        (result, _) => result.map_err(cgroup_error),
    }
}

fn attend(
    launch: &ExecLaunch<'_>,
    launched: &mut Launched,
    console_socket: Option<&OwnedFd>,
) -> Result<()> {
    loop {
        match launched.channel.receive(Some(super::PATIENCE))? {
            Report::Console(master) => {
                launched.console = handover::deliver_console(master, console_socket)?;
            }
            Report::Listener(number) => {
                let (path, metadata) = launch
                    .defaults
                    .listener
                    .as_ref()
                    .ok_or_else(|| Error::message("the container has no seccomp listener"))?;
                let own = (launch.status, launch.state.init.map_or(0, |init| init.pid));
                Listener { path, metadata }.deliver(launched, number, launch.state, own)?;
                launched.go()?;
            }
            Report::Ready(pending) => {
                return handover::set_rlimits(launched.pid, &launch.process.rlimits, pending);
            }
            Report::Failed(text) => return Err(launched.failure(&text)),
            Report::Gone => return Err(launched.death()),
            Report::MapIds { .. } | Report::Hooks | Report::Handle(_) | Report::NotRun(_) => {
                return Err(Error::message("the container process speaks out of turn"));
            }
        }
    }
}
