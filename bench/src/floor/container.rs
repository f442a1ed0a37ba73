//! The parent's side: one function a verb.

use std::ffi::CStr;
use std::fs;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use libc::pid_t;
use nix::fcntl::OFlag;
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::Pid;

use crate::cgroup::Group;
use crate::init::{self, Wait};
use crate::raw::{self, Side};

const NAMESPACES: i32 = libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS;

/// create, start, wait and delete in one process.
pub(crate) fn run(bundle: &Path) -> ExitCode {
    let group = Group::create(&group_name(std::process::id()));
    let (pid, pidfd) = launch(bundle, &group, c"true", None);
    let status = wait(pid, &pidfd);
    group.remove();
    status
}

/// Leaves the container waiting at its FIFO.
pub(crate) fn create(bundle: &Path, state: &Path, word: &str) {
    io("mkdir state", fs::create_dir(state));
    let fifo = state.join("start");
    raw::must("mkfifo", nix::unistd::mkfifo(&fifo, Mode::from_bits_truncate(0o600)));
    let name = group_name(std::process::id());
    let group = Group::create(&name);
    // Not std's open: on musl it masks O_PATH out with the access mode.
    let fifo = raw::must(
        "open fifo",
        nix::fcntl::open(&fifo, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()),
    );
    let (ready, tell) = io("pipe", std::io::pipe());
    let word = if word == "pause" { c"pause" } else { c"true" };
    let (pid, _) = launch(bundle, &group, word, Some((fifo, ready, tell)));
    io("write state", fs::write(state.join("state"), format!("{pid} {name}\n")));
}

/// Opens the FIFO, at whose other end the container waits.
pub(crate) fn start(state: &Path) {
    let mut byte = [0];
    io(
        "start",
        fs::File::open(state.join("start")).and_then(|mut fifo| fifo.read_exact(&mut byte)),
    );
}

/// Prints what `state` would have to know.
pub(crate) fn state(state: &Path) {
    let (pid, name) = read_state(state);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let status = if stat.is_empty() || stat.contains(") Z ") { "stopped" } else { "running" };
    println!(
        "{{\"ociVersion\":\"1.3.0\",\"id\":\"{name}\",\"status\":\"{status}\",\"pid\":{pid}}}"
    );
}

/// A second process in a running container.
pub(crate) fn exec(state: &Path) -> ExitCode {
    let (pid, name) = read_state(state);
    let group = Group::existing(&name);
    let container = raw::pidfd_open(pid);
    let join = |flags| raw::must("setns", nix::sched::setns(&container, flags));
    // The pid namespace takes effect for the children only; the rest is the child's business.
    join(CloneFlags::CLONE_NEWPID);
    let (mut go, tell) = io("pipe", std::io::pipe());
    match raw::clone3(0, group.v2()) {
        Side::Child => {
            drop(tell);
            let _ = go.read(&mut [0]);
            let flags = CloneFlags::from_bits_truncate(NAMESPACES) - CloneFlags::CLONE_NEWPID;
            join(flags | CloneFlags::CLONE_NEWCGROUP);
            init::confine_and_execute(c"true", None)
        }
        Side::Parent { pid, pidfd } => {
            group.add_v1(pid);
            drop((go, tell));
            wait(pid, &pidfd)
        }
    }
}

/// Ends a container that runs, then as `delete`.
pub(crate) fn destroy(state: &Path) {
    let (pid, _) = read_state(state);
    raw::must("kill", kill(Pid::from_raw(pid), Signal::SIGKILL));
    delete(state);
}

/// Removes what `create` made; the container has ended.
pub(crate) fn delete(state: &Path) {
    let (_, name) = read_state(state);
    Group::at(&name).remove();
    io("remove state", fs::remove_dir_all(state));
}

/// The FIFO to wait at, and both ends of the pipe that tells that it is waiting.
type Fifo = (OwnedFd, PipeReader, PipeWriter);

/// The container's init; it waits at the FIFO when there is one, and has told so when this is back.
fn launch(bundle: &Path, group: &Group, word: &CStr, fifo: Option<Fifo>) -> (pid_t, OwnedFd) {
    let (mut go, join) = io("pipe", std::io::pipe());
    match raw::clone3(NAMESPACES, group.v2()) {
        Side::Child => {
            drop(join);
            // End of file: the parent has put this process into the v1 groups.
            let _ = go.read(&mut [0]);
            raw::must("unshare cgroup", nix::sched::unshare(CloneFlags::CLONE_NEWCGROUP));
            init::build(&bundle.join("rootfs"));
            init::confine_and_execute(word, fifo.map(|(fifo, _, tell)| Wait { fifo, tell }))
        }
        Side::Parent { pid, pidfd } => {
            group.add_v1(pid);
            drop((go, join));
            if let Some((_, mut ready, tell)) = fifo {
                drop(tell);
                io("container did not get ready", ready.read_exact(&mut [0]));
            }
            (pid, pidfd)
        }
    }
}

fn wait(pid: pid_t, pidfd: &OwnedFd) -> ExitCode {
    match raw::wait_usage(pid, pidfd, -1) {
        Some((status, _)) => {
            let code = ExitStatus::from_raw(status).code().and_then(|code| u8::try_from(code).ok());
            ExitCode::from(code.unwrap_or(255))
        }
        None => ExitCode::FAILURE,
    }
}

fn read_state(state: &Path) -> (pid_t, String) {
    let text = io("read state", fs::read_to_string(state.join("state")));
    let fields =
        text.trim().split_once(' ').and_then(|(pid, name)| Some((pid.parse().ok()?, name)));
    let (pid, name) = fields.unwrap_or_else(|| raw::fail("broken state", 0));
    (pid, name.to_owned())
}

fn group_name(pid: u32) -> String {
    format!("onggi-floor-{pid}")
}

fn io<T>(what: &str, result: std::io::Result<T>) -> T {
    result.unwrap_or_else(|error| raw::fail(what, error.raw_os_error().unwrap_or(0)))
}

impl Wait {
    /// Tells the parent that all is ready, then waits for `start`.
    pub(crate) fn until_started(self) {
        let Wait { fifo, mut tell } = self;
        io("tell", tell.write_all(&[1]));
        drop(tell);
        let path = format!("/proc/self/fd/{}", fifo.as_raw_fd());
        let started = fs::OpenOptions::new().write(true).open(path);
        io("start fifo", started.and_then(|mut fifo| fifo.write_all(&[1])));
    }
}
