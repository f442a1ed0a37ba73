//! One clone3(2) with everything new, done from inside of everything joined.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open as open_file};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use sys::clone::{Cloned, clone3, exit_now};

use crate::error::{Error, Result};
use crate::init::CLONE_NEWTIME;
use crate::plan::{Namespace, Namespaces, TimeOffset};

/// Kind of namespace: its name in /proc/PID/ns, its flag, and where the plan has it.
struct Kind {
    own: &'static str,
    flag: i32,
    of: fn(&Namespaces) -> &Namespace,
}

/// All kinds that the runtime itself visits to have its child born there.
const VISITED: [Kind; 6] = [
    Kind { own: "net", flag: CloneFlags::CLONE_NEWNET.bits(), of: |all| &all.network },
    Kind { own: "ipc", flag: CloneFlags::CLONE_NEWIPC.bits(), of: |all| &all.ipc },
    Kind { own: "uts", flag: CloneFlags::CLONE_NEWUTS.bits(), of: |all| &all.uts },
    Kind { own: "cgroup", flag: CloneFlags::CLONE_NEWCGROUP.bits(), of: |all| &all.cgroup },
    Kind { own: "pid", flag: CloneFlags::CLONE_NEWPID.bits(), of: |all| &all.pid },
    Kind { own: "time", flag: CLONE_NEWTIME, of: |all| &all.time },
];

/// The flags for clone3(2): all that is new. A cgroup namespace takes its root from the cgroup that
/// the process is in when it is made, so the process makes it itself once it is in its own; the
/// offsets of a time namespace must be set before anything is in it.
fn clone_flags(namespaces: &Namespaces) -> CloneFlags {
    let table = [
        (&namespaces.user, CloneFlags::CLONE_NEWUSER),
        (&namespaces.mount, CloneFlags::CLONE_NEWNS),
        (&namespaces.pid, CloneFlags::CLONE_NEWPID),
        (&namespaces.network, CloneFlags::CLONE_NEWNET),
        (&namespaces.ipc, CloneFlags::CLONE_NEWIPC),
        (&namespaces.uts, CloneFlags::CLONE_NEWUTS),
    ];
    table.iter().filter(|(kind, _)| **kind == Namespace::New).map(|(_, flag)| *flag).collect()
}

/// `CLONE_NEW*` bits of all namespaces that are not the runtime's own.
pub(crate) fn foreign(namespaces: &Namespaces) -> i32 {
    let mount = (&namespaces.mount, CloneFlags::CLONE_NEWNS.bits());
    let user = (&namespaces.user, CloneFlags::CLONE_NEWUSER.bits());
    let visited = VISITED.iter().map(|kind| ((kind.of)(namespaces), kind.flag));
    visited
        .chain([mount, user])
        .filter(|(kind, _)| **kind != Namespace::Inherit)
        .fold(0, |bits, (_, flag)| bits | flag)
}

/// Refuses sysctls of a namespace that is joined by path and is the runtime's own: they would be the
/// host's. With `process`, the container's first, what it has joined counts and not where the path leads now.
pub(crate) fn check_sysctls(
    sysctls: &[(String, String)],
    namespaces: &Namespaces,
    process: Option<i32>,
) -> Result<()> {
    for (path, _) in sysctls {
        let (kind, namespace) = of_sysctl(path, namespaces);
        let Namespace::Join(joined) = namespace else { continue };
        let number = |path: &Path| {
            nix::sys::stat::stat(path)
                .map(|stat| (stat.st_dev, stat.st_ino))
                .map_err(|errno| Error::os("open namespace", path, errno))
        };
        let theirs = match process {
            Some(pid) => number(Path::new(&format!("/proc/{pid}/ns/{kind}")))?,
            None => number(joined)?,
        };
        if theirs == number(Path::new(&format!("/proc/self/ns/{kind}")))? {
            let dotted = path.replace('/', ".");
            let text = format!("sysctl {dotted:?} not allowed in host {kind} namespace");
            return Err(Error::config("/linux/sysctl", text));
        }
    }
    Ok(())
}

