//! What leaves the runtime when a process is ready: terminal, notification descriptor, pid file,
//! pidfd, and the limits that only the runtime may raise.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::termios::{OutputFlags, SetArg, tcgetattr, tcsetattr};

use crate::error::{Error, Result};
use crate::plan::{Plan, Rlimit};
use crate::state::{State, Status, replace};

use super::Launched;

/// How long a console socket may be in coming.
const CONSOLE_PATIENCE: Duration = Duration::from_millis(500);

/// How long a seccomp agent may let the runtime wait with a connection, and with a message that is too long for the
/// socket's buffer.
const AGENT_PATIENCE: Duration = Duration::from_secs(10);

/// Connects to the socket that will get the terminal, before anything else is done: a wrong path
/// must not cost a half-made container.
///
/// One that nobody listens at yet is waited for a moment: whoever starts the listener and the runtime one
/// right after the other has got used to slow runtimes.
pub(super) fn connect_console(path: &Path) -> Result<OwnedFd> {
    connect(path, CONSOLE_PATIENCE, &[Errno::ENOENT, Errno::ECONNREFUSED, Errno::EAGAIN])
        .map_err(|errno| Error::os("connect to console socket", path, errno))
}

/// Connects to a socket, and tries it again for as long as `patience` lasts while the answer is one of `passing`:
/// `EAGAIN` says that the queue of connections is full.
fn connect(path: &Path, patience: Duration, passing: &[Errno]) -> nix::Result<OwnedFd> {
    let end = Instant::now() + patience;
    loop {
        match sys::socket::connect_stream(path) {
            Err(errno) if passing.contains(&errno) && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}

/// Sends the terminal to the console socket, or gives it back where there is none.
pub(super) fn deliver_console(
    master: OwnedFd,
    socket: Option<&OwnedFd>,
) -> Result<Option<OwnedFd>> {
    let Some(socket) = socket else {
        plain_line_ends(&master)?;
        return Ok(Some(master));
    };
    let fail = |errno| Error::os("send terminal to", "console socket", errno);
    let number = sys::tty::number(master.as_fd()).map_err(fail)?;
    let name = format!("/dev/pts/{number}");
    sys::socket::send(socket.as_fd(), name.as_bytes(), &[master.as_fd()]).map_err(fail)?;
    Ok(None)
}

/// Has the terminal leave line ends as the program writes them: what is copied to a pipe or a file is to
/// have no others, and on another terminal that one makes them. The program does not run yet, so
/// nothing of it is lost and nothing it chooses is changed.
fn plain_line_ends(master: &OwnedFd) -> Result<()> {
    let change = || {
        let mut settings = tcgetattr(master)?;
        settings.output_flags.remove(OutputFlags::ONLCR);
        tcsetattr(master, SetArg::TCSANOW, &settings)
    };
    change().map_err(|errno| Error::os("set up", "terminal", errno))
}

/// Sends the process's pidfd to the socket at `path`, with `what` it is.
pub(crate) fn send_pidfd(path: &Path, pidfd: &OwnedFd, what: &str) -> Result<()> {
    let fail = |errno| Error::os("send pidfd to", path, errno);
    let socket = sys::socket::connect_stream(path).map_err(fail)?;
    sys::socket::send(socket.as_fd(), what.as_bytes(), &[pidfd.as_fd()]).map_err(fail)
}

/// Writes the number, without a newline, so that the file is there whole or not at all.
pub(crate) fn write_pid_file(path: &Path, pid: i32) -> Result<()> {
    replace(path, pid.to_string().as_bytes(), 0o644)
}

/// Sets the limits of `pending` (bits by the kernel's numbers) on the process.
pub(super) fn set_rlimits(pid: i32, limits: &[Rlimit], pending: u32) -> Result<()> {
    let pending_one =
        |limit: &&Rlimit| pending & 1_u32.checked_shl(limit.resource).unwrap_or(0) != 0;
    limits.iter().filter(pending_one).try_for_each(|limit| {
        sys::sched::set_rlimit(pid, limit.resource, limit.soft, limit.hard).map_err(|errno| {
            let error = Error::os("setrlimit", &limit.name, errno);
            Error::message(format!("{error} (the hard limit can only be raised by the privileged)"))
        })
    })
}

/// Sets how likely the kernel ends the process when memory runs out; see proc_pid_oom_score_adj(5).
pub(super) fn write_oom_score_adj(pid: &str, adjust: i32) -> Result<()> {
    let path = format!("/proc/{pid}/oom_score_adj");
    let result = std::fs::write(&path, adjust.to_string());
    result.map_err(|error| Error::io("write", &path, &error))
}

/// Who answers the notifications of a seccomp filter.
pub(super) struct Listener<'a> {
    pub(super) path: &'a str,
    pub(super) metadata: &'a str,
}

impl<'a> Listener<'a> {
    /// `listenerPath` and `listenerMetadata` of config.json.
    pub(super) fn of_plan(plan: &'a Plan) -> Option<Self> {
        let profile = plan.seccomp.as_ref()?;
        let metadata = profile.listener_metadata.as_deref().unwrap_or_default();
        Some(Self { path: profile.listener_path.as_deref()?, metadata })
    }

    /// Takes descriptor `number` out of the process and sends it to the listener, with the
    /// container's process state (config-linux.md, "The Container Process State"). `status` and `init` are the
    /// container's own, which `exec` leaves as they are.
    pub(super) fn deliver(
        &self,
        launched: &Launched,
        number: i32,
        state: &State,
        (status, init): (Status, i32),
    ) -> Result<()> {
        let path = Path::new(self.path);
        let fail = |op: &'static str| move |errno| Error::os(op, path, errno);
        let listener = sys::pidfd::get_fd(launched.pidfd.as_fd(), number)
            .map_err(fail("copy notification descriptor for"))?;
        let socket = connect(path, AGENT_PATIENCE, &[Errno::EAGAIN])
            .map_err(fail("failed to connect with seccomp agent"))?;
        let mut message = serde_json::json!({
            "ociVersion": state.oci_version,
            "fds": ["seccompFd"],
            "pid": launched.pid,
            "state": state.oci_value(status, init),
        });
        if !self.metadata.is_empty() {
            message["metadata"] = self.metadata.into();
        }
        let text = message.to_string();
        sys::socket::send_all(socket.as_fd(), text.as_bytes(), &[listener.as_fd()], AGENT_PATIENCE)
            .map_err(fail("send notification descriptor to"))
    }
}
