//! The container process between the clone and execve(2): a fixed list of steps over the plan.
//!
//! It runs in a copy of the runtime with one thread, so allocating is allowed; what it must not do
//! is trust anything that lies in the root file system. Each step names what failed; the error
//! travels to the runtime as text.

#![deny(clippy::disallowed_methods)]

mod attach;
mod bare;
mod cgroup_mounts;
mod console;
mod copy_up;
mod credentials;
mod devices;
mod exec;
mod filter;
mod inherited;
mod join;
mod label;
mod live;
mod mounts;
mod paths;
mod pivot;
mod prepared;
mod rootfs;
mod system;

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use sys::{Proc, Root};

use crate::error::{Error, Result};
use crate::hooks::{self, Surroundings};
use crate::plan::{CpuAffinity, Namespace, Plan, Process};
use crate::state::{State, Status};
use crate::sync::ChildEnd;

pub(crate) use credentials::Setting;
pub(crate) use exec::Executable;
pub(crate) use filter::Filter;
pub(crate) use join::{ExecContext, JoinTarget, enter_all, run as run_exec};
pub(crate) use label::MountLabel;
pub(crate) use live::{
    LivePlace, VisitContext, add as add_mounts, make_filesystem, remove as remove_mounts,
    run as run_visit,
};
pub(crate) use prepared::{Prepared, clone_source, is_copied_link};

/// `CLONE_NEWTIME`; it overlaps the signal bits of clone(2) and so is no part of `CloneFlags`.
pub(crate) const CLONE_NEWTIME: i32 = 0x80;

/// Everything that the first process of a container needs, made before the clone.
#[derive(Debug)]
pub(crate) struct InitContext<'a> {
    /// What to build.
    pub plan: &'a Plan,
    /// By which the process joins the v1 hierarchies.
    pub join_files: Vec<libcgroups::JoinFile>,
    /// Descriptors opened by the runtime.
    pub prepared: Prepared,
    /// Where the container's cgroup is, for the cgroup mount.
    pub cgroup_views: libcgroups::MountViews,
    /// For hooks.
    pub state: &'a State,
    /// Options of the command line.
    pub options: InitOptions,
}

/// How the container process is set up, besides what config.json says.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct InitOptions {
    /// Wait for `Go` before anything else: id maps or cgroups come first.
    pub wait_first: bool,
    /// chroot(2) instead of pivot_root(2).
    pub no_pivot: bool,
    /// Make a session keyring.
    pub new_keyring: bool,
    /// How many descriptors from 3 on the program gets.
    pub preserve_fds: u32,
}

/// How a process gets the word to run the user's program, and where it says that it could not.
#[derive(Debug)]
pub(crate) enum StartGate {
    /// `run` and `exec`: the word was the last `Go`.
    Open,
    /// `create`: the FIFOs of the state directory.
    Fifos {
        /// A byte from here is the word.
        start: OwnedFd,
        /// Failures go here.
        status: OwnedFd,
    },
}

impl StartGate {
    fn descriptors(&self) -> Vec<RawFd> {
        match self {
            Self::Open => Vec::new(),
            Self::Fifos { start, status } => vec![start.as_raw_fd(), status.as_raw_fd()],
        }
    }
}

/// Closes what the process does not need any more: what the runtime's caller had open (a lock or a
/// pipe would be held until `start`), and all that was used to build the container. Their owners
/// are never dropped, for the process ends in execve(2) or _exit(2).
fn forget_descriptors(mut keep: Vec<RawFd>, channel: &ChildEnd, preserve: u32) -> Result<()> {
    keep.push(channel.as_fd().as_raw_fd());
    sys::fd::close_all_but(3 + preserve.cast_signed(), &mut keep)
        .map_err(|errno| Error::os("close_range", "", errno))
}

/// Becomes the container's first process. Does not return.
pub(crate) fn run(context: &InitContext<'_>, channel: &ChildEnd, gate: StartGate) -> ! {
    let Err(error) = set_up(context, channel, &gate)
        .and_then(|executable| leave(context, gate, executable.as_ref()));
    channel.failed(&error);
    sys::clone::exit_now(1)
}

