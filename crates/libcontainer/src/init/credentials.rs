//! From the runtime's privileges to those of `process`: the order of the calls is the point.

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, SFlag, fstat, major, umask};
use nix::unistd::{chdir, fchown, getcwd};
use sys::{Proc, credentials, prctl, sched};

use super::exec::Executable;
use super::filter::Filter;
use crate::error::{Error, Result};
use crate::plan::{CpuAffinity, MemoryPolicy, Process, Rlimit, Scheduler};
use crate::sync::ChildEnd;

/// CAP_SYS_ADMIN, which loading a filter without no_new_privs needs.
const SYS_ADMIN: u64 = 1 << 21;
/// Highest number that a capability can have.
const MAX_CAPABILITY: u8 = 63;
/// Major numbers of the pseudo-terminals of devpts.
const PTY_MAJORS: std::ops::RangeInclusive<u64> = 136..=143;

/// What is needed besides `process`.
pub(crate) struct Setting<'a> {
    pub(crate) proc: Proc,
    /// Descriptors that the process still needs, besides the channel and those to be passed on.
    pub(crate) keep: Vec<RawFd>,
    pub(crate) filter: Option<&'a Filter>,
    pub(crate) personality: Option<u64>,
    pub(crate) memory_policy: Option<&'a MemoryPolicy>,
    pub(crate) preserve_fds: u32,
    pub(crate) affinity: CpuAffinity,
    /// Whether the container has CPUs of its own.
    pub(crate) cpuset: bool,
    /// The end of the debug log, before its descriptor goes too.
    pub(crate) last_words: &'static str,
}

/// Becomes root of the new user namespace; before, the process has no ids in it at all. With `keep_groups` it stays in
/// the groups that it is in.
pub(crate) fn become_namespace_root(keep_groups: bool) -> Result<()> {
    let tolerate = |result: nix::Result<()>, op: &str| match result {
        // Id 0 need not be mapped, and setgroups(2) may be denied to the whole namespace.
        Ok(()) | Err(Errno::EINVAL | Errno::EPERM) => Ok(()),
        Err(errno) => Err(Error::os(op, "0", errno)),
    };
    if !keep_groups {
        tolerate(credentials::set_groups(&[]), "setgroups")?;
    }
    tolerate(credentials::set_gid(0), "setgid")?;
    tolerate(credentials::set_uid(0), "setuid")?;
    // A change of ids cleared it.
    prctl::set_parent_death_signal(nix::libc::SIGKILL)
        .map_err(|errno| Error::os("set parent death signal", "", errno))
}

/// Takes on the credentials of `process`, finds its executable as it will see it, and tells the
/// runtime that all is ready. Afterwards only the word to start is missing.
pub(crate) fn confine(
    process: &Process,
    setting: Setting<'_>,
    channel: &ChildEnd,
) -> Result<Executable> {
    scheduling(process, &setting)?;
    labels(process, &setting.proc)?;
    give_stdio(process.uid)?;
    let pending = rlimits(&process.rlimits)?;
    if process.no_new_privileges {
        prctl::set_no_new_privileges().map_err(|errno| Error::os("set no_new_privs", "", errno))?;
    }
    drop_bounding(process.capabilities.bounding)?;
    let early = chdir(&process.cwd);
    change_user(process, &setting.proc)?;
    let mask = process.umask.unwrap_or(0o022);
    umask(Mode::from_bits_truncate(mask & 0o777));
    enter_cwd(process, early)?;
    // Without no_new_privs loading the filter takes a privilege, so it comes before that is gone.
    let early_filter =
        setting.filter.filter(|filter| !process.no_new_privileges || filter.notifies());
    let needs_privilege = early_filter.is_some() && !process.no_new_privileges;
    let caps = &process.capabilities;
    let keep = if needs_privilege { SYS_ADMIN } else { 0 };
    set_capabilities(caps.effective, caps.permitted | keep, caps.inheritable)?;
    let executable = Executable::find(process, setting.preserve_fds)?;
    super::outlive_runtime()?;
    drop(setting.proc);
    crate::debug(|| setting.last_words.into());
    super::forget_descriptors(setting.keep, channel, setting.preserve_fds)?;
    if let Some(filter) = early_filter {
        if needs_privilege {
            set_capabilities(caps.effective | keep, caps.permitted | keep, caps.inheritable)?;
        }
        filter.install(channel)?;
        if needs_privilege {
            set_capabilities(caps.effective, caps.permitted, caps.inheritable)?;
        }
    }
    raise_ambient(caps.ambient)?;
    channel.ready(pending)?;
    Ok(executable)
}

