//! The mount API on descriptors: fsopen(2), fsconfig(2), fsmount(2), open_tree(2),
//! move_mount(2), mount_setattr(2).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::libc::{self, c_uint};

use crate::raw::{c_path, c_str, new_fd, size_of_arg};

/// Read-only.
pub const ATTR_RDONLY: u64 = 0x1;
/// Set-user-id bits and file capabilities mean nothing.
pub const ATTR_NOSUID: u64 = 0x2;
/// Device nodes cannot be opened.
pub const ATTR_NODEV: u64 = 0x4;
/// No program can be executed.
pub const ATTR_NOEXEC: u64 = 0x8;
/// Mask of the access-time modes.
pub const ATTR_ATIME: u64 = 0x70;
/// Access times relative to modification; the default.
pub const ATTR_RELATIME: u64 = 0x0;
/// No access times.
pub const ATTR_NOATIME: u64 = 0x10;
/// Every access time.
pub const ATTR_STRICTATIME: u64 = 0x20;
/// No access times on directories.
pub const ATTR_NODIRATIME: u64 = 0x80;
/// Symbolic links are not followed.
pub const ATTR_NOSYMFOLLOW: u64 = 0x0020_0000;

const AT_RECURSIVE: c_uint = 0x8000;
const OPEN_TREE_CLONE: c_uint = 1;
const OPEN_TREE_CLOEXEC: c_uint = libc::O_CLOEXEC as c_uint;
const EMPTY_PATH: c_uint = libc::AT_EMPTY_PATH as c_uint;

const FSCONFIG_SET_FLAG: c_uint = 0;
const FSCONFIG_SET_STRING: c_uint = 1;
const FSCONFIG_CMD_CREATE: c_uint = 6;
const FSCONFIG_CMD_RECONFIGURE: c_uint = 7;

/// A file system being configured; see fsopen(2).
#[derive(Debug)]
pub struct FsContext(OwnedFd);

impl FsContext {
    /// Starts a new instance of `fstype`.
    ///
    /// # Errors
    /// `ENODEV` when the kernel has no such type; `EPERM` without CAP_SYS_ADMIN.
    pub fn new(fstype: &str) -> nix::Result<Self> {
        let fstype = c_str(fstype)?;
        // SAFETY: `fstype` outlives the call; 1 is FSOPEN_CLOEXEC.
        let ret = unsafe { libc::syscall(libc::SYS_fsopen, fstype.as_ptr(), 1) };
        // SAFETY: fsopen returns a new descriptor.
        unsafe { new_fd(ret) }.map(Self)
    }

    /// Starts a change of the file system that `mount` shows; see fspick(2).
    ///
    /// # Errors
    /// `EPERM` without CAP_SYS_ADMIN over the file system; those of fspick(2).
    pub fn pick(mount: BorrowedFd<'_>) -> nix::Result<Self> {
        const FSPICK_CLOEXEC: c_uint = 1;
        const FSPICK_EMPTY_PATH: c_uint = 8;
        // SAFETY: the path is a constant C string.
        let ret = unsafe {
            libc::syscall(
                libc::SYS_fspick,
                mount.as_raw_fd(),
                c"".as_ptr(),
                FSPICK_CLOEXEC | FSPICK_EMPTY_PATH,
            )
        };
        // SAFETY: fspick returns a new descriptor.
        unsafe { new_fd(ret) }.map(Self)
    }

    fn config(&self, command: c_uint, key: Option<&str>, value: Option<&str>) -> nix::Result<()> {
        let key = key.map(c_str).transpose()?;
        let value = value.map(c_str).transpose()?;
        let pointer = |text: &Option<std::ffi::CString>| {
            text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr())
        };
        // SAFETY: key and value are null or C strings that outlive the call.
        let ret = unsafe {
            libc::syscall(
                libc::SYS_fsconfig,
                self.0.as_raw_fd(),
                command,
                pointer(&key),
                pointer(&value),
                0,
            )
        };
        Errno::result(ret).map(drop)
    }

    /// Sets an option without a value.
    ///
    /// # Errors
    /// `EINVAL` for an option that the file system does not know or that needs a value; see [`FsContext::complaint`].
    pub fn set_flag(&self, key: &str) -> nix::Result<()> {
        self.config(FSCONFIG_SET_FLAG, Some(key), None)
    }

    /// Sets an option with a value.
    ///
    /// # Errors
    /// `EINVAL` for an option or a value that the file system does not take; see [`FsContext::complaint`].
    pub fn set_string(&self, key: &str, value: &str) -> nix::Result<()> {
        self.config(FSCONFIG_SET_STRING, Some(key), Some(value))
    }

    /// Makes the file system and a mount of it with `attributes` (`ATTR_*`), attached nowhere yet.
    ///
    /// # Errors
    /// Those of the file system, and of fsmount(2); see [`FsContext::complaint`].
    pub fn mount(&self, attributes: u64) -> nix::Result<OwnedFd> {
        self.config(FSCONFIG_CMD_CREATE, None, None)?;
        // SAFETY: integers only; 1 is FSMOUNT_CLOEXEC.
        let ret = unsafe { libc::syscall(libc::SYS_fsmount, self.0.as_raw_fd(), 1, attributes) };
        // SAFETY: fsmount returns a new descriptor.
        unsafe { new_fd(ret) }
    }

    /// Carries out a change begun with [`FsContext::pick`].
    ///
    /// # Errors
    /// Those of the file system; see [`FsContext::complaint`].
    pub fn reconfigure(&self) -> nix::Result<()> {
        self.config(FSCONFIG_CMD_RECONFIGURE, None, None)
    }

    /// What the file system said about the last failure, if it said anything.
    pub fn complaint(&self) -> Option<String> {
        let mut text = [0_u8; 256];
        let length = nix::unistd::read(&self.0, &mut text).ok()?;
        let line = String::from_utf8_lossy(&text[..length]);
        // "e tmpfs: Bad value for 'size'"
        Some(line.trim_end().trim_start_matches(['e', 'w', 'i']).trim_start().to_owned())
    }
}

