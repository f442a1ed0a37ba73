//! The id maps of a user namespace: written by the runtime where it may, else by newuidmap(1) and
//! newgidmap(1), which know what /etc/subuid and /etc/subgid give to a normal user.

use std::io::Read;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::{Error, Result};
use crate::plan::{IdMap, Namespace, Namespaces, host_id, same_maps};

/// How long a helper may take: it may ask a directory service who the user is.
const PATIENCE: Duration = Duration::from_secs(30);
/// As much of a helper's complaint as is looked at, in bytes.
const MAX_COMPLAINT: u64 = 1024;

/// What users and groups differ in.
struct Kind {
    file: &'static str,
    name: &'static str,
    helper: &'static str,
    given: &'static str,
}

const GROUPS: Kind =
    Kind { file: "gid_map", name: "group", helper: "newgidmap", given: "/etc/subgid" };
const USERS: Kind =
    Kind { file: "uid_map", name: "user", helper: "newuidmap", given: "/etc/subuid" };

/// Writes the id maps of process `pid`, the first in its user namespace.
///
/// # Errors
/// When the caller may not map these ids, and no helper does it.
pub(super) fn write_id_maps(pid: i32, uid_maps: &[IdMap], gid_maps: &[IdMap]) -> Result<()> {
    let own_group = nix::unistd::getegid().as_raw();
    let only_own = |map: &[IdMap]| matches!(map, [one] if one.host == own_group && one.size == 1);
    if !nix::unistd::geteuid().is_root() && only_own(gid_maps) {
        // Without it a user may not even map the own group (user_namespaces(7)); with a helper
        // supplementary groups stay possible.
        write(pid, "setgroups", "deny")?;
    }
    write_map(pid, &GROUPS, gid_maps)?;
    write_map(pid, &USERS, uid_maps)
}

/// Compares the mappings of config.json, where it has any, with those of the user namespace that process
/// `pid` has joined.
///
/// # Errors
/// When they differ: the container would not be what the engine takes it for.
pub(super) fn check_joined(pid: i32, namespaces: &Namespaces) -> Result<()> {
    for (kind, given) in [(&USERS, &namespaces.uid_maps), (&GROUPS, &namespaces.gid_maps)] {
        if !given.is_empty() && !same_maps(&read(pid, kind)?, given) {
            let text = "user namespaces enabled, but both namespace path and non-matching mapping \
                        specified -- you may only provide one";
            let member = if kind.file == USERS.file { "uidMappings" } else { "gidMappings" };
            return Err(Error::config(format!("/linux/{member}"), text));
        }
    }
    Ok(())
}

/// The mappings of the user namespace that process `pid` is in, users and groups.
///
/// # Errors
/// Those of reading the process's files in /proc.
pub(crate) fn read_id_maps(pid: i32) -> Result<(Vec<IdMap>, Vec<IdMap>)> {
    Ok((read(pid, &USERS)?, read(pid, &GROUPS)?))
}

/// A map as it is seen from this user namespace.
fn read(pid: i32, kind: &Kind) -> Result<Vec<IdMap>> {
    let path = format!("/proc/{pid}/{}", kind.file);
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|error| Error::io("read", &path, &error))?;
    Ok(text.lines().filter_map(id_map).collect())
}

fn write(pid: i32, file: &str, text: &str) -> Result<()> {
    let path = format!("/proc/{pid}/{file}");
    std::fs::write(&path, text).map_err(|error| Error::io("write", &path, &error))
}

fn write_map(pid: i32, kind: &Kind, maps: &[IdMap]) -> Result<()> {
    let line = |map: &IdMap| format!("{} {} {}\n", map.container, map.host, map.size);
    let lines: String = maps.iter().map(line).collect();
    match write(pid, kind.file, &lines) {
        Err(error) if error.errno() == Some(Errno::EPERM) => help(pid, kind, maps),
        other => other,
    }
}

