//! Keeps the runtime's own executable out of the reach of containers.
//!
//! A process that enters a container still runs this program. A hostile image can have it executed
//! once more (`/proc/self/exe` as the command, as `#!` line or as ELF interpreter) and then write to
//! the file behind it, the runtime of every later container on the host (CVE-2019-5736). So
//! commands that enter a container first run themselves again from a place that cannot be written
//! to: a detached read-only mount of the executable, or where that is not allowed a sealed copy in
//! memory.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl, open};
use nix::sys::stat::{Mode, fstat};
use nix::sys::statvfs::{FsFlags, fstatvfs};
use sys::mount::{self, ATTR_RDONLY, MountAttr};

use crate::error::{Error, Result};

const EXE: &str = "/proc/self/exe";
/// Tells the second run that it is one, so that a host where sealing has no effect gives an error
/// instead of a loop.
const MARK: &str = "_ONGGI_SEALED";

/// Makes sure that this program runs from where nobody in a container can write to it. Returns when
/// that is so already; else this process starts anew and does not return.
///
/// # Errors
/// When the executable can be protected in no way.
pub fn ensure() -> Result<()> {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let exe = open(EXE, flags, Mode::empty()).map_err(|errno| Error::os("open", EXE, errno))?;
    if is_protected(&exe)? {
        return Ok(());
    }
    if std::env::var_os(MARK).is_some() {
        return Err(Error::message("protect the runtime's executable: it can still be written to"));
    }
    match readonly_mount(&exe) {
        Ok(program) => Err(run_again(&program)),
        Err(Errno::EPERM | Errno::ENOSYS) if out_of_reach(&exe)? => Ok(()),
        Err(Errno::EPERM | Errno::ENOSYS) => Err(run_again(&sealed_copy()?)),
        Err(errno) => Err(Error::os("protect the runtime's executable", EXE, errno)),
    }
}

fn is_protected(exe: &OwnedFd) -> Result<bool> {
    let stat = fstatvfs(exe).map_err(|errno| Error::os("statvfs", EXE, errno))?;
    if stat.flags().contains(FsFlags::ST_RDONLY) {
        return Ok(true);
    }
    // Only the second run can be from memory.
    if std::env::var_os(MARK).is_none() {
        return Ok(false);
    }
    let file = File::open(EXE).map_err(|error| Error::io("open", EXE, &error))?;
    Ok(sys::fd::is_sealed(file.as_fd()))
}

/// Whether no id of a container that this user could make may write to the executable: it belongs
/// to somebody else, and neither group nor others may.
fn out_of_reach(exe: &OwnedFd) -> Result<bool> {
    let stat = fstat(exe).map_err(|errno| Error::os("stat", EXE, errno))?;
    let me = nix::unistd::geteuid();
    Ok(!me.is_root() && stat.st_uid == 0 && stat.st_mode & 0o022 == 0)
}

fn readonly_mount(exe: &OwnedFd) -> nix::Result<OwnedFd> {
    let program = mount::clone_mount(exe.as_fd(), false)?;
    mount::set_attributes(program.as_fd(), MountAttr::attributes(ATTR_RDONLY, 0), false)?;
    Ok(program)
}

fn sealed_copy() -> Result<OwnedFd> {
    let fail = |error: std::io::Error| Error::io("copy to memory", EXE, &error);
    let memory = sys::fd::sealable_memfd("onggi")
        .map_err(|errno| Error::os("memfd_create", "onggi", errno))?;
    let mut copy = File::from(memory);
    let mut exe = File::open(EXE).map_err(fail)?;
    std::io::copy(&mut exe, &mut copy).map_err(fail)?;
    let seals = SealFlag::F_SEAL_WRITE
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_SEAL;
    fcntl(&copy, FcntlArg::F_ADD_SEALS(seals))
        .map_err(|errno| Error::os("seal copy of", EXE, errno))?;
    // A file that is open for writing cannot be executed.
    let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
    open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| Error::os("open sealed copy of", EXE, errno))
}

/// Starts this program anew from `program`, with the same arguments and environment.
fn run_again(program: &OwnedFd) -> Error {
    let text = |bytes: Vec<u8>| CString::new(bytes).unwrap_or_default();
    let args: Vec<CString> = std::env::args_os().map(|arg| text(arg.into_vec())).collect();
    let mut env: Vec<CString> = std::env::vars_os()
        .map(|(key, value)| text([key.into_vec(), value.into_vec()].join(&b'=')))
        .collect();
    env.push(text(format!("{MARK}=1").into_bytes()));
    let errno = sys::fd::exec_fd(program.as_fd(), &args, &env);
    Error::os("run the protected", EXE, errno)
}
