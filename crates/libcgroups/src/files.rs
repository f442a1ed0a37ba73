//! Small control files: each read and each write is one open, one transfer and one close.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;

use crate::error::{Error, Result};

/// Large enough for every control file but process lists, which are read to their end.
const CHUNK: usize = 4096;

/// Opens a control file.
pub(crate) fn open_file(path: &Path, flags: OFlag) -> Result<OwnedFd> {
    loop {
        // Not open(3), to which musl adds a second call for the sake of kernels that nobody has any more.
        match openat(AT_FDCWD, path, flags | OFlag::O_CLOEXEC, Mode::empty()) {
            Ok(fd) => return Ok(fd),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::os("open", path, errno)),
        }
    }
}

/// Opens a directory as an anchor.
pub(crate) fn open_dir(path: &Path) -> Result<OwnedFd> {
    open_file(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
}

/// One write(2) of the whole value: control files take a value in one piece or not at all.
pub(crate) fn write_fd(fd: &OwnedFd, path: &Path, value: &str) -> Result<()> {
    loop {
        match nix::unistd::write(fd, value.as_bytes()) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => {
                return Err(Error::os(format!("write {:?} to", value.trim_end()), path, errno));
            }
        }
    }
}

/// Writes `value` to the control file `name` in `dir`.
pub(crate) fn write(dir: &Path, name: &str, value: &str) -> Result<()> {
    let path = dir.join(name);
    let fd = open_file(&path, OFlag::O_WRONLY)?;
    write_fd(&fd, &path, value)
}

/// The rest of `fd`, to its end.
pub(crate) fn read_fd(fd: &OwnedFd, path: &Path) -> Result<String> {
    let mut data = Vec::new();
    let mut chunk = [0_u8; CHUNK];
    loop {
        match nix::unistd::read(fd, &mut chunk) {
            Ok(0) => break,
            Ok(n) => {
                data.extend_from_slice(&chunk[..n]);
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::os("read", path, errno)),
        }
    }
    Ok(String::from_utf8_lossy(&data).into_owned())
}

/// The content of a file, to its end.
pub(crate) fn read_path(path: &Path) -> Result<String> {
    read_fd(&open_file(path, OFlag::O_RDONLY)?, path)
}

/// The content of the control file `name` in an open directory, to its end.
pub(crate) fn read_at(dir: BorrowedFd<'_>, name: &str) -> Result<String> {
    let file = openat(dir, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty());
    read_fd(&file.map_err(|errno| Error::os("open", name, errno))?, Path::new(name))
}

/// The content of a control file that is known to be short (one read), without the newline at its end.
pub(crate) fn read_value(dir: &Path, name: &str) -> Result<String> {
    let path = dir.join(name);
    let fd = open_file(&path, OFlag::O_RDONLY)?;
    let mut chunk = [0_u8; CHUNK];
    let n = loop {
        match nix::unistd::read(&fd, &mut chunk) {
            Ok(n) => break n,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::os("read", path, errno)),
        }
    };
    Ok(String::from_utf8_lossy(&chunk[..n]).trim_end().to_owned())
}

/// A number in a control file; the v1 spelling of "no limit" is a very large one.
pub(crate) fn read_u64(dir: &Path, name: &str) -> Result<u64> {
    let text = read_value(dir, name)?;
    text.parse().map_err(|_| {
        Error::message(format!(
            "read {:?}: {text:?} is not a number",
            dir.join(name).display().to_string()
        ))
    })
}

/// Waits until `file`, one that tells of changes by poll(2) such as `cgroup.events`, has the line `wanted`; `false` when
/// it has not by `deadline`.
pub(crate) fn wait_for_line(path: &Path, wanted: &str, deadline: Instant) -> Result<bool> {
    loop {
        // Opened anew each time: poll then reports every change after this reading.
        let fd = open_file(path, OFlag::O_RDONLY)?;
        if read_fd(&fd, path)?.lines().any(|line| line == wanted) {
            return Ok(true);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLPRI)];
        // In whole milliseconds, of which there must be one.
        let left = left.max(Duration::from_millis(1));
        // Whatever poll says, the file is what counts.
        let _ = poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
    }
}

/// Whether there are directories directly in `dir`, which for a cgroup are its children.
pub(crate) fn has_subdirs(dir: &Path) -> Result<bool> {
    let fail = |e| Error::io("read directory", dir, &e);
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        // The file type comes with the directory entry: no call per file.
        if entry.map_err(fail)?.file_type().is_ok_and(|kind| kind.is_dir()) {
            return Ok(true);
        }
    }
    Ok(false)
}
