//! `start`

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::host::protect_descriptors;
use super::notify::Proxy;
use super::{Container, Runtime, not_running, run_poststart};
use crate::error::{Error, Result};
use crate::launch::PATIENCE;
use crate::state::Status;

/// Has a created container run its program.
///
/// # Errors
/// When it is not in the state `created`, or its program could not be run.
pub fn start(runtime: &Runtime, id: &str) -> Result<()> {
    protect_descriptors(0)?;
    let container = Container::load(runtime, id)?;
    let status = container.status();
    if status != Status::Created {
        return Err(Error::message(match status {
            Status::Stopped => "cannot start a container that has stopped".into(),
            Status::Running => "cannot start an already running container".into(),
            other => format!("cannot start a container in the {} state", other.as_str()),
        }));
    }
    let proxy = Proxy::listen(&container.dir)?;
    let (start, result) = container.dir.open_fifos().map_err(|errno| match errno {
        Errno::ENXIO | Errno::ENOENT => Error::message("cannot start a container that has stopped"),
        errno => Error::os("open start FIFO of", id, errno),
    })?;
    container.dir.give_start(start).map_err(|errno| match errno {
        Errno::EALREADY => Error::message("cannot start an already running container"),
        Errno::EPIPE => Error::message("cannot start a container that has stopped"),
        errno => Error::os("write to start FIFO of", id, errno),
    })?;
    wait_started(result, (!container.state.slow_start).then_some(PATIENCE))?;
    if !container.state.has_process {
        // runtime.md has `start` generate an error then and leaves open how it is shown. The exit
        // code stays 0, as under crun: that is what the OCI runtime-tools suite looks at.
        crate::warn("config.json has no process: nothing was run, and the container is stopped");
        return Ok(());
    }
    let pid = container.init()?.pid;
    run_poststart(&container.state, pid).inspect_err(|_| {
        // runtime.md, lifecycle step 9: the container is stopped then.
        if let Ok(pidfd) = container.init().and_then(|init| init.pidfd().map_err(|_| not_running()))
        {
            let _ = sys::pidfd::send_signal(pidfd.as_fd(), nix::libc::SIGKILL);
        }
    })?;
    // As under runc, a service that is to say when it is ready has started only then.
    if let (Some(proxy), Ok(pidfd)) = (proxy, container.init()?.pidfd()) {
        proxy.relay(pidfd.as_fd(), pid);
    }
    Ok(())
}

/// Waits for execve(2): end-of-file, or the reason why it failed.
fn wait_started(result: OwnedFd, patience: Option<Duration>) -> Result<()> {
    let timeout = match patience.map(PollTimeout::try_from) {
        Some(Ok(timeout)) => timeout,
        _ => PollTimeout::NONE,
    };
    let mut fds = [PollFd::new(result.as_fd(), PollFlags::POLLIN)];
    loop {
        match poll(&mut fds, timeout) {
            Ok(0) => {
                return Err(Error::message(
                    "the container process did not run its program in time",
                ));
            }
            Ok(_) => break,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::os("poll", "status FIFO", errno)),
        }
    }
    let mut text = String::new();
    // Everything the process had to say was written at once, before it ended.
    let _ = std::fs::File::from(result).read_to_string(&mut text);
    if text.is_empty() { Ok(()) } else { Err(Error::message(text)) }
}