/// Copies the mount at `path` (relative to `at`; empty for `at` itself), attached nowhere;
/// `recursive` with all that is mounted below.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN over the mount namespace; those of open_tree(2).
pub fn clone_tree(at: BorrowedFd<'_>, path: &Path, recursive: bool) -> nix::Result<OwnedFd> {
    open_tree(at, path, recursive, 0)
}

/// As [`clone_tree`], but a symbolic link at the end of `path` is copied itself, without following it.
///
/// # Errors
/// As [`clone_tree`].
pub fn clone_link(at: BorrowedFd<'_>, path: &Path, recursive: bool) -> nix::Result<OwnedFd> {
    open_tree(at, path, recursive, libc::AT_SYMLINK_NOFOLLOW as c_uint)
}

fn open_tree(
    at: BorrowedFd<'_>,
    path: &Path,
    recursive: bool,
    more: c_uint,
) -> nix::Result<OwnedFd> {
    let path = c_path(path)?;
    let mut flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | EMPTY_PATH | more;
    if recursive {
        flags |= AT_RECURSIVE;
    }
    // SAFETY: `path` outlives the call.
    let ret = unsafe { libc::syscall(libc::SYS_open_tree, at.as_raw_fd(), path.as_ptr(), flags) };
    // SAFETY: open_tree returns a new descriptor.
    unsafe { new_fd(ret) }
}

/// Copies the mount that an open descriptor stands for.
///
/// # Errors
/// As [`clone_tree`].
pub fn clone_mount(fd: BorrowedFd<'_>, recursive: bool) -> nix::Result<OwnedFd> {
    clone_tree(fd, Path::new(""), recursive)
}

/// Attaches the detached mount `from` over the file or directory `onto`.
///
/// # Errors
/// Those of move_mount(2).
pub fn attach(from: BorrowedFd<'_>, onto: BorrowedFd<'_>) -> nix::Result<()> {
    const MOVE_MOUNT_F_EMPTY_PATH: c_uint = 0x4;
    const MOVE_MOUNT_T_EMPTY_PATH: c_uint = 0x40;
    // SAFETY: both paths are constant C strings.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            from.as_raw_fd(),
            c"".as_ptr(),
            onto.as_raw_fd(),
            c"".as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH,
        )
    };
    Errno::result(ret).map(drop)
}

/// `struct mount_attr`.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
pub struct MountAttr {
    /// `ATTR_*` to set.
    pub set: u64,
    /// `ATTR_*` to clear.
    pub clear: u64,
    /// `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE` or `MS_UNBINDABLE`; 0 leaves it.
    pub propagation: u64,
    userns_fd: u64,
}

impl MountAttr {
    /// Attributes to set and to clear.
    pub fn attributes(set: u64, clear: u64) -> Self {
        Self { set, clear, ..Self::default() }
    }

    /// Ids mapped as in the user namespace behind `namespace`, which must stay open for the call. Only for
    /// a mount that was never attached.
    pub fn id_map(namespace: &OwnedFd) -> Self {
        const ATTR_IDMAP: u64 = 0x0010_0000;
        let userns_fd = u64::from(namespace.as_raw_fd().cast_unsigned());
        Self { set: ATTR_IDMAP, userns_fd, ..Self::default() }
    }

    /// A change of propagation.
    pub fn propagation(kind: u64) -> Self {
        Self { propagation: kind, ..Self::default() }
    }
}

/// Changes attributes and propagation of the mount that `fd` stands for, and of all below it when
/// `recursive`; see mount_setattr(2).
///
/// # Errors
/// `ENOSYS` before Linux 5.12: then [`set_attributes_attached`] can do most of it afterwards.
pub fn set_attributes(fd: BorrowedFd<'_>, attr: MountAttr, recursive: bool) -> nix::Result<()> {
    let flags = EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a constant C string, `attr` outlives the call.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of_arg::<MountAttr>(),
        )
    };
    Errno::result(ret).map(drop)
}

