//! `exec`

use std::path::Path;

use super::create::{Terminal, check_console};
use super::foreground::Foreground;
use super::host::{facts, protect_descriptors, without_absent_modules};
use super::{Container, ExecOptions, Runtime, cgroup_error, not_running, or_frozen_parent};
use crate::error::{Error, Result};
use crate::init::Filter;
use crate::launch::{ExecLaunch, Launched, PATIENCE, launch_exec, send_pidfd, write_pid_file};
use crate::notes::Notes;
use crate::plan::{self, CapabilitySets, Process};
use crate::spec;
use crate::state::{ExecDefaults, State, Status};

/// Runs another program in a container; gives its exit status, 128 + N for signal N. With `detach`
/// returns 0 as soon as it runs.
///
/// # Errors
/// When the container is not running, is paused, or the program could not be run.
pub fn exec(runtime: &Runtime, options: &ExecOptions) -> Result<i32> {
    protect_descriptors(options.preserve_fds)?;
    let container = Container::load(runtime, &options.id)?;
    let status = container.status();
    may_exec(status, &container.state, options.ignore_paused)?;
    let defaults = container.dir.load_exec()?;
    let process = settled_process(runtime, options, &defaults, &container)?;
    check_terminal(options, &process)?;
    let init = container.init()?.pidfd().map_err(|_| not_running())?;
    let sub_cgroup = sub_cgroup(&container, &options.cgroup)?;
    let filter = container.dir.load_filter()?.map(|(flags, program)| Filter { program, flags });
    let mut launched = launch_exec(ExecLaunch {
        state: &container.state,
        // The spec knows no frozen container.
        status: if status == Status::Paused { Status::Running } else { status },
        defaults: &defaults,
        process: &process,
        filter,
        init: &init,
        cgroup: sub_cgroup.as_ref().or(container.state.cgroup.as_ref()),
        follow_init: options.cgroup.is_empty(),
        console_socket: options.console_socket.as_deref(),
        preserve_fds: options.preserve_fds,
    })?;
    let foreground = if options.detach { None } else { Some(Foreground::new()?) };
    if let Err(error) = start(options, &launched) {
        launched.kill();
        return Err(error);
    }
    match foreground {
        Some(mut foreground) => foreground.wait(launched, None),
        None => Ok(0),
    }
}

fn may_exec(status: Status, state: &State, ignore_paused: bool) -> Result<()> {
    match status {
        Status::Stopped => Err(Error::message("cannot exec in a stopped container")),
        Status::Paused => refuse_frozen(state, ignore_paused),
        Status::Creating => Err(Error::message("cannot exec in a container that is being created")),
        Status::Created | Status::Running => Ok(()),
    }
}

/// [`process`], with what is passed over told or, with `--strict`, refused.
fn settled_process(
    runtime: &Runtime,
    options: &ExecOptions,
    defaults: &ExecDefaults,
    container: &Container,
) -> Result<Process> {
    let mut notes = Notes::new(runtime.strict);
    let mut process = process(options, defaults, container, &mut notes)?;
    let pointer = if options.process_file.is_some() { "" } else { "/process" };
    without_absent_modules(&mut process, pointer, &mut notes);
    notes.settle()?;
    Ok(process)
}

fn check_terminal(options: &ExecOptions, process: &Process) -> Result<()> {
    let has_socket = options.console_socket.is_some();
    if !options.detach && process.terminal && has_socket {
        // The terminal goes to the socket, and this command stays for the status.
        return Ok(());
    }
    let terminal = if options.detach { Terminal::Elsewhere } else { Terminal::Here };
    check_console(process.terminal, has_socket, terminal)
}

/// Lets the program run, and tells those who want to know.
fn start(options: &ExecOptions, launched: &Launched) -> Result<()> {
    launched.release()?;
    launched.wait_started(Some(PATIENCE))?;
    // Only now: a pid file means that the program did start.
    if let Some(path) = &options.pid_file {
        write_pid_file(path, launched.pid)?;
    }
    match &options.pidfd_socket {
        Some(path) => send_pidfd(path, &launched.pidfd, "setns"),
        None => Ok(()),
    }
}

/// Into what the container's parent froze nobody goes: the process would not even get to say so.
fn refuse_frozen(state: &State, ignore_paused: bool) -> Result<()> {
    let parent = state.cgroup.as_ref().and_then(libcgroups::Cgroup::frozen_parent);
    match parent {
        Some(_) => {
            Err(or_frozen_parent(state, Error::message("cannot exec in a paused container")))
        }
        None if ignore_paused => Ok(()),
        None => Err(Error::message(
            "cannot exec in a paused container (use --ignore-paused to override)",
        )),
    }
}