/// Has the helper write the map.
fn help(pid: i32, kind: &Kind, maps: &[IdMap]) -> Result<()> {
    let Kind { name, helper, given, .. } = kind;
    let program = find(helper).ok_or_else(|| {
        Error::message(format!(
            "map {name} ids: {helper} not found in $PATH: it takes that to map more than the \
             caller's own id"
        ))
    })?;
    let numbers = maps.iter().flat_map(|map| [map.container, map.host, map.size]);
    let mut command = Command::new(&program);
    command.arg(pid.to_string()).args(numbers.map(|number| number.to_string()));
    // It runs with more rights than the caller has, and needs nothing of what that brings along.
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| Error::io("run", &program, &error))?;
    let complaint =
        finish(child, PATIENCE).map_err(|why| Error::message(format!("run {program:?}: {why}")))?;
    match complaint {
        None => Ok(()),
        Some(text) => Err(Error::message(format!(
            "map {name} ids: {text} ({given} says which ones a user may map)"
        ))),
    }
}

/// A program of the caller's PATH.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let candidates = std::env::split_paths(&path).map(|dir| dir.join(name));
    candidates.filter(|candidate| candidate.is_absolute()).find(|one| {
        nix::unistd::access(one, nix::unistd::AccessFlags::X_OK).is_ok() && one.is_file()
    })
}

/// Waits for the end of a helper, at most `patience`: what it has complained of if it failed.
fn finish(mut child: Child, patience: Duration) -> std::result::Result<Option<String>, String> {
    let said = hear_out(&mut child, Instant::now() + patience);
    if said.is_none() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    let said = said.ok_or_else(|| format!("no end within {} s", patience.as_secs()))?;
    if status.success() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&said).trim().replace('\n', "; ");
    Ok(Some(if text.is_empty() { status.to_string() } else { text }))
}

/// What a helper says until it has ended; `None` when it has not by `end`.
fn hear_out(child: &mut Child, end: Instant) -> Option<Vec<u8>> {
    let pidfd = sys::pidfd::open(child.id().cast_signed()).ok()?;
    let mut pipe = child.stderr.take().map(|pipe| pipe.take(MAX_COMPLAINT));
    let (mut said, mut buffer) = (Vec::new(), [0; 256]);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        // What it says comes first: its words are there before its end is.
        let source = pipe.as_ref().map_or(pidfd.as_fd(), |pipe| pipe.get_ref().as_fd());
        match poll(&mut [PollFd::new(source, PollFlags::POLLIN)], timeout) {
            Err(Errno::EINTR) => continue,
            Ok(count) if count > 0 => {}
            _ => return None,
        }
        let Some(open) = &mut pipe else { return Some(said) };
        match open.read(&mut buffer) {
            Ok(0) | Err(_) => pipe = None,
            Ok(length) => said.extend_from_slice(buffer.get(..length).unwrap_or_default()),
        }
    }
}

/// The user outside for `uid` of the container with first process `pid`; `None` when there is none.
pub(super) fn host_uid(pid: i32, uid: u32, namespaces: &Namespaces) -> Result<Option<u32>> {
    match namespaces.user {
        Namespace::Inherit => Ok(Some(uid)),
        Namespace::New => Ok(host_id(uid, &namespaces.uid_maps)),
        Namespace::Join(_) => Ok(host_id(uid, &read(pid, &USERS)?)),
    }
}

/// A line of uid_map.
fn id_map(line: &str) -> Option<IdMap> {
    let mut numbers = line.split_whitespace().map(|number| number.parse().ok());
    let (container, host, size) = (numbers.next()??, numbers.next()??, numbers.next()??);
    Some(IdMap { container, host, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_are_heard_out() {
        let within = |patience: Duration, script: &str| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]).stderr(Stdio::piped());
            finish(command.spawn().expect("sh"), patience)
        };
        let run = |script: &str| within(PATIENCE, script);
        assert_eq!(run("echo unimportant >&2"), Ok(None));
        assert_eq!(
            run("echo no; echo no such range >&2; exit 1"),
            Ok(Some("no such range".into()))
        );
        assert_eq!(run("exit 3"), Ok(Some("exit status: 3".into())));
        // More than is looked at does not hold it up.
        let long = run("head -c 200000 /dev/zero | tr '\\0' x >&2; exit 1");
        assert!(long.is_ok_and(|text| text.is_some()));
        // One that does not end is not waited for, whether or not it says so.
        for script in ["exec sleep 100", "exec sleep 100 2>&-", "echo no >&2; exec sleep 100 2>&-"]
        {
            let begin = Instant::now();
            assert_eq!(within(Duration::from_secs(1), script), Err("no end within 1 s".into()));
            assert!(begin.elapsed() < Duration::from_secs(20), "{script}");
        }
    }
}
