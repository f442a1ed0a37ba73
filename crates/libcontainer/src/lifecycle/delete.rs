//! `delete`

use std::os::fd::AsFd;
use std::time::Duration;

use super::host::protect_descriptors;
use super::options::check_id;
use super::{
    Container, Runtime, cgroup_error, for_each, matching, or_frozen_parent, signal_all, wait_gone,
};
use crate::error::{Error, Result};
use crate::hooks;
use crate::state::{InitProcess, Liveness, State, StateDir, Status};

/// How long a killed process may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same where it can hardly be.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);

/// Removes what is left of a container; with `force` also one that still runs, or whose `create`
/// was cut short at any point, or that is not there at all.
///
/// # Errors
/// When it is not stopped, or something of it does not go away.
pub fn delete(runtime: &Runtime, id: &str, force: bool) -> Result<()> {
    check_id(id)?;
    protect_descriptors(0)?;
    let dir = StateDir::new(&runtime.root, id);
    let hold = dir.lock_for_removal(PATIENCE)?;
    if force && hold.is_none() {
        StateDir::sweep(&runtime.root);
        return Ok(());
    }
    if hold.is_none() {
        return Err(StateDir::missing());
    }
    let state = match dir.load() {
        Err(error) if force => {
            crate::warn(&error.to_string());
            match dir.salvage()? {
                Some(state) => state,
                // Nothing tells what it was, or what it may have made.
                None => {
                    check_nobody_is_left(id)?;
                    return dir.remove();
                }
            }
        }
        other => other?,
    };
    let mut container = Container { dir, state };
    if !settle_creator(&mut container, force)? {
        return Ok(());
    }
    match container.status() {
        Status::Stopped => {}
        // Its program never ran; as in runc nothing is lost by ending it.
        Status::Created => end(&container)?,
        _ if force => end(&container)?,
        status => return Err(not_stopped(id, status)),
    }
    remove(&container.dir, &container.state)
}

/// [`delete`] for every container whose id matches `pattern` (see [`matching`]).
///
/// # Errors
/// Of each container that could not be deleted; the others have been.
pub fn delete_matching(runtime: &Runtime, pattern: &str, force: bool) -> Result<()> {
    for_each(&matching(runtime, pattern)?, |id| match delete(runtime, id, force) {
        // Somebody else was faster.
        Err(_) if !StateDir::new(&runtime.root, id).exists() => Ok(()),
        other => other,
    })
}

/// Sees to it that no `create` is at work any more, and that the state is the last that it has written. It would go on
/// with what is removed here, in the directory and the unit of whoever gets the name next. `false` when it has taken
/// all back by itself.
///
/// # Errors
/// Without `force`, when one is at work.
fn settle_creator(container: &mut Container, force: bool) -> Result<bool> {
    let Some(creator) = container.state.creator else { return Ok(true) };
    if creator.liveness() == Liveness::Alive {
        if !force {
            return Err(not_stopped(&container.state.id, Status::Creating));
        }
        if let Ok(pidfd) = creator.pidfd() {
            let _ = sys::pidfd::send_signal(pidfd.as_fd(), nix::libc::SIGKILL);
        }
        wait_gone(creator, PATIENCE)?;
    }
    if !container.dir.exists() {
        return Ok(false);
    }
    // It may have come further since, or to its end.
    container.state = container.dir.load()?;
    Ok(true)
}

fn not_stopped(id: &str, status: Status) -> Error {
    let status = status.as_str();
    Error::message(format!("cannot delete container {id} that is not stopped: {status}"))
}

/// Looks for the processes of a container whose state cannot be read, by the names that cgroups most often have. They
/// may be somebody else's, so they are not killed; nor is it said that the container is gone.
fn check_nobody_is_left(id: &str) -> Result<()> {
    let unit_end = format!("-{id}.scope");
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let named =
            |cgroup: &&str| cgroup.split('/').any(|part| part == id || part.ends_with(&unit_end));
        let mut cgroups = text.lines().filter_map(|line| line.splitn(3, ':').last());
        let alive =
            || InitProcess::of(pid).is_ok_and(|process| process.liveness() == Liveness::Alive);
        if let Some(cgroup) = cgroups.find(named).filter(|_| alive()) {
            return Err(Error::message(format!(
                "container {id}: its state is lost, and process {pid} may be of it, by its cgroup {cgroup:?}: \
                 end it first"
            )));
        }
    }
    Ok(())
}

/// Kills the first process and all others of the container.
fn end(container: &Container) -> Result<()> {
    let Some(init) = container.state.init else { return Ok(()) };
    if let Ok(pidfd) = init.pidfd() {
        // Gone meanwhile is what is wanted.
        let _ = sys::pidfd::send_signal(pidfd.as_fd(), nix::libc::SIGKILL);
    }
    signal_all(&container.state, nix::libc::SIGKILL)?;
    // In a v1 hierarchy that is not ours to thaw nobody dies, however long we wait.
    let held = |cgroup: &libcgroups::Cgroup| {
        cgroup.freezer_holds_the_dead() && cgroup.frozen_parent().is_some()
    };
    let held = container.state.cgroup.as_ref().is_some_and(held);
    wait_gone(init, if held { SHORT_PATIENCE } else { PATIENCE })
        .map_err(|error| or_frozen_parent(&container.state, error))
}

/// Removes cgroup and state, and runs the poststop hooks.
pub(super) fn remove(dir: &StateDir, state: &State) -> Result<()> {
    // Processes of a container that shares its pid namespace outlive the first one.
    let shares_pids = state.namespaces & nix::sched::CloneFlags::CLONE_NEWPID.bits() == 0;
    // Before it had a process, whoever is in its cgroup is not of the container.
    if shares_pids && state.init.is_some() {
        signal_all(state, nix::libc::SIGKILL)?;
    }
    if let Some(cgroup) = state.cgroup.as_ref().filter(|_| has_cgroup(state)) {
        cgroup.remove().map_err(|error| or_frozen_parent(state, cgroup_error(error)))?;
    }
    state.rdt.as_ref().map_or(Ok(()), crate::rdt::Group::remove)?;
    dir.remove()?;
    run_poststop(state);
    Ok(())
}

/// Whether what is there of the cgroup is the container's. A unit is only made once there is a process to put in: before
/// that one of its name is somebody else's.
pub(super) fn has_cgroup(state: &State) -> bool {
    state.init.is_some() || state.cgroup.as_ref().is_some_and(|cgroup| cgroup.unit().is_none())
}

/// Runs the poststop hooks. The spec has a failed one be a warning, and the rest go on.
pub(super) fn run_poststop(state: &State) {
    let json = state.for_hooks(Status::Stopped, 0);
    for hook in &state.poststop {
        if let Err(error) = hooks::run_all("poststop", std::slice::from_ref(hook), &json) {
            crate::warn(&error.to_string());
        }
    }
}
