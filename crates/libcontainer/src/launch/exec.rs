//! The runtime's side of `exec`.

use std::os::fd::OwnedFd;
use std::path::Path;

use sys::clone::Cloned;

use super::attend::Attendance;
use super::enter::{Entry, root_of};
use super::handover::{self, Listener};
use super::namespaces::protect;
use super::{Entrance, Launched, cgroup_error};
use crate::error::{Error, Result};
use crate::init::{ExecContext, Filter, run_exec};
use crate::plan::Process;
use crate::state::{ExecDefaults, InitProcess, State, Status};
use crate::sync::pair;

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
    let entry = Entry::open(launch.state, launch.init)?;
    let (parent, child) = pair()?;
    if !entry.unprivileged {
        protect()?;
    }
    let root = root_of(launch.state, launch.init)?;
    let usual_cpus = start_on(launch.process.exec_affinity.initial.as_deref())?;
    let (cloned, in_v2) = entry.clone(entrance.v2.as_ref(), || {
        // While its files in /proc are still its own.
        adjust_oom_score(launch.process, "self")?;
        protect()
    })?;
    // Files in /proc/PID are closed to the unprivileged once the process has protected itself.
    let wait_first = entrance.lacks_v2(in_v2) || entry.unprivileged;
    let (pid, pidfd) = match cloned {
        Cloned::Parent { pid, pidfd } => (pid, pidfd),
        Cloned::Child => {
            drop(parent);
            run_exec(&launch.context(&entry, root, entrance.v1, wait_first), &child)
        }
    };
    // The runtime itself may go on where it was; if not, it is only slower.
    usual_cpus.map(|cpus| sys::sched::set_affinity(&cpus));
    drop(child);
    let mut launched = Launched::new(pid, pidfd, false, parent);
    let placing = Placing { in_v2, wait_first, has_oom_score: entry.by_relay };
    match launch.serve(&mut launched, &placing, console_socket.as_ref()) {
        Ok(()) => Ok(launched),
        Err(error) => {
            launched.kill();
            Err(error)
        }
    }
}

/// How far the clone has brought the process.
struct Placing {
    in_v2: bool,
    /// It waits for one more `Go`.
    wait_first: bool,
    has_oom_score: bool,
}

impl<'a> ExecLaunch<'a> {
    /// What the process itself needs.
    fn context(
        self,
        entry: &Entry<'a>,
        root: Option<OwnedFd>,
        join_files: Vec<libcgroups::JoinFile>,
        wait_first: bool,
    ) -> ExecContext<'a> {
        ExecContext {
            process: self.process,
            id: &self.state.id,
            target: entry.target,
            namespaces: entry.left_to_join(),
            root,
            filter: self.filter,
            join_files,
            wait_first,
            new_keyring: self.defaults.new_keyring,
            in_user_namespace: entry.in_user_namespace(),
            preserve_fds: self.preserve_fds,
            personality: self.defaults.personality,
            memory_policy: self.defaults.memory_policy.as_ref(),
        }
    }

    /// The runtime's part while the process sets itself up.
    fn serve(
        &self,
        launched: &mut Launched,
        placing: &Placing,
        console_socket: Option<&OwnedFd>,
    ) -> Result<()> {
        self.place(launched, placing)?;
        let pending = self.attendance(console_socket).until_ready(launched)?;
        handover::set_rlimits(launched.pid, &self.process.rlimits, pending)
    }

    /// What must be in force before the process does anything.
    fn place(&self, launched: &Launched, placing: &Placing) -> Result<()> {
        let pid = launched.pid;
        if !placing.has_oom_score {
            adjust_oom_score(self.process, &pid.to_string())?;
        }
        if let Some(cgroup) = self.cgroup.filter(|_| !placing.in_v2) {
            join_v2(cgroup, self.state.init.filter(|_| self.follow_init), pid)
                .map_err(|error| error.context(&format!("adding pid {pid} to cgroups")))?;
        }
        let group = self.state.rdt.as_ref();
        group.map_or(Ok(()), |group| group.join_if_there(pid))?;
        if placing.wait_first {
            launched.go()?;
        }
        launched.go()
    }

    fn attendance<'b>(&'b self, console_socket: Option<&'b OwnedFd>) -> Attendance<'b> {
        let listener = self.defaults.listener.as_ref();
        Attendance {
            state: self.state,
            container: (self.status, self.state.init.map_or(0, |init| init.pid)),
            console_socket,
            listener: listener.map(|(path, metadata)| Listener { path, metadata }),
            first: None,
        }
    }
}

/// `process` is its number, or `self`.
fn adjust_oom_score(plan: &Process, process: &str) -> Result<()> {
    plan.oom_score_adj.map_or(Ok(()), |adjust| handover::write_oom_score_adj(process, adjust))
}

/// Moves this process to the CPUs that the one it is about to make begins on; where it was before.
fn start_on(cpus: Option<&[u64]>) -> Result<Option<Vec<u64>>> {
    let Some(cpus) = cpus else { return Ok(None) };
    let fail = |errno| Error::os("set initial CPU affinity", "", errno);
    let before = sys::sched::affinity().map_err(fail)?;
    sys::sched::set_affinity(cpus).map_err(fail)?;
    Ok(Some(before))
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
