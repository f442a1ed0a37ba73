//! Running hooks: in the runtime by `launch` and `lifecycle`, in the container by `init`.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::{Error, Result};
use crate::plan::Hook;

/// How much of a failed hook's output goes into the error.
const MAX_OUTPUT: usize = 2048;

/// What a hook has besides its entry.
#[derive(Debug, Default)]
pub(crate) struct Surroundings<'a> {
    /// The environment where its entry has none.
    pub(crate) env: &'a [String],
    /// A seccomp program, with the flags of seccomp(2), that it is put under.
    pub(crate) filter: Option<(&'a [u8], u32)>,
}

/// Runs `hooks` one after another with the container's state as JSON on standard input; the first
/// failure ends it. `kind` is the property of `hooks` in config.json they come from.
///
/// # Errors
/// The hook that could not be started, exited with another status than 0 or ran out of time.
pub(crate) fn run_all(kind: &str, hooks: &[Hook], state: &str) -> Result<()> {
    run_all_in(&Surroundings::default(), kind, hooks, state)
}

/// As [`run_all`], in given surroundings.
pub(crate) fn run_all_in(
    surroundings: &Surroundings<'_>,
    kind: &str,
    hooks: &[Hook],
    state: &str,
) -> Result<()> {
    for (index, hook) in hooks.iter().enumerate() {
        run(hook, state, surroundings).map_err(|error| {
            Error::message(format!("error running {kind} hook #{index}: {error}"))
        })?;
    }
    Ok(())
}

fn run(hook: &Hook, state: &str, surroundings: &Surroundings<'_>) -> Result<()> {
    let mut command = Command::new(&hook.path);
    if let Some((name, rest)) = hook.args.split_first() {
        command.arg0(name).args(rest);
    }
    // The spec gives a hook the environment in its entry and no other.
    let env = hook.env.as_deref().unwrap_or(surroundings.env);
    command.env_clear().envs(env.iter().filter_map(|entry| entry.split_once('=')));
    // A group of its own, so that a timeout ends also what it has started.
    command.process_group(0);
    command.stdin(input(state)?);
    command.stdout(output(hook.stdout.as_deref())?).stderr(output(hook.stderr.as_deref())?);
    if let Some((program, flags)) = surroundings.filter {
        sys::seccomp::install_in_child(&mut command, program.to_vec(), flags);
    }
    let mut child = command.spawn().map_err(|error| Error::io("exec", &hook.path, &error))?;
    let output = supervise(&mut child, hook.timeout.map(Duration::from_secs));
    let status = match output {
        Ok((status, _)) if status.success() => return Ok(()),
        Ok((status, output)) => format!("{}, output: {}", ended(status), output.trim_end()),
        Err(error) => error.to_string(),
    };
    Err(Error::message(format!("{:?}: {status}", hook.path)))
}

/// A pipe to the runtime, or the end of a file. A FIFO that nobody reads is an error rather than waited for.
fn output(file: Option<&Path>) -> Result<Stdio> {
    let Some(path) = file else { return Ok(Stdio::piped()) };
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(flags.bits());
    let file = options.open(path).map_err(|error| Error::io("open", path, &error))?;
    // The hook itself may wait for who reads it.
    fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))
        .map_err(|errno| Error::os("open", path, errno))?;
    Ok(Stdio::from(file))
}

/// How a hook ended, in the words of Go's os package, which runc's messages have.
fn ended(status: std::process::ExitStatus) -> String {
    const SIGNALS: [(i32, &str); 11] = [
        (nix::libc::SIGHUP, "hangup"),
        (nix::libc::SIGINT, "interrupt"),
        (nix::libc::SIGQUIT, "quit"),
        (nix::libc::SIGILL, "illegal instruction"),
        (nix::libc::SIGABRT, "aborted"),
        (nix::libc::SIGBUS, "bus error"),
        (nix::libc::SIGKILL, "killed"),
        (nix::libc::SIGSEGV, "segmentation fault"),
        (nix::libc::SIGPIPE, "broken pipe"),
        (nix::libc::SIGTERM, "terminated"),
        (nix::libc::SIGSYS, "bad system call"),
    ];
    let Some(signal) = status.signal() else {
        return format!("exit status {}", status.code().unwrap_or_default());
    };
    match SIGNALS.iter().find(|(number, _)| *number == signal) {
        Some((_, name)) => format!("signal: {name}"),
        None => format!("signal: signal {signal}"),
    }
}

/// The state as a file in memory: a hook need not read it, and nobody waits for that.
fn input(state: &str) -> Result<File> {
    let fail = |error| Error::io("write", "state for hook", &error);
    let memory = sys::fd::sealable_memfd("state")
        .map_err(|errno| Error::os("memfd_create", "state", errno))?;
    let mut file = File::from(memory);
    file.write_all(state.as_bytes()).and_then(|()| file.rewind()).map_err(fail)?;
    let seals = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))
        .map_err(|errno| Error::os("seal", "state for hook", errno))?;
    Ok(file)
}

/// Waits for the end of the hook's output and of the hook, at most `timeout`.
fn supervise(
    child: &mut Child,
    timeout: Option<Duration>,
) -> Result<(std::process::ExitStatus, String)> {
    // One beyond what a clock can tell is none.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let pidfd = sys::pidfd::open(child.id().cast_signed())
        .map_err(|errno| Error::os("pidfd_open", "", errno))?;
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let mut output = Vec::new();
    loop {
        let mut fds = vec![PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        fds.extend(stdout.iter().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
        fds.extend(stderr.iter().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
        let left = match deadline.map(|deadline| deadline.checked_duration_since(Instant::now())) {
            None => PollTimeout::NONE,
            Some(Some(left)) => PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX),
            Some(None) => return Err(kill(child, timeout)),
        };
        match poll(&mut fds, left) {
            Err(nix::errno::Errno::EINTR) => continue,
            Err(errno) => return Err(Error::os("poll", "", errno)),
            Ok(0) => return Err(kill(child, timeout)),
            Ok(_) => {}
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        if stdout.is_some() && ready[1] {
            drain(&mut stdout, &mut output);
        } else if stderr.is_some() && ready.last() == Some(&true) && ready.len() > 1 {
            drain(&mut stderr, &mut output);
        } else if ready[0] {
            // What the hook left running in the background may hold the pipes; nobody waits for it.
            let status = child.wait().map_err(|error| Error::io("wait", "", &error))?;
            return Ok((status, String::from_utf8_lossy(&output).into_owned()));
        }
    }
}

fn drain(pipe: &mut Option<impl Read>, output: &mut Vec<u8>) {
    let mut buffer = [0_u8; 1024];
    match pipe.as_mut().map(|pipe| pipe.read(&mut buffer)) {
        Some(Ok(length)) if length > 0 => {
            let room = MAX_OUTPUT.saturating_sub(output.len());
            output.extend_from_slice(&buffer[..length.min(room)]);
        }
        _ => *pipe = None,
    }
}

fn kill(child: &mut Child, timeout: Option<Duration>) -> Error {
    let group = nix::unistd::Pid::from_raw(child.id().cast_signed());
    let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
    let _ = child.wait();
    let seconds = timeout.unwrap_or_default().as_secs();
    Error::message(format!("hook ran past timeout of {seconds}s"))
}