/// All that is done before the word to start.
fn set_up(
    context: &InitContext<'_>,
    channel: &ChildEnd,
    gate: &StartGate,
) -> Result<Option<Executable>> {
    let plan = context.plan;
    begin(channel, &context.join_files, context.options.wait_first)?;
    let peers = prepared::peer_sources(plan)?;
    let root = rootfs::attach(plan, &context.prepared)?;
    settle(context)?;
    let terminal = build_rootfs(context, &root, &peers, channel)?;
    drop(peers);
    let proc = Proc::open().map_err(|errno| Error::os("open private", "proc", errno))?;
    run_hooks(context, &root, channel)?;
    // After the hooks, which may change what is there, and while the host's /proc is in reach.
    paths::mask(&root, &plan.masked_paths, &context.prepared, MountLabel::of(plan))?;
    paths::make_readonly(&root, &plan.readonly_paths)?;
    pivot::enter(&root, &proc, plan, context.options.no_pivot)?;
    system::set_names(plan)?;
    system::write_sysctls(&proc, &plan.sysctl)?;
    if let Some(terminal) = terminal {
        channel.console(terminal.master())?;
        terminal.take_over()?;
    }
    drop(root);
    channel.wait_go()?;
    if matches!(gate, StartGate::Fifos { .. }) {
        // Whoever tells a created container to end need not kill it.
        sys::prctl::end_on_signals().map_err(|errno| Error::os("handle", "signals", errno))?;
    }
    match &plan.process {
        Some(process) => confine(context, process, proc, gate, channel).map(Some),
        None => {
            drop(proc);
            outlive_runtime()?;
            forget_descriptors(gate.descriptors(), channel, context.options.preserve_fds)?;
            channel.ready(0)?;
            Ok(None)
        }
    }
}

/// In the new namespaces: root, a cgroup namespace, a session, the loopback device.
fn settle(context: &InitContext<'_>) -> Result<()> {
    let process = context.plan.process.as_ref();
    let namespaces = &context.plan.namespaces;
    if namespaces.user != Namespace::Inherit {
        credentials::become_namespace_root(process.is_some_and(|process| process.keep_groups))?;
    }
    if namespaces.cgroup == Namespace::New {
        system::unshare_cgroup()?;
    }
    let label = process.and_then(|process| process.selinux_label.as_deref());
    session(context.options.new_keyring, &context.state.id, label)?;
    if namespaces.network == Namespace::New {
        sys::net::bring_up_loopback().map_err(|errno| Error::os("bring up", "lo", errno))?;
    }
    Ok(())
}

/// Takes on what `process` asks for.
fn confine(
    context: &InitContext<'_>,
    process: &Process,
    proc: Proc,
    gate: &StartGate,
    channel: &ChildEnd,
) -> Result<Executable> {
    let plan = context.plan;
    let setting = Setting {
        proc,
        keep: gate.descriptors(),
        filter: context.prepared.filter.as_ref(),
        personality: plan.personality,
        memory_policy: plan.memory_policy.as_ref(),
        preserve_fds: context.options.preserve_fds,
        // The first process of a container has none of its own.
        affinity: CpuAffinity::default(),
        cpuset: plan.resources.cpuset.cpus.is_some(),
        last_words: "init: closing the pipe to signal completion",
    };
    credentials::confine(process, setting, channel)
}

/// The very first calls of any process the runtime makes.
fn begin(channel: &ChildEnd, join_files: &[libcgroups::JoinFile], wait_first: bool) -> Result<()> {
    crate::debug(|| {
        let cpus = sys::sched::affinity().ok().and_then(|mask| mask.first().copied());
        format!("nsexec container setup: affinity: {:#x}", cpus.unwrap_or_default())
    });
    // Dies with the runtime until it is handed over; the socket's end covers the moments after a
    // change of user, which clears this.
    sys::prctl::set_parent_death_signal(nix::libc::SIGKILL)
        .map_err(|errno| Error::os("set parent death signal", "", errno))?;
    for file in join_files {
        nix::unistd::write(&file.fd, libcgroups::JoinFile::SELF)
            .map_err(|errno| Error::os("join cgroup", &file.path, errno))?;
    }
    if wait_first {
        channel.wait_go()?;
    }
    // Nobody in the container may look into the runtime's memory or descriptors.
    sys::prctl::set_dumpable(false).map_err(|errno| Error::os("set non-dumpable", "", errno))?;
    nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    crate::debug(|| "child process in init()".into());
    Ok(())
}

/// From here on the death of the runtime shows in the end of the channel alone, until the process
/// is handed over and lives on its own.
fn outlive_runtime() -> Result<()> {
    sys::prctl::set_parent_death_signal(0)
        .map_err(|errno| Error::os("clear parent death signal", "", errno))
}

