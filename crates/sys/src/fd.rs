//! File descriptors: what is behind one, close_range(2), inherited ones, execveat(2).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::stat::{SFlag, fstat};

/// The kind of an open file, which may be an `O_PATH` handle: the `S_IFMT` part of its mode, see inode(7).
///
/// # Errors
/// Those of fstat(2).
pub fn kind(fd: impl AsFd) -> nix::Result<SFlag> {
    Ok(SFlag::from_bits_truncate(fstat(fd)?.st_mode & SFlag::S_IFMT.bits()))
}

/// Sets an extended attribute of an open file; see xattr(7).
///
/// # Errors
/// Those of fsetxattr(2); `EOPNOTSUPP` where the file system has no such attributes.
pub fn set_xattr(fd: BorrowedFd<'_>, name: &str, value: &[u8]) -> nix::Result<()> {
    let name = crate::raw::c_str(name)?;
    // SAFETY: the name is a C string, the value has the length that is told; both outlive the call.
    let ret = unsafe {
        libc::fsetxattr(fd.as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0)
    };
    Errno::result(ret).map(drop)
}

/// Marks every descriptor from `first` on close-on-exec.
///
/// # Errors
/// Those of reading /proc/self/fd on kernels without `CLOSE_RANGE_CLOEXEC` (before 5.11).
pub fn cloexec_from(first: RawFd) -> nix::Result<()> {
    const CLOSE_RANGE_CLOEXEC: u32 = 4;
    // SAFETY: integers only; closing nothing, only a flag changes.
    let ret = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, CLOSE_RANGE_CLOEXEC) };
    match Errno::result(ret) {
        Ok(_) => Ok(()),
        Err(Errno::ENOSYS | Errno::EINVAL | Errno::EPERM) => cloexec_each(first),
        Err(errno) => Err(errno),
    }
}

fn cloexec_each(first: RawFd) -> nix::Result<()> {
    let entries = std::fs::read_dir("/proc/self/fd").map_err(|_| Errno::ENOSYS)?;
    let fds: Vec<RawFd> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&fd| fd >= first)
        .collect();
    for fd in fds {
        // SAFETY: the flag is set on whatever descriptor that is; one that has gone meanwhile
        // (the directory's own) gives EBADF, which does not matter.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}

/// Closes every descriptor from `first` on but those in `keep`, for a process that is about to
/// become another program and owns nothing else any more.
///
/// # Errors
/// Those of close_range(2); kernels without it (before 5.9) keep the rest, marked close-on-exec.
pub fn close_all_but(first: RawFd, keep: &mut [RawFd]) -> nix::Result<()> {
    keep.sort_unstable();
    let mut from = first;
    let ends = keep.iter().copied().filter(|fd| *fd >= first).map(|fd| (fd, fd + 1));
    for (end, next) in ends.chain([(RawFd::MAX, RawFd::MAX)]) {
        if from < end {
            // SAFETY: the caller says that nobody uses these numbers any more.
            let ret = unsafe { libc::syscall(libc::SYS_close_range, from, end - 1, 0) };
            match Errno::result(ret) {
                Ok(_) => {}
                Err(Errno::ENOSYS | Errno::EPERM) => return cloexec_from(first),
                Err(errno) => return Err(errno),
            }
        }
        from = next;
    }
    Ok(())
}

/// Whether descriptor `fd` of the runtime's caller is open.
pub fn is_open(fd: RawFd) -> bool {
    // SAFETY: F_GETFD only looks.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// Lets descriptor number `fd`, which the caller of the runtime left open for the container,
/// stay open over execve(2).
///
/// # Errors
/// `EBADF` when there is none.
pub fn inherit(fd: RawFd) -> nix::Result<()> {
    // SAFETY: only the close-on-exec flag of a number changes.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) }).map(drop)
}

/// Makes `fd` this process's descriptor number `target` (0, 1 or 2), open over execve(2).
///
/// # Errors
/// Those of dup2(2).
pub fn replace_standard(fd: BorrowedFd<'_>, target: RawFd) -> nix::Result<()> {
    debug_assert!((0..=2).contains(&target));
    // SAFETY: the standard descriptors belong to the process as a whole; nothing owns them.
    Errno::result(unsafe { libc::dup2(fd.as_raw_fd(), target) }).map(drop)
}

/// A new anonymous file (memfd_create(2)) called `name` that can be sealed, and executed if the host
/// lets any such file be.
///
/// # Errors
/// `EINVAL` when the name has a NUL or is longer than 249 bytes; those of memfd_create(2).
pub fn sealable_memfd(name: &str) -> nix::Result<OwnedFd> {
    /// Since Linux 6.3; without it vm.memfd_noexec may take the right to execute away.
    const MFD_EXEC: libc::c_uint = 0x10;
    let name = crate::raw::c_str(name)?;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: `name` outlives the call.
    let create = |flags: libc::c_uint| unsafe {
        libc::syscall(libc::SYS_memfd_create, name.as_ptr(), flags)
    };
    let mut ret = create(flags | MFD_EXEC);
    if ret < 0 && Errno::last() == Errno::EINVAL {
        ret = create(flags);
    }
    // SAFETY: memfd_create returns a new descriptor.
    unsafe { crate::raw::new_fd(ret) }
}

/// Whether `fd` is a memfd that nobody can write to any more.
pub fn is_sealed(fd: BorrowedFd<'_>) -> bool {
    let all = libc::F_SEAL_WRITE | libc::F_SEAL_GROW | libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL;
    // SAFETY: F_GET_SEALS only looks; it fails on other files.
    let seals = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) };
    seals >= 0 && seals & all == all
}