/// As [`set_attributes`], on a mount that is attached somewhere: there mount(2) serves where the
/// kernel has no mount_setattr(2).
///
/// # Errors
/// `ENOSYS` before Linux 5.12 for recursive attributes and `ATTR_NOSYMFOLLOW`.
pub fn set_attributes_attached(
    fd: BorrowedFd<'_>,
    attr: MountAttr,
    recursive: bool,
) -> nix::Result<()> {
    match set_attributes(fd, attr, recursive) {
        Err(Errno::ENOSYS) => legacy::set_attributes(fd, attr, recursive),
        other => other,
    }
}

pub use crate::mount_call::new_mount;

/// `ATTR_*` as `MS_*` of mount(2).
pub(crate) fn mount_call_flags(attributes: u64) -> nix::mount::MsFlags {
    const MS_NOSYMFOLLOW: nix::mount::MsFlags = nix::mount::MsFlags::from_bits_retain(256);
    let mut flags = legacy::to_flags(attributes);
    flags.set(MS_NOSYMFOLLOW, attributes & ATTR_NOSYMFOLLOW != 0);
    flags
}

/// mount_setattr(2) in terms of mount(2), for kernels before 5.12.
mod legacy {
    use super::{
        ATTR_ATIME, ATTR_NOATIME, ATTR_NODEV, ATTR_NODIRATIME, ATTR_NOEXEC, ATTR_NOSUID,
        ATTR_NOSYMFOLLOW, ATTR_RDONLY, ATTR_STRICTATIME, AsRawFd, BorrowedFd, Errno, MountAttr,
    };
    use nix::mount::{MsFlags, mount};
    use nix::sys::statvfs::{FsFlags, fstatvfs};

    const NO_STR: Option<&str> = None;

    pub(super) fn set_attributes(
        fd: BorrowedFd<'_>,
        attr: MountAttr,
        recursive: bool,
    ) -> nix::Result<()> {
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        if attr.set | attr.clear != 0 {
            // Only the new call can do a whole tree.
            if recursive || attr.set & ATTR_NOSYMFOLLOW != 0 {
                return Err(Errno::ENOSYS);
            }
            let now = current(fd)?;
            let wanted = (now & !attr.clear) | attr.set;
            let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | to_flags(wanted);
            mount(NO_STR, path.as_str(), NO_STR, flags, NO_STR)?;
        }
        if attr.propagation != 0 {
            let mut flags = MsFlags::from_bits_truncate(attr.propagation);
            flags.set(MsFlags::MS_REC, recursive);
            mount(NO_STR, path.as_str(), NO_STR, flags, NO_STR)?;
        }
        Ok(())
    }

    const TABLE: [(u64, FsFlags, MsFlags); 6] = [
        (ATTR_RDONLY, FsFlags::ST_RDONLY, MsFlags::MS_RDONLY),
        (ATTR_NOSUID, FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (ATTR_NODEV, FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (ATTR_NOEXEC, FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (ATTR_NOATIME, FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (ATTR_NODIRATIME, FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
    ];

    fn current(fd: BorrowedFd<'_>) -> nix::Result<u64> {
        let flags = fstatvfs(fd)?.flags();
        Ok(TABLE.iter().filter(|row| flags.contains(row.1)).map(|row| row.0).sum())
    }

    pub(super) fn to_flags(attributes: u64) -> MsFlags {
        let mut flags = MsFlags::empty();
        for (attribute, _, flag) in TABLE {
            flags.set(flag, attributes & attribute != 0);
        }
        match attributes & ATTR_ATIME {
            0 => flags |= MsFlags::MS_RELATIME,
            ATTR_STRICTATIME => flags |= MsFlags::MS_STRICTATIME,
            _ => {}
        }
        flags
    }
}

/// Changes the propagation of everything mounted in this mount namespace from "/" down.
///
/// # Errors
/// Those of mount(2).
pub fn set_root_propagation(kind: u64, recursive: bool) -> nix::Result<()> {
    use nix::mount::{MsFlags, mount};
    let mut flags = MsFlags::from_bits_truncate(kind);
    flags.set(MsFlags::MS_REC, recursive);
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
}

/// `.` as a descriptor argument, for absolute paths.
pub fn cwd() -> BorrowedFd<'static> {
    nix::fcntl::AT_FDCWD
}

/// Flags of the mount that `fd` is on: `ST_*` of statvfs(3), with those that only Linux has.
///
/// # Errors
/// Those of fstatvfs(3).
pub fn mount_flags(fd: impl AsFd) -> nix::Result<u64> {
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the call fills `stat` when it succeeds.
    let ret = unsafe { libc::fstatvfs(fd.as_fd().as_raw_fd(), stat.as_mut_ptr()) };
    Errno::result(ret)?;
    // SAFETY: it succeeded.
    Ok(unsafe { stat.assume_init() }.f_flag)
}

/// The kind of file system behind `fd` (`f_type` of statfs(2)).
///
/// # Errors
/// Those of fstatfs(2).
pub fn filesystem_magic(fd: impl AsFd) -> nix::Result<i64> {
    let stat = nix::sys::statfs::fstatfs(fd.as_fd())?;
    Ok(stat.filesystem_type().0 as i64)
}