/// A session, and a session keyring, of its own; `label` is the SELinux label of the program, which could
/// not use its keyring under another.
fn session(new_keyring: bool, id: &str, label: Option<&str>) -> Result<()> {
    nix::unistd::setsid().map_err(|errno| Error::os("setsid", "", errno))?;
    if new_keyring {
        if let Some(label) = label {
            // It holds until execve(2).
            Proc::open()
                .and_then(|proc| proc.write("self/attr/keycreate", label))
                .map_err(|errno| Error::os("set keyring label", label, errno))?;
        }
        match sys::prctl::join_session_keyring(&format!("_ses.{id}")) {
            // Kernels without keyrings have nothing to keep apart.
            Ok(()) | Err(nix::errno::Errno::ENOSYS) => {}
            Err(errno) => return Err(Error::os("join session keyring", "", errno)),
        }
    }
    Ok(())
}

/// Mounts, devices and the terminal, as they will be seen from inside.
fn build_rootfs(
    context: &InitContext<'_>,
    root: &Root,
    peers: &[Option<OwnedFd>],
    channel: &ChildEnd,
) -> Result<Option<console::Terminal>> {
    let plan = context.plan;
    let mounter = mounts::Mounter {
        root,
        rootfs: &plan.rootfs.path,
        sources: if peers.is_empty() { &context.prepared.mount_sources } else { peers },
        cgroup_views: &context.cgroup_views,
        user_namespace: plan.namespaces.user != Namespace::Inherit,
        own_cgroup_namespace: plan.namespaces.cgroup != Namespace::Inherit,
        label: MountLabel::of(plan),
        peers: if prepared::shares_with_host(plan) {
            mounts::Peers::Kept
        } else if prepared::opens_early(plan) {
            mounts::Peers::Cut
        } else {
            mounts::Peers::Slaves
        },
        runtime: Some(channel),
    };
    let late = mounter.mount_all(&plan.mounts)?;
    if devices::wanted(plan) {
        devices::create(root, plan, &context.prepared)?;
    }
    let terminal = match &plan.process {
        Some(process) if process.terminal => {
            let size = process.console_size;
            let terminal = console::Terminal::open(root, size)?;
            terminal.mount_console(root)?;
            Some(terminal)
        }
        _ => None,
    };
    if let Some(process) = &plan.process {
        // As in runc, a working directory that the image lacks is made.
        root.make_dir(&process.cwd).map_err(|errno| Error::os("make cwd", &process.cwd, errno))?;
    }
    late.apply()?;
    Ok(terminal)
}

fn run_hooks(context: &InitContext<'_>, root: &Root, channel: &ChildEnd) -> Result<()> {
    let hooks = &context.plan.hooks;
    if !hooks.prestart.is_empty() || !hooks.create_runtime.is_empty() {
        channel.hooks()?;
    }
    if hooks.create_container.is_empty() {
        return Ok(());
    }
    let state = context.state.for_hooks(Status::Created, std::process::id().cast_signed());
    // As in runc, they begin in the root file system.
    nix::unistd::fchdir(root).map_err(|errno| Error::os("chdir to", "rootfs", errno))?;
    hooks::run_all("createContainer", &hooks.create_container, &state)
}

/// From `Ready` to execve(2); returns only when that failed.
fn leave(
    context: &InitContext<'_>,
    gate: StartGate,
    executable: Option<&Executable>,
) -> Result<std::convert::Infallible> {
    let StartGate::Fifos { start, status } = gate else {
        return last_steps(context, executable);
    };
    // The runtime is about to go; from here on only `start` hears of failures.
    let Err(error) = exec::wait_for_start(&start).and_then(|()| last_steps(context, executable));
    exec::report_to_start(&status, &error);
    sys::clone::exit_now(1)
}

fn last_steps(
    context: &InitContext<'_>,
    executable: Option<&Executable>,
) -> Result<std::convert::Infallible> {
    let (Some(process), Some(executable)) = (&context.plan.process, executable) else {
        // `start` says so; there is nothing to run.
        sys::clone::exit_now(0)
    };
    let hooks = &context.plan.hooks.start_container;
    if !hooks.is_empty() {
        let state = context.state.for_hooks(Status::Created, std::process::id().cast_signed());
        // The program's filter holds for them, too, though it is not loaded yet.
        let late = executable.late_filter(process, context.prepared.filter.as_ref());
        let surroundings = Surroundings {
            env: executable.env(),
            filter: late.map(|filter| (filter.program.as_slice(), filter.flags)),
        };
        hooks::run_all_in(&surroundings, "startContainer", hooks, &state)?;
    }
    executable.exec(process, context.prepared.filter.as_ref())
}
