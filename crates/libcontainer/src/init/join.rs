//! The process that `exec` puts into a running container, between the clone and execve(2).

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::Mode;
use sys::{Proc, Root};

use super::console::Terminal;
use super::{CLONE_NEWTIME, Filter, Setting, begin, credentials, session};
use crate::error::{Error, Result};
use crate::plan::{MemoryPolicy, Process};
use crate::sync::ChildEnd;

/// Everything that such a process needs, made before the clone.
#[derive(Debug)]
pub(crate) struct ExecContext<'a> {
    /// What to run, and as whom.
    pub(crate) process: &'a Process,
    /// The container's id.
    pub(crate) id: &'a str,
    /// The container's first process, whose namespaces are joined.
    pub(crate) target: JoinTarget<'a>,
    /// Which of them, besides its pid namespace; none when the process was born in them.
    pub(crate) namespaces: CloneFlags,
    /// Root directory of the container, where it has no mount namespace of its own.
    pub(crate) root: Option<OwnedFd>,
    /// The container's seccomp filter.
    pub(crate) filter: Option<Filter>,
    /// By which the process joins the v1 hierarchies.
    pub(crate) join_files: Vec<libcgroups::JoinFile>,
    /// See [`super::InitOptions`].
    pub(crate) wait_first: bool,
    /// See [`super::InitOptions`].
    pub(crate) new_keyring: bool,
    /// Whether the container has a user namespace of its own.
    pub(crate) in_user_namespace: bool,
    /// See [`super::InitOptions`].
    pub(crate) preserve_fds: u32,
    /// `linux.personality`
    pub(crate) personality: Option<u64>,
    /// `linux.memoryPolicy`
    pub(crate) memory_policy: Option<&'a MemoryPolicy>,
}

/// Becomes the process. Does not return.
pub(crate) fn run(context: &ExecContext<'_>, channel: &ChildEnd) -> ! {
    let Err(error) = steps(context, channel);
    channel.failed(&error);
    sys::clone::exit_now(1)
}

#[expect(clippy::disallowed_methods, reason = "the root directory itself is no link")]
fn steps(context: &ExecContext<'_>, channel: &ChildEnd) -> Result<std::convert::Infallible> {
    let process = context.process;
    begin(channel, &context.join_files, context.wait_first)?;
    if !context.namespaces.is_empty() {
        enter_all(&context.target, context.namespaces)?;
    }
    if let Some(root) = &context.root {
        let fail = |errno| Error::os("enter", "root of container", errno);
        nix::unistd::fchdir(root).and_then(|()| nix::unistd::chroot(".")).map_err(fail)?;
    }
    if context.in_user_namespace {
        credentials::become_namespace_root(process.keep_groups)?;
    }
    session(context.new_keyring, context.id, process.selinux_label.as_deref())?;
    let proc = Proc::open().map_err(|errno| Error::os("open private", "proc", errno))?;
    if process.terminal {
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let root =
            open("/", flags, Mode::empty()).map_err(|errno| Error::os("open", "/", errno))?;
        let size = process.console_size;
        let terminal = Terminal::open(&Root::new(root), size)?;
        channel.console(terminal.master())?;
        terminal.take_over()?;
    }
    channel.wait_go()?;
    let setting = Setting {
        proc,
        keep: Vec::new(),
        filter: context.filter.as_ref(),
        personality: context.personality,
        memory_policy: context.memory_policy,
        preserve_fds: context.preserve_fds,
        affinity: process.exec_affinity.clone(),
        cpuset: false,
        last_words: "setns_init: about to exec",
    };
    let executable = credentials::confine(process, setting, channel)?;
    executable.exec(process, context.filter.as_ref())
}

/// A process whose namespaces are joined.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JoinTarget<'a> {
    /// Its pidfd.
    pub(crate) pidfd: &'a OwnedFd,
    /// Its number, for kernels that need paths.
    pub(crate) pid: i32,
}

/// Names in /proc/PID/ns, in the order of joining: the user namespace gives the right to join the
/// others, the mount namespace takes /proc away.
const NAMES: [(&str, i32); 8] = [
    ("user", CloneFlags::CLONE_NEWUSER.bits()),
    ("ipc", CloneFlags::CLONE_NEWIPC.bits()),
    ("uts", CloneFlags::CLONE_NEWUTS.bits()),
    ("net", CloneFlags::CLONE_NEWNET.bits()),
    ("cgroup", CloneFlags::CLONE_NEWCGROUP.bits()),
    ("time", CLONE_NEWTIME),
    ("pid", CloneFlags::CLONE_NEWPID.bits()),
    ("mnt", CloneFlags::CLONE_NEWNS.bits()),
];

/// Joins several namespaces of a process in one call, where the kernel can (Linux 5.8).
pub(crate) fn enter_all(target: &JoinTarget<'_>, namespaces: CloneFlags) -> Result<()> {
    match setns(target.pidfd, namespaces) {
        Err(Errno::EINVAL) => enter_each(target, namespaces),
        other => other.map_err(|errno| Error::os("join", "namespaces of container", errno)),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the host's own /proc, before the mount namespace is joined"
)]
fn enter_each(target: &JoinTarget<'_>, namespaces: CloneFlags) -> Result<()> {
    let wanted = NAMES.iter().filter(|(_, flag)| namespaces.bits() & flag != 0);
    // All are opened before any is joined: afterwards their paths may lead elsewhere.
    let opened: Vec<_> = wanted
        .map(|(name, flag)| {
            let path = format!("/proc/{}/ns/{name}", target.pid);
            open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
                .map(|fd| (fd, *flag))
                .map_err(|errno| Error::os("open namespace", &path, errno))
        })
        .collect::<Result<_>>()?;
    // The number may have passed on meanwhile; the pidfd tells.
    sys::pidfd::send_signal(target.pidfd.as_fd(), 0)
        .map_err(|_| Error::message("container not running"))?;
    opened.iter().try_for_each(|(fd, flag)| {
        setns(fd, CloneFlags::from_bits_retain(*flag))
            .map_err(|errno| Error::os("join", "namespaces of container", errno))
    })
}