fn scheduling(process: &Process, setting: &Setting<'_>) -> Result<()> {
    match &setting.affinity {
        CpuAffinity { last: Some(cpus), .. } => sched::set_affinity(cpus)
            .map_err(|errno| Error::os("set final CPU affinity", "", errno))?,
        // What is left of it after the cgroup was joined is the kernel's choice.
        CpuAffinity { initial: Some(_), .. } => {}
        // Engines may be pinned to some CPUs; the container gets all that its cpuset has.
        _ => drop(sched::reset_affinity()),
    }
    if let Some(Scheduler { policy, flags, nice, priority, runtime, deadline, period }) =
        process.scheduler
    {
        let mut attr = sched::SchedAttr::default();
        (attr.policy, attr.flags, attr.nice, attr.priority) = (policy, flags, nice, priority);
        (attr.runtime, attr.deadline, attr.period) = (runtime, deadline, period);
        sched::set_scheduler(attr).map_err(|errno| {
            let error = Error::os("set scheduler", "", errno);
            let some_cpus = setting.cpuset && errno == Errno::EPERM;
            // sched(7): a deadline can be kept only on all of the CPUs.
            let hint = "process scheduler can't be used together with AllowedCPUs";
            if some_cpus { error.context(hint) } else { error }
        })?;
    }
    if let Some(priority) = process.io_priority {
        sched::set_io_priority(priority)
            .map_err(|errno| Error::os("set io priority", "", errno))?;
    }
    if let Some(policy) = setting.memory_policy {
        sched::set_memory_policy(policy.mode, &policy.nodes)
            .map_err(|errno| Error::os("set memory policy", "", errno))?;
    }
    if let Some(persona) = setting.personality {
        prctl::personality(persona).map_err(|errno| Error::os("set personality", "", errno))?;
    }
    Ok(())
}

/// AppArmor profile and SELinux label for the coming execve(2).
fn labels(process: &Process, proc: &Proc) -> Result<()> {
    if let Some(profile) = &process.apparmor_profile {
        let text = format!("exec {profile}");
        let fail = |errno| Error::os("apply apparmor profile", profile, errno);
        match proc.write("self/attr/apparmor/exec", &text) {
            Err(Errno::ENOENT) => proc.write("self/attr/exec", &text).map_err(fail)?,
            other => other.map_err(fail)?,
        }
    }
    if let Some(label) = &process.selinux_label {
        proc.write("self/attr/exec", label)
            .map_err(|errno| Error::os("apply selinux label", label, errno))?;
    }
    Ok(())
}

/// Lets the user open its own standard streams again through /proc/self/fd. Only pipes and
/// pseudo-terminals: any other file belongs to somebody else, the null device above all.
fn give_stdio(uid: u32) -> Result<()> {
    for fd in 0..=2 {
        let Some(stream) = sys::fd::standard(fd) else { continue };
        let stat = fstat(stream).map_err(|errno| Error::os("stat", format!("fd {fd}"), errno))?;
        let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
        let ours = kind == SFlag::S_IFIFO
            || kind == SFlag::S_IFCHR && PTY_MAJORS.contains(&major(stat.st_rdev));
        if !ours || stat.st_uid == uid {
            continue;
        }
        match fchown(stream, Some(nix::unistd::Uid::from_raw(uid)), None) {
            // An owner without a mapping, or a runtime without privilege: it stays as it is.
            Ok(()) | Err(Errno::EINVAL | Errno::EPERM | Errno::EROFS) => {}
            Err(errno) => return Err(Error::os("chown", format!("fd {fd}"), errno)),
        }
    }
    Ok(())
}

