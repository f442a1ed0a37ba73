//! The runtime's side of making a container process: everything is opened and prepared, one clone
//! is made, and the slow work is done beside the child.

mod attend;
mod delegate;
mod enter;
mod exec;
mod handover;
mod id_maps;
mod launched;
mod mount_ids;
mod namespaces;
mod net_devices;
mod visit;

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use sys::clone::Cloned;

use crate::error::{Error, Result};
use crate::init::{self, InitContext, InitOptions, Prepared, StartGate};
use crate::plan::{Namespace, Plan};
use crate::state::{ExecDefaults, InitProcess, State, StateDir, Status};
use crate::sync::pair;
use attend::Attendance;
use handover::Listener;

pub(crate) use exec::{ExecLaunch, launch_exec};
pub(crate) use handover::{send_pidfd, write_pid_file};
pub(crate) use id_maps::read_id_maps;
pub(crate) use launched::Launched;
pub(crate) use mount_ids::MountIdMapper;
pub(crate) use namespaces::{check_sysctls, foreign as foreign_namespaces};
pub(crate) use visit::visit;

/// How long a process may take for one part of its set-up; engines give up after four minutes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(200);

/// The ways into a cgroup, opened before the clone.
#[derive(Debug, Default)]
struct Entrance {
    /// For clone3(2).
    v2: Option<OwnedFd>,
    /// For the process itself.
    v1: Vec<libcgroups::JoinFile>,
}

impl Entrance {
    /// `own` says that it is the container's own cgroup, which is missed when it is not there, and none
    /// that somebody has named.
    fn open(cgroup: Option<&libcgroups::Cgroup>, own: bool) -> Result<Self> {
        let Some(cgroup) = cgroup else { return Ok(Self::default()) };
        let explained = |error| cgroup_error(if own { cgroup.explain(error) } else { error });
        let v2 = cgroup.v2_dir_fd().map_err(explained)?;
        Ok(Self { v2, v1: cgroup.join_files().map_err(explained)? })
    }

    /// Whether the runtime still has to move the process into the v2 tree.
    fn lacks_v2(&self, in_v2: bool) -> bool {
        self.v2.is_some() && !in_v2
    }
}

fn cgroup_error(error: libcgroups::Error) -> Error {
    Error::message(error.to_string())
}

/// In the words of runc.
fn limit_error(error: &libcgroups::Error) -> Error {
    Error::message(format!("error setting cgroup config: {error}"))
}

/// v1 device rules are written one by one, and while they are there are moments in which nothing is
/// allowed, not even making the container's own nodes; all other limits can be set beside.
fn limits_come_first(state: &State) -> bool {
    state.cgroup.as_ref().is_some_and(|cgroup| !cgroup.v1().is_empty())
}

/// What `create` and `run` launch.
pub(crate) struct Launch<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) dir: &'a StateDir,
    pub(crate) cgroup_views: libcgroups::MountViews,
    /// What config.json says of the unit, where systemd makes the cgroup.
    pub(crate) unit_properties: &'a libcgroups::Properties,
    pub(crate) options: InitOptions,
    /// Where the terminal goes; without it the caller gets it.
    pub(crate) console_socket: Option<&'a Path>,
    /// Whether `start` gives the word, in another process than this one.
    pub(crate) wait_for_start: bool,
}