/// Whether there are sysctls of a namespace that is joined by path.
pub(super) fn has_joined_sysctls(sysctls: &[(String, String)], namespaces: &Namespaces) -> bool {
    let joined = |path: &str| matches!(of_sysctl(path, namespaces).1, Namespace::Join(_));
    sysctls.iter().any(|(path, _)| joined(path))
}

/// The namespace that a sysctl belongs to, with its name in /proc/PID/ns.
fn of_sysctl<'a>(path: &str, namespaces: &'a Namespaces) -> (&'static str, &'a Namespace) {
    match path.split('/').next() {
        Some("net") => ("net", &namespaces.network),
        Some("user") => ("user", &namespaces.user),
        Some("kernel") if path == "kernel/domainname" => ("uts", &namespaces.uts),
        _ => ("ipc", &namespaces.ipc),
    }
}

/// Opens a namespace by path.
pub(crate) fn open(path: &Path) -> Result<OwnedFd> {
    open_file(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| Error::os("open namespace", path, errno))
}

/// Clones the container's first process, and says whether it is in the v2 cgroup already. Where this
/// process could not come back from what must be joined, a relay goes.
pub(crate) fn spawn_into(
    namespaces: &Namespaces,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<(Cloned, bool)> {
    let by_relay = match &namespaces.user {
        Namespace::Join(path) => {
            let user = open(path)?;
            relay(|| spawn_in_joined_user(namespaces, &user, path))?
        }
        // Its time namespace is to belong to the user namespace, and must have its offsets before
        // anything is in it.
        Namespace::New if namespaces.time == Namespace::New => {
            // Asked here: in a user namespace the answer is another.
            let privileged = nix::unistd::geteuid().is_root();
            relay(|| spawn_in_new_user(namespaces, privileged))?
        }
        _ if !Visit::may_end(namespaces)? => relay(|| spawn_for_good(namespaces))?,
        _ => return spawn_and_return(namespaces, cgroup),
    };
    Ok((by_relay, false))
}

/// In a relay, with a user namespace that is joined by path.
fn spawn_in_joined_user(namespaces: &Namespaces, user: &OwnedFd, path: &Path) -> Result<Cloned> {
    protect()?;
    let refused = join_as_oneself(namespaces)?;
    enter(user, CloneFlags::CLONE_NEWUSER.bits(), path)?;
    refused.iter().try_for_each(|(fd, flag, path)| enter(fd, *flag, path))?;
    make_time_namespace(namespaces)?;
    clone(clone_flags(namespaces) | CloneFlags::CLONE_PARENT, None)
}

/// In a relay, with a new user namespace that is made before the clone.
fn spawn_in_new_user(namespaces: &Namespaces, privileged: bool) -> Result<Cloned> {
    join_all_as_oneself(namespaces)?;
    unshare(CloneFlags::CLONE_NEWUSER)
        .map_err(|errno| clone_error(errno, CloneFlags::CLONE_NEWUSER))?;
    if !privileged {
        // The new rights have closed this process's files in /proc to its own user.
        sys::prctl::set_dumpable(true).map_err(|errno| Error::os("set dumpable", "", errno))?;
    }
    make_time_namespace(namespaces)?;
    let flags = clone_flags(namespaces) - CloneFlags::CLONE_NEWUSER;
    clone(flags | CloneFlags::CLONE_PARENT, None)
}

/// In a relay, with this process's own user namespace or one that the clone makes.
fn spawn_for_good(namespaces: &Namespaces) -> Result<Cloned> {
    join_all_as_oneself(namespaces)?;
    make_time_namespace(namespaces)?;
    clone(clone_flags(namespaces) | CloneFlags::CLONE_PARENT, None)
}

/// In the runtime itself, which joins, clones and comes back.
fn spawn_and_return(
    namespaces: &Namespaces,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<(Cloned, bool)> {
    let visit = Visit::begin(namespaces)?;
    let cloned = clone_into(clone_flags(namespaces), cgroup)?;
    if matches!(cloned.0, Cloned::Parent { .. }) {
        visit.end()?;
    }
    Ok(cloned)
}

/// clone3(2) into a cgroup; where that is not to be had, without it (and then the answer says so).
pub(crate) fn clone_into(flags: CloneFlags, cgroup: Option<impl AsFd>) -> Result<(Cloned, bool)> {
    let Some(cgroup) = &cgroup else { return Ok((clone(flags, None)?, false)) };
    match clone3(flags, Some(cgroup.as_fd())) {
        Ok(cloned) => Ok((cloned, true)),
        // No clone3, or one before 5.7; a cgroup that takes no processes or may not be entered
        // from here gives its own error when it is joined. `ENOENT` is one that a cgroup namespace which
        // is visited does not show (with `nsdelegate`, as systemd mounts cgroup2).
        Err(
            Errno::E2BIG
            | Errno::EINVAL
            | Errno::EACCES
            | Errno::EPERM
            | Errno::EBUSY
            | Errno::ENOENT
            | Errno::EOPNOTSUPP,
        ) => Ok((clone(flags, None)?, false)),
        Err(errno) => Err(clone_error(errno, flags)),
    }
}

fn clone(flags: CloneFlags, cgroup: Option<BorrowedFd<'_>>) -> Result<Cloned> {
    clone3(flags, cgroup).map_err(|errno| clone_error(errno, flags))
}

fn clone_error(errno: Errno, flags: CloneFlags) -> Error {
    let hint = match errno {
        Errno::ENOSPC => " (too many namespaces: see /proc/sys/user/max_*_namespaces)",
        Errno::ENOMEM => " (also when the first process of a joined pid namespace has ended)",
        Errno::EPERM if flags.contains(CloneFlags::CLONE_NEWUSER) => {
            " (this host does not let you make user namespaces)"
        }
        _ => "",
    };
    Error::message(format!("{}{hint}", Error::os("clone container process", "", errno)))
}

/// Closes this process and its clones to ptrace(2) and /proc, before they are anywhere where others
/// could have the right to look into them (CVE-2016-9962).
pub(crate) fn protect() -> Result<()> {
    sys::prctl::set_dumpable(false).map_err(|errno| Error::os("set non-dumpable", "", errno))
}

fn enter(namespace: &OwnedFd, flag: i32, path: &Path) -> Result<()> {
    setns(namespace, CloneFlags::from_bits_retain(flag))
        .map_err(|errno| Error::os("join namespace", path, errno))
}

/// A stay of the runtime in the namespaces that the container joins, so that the clone is born
/// there. Pid and time namespaces change only where its children go.
struct Visit {
    way_back: Vec<(OwnedFd, i32)>,
}

impl Visit {
    /// Whether this process may come back: root of a user namespace may not, to what was made outside.
    fn may_end(namespaces: &Namespaces) -> Result<bool> {
        for kind in VISITED.iter().filter(|kind| Self::leaves(kind, namespaces)) {
            let own = open(Path::new(&format!("/proc/self/ns/{}", kind.own)))?;
            if setns(own, CloneFlags::from_bits_retain(kind.flag)) == Err(Errno::EPERM) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the own namespace of this kind is left for another.
    fn leaves(kind: &Kind, namespaces: &Namespaces) -> bool {
        match (kind.of)(namespaces) {
            Namespace::Join(_) => true,
            Namespace::New => kind.flag == CLONE_NEWTIME,
            Namespace::Inherit => false,
        }
    }

    fn begin(namespaces: &Namespaces) -> Result<Self> {
        let mut visit = Self { way_back: Vec::new() };
        for kind in &VISITED {
            let new_time = kind.flag == CLONE_NEWTIME && *(kind.of)(namespaces) == Namespace::New;
            let target = match (kind.of)(namespaces) {
                Namespace::Join(path) => Some((open(path)?, path)),
                _ if new_time => None,
                _ => continue,
            };
            let own = format!("/proc/self/ns/{}", kind.own);
            visit.way_back.push((open(Path::new(&own))?, kind.flag));
            match target {
                Some((target, path)) => enter(&target, kind.flag, path)?,
                None => make_time_namespace(namespaces)?,
            }
        }
        Ok(visit)
    }

    fn end(self) -> Result<()> {
        self.way_back.iter().try_for_each(|(own, flag)| enter(own, *flag, Path::new("(own)")))
    }
}

/// Joins what can be joined with this process's own rights, before it gives them up for those in a
/// user namespace; what is refused may be that one's. There is no way back.
fn join_as_oneself(namespaces: &Namespaces) -> Result<Vec<(OwnedFd, i32, &Path)>> {
    let mut refused = Vec::new();
    for kind in &VISITED {
        let Namespace::Join(path) = (kind.of)(namespaces) else { continue };
        let target = open(path)?;
        match setns(&target, CloneFlags::from_bits_retain(kind.flag)) {
            Ok(()) => {}
            Err(Errno::EPERM) => refused.push((target, kind.flag, path.as_path())),
            Err(errno) => return Err(Error::os("join namespace", path, errno)),
        }
    }
    Ok(refused)
}

/// Joins all with this process's own rights; what is refused is an error.
fn join_all_as_oneself(namespaces: &Namespaces) -> Result<()> {
    match join_as_oneself(namespaces)?.first() {
        Some((_, _, path)) => Err(Error::os("join namespace", path, Errno::EPERM)),
        None => Ok(()),
    }
}

/// Makes the time namespace of this process's children, if they are to have a new one.
fn make_time_namespace(namespaces: &Namespaces) -> Result<()> {
    if namespaces.time != Namespace::New {
        return Ok(());
    }
    let offsets: &[TimeOffset] = &namespaces.time_offsets;
    unshare(CloneFlags::from_bits_retain(CLONE_NEWTIME))
        .map_err(|errno| Error::os("unshare", "time namespace", errno))?;
    if offsets.is_empty() {
        return Ok(());
    }
    let lines: String = offsets
        .iter()
        .map(|offset| format!("{} {} {}\n", offset.clock, offset.secs, offset.nanosecs))
        .collect();
    let path = "/proc/self/timens_offsets";
    std::fs::write(path, lines).map_err(|error| Error::io("write", path, &error))
}

/// Has `spawn` run in a short-lived child, for changes that the runtime could not take back, such
/// as joining a user namespace. `spawn` must clone with `CLONE_PARENT`.
pub(crate) fn relay(spawn: impl FnOnce() -> Result<Cloned>) -> Result<Cloned> {
    let (parent, child) = crate::sync::pair()?;
    let forked = clone3(CloneFlags::empty(), None)
        .map_err(|errno| Error::os("clone relay process", "", errno))?;
    let relay = match forked {
        Cloned::Parent { pid, .. } => pid,
        Cloned::Child => match spawn() {
            Ok(Cloned::Child) => return Ok(Cloned::Child),
            Ok(Cloned::Parent { pidfd, .. }) => {
                let sent = child.hand_over(pidfd.as_fd());
                exit_now(i32::from(sent.is_err()))
            }
            Err(error) => {
                child.failed(&error);
                exit_now(1)
            }
        },
    };
    drop(child);
    let answer = parent.receive(Some(super::PATIENCE));
    let _ = waitpid(Pid::from_raw(relay), None);
    match answer? {
        crate::sync::Report::Handle(pidfd) => Ok(Cloned::Parent { pid: pid_of(&pidfd)?, pidfd }),
        crate::sync::Report::Failed(text) => Err(Error::message(text)),
        _ => Err(Error::message("relay process died")),
    }
}

/// The number of the process behind a pidfd, in this process's own pid namespace.
fn pid_of(pidfd: &OwnedFd) -> Result<i32> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
    let text = std::fs::read_to_string(&path).map_err(|error| Error::io("read", &path, &error))?;
    text.lines()
        .find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
        .filter(|pid| *pid > 0)
        .ok_or_else(|| Error::message("container process is gone"))
}