/// Sets the limits that need no privilege; the others come back as bits, for the runtime to set.
fn rlimits(limits: &[Rlimit]) -> Result<u32> {
    let mut pending = 0;
    for limit in limits {
        let fail = |errno| Error::os("setrlimit", &limit.name, errno);
        let (_, hard) = sched::rlimit(limit.resource).map_err(fail)?;
        if limit.hard > hard {
            pending |= 1_u32.checked_shl(limit.resource).unwrap_or(0);
        } else {
            sched::set_rlimit(0, limit.resource, limit.soft, limit.hard).map_err(fail)?;
        }
    }
    Ok(pending)
}

fn drop_bounding(keep: u64) -> Result<()> {
    for capability in 0..=MAX_CAPABILITY {
        if keep & 1 << capability != 0 {
            continue;
        }
        match prctl::drop_bounding(capability) {
            Ok(()) => {}
            // Beyond the last one that the kernel knows.
            Err(Errno::EINVAL) => break,
            // Already gone is as good; anything still there must not stay.
            Err(errno) => {
                if prctl::bounding_contains(capability) != Ok(false) {
                    let name = format!("capability {capability}");
                    return Err(Error::os("drop from bounding set", name, errno));
                }
            }
        }
    }
    Ok(())
}

fn change_user(process: &Process, proc: &Proc) -> Result<()> {
    prctl::set_keep_capabilities(true).map_err(|errno| Error::os("set keepcaps", "", errno))?;
    set_groups(process, proc)?;
    let id = |id: u32| id.to_string();
    credentials::set_gid(process.gid)
        .map_err(|errno| Error::os("setgid", id(process.gid), errno))?;
    credentials::set_uid(process.uid)
        .map_err(|errno| Error::os("setuid", id(process.uid), errno))?;
    prctl::set_keep_capabilities(false).map_err(|errno| Error::os("clear keepcaps", "", errno))
}

fn set_groups(process: &Process, proc: &Proc) -> Result<()> {
    if process.keep_groups {
        return Ok(());
    }
    match credentials::set_groups(&process.additional_gids) {
        Err(Errno::EPERM) if process.additional_gids.is_empty() && groups_denied(proc) => Ok(()),
        done => done.map_err(|errno| Error::os("setgroups", "", errno)),
    }
}

/// Whether this user namespace has setgroups(2) switched off; see user_namespaces(7).
fn groups_denied(proc: &Proc) -> bool {
    let Ok(file) = proc.open_file("self/setgroups", OFlag::O_RDONLY) else { return false };
    let mut text = [0_u8; 8];
    nix::unistd::read(&file, &mut text).is_ok_and(|length| text[..length].starts_with(b"deny"))
}

/// Enters the working directory: with the runtime's rights, else with the user's own (a directory
/// on a network file system may be closed to root).
fn enter_cwd(process: &Process, early: nix::Result<()>) -> Result<()> {
    if early.is_err() {
        chdir(&process.cwd).map_err(|errno| Error::os("chdir to cwd", &process.cwd, errno))?;
    }
    // A directory outside of the container's root has no path in it.
    match getcwd() {
        Ok(path) if path.is_absolute() => Ok(()),
        Ok(_) | Err(Errno::ENOENT) => Err(Error::message(
            "current working directory is outside of container mount namespace root -- possible container breakout detected",
        )),
        Err(errno) => Err(Error::os("getcwd", "", errno)),
    }
}

fn set_capabilities(effective: u64, permitted: u64, inheritable: u64) -> Result<()> {
    credentials::set_capabilities(effective, permitted, inheritable)
        .map_err(|errno| Error::os("set capabilities", "", errno))
}

fn raise_ambient(ambient: u64) -> Result<()> {
    let _ = prctl::clear_ambient();
    (0..=MAX_CAPABILITY).filter(|capability| ambient & 1 << capability != 0).try_for_each(
        |capability| {
            prctl::raise_ambient(capability).map_err(|errno| {
                Error::os("raise ambient capability", capability.to_string(), errno)
            })
        },
    )
}