fn sub_cgroup(container: &Container, specs: &[String]) -> Result<Option<libcgroups::Cgroup>> {
    let Some(cgroup) = container.state.cgroup.as_ref().filter(|_| !specs.is_empty()) else {
        return Ok(None);
    };
    let specs: Vec<&str> = specs.iter().map(String::as_str).collect();
    cgroup.sub_cgroup(&specs).map(Some).map_err(cgroup_error)
}

/// What to run: the process file, or the container's own process with the changes of the command
/// line.
fn process(
    options: &ExecOptions,
    defaults: &ExecDefaults,
    container: &Container,
    notes: &mut Notes,
) -> Result<Process> {
    let bundle = &container.state.bundle;
    let given = defaults.process.as_ref();
    if let Some(path) = &options.process_file {
        let planned = plan::process(&spec::load_process(path, notes)?, &facts(bundle)?, "");
        let (process, warnings) = notes.before(planned)?;
        notes.add(warnings);
        // What an annotation of the container asks for holds for all its processes.
        let keep_groups = given.is_some_and(|process| process.keep_groups);
        return Ok(Process { keep_groups, ..process });
    }
    if options.args.is_empty() {
        return Err(Error::message("process args cannot be empty"));
    }
    let root = || Process { cwd: Path::new("/").to_owned(), ..Process::default() };
    let mut process = given.cloned().unwrap_or_else(root);
    change(&mut process, options)?;
    if !options.caps.is_empty() {
        let added = capability_mask(&options.caps, facts(bundle)?.last_cap)?;
        add_capabilities(&mut process.capabilities, added);
    }
    Ok(process)
}

/// What the flags of the command line say otherwise.
fn change(process: &mut Process, options: &ExecOptions) -> Result<()> {
    process.args.clone_from(&options.args);
    process.terminal = options.tty;
    if let Some(cwd) = &options.cwd {
        if !cwd.starts_with('/') {
            return Err(Error::message(format!("Cwd must be an absolute path, not {cwd:?}")));
        }
        process.cwd = cwd.into();
    }
    for entry in &options.env {
        set_env(&mut process.env, entry)?;
    }
    if let Some(user) = &options.user {
        (process.uid, process.gid) = parse_user(user)?;
        process.additional_gids.clear();
    }
    for gid in &options.additional_gids {
        process.additional_gids.push(parse_id(gid)?);
    }
    process.no_new_privileges |= options.no_new_privs;
    if options.apparmor.is_some() {
        process.apparmor_profile.clone_from(&options.apparmor);
    }
    if options.process_label.is_some() {
        process.selinux_label.clone_from(&options.process_label);
    }
    Ok(())
}

fn add_capabilities(sets: &mut CapabilitySets, added: u64) {
    // Never inheritable: a program with file capabilities would get them unasked.
    sets.bounding |= added;
    sets.effective |= added;
    sets.permitted |= added;
    // What is not inheritable cannot be ambient.
    sets.ambient |= added & sets.inheritable;
}

/// `--cap` names as bits.
fn capability_mask(names: &[String], last: u8) -> Result<u64> {
    names.iter().try_fold(0, |mask, name| match plan::capability_number(name) {
        Some(number) if number <= last => Ok(mask | 1 << number),
        _ => Err(Error::message(format!("unknown capability {name:?}"))),
    })
}

/// Adds `KEY=value`, in place of an earlier one with that key.
fn set_env(env: &mut Vec<String>, entry: &str) -> Result<()> {
    let key = entry.split_once('=').map(|(key, _)| key).filter(|key| !key.is_empty());
    let Some(key) = key else {
        return Err(Error::message(format!("invalid environment variable: {entry:?}")));
    };
    env.retain(|old| old.split_once('=').is_none_or(|(old_key, _)| old_key != key));
    env.push(entry.to_owned());
    Ok(())
}

/// `UID[:GID]`; without a group it is 0, as for `process.user`.
fn parse_user(text: &str) -> Result<(u32, u32)> {
    match text.split_once(':') {
        Some((uid, gid)) => Ok((parse_id(uid)?, parse_id(gid)?)),
        None => Ok((parse_id(text)?, 0)),
    }
}

/// A number that fits; 4294967295 is the kernel's "no id".
fn parse_id(text: &str) -> Result<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(id) if digits && id != u32::MAX => Ok(id),
        _ => Err(Error::message(format!("{text:?} is no user or group id (0 to 4294967294)"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_must_fit() {
        assert_eq!(parse_user("1").ok(), Some((1, 0)));
        assert_eq!(parse_user("1:2").ok(), Some((1, 2)));
        for bad in ["", "-1", "+1", "4294967295", "4294967296", "1:", ":1", "1:-1", "a", "1:2:3"] {
            assert!(parse_user(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_later_variable_wins() {
        let mut env = vec!["A=1".to_owned(), "B=2".to_owned()];
        set_env(&mut env, "A=3").expect("valid");
        assert_eq!(env, ["B=2", "A=3"]);
        assert!(set_env(&mut env, "A").is_err());
        assert!(set_env(&mut env, "=x").is_err());
    }
}
