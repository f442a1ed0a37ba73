//! The operations of the runtime-spec and runc's command line, one file each.

mod create;
mod delete;
mod events;
mod exec;
mod follow;
mod foreground;
mod host;
mod info;
mod kill;
mod list;
mod mounts;
mod notify;
pub mod options;
mod pause;
mod ps;
mod run;
mod start;
mod state;
mod update;
mod wait;

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::error::{Error, Result};
use crate::hooks;
use crate::state::{InitProcess, Liveness, State, StateDir, Status};

pub use create::create;
pub use delete::{delete, delete_matching};
pub use events::{Event, EventStream, events, stats};
pub use exec::exec;
pub use follow::{Follow, follow};
pub use info::{HostInfo, info};
pub use kill::{kill, kill_matching};
pub use list::{ids, list, matching};
pub use mounts::{add_mounts, remove_mounts};
pub use options::{
    CgroupManager, CreateOptions, ExecOptions, RunOptions, Runtime, StateView, UpdateOptions,
};
pub use pause::{pause, resume};
pub use ps::ps;
pub use run::run;
pub use start::start;
pub use state::state;
pub use update::update;
pub use wait::wait;

/// A container that exists.
struct Container {
    dir: StateDir,
    state: State,
}

impl Container {
    fn load(runtime: &Runtime, id: &str) -> Result<Self> {
        options::check_id(id)?;
        let dir = StateDir::new(&runtime.root, id);
        let mut state = dir.load()?;
        if state.creator.is_some_and(|creator| creator.liveness() == Liveness::Dead) {
            // It may have come to its end since: what it has written last counts.
            state = dir.load()?;
        }
        Ok(Self { dir, state })
    }

    fn status(&self) -> Status {
        self.state.status(&self.dir)
    }

    /// The first process.
    fn init(&self) -> Result<InitProcess> {
        self.state.init.ok_or_else(not_running)
    }
}

/// In the words that engines match on.
fn not_running() -> Error {
    Error::message("container not running")
}

fn cgroup_error(error: libcgroups::Error) -> Error {
    Error::message(error.to_string())
}

/// Sends `signal` to every process in the container's cgroup; without one (rootless, or cgroups
/// switched off) there is nobody to be found that way.
fn signal_all(state: &State, signal: i32) -> Result<()> {
    match &state.cgroup {
        Some(cgroup) if cgroup.exists() => cgroup.kill_all(signal).map_err(cgroup_error),
        _ => Ok(()),
    }
}

/// Does the same to many containers. One that fails keeps none of the others from it.
fn for_each(ids: &[String], mut act: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let failures: Vec<String> =
        ids.iter().filter_map(|id| act(id).err().map(|error| format!("{id}: {error}"))).collect();
    if failures.is_empty() { Ok(()) } else { Err(Error::message(failures.join("; "))) }
}

/// `error`, and that the container is frozen with a parent of its cgroup, if that may be the reason.
fn or_frozen_parent(state: &State, error: Error) -> Error {
    match state.cgroup.as_ref().and_then(libcgroups::Cgroup::frozen_parent) {
        Some(parent) => Error::message(format!("{error} (its parent cgroup {parent:?} is frozen)")),
        None => error,
    }
}

/// How long a program is ahead of its poststart hooks.
const HEAD_START: Duration = Duration::from_millis(5);

/// Runs the poststart hooks of a program that was started as process `pid`.
///
/// What tells the runtime of execve(2) is that it closes a descriptor, which happens before the new
/// program has run its first instruction. Hooks are to find it running, so it gets a moment first.
fn run_poststart(state: &State, pid: i32) -> Result<()> {
    if state.poststart.is_empty() {
        return Ok(());
    }
    std::thread::sleep(HEAD_START);
    hooks::run_all("poststart", &state.poststart, &state.for_hooks(Status::Running, pid))
}

/// Waits until a process that was killed is gone, at most `patience`.
fn wait_gone(process: InitProcess, patience: Duration) -> Result<()> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let Ok(pidfd) = process.pidfd() else { return Ok(()) };
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    let _ = poll(&mut fds, timeout);
    match process.liveness() {
        Liveness::Dead => Ok(()),
        Liveness::Alive => Err(Error::message(format!(
            "process {} did not end within {} s of {}: it may hang in the kernel",
            process.pid,
            patience.as_secs(),
            Signal::SIGKILL
        ))),
    }
}
