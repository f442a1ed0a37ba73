//! The child's side: the container's file system, then its limits, then its program.

use std::ffi::CStr;
use std::io::PipeWriter;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::{chdir, pivot_root, sethostname, symlinkat};

use crate::raw::{self, must};

/// Where a created container waits for `start`.
pub(crate) struct Wait {
    /// The FIFO, opened with O_PATH.
    pub(crate) fifo: OwnedFd,
    /// Carries one byte when the container is ready.
    pub(crate) tell: PipeWriter,
}

const NONE: Option<&CStr> = None;
const QUIET: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NOEXEC).union(MsFlags::MS_NODEV);

/// Type, place (below the rootfs, which is the working directory), flags, data.
const MOUNTS: [(&CStr, &CStr, MsFlags, Option<&CStr>); 7] = [
    (c"proc", c"proc", MsFlags::empty(), None),
    (
        c"tmpfs",
        c"dev",
        MsFlags::MS_NOSUID.union(MsFlags::MS_STRICTATIME),
        Some(c"mode=755,size=65536k"),
    ),
    (
        c"devpts",
        c"dev/pts",
        MsFlags::MS_NOSUID.union(MsFlags::MS_NOEXEC),
        Some(c"newinstance,ptmxmode=0666,mode=0620,gid=5"),
    ),
    (c"tmpfs", c"dev/shm", QUIET, Some(c"mode=1777,size=65536k")),
    (c"mqueue", c"dev/mqueue", QUIET, None),
    (c"sysfs", c"sys", QUIET.union(MsFlags::MS_RDONLY), None),
    (
        c"cgroup2",
        c"sys/fs/cgroup",
        QUIET.union(MsFlags::MS_RDONLY).union(MsFlags::MS_RELATIME),
        None,
    ),
];

const DEVICES: [(&CStr, u64, u64); 6] = [
    (c"dev/null", 1, 3),
    (c"dev/zero", 1, 5),
    (c"dev/full", 1, 7),
    (c"dev/random", 1, 8),
    (c"dev/urandom", 1, 9),
    (c"dev/tty", 5, 0),
];

const LINKS: [(&CStr, &CStr); 6] = [
    (c"/proc/self/fd", c"dev/fd"),
    (c"/proc/self/fd/0", c"dev/stdin"),
    (c"/proc/self/fd/1", c"dev/stdout"),
    (c"/proc/self/fd/2", c"dev/stderr"),
    (c"/proc/kcore", c"dev/core"),
    (c"pts/ptmx", c"dev/ptmx"),
];

const MASKED: [&CStr; 10] = [
    c"/proc/acpi",
    c"/proc/asound",
    c"/proc/kcore",
    c"/proc/keys",
    c"/proc/latency_stats",
    c"/proc/timer_list",
    c"/proc/timer_stats",
    c"/proc/sched_debug",
    c"/sys/firmware",
    c"/proc/scsi",
];

const READ_ONLY: [&CStr; 5] =
    [c"/proc/bus", c"/proc/fs", c"/proc/irq", c"/proc/sys", c"/proc/sysrq-trigger"];

/// Makes `rootfs` this process's root, with everything in it that the default bundle asks for.
pub(crate) fn build(rootfs: &Path) {
    let recursive = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    must("mount propagation", mount(NONE, c"/", NONE, recursive, NONE));
    must(
        "bind rootfs",
        mount(Some(rootfs), rootfs, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE),
    );
    must("chdir rootfs", chdir(rootfs));
    for (kind, place, flags, data) in MOUNTS {
        // Only /dev begins empty.
        if place.to_bytes().starts_with(b"dev/") {
            must("mkdir", nix::unistd::mkdir(place, Mode::from_bits_truncate(0o755)));
        }
        match mount(Some(kind), place, Some(kind), flags, data) {
            // A v1 host: the container's view of the groups is left out, there are eight of them.
            Err(Errno::EBUSY | Errno::EPERM | Errno::ENODEV) if kind == c"cgroup2" => {}
            result => must("mount", result),
        }
    }
    make_devices();
    must("pivot_root", pivot_root(c".", c"."));
    must("umount old root", umount2(c".", MntFlags::MNT_DETACH));
    must("chdir /", chdir(c"/"));
    let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    must("read-only root", mount(NONE, c"/", NONE, read_only, NONE));
    hide();
    must("sethostname", sethostname("floor"));
    raw::loopback_up();
}

fn make_devices() {
    nix::sys::stat::umask(Mode::empty());
    for (path, major, minor) in DEVICES {
        let mode = Mode::from_bits_truncate(0o666);
        must("mknod", mknod(path, SFlag::S_IFCHR, mode, makedev(major, minor)));
    }
    for (target, link) in LINKS {
        must("symlink", symlinkat(target, nix::fcntl::AT_FDCWD, link));
    }
}

fn hide() {
    for path in READ_ONLY {
        match mount(Some(path), path, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE) {
            Err(Errno::ENOENT) => continue,
            result => must("bind read-only path", result),
        }
        let flags = QUIET | MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        let plain = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        must(
            "read-only path",
            mount(NONE, path, NONE, plain, NONE).or_else(|_| mount(NONE, path, NONE, flags, NONE)),
        );
    }
    for path in MASKED {
        match mount(Some(c"/dev/null"), path, NONE, MsFlags::MS_BIND, NONE) {
            Err(Errno::ENOENT) => {}
            Err(Errno::ENOTDIR) => {
                must("mask", mount(Some(c"tmpfs"), path, Some(c"tmpfs"), MsFlags::MS_RDONLY, NONE));
            }
            result => must("mask", result),
        }
    }
}

/// Limits the process as `process` of the default bundle says and executes `/floor WORD`.
pub(crate) fn confine_and_execute(word: &CStr, wait: Option<Wait>) -> ! {
    /// CAP_KILL, CAP_NET_BIND_SERVICE, CAP_AUDIT_WRITE.
    const KEEP: u64 = 1 << 5 | 1 << 10 | 1 << 29;

    raw::settle();
    raw::join_session_keyring(c"floor");
    must("setrlimit", setrlimit(Resource::RLIMIT_NOFILE, 1024, 1024));
    must("chdir /", chdir(c"/"));
    raw::set_capabilities(KEEP);
    must("no_new_privs", nix::sys::prctl::set_no_new_privs());
    if let Some(wait) = wait {
        wait.until_started();
    }
    raw::execute(c"/floor", word)
}
