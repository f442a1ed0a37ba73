//! The one place where syscall(2) is called by number.

use std::ffi::CString;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::libc::{self, c_long};

/// Turns the kernel's answer to a call that returns a new descriptor into an owned one.
///
/// # Safety
/// `ret` must be what syscall(2) returned for a call that yields a new file descriptor nobody else
/// owns.
pub(crate) unsafe fn new_fd(ret: c_long) -> nix::Result<OwnedFd> {
    let fd = Errno::result(ret)?;
    let fd = i32::try_from(fd).map_err(|_| Errno::EBADF)?;
    // SAFETY: the caller vouches that `fd` is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A path as the kernel takes it; one with a NUL byte is `EINVAL`.
pub(crate) fn c_path(path: &Path) -> nix::Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)
}

/// Text as the kernel takes it; one with a NUL byte is `EINVAL`.
pub(crate) fn c_str(text: &str) -> nix::Result<CString> {
    CString::new(text).map_err(|_| Errno::EINVAL)
}

/// The size of `T` as the extensible-struct calls take it.
pub(crate) const fn size_of_arg<T>() -> libc::size_t {
    size_of::<T>()
}
