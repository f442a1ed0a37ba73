//! The process that `exec` puts into a running container, between the clone and execve(2).

use std::os::fd::{AsFd, OwnedFd};

use nix::sched::{CloneFlags, setns};
use sys::{Proc, Root};

use super::console::Terminal;
use super::{Filter, Setting, begin, credentials, session};
use crate::error::{Error, Result};
use crate::plan::Process;
use crate::sync::ChildEnd;

/// Everything that such a process needs, made before the clone.
#[derive(Debug)]
pub(crate) struct ExecContext<'a> {
    /// What to run, and as whom.
    pub(crate) process: &'a Process,
    /// The container's id.
    pub(crate) id: &'a str,
    /// The container's first process, whose namespaces are joined.
    pub(crate) init: &'a OwnedFd,
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
    /// See [`super::InitOptions`].
    pub(crate) terminal_size: Option<(u16, u16)>,
    /// `linux.personality`
    pub(crate) personality: Option<u64>,
}

/// Becomes the process. Does not return.
pub(crate) fn run(context: &ExecContext<'_>, channel: &ChildEnd) -> ! {
    let Err(error) = steps(context, channel);
    channel.failed(&error);
    sys::clone::exit_now(1)
}

fn steps(context: &ExecContext<'_>, channel: &ChildEnd) -> Result<std::convert::Infallible> {
    let process = context.process;
    begin(channel, &context.join_files, context.wait_first)?;
    if !context.namespaces.is_empty() {
        join(context.init, context.namespaces)?;
    }
    if let Some(root) = &context.root {
        let fail = |errno| Error::os("enter", "root of container", errno);
        nix::unistd::fchdir(root).and_then(|()| nix::unistd::chroot(".")).map_err(fail)?;
    }
    if context.in_user_namespace {
        credentials::become_namespace_root()?;
    }
    session(context.new_keyring, context.id)?;
    let proc = Proc::open().map_err(|errno| Error::os("open private", "proc", errno))?;
    if process.terminal {
        let flags = nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_CLOEXEC;
        let root = nix::fcntl::open("/", flags, nix::sys::stat::Mode::empty())
            .map_err(|errno| Error::os("open", "/", errno))?;
        let size = process.console_size.or(context.terminal_size);
        let terminal = Terminal::open(&Root::new(root), size)?;
        channel.console(terminal.master())?;
        terminal.take_over()?;
    }
    channel.wait_go()?;
    let setting = Setting {
        proc: &proc,
        filter: context.filter.as_ref(),
        personality: context.personality,
        preserve_fds: context.preserve_fds,
    };
    let executable = credentials::confine(process, &setting, channel)?;
    executable.exec(process, context.filter.as_ref())
}

/// Joins all namespaces of the process behind `init` in one call, where the kernel can (5.8).
fn join(init: &OwnedFd, namespaces: CloneFlags) -> Result<()> {
    setns(init.as_fd(), namespaces)
        .map_err(|errno| Error::os("join", "namespaces of container", errno))
}