impl Launch<'_> {
    /// Makes the container's first process and sets it up. `state` is saved with it as soon as it
    /// exists. On failure no process is left.
    pub(crate) fn run(mut self, state: &mut State) -> Result<Launched> {
        let prepared = Prepared::open(self.plan)?;
        let gate = self.gate()?;
        let console_socket = self.console_socket.map(handover::connect_console).transpose()?;
        // systemd makes a unit only with a process to put in: all about the cgroup comes after the clone then.
        let by_systemd = state.cgroup.as_ref().is_some_and(|cgroup| cgroup.unit().is_some());
        if !by_systemd && limits_come_first(state) {
            self.limit(state)?;
        }
        let entrance = Entrance::open(state.cgroup.as_ref().filter(|_| !by_systemd), true)?;
        // Asked before the clone: in a user namespace the answer is another.
        let unprivileged = !nix::unistd::geteuid().is_root();
        if !unprivileged {
            // The clone inherits it. Without privilege the id maps could not be written then; those of a
            // namespace that is joined need not be, and its relay protects itself.
            namespaces::protect()?;
        }
        let (parent, child) = pair()?;
        let cgroup_fd = entrance.v2.as_ref().map(AsFd::as_fd);
        let (cloned, in_v2) = namespaces::spawn_into(&self.plan.namespaces, cgroup_fd)?;
        self.options.wait_first =
            self.must_wait(unprivileged, by_systemd, entrance.lacks_v2(in_v2));
        let filter = prepared.filter.clone();
        let (pid, pidfd) = match cloned {
            Cloned::Parent { pid, pidfd } => (pid, pidfd),
            Cloned::Child => {
                drop(parent);
                let context = InitContext {
                    plan: self.plan,
                    join_files: entrance.v1,
                    prepared,
                    cgroup_views: self.cgroup_views,
                    state,
                    options: self.options,
                };
                init::run(&context, &child, gate)
            }
        };
        drop((child, prepared, gate));
        let mut launched = Launched::new(pid, pidfd, true, parent);
        match self.serve(state, &mut launched, in_v2, filter.as_ref(), console_socket.as_ref()) {
            Ok(()) => Ok(launched),
            Err(error) => {
                launched.kill();
                Err(error)
            }
        }
    }

    /// Whether the process is to do nothing until [`Self::place`] is done.
    fn must_wait(&self, unprivileged: bool, by_systemd: bool, lacks_v2: bool) -> bool {
        let plan = self.plan;
        let namespaces = &plan.namespaces;
        let reasons = [
            // Files in /proc/PID are closed to the unprivileged once the process has protected itself.
            unprivileged,
            // Before systemd has made the cgroup, there is nothing to mount, nor who would be put in if the
            // process failed.
            by_systemd,
            // The root of a cgroup namespace is the cgroup that its maker is in.
            namespaces.cgroup == Namespace::New && lacks_v2,
            // Those of a namespace that is joined are compared.
            !namespaces.uid_maps.is_empty() || !namespaces.gid_maps.is_empty(),
            // The namespace that it has joined is looked at.
            namespaces::has_joined_sysctls(&plan.sysctl, namespaces),
            // Their sysctls can only be set once they are there.
            !plan.net_devices.is_empty(),
            // What hooks start is to be in the class of service.
            plan.intel_rdt.is_some(),
        ];
        reasons.contains(&true)
    }

    /// The runtime's part while the process sets itself up.
    fn serve(
        &self,
        state: &mut State,
        launched: &mut Launched,
        in_v2: bool,
        filter: Option<&init::Filter>,
        console_socket: Option<&OwnedFd>,
    ) -> Result<()> {
        let limits_are_set = limits_come_first(state);
        self.place(state, launched, in_v2)?;
        if !limits_are_set {
            self.limit(state)?;
        }
        self.delegate(state, launched.pid)?;
        self.save_for_exec(filter)?;
        let attendance = self.attendance(state, launched.pid, console_socket);
        let pending = attendance.until_ready(launched)?;
        self.move_below(state, launched.pid)?;
        let rlimits = self.plan.process.as_ref().map_or(&[][..], |process| &process.rlimits);
        handover::set_rlimits(launched.pid, rlimits, pending)
    }

    fn gate(&self) -> Result<StartGate> {
        if !self.wait_for_start {
            return Ok(StartGate::Open);
        }
        let (start, status) = self.dir.make_fifos()?;
        Ok(StartGate::Fifos { start, status })
    }

    /// What must be in force before the process does anything: ids, cgroups, its entry in the
    /// state.
    fn place(&self, state: &mut State, launched: &mut Launched, in_v2: bool) -> Result<()> {
        let pid = launched.pid;
        let fail = |errno| Error::os("read", format!("/proc/{pid}/stat"), errno);
        state.init = Some(InitProcess::of(pid).map_err(fail)?);
        self.dir.save(state)?;
        let new = &self.plan.namespaces;
        match new.user {
            Namespace::New => id_maps::write_id_maps(pid, &new.uid_maps, &new.gid_maps)?,
            Namespace::Join(_) => id_maps::check_joined(pid, new)?,
            Namespace::Inherit => {}
        }
        if nix::unistd::geteuid().is_root() {
            // Somebody may have exchanged the path meanwhile. The host's are closed to all others.
            check_sysctls(&self.plan.sysctl, new, Some(pid))?;
        }
        if let Some(adjust) = self.plan.process.as_ref().and_then(|process| process.oom_score_adj) {
            handover::write_oom_score_adj(&pid.to_string(), adjust)?;
        }
        self.enter_cgroup(state, pid, in_v2)?;
        state.rdt.as_ref().map_or(Ok(()), |group| group.join(pid))?;
        launched.devices = net_devices::move_all(&self.plan.net_devices, pid)?;
        if self.options.wait_first {
            launched.go()?;
        }
        Ok(())
    }

    /// Sees to it that the process is in the cgroup, whichever way that comes about.
    fn enter_cgroup(&self, state: &mut State, pid: i32, in_v2: bool) -> Result<()> {
        let Some(cgroup) = state.cgroup.as_mut().filter(|_| !in_v2) else { return Ok(()) };
        if cgroup.unit().is_none() {
            return cgroup.join_v2(pid).map_err(cgroup_error);
        }
        let resources = &self.plan.resources;
        let started = cgroup.start_unit(pid, &state.id, self.unit_properties, resources);
        let has_v1 = !cgroup.v1().is_empty();
        if let Err(libcgroups::Error::UnitExists(_)) = started {
            // It is not ours to stop when this is undone.
            state.cgroup = None;
        }
        started.map_err(|error| match error {
            libcgroups::Error::Systemd(_) | libcgroups::Error::UnitExists(_) => cgroup_error(error),
            error => limit_error(&error),
        })?;
        if has_v1 { self.limit(state) } else { Ok(()) }
    }

    /// Sets the limits and device rules of the container's cgroup.
    fn limit(&self, state: &State) -> Result<()> {
        let apply = |cgroup: &libcgroups::Cgroup| cgroup.apply(&self.plan.resources);
        state.cgroup.as_ref().map_or(Ok(()), apply).map_err(|error| limit_error(&error))
    }

    /// Writes down what `exec` starts from: it takes its time, and the process builds its root file system meanwhile.
    fn save_for_exec(&self, filter: Option<&init::Filter>) -> Result<()> {
        let seccomp = self.plan.seccomp.as_ref();
        self.dir.save_exec(&ExecDefaults {
            process: self.plan.process.clone(),
            new_keyring: self.options.new_keyring,
            personality: self.plan.personality,
            mount_label: self.plan.mount_label.clone(),
            mount_context: self.plan.mount_context,
            memory_policy: self.plan.memory_policy.clone(),
            listener: seccomp.and_then(|profile| {
                let metadata = profile.listener_metadata.clone().unwrap_or_default();
                profile.listener_path.clone().map(|path| (path, metadata))
            }),
        })?;
        filter.map_or(Ok(()), |filter| self.dir.save_filter(filter.flags, &filter.program))
    }

    fn attendance<'a>(
        &'a self,
        state: &'a State,
        pid: i32,
        console_socket: Option<&'a OwnedFd>,
    ) -> Attendance<'a> {
        Attendance {
            state,
            container: (Status::Creating, pid),
            console_socket,
            listener: Listener::of_plan(self.plan),
            first: Some(self.plan),
        }
    }
}