fn pointers(list: &[CString]) -> Vec<*const libc::c_char> {
    list.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
}

/// Replaces the process by the program behind `program`.
///
/// # Errors
/// Those of execveat(2); it returns only on failure.
pub fn exec_fd(program: BorrowedFd<'_>, args: &[CString], env: &[CString]) -> Errno {
    let (args, env) = (pointers(args), pointers(env));
    // SAFETY: both arrays end with a null pointer and hold C strings that outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            args.as_ptr(),
            env.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    Errno::last()
}

/// Replaces the process by the program at `path`.
///
/// # Errors
/// Those of execve(2); it returns only on failure.
pub fn exec_path(path: &CStr, args: &[CString], env: &[CString]) -> Errno {
    let (args, env) = (pointers(args), pointers(env));
    // SAFETY: as in `exec_fd`.
    unsafe { libc::syscall(libc::SYS_execve, path.as_ptr(), args.as_ptr(), env.as_ptr()) };
    Errno::last()
}

/// Takes over a descriptor received as a bare number.
///
/// # Safety
/// `fd` must be open and owned by nobody else.
pub(crate) unsafe fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the caller vouches for it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Standard input, output or error of the process, if it is open.
pub fn standard(fd: RawFd) -> Option<BorrowedFd<'static>> {
    // SAFETY: the standard descriptors are never closed by this program, so once found open they
    // stay open.
    ((0..=2).contains(&fd) && is_open(fd)).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn extended_attributes() {
        let path = std::env::temp_dir().join(format!("onggi-xattr-{}", std::process::id()));
        let file = std::fs::File::create(&path).expect("create");
        let _ = std::fs::remove_file(&path);
        match set_xattr(file.as_fd(), "user.onggi", b"value") {
            Err(Errno::EOPNOTSUPP) => return,
            other => other.expect("set"),
        }
        let mut value = [0_u8; 16];
        let (name, room) = (c"user.onggi", value.len());
        // SAFETY: the name is a C string, `value` has room for what is told.
        let length = unsafe {
            libc::fgetxattr(file.as_raw_fd(), name.as_ptr(), value.as_mut_ptr().cast(), room)
        };
        assert_eq!(&value[..usize::try_from(length).expect("get")], b"value");
        assert_eq!(set_xattr(file.as_fd(), "a\0b", b""), Err(Errno::EINVAL));
    }
}
