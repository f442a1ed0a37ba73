//! Finding the user's program and becoming it.

use std::ffi::CString;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{SFlag, stat};
use nix::unistd::{AccessFlags, faccessat};

use super::filter::Filter;
use crate::error::{Error, Result, errno_text};
use crate::plan::Process;

/// First descriptor after the standard ones.
const FIRST_FD: i32 = 3;
/// As much of the container's /etc/passwd as is looked at.
const MAX_PASSWD: u64 = 1 << 20;
/// Where the program is looked for when `process.env` has no PATH, as execvp(3) does.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program that was found, with everything that execve(2) takes.
#[derive(Debug)]
pub(crate) struct Executable {
    path: CString,
    args: Vec<CString>,
    env: Vec<String>,
    preserve_fds: u32,
}

impl Executable {
    /// Looks `process.args[0]` up with the credentials that the program will have.
    ///
    /// # Errors
    /// In the words that engines look for: `exec: "x": executable file not found in $PATH`.
    pub(crate) fn find(process: &Process, preserve_fds: u32) -> Result<Self> {
        let name = process.args.first().map_or("", String::as_str);
        let path = look_up(name, &process.env)
            .map_err(|reason| Error::message(format!("exec: {name:?}: {reason}")))?;
        let mut env = process.env.clone();
        if !env.iter().any(|entry| entry.strip_prefix("HOME=").is_some_and(|home| !home.is_empty()))
        {
            env.retain(|entry| !entry.starts_with("HOME="));
            env.push(format!("HOME={}", home_of(process.uid)));
        }
        let args = process.args.iter().map(|text| c_string(text)).collect::<Result<_>>()?;
        Ok(Self { path: c_string(&path)?, args, env, preserve_fds })
    }

    /// The program's environment, with `HOME`.
    pub(crate) fn env(&self) -> &[String] {
        &self.env
    }

    /// The filter, if it is loaded by [`Executable::exec`] and not before.
    pub(crate) fn late_filter<'a>(
        &self,
        process: &Process,
        filter: Option<&'a Filter>,
    ) -> Option<&'a Filter> {
        filter.filter(|one| process.no_new_privileges && !one.notifies())
    }

    /// Becomes the program; returns only on failure.
    pub(crate) fn exec(
        &self,
        process: &Process,
        filter: Option<&Filter>,
    ) -> Result<std::convert::Infallible> {
        for fd in 0..self.preserve_fds.cast_signed() {
            sys::fd::inherit(FIRST_FD + fd)
                .map_err(|errno| Error::os("preserve", format!("fd {}", FIRST_FD + fd), errno))?;
        }
        sys::prctl::reset_signals().map_err(|errno| Error::os("reset signals", "", errno))?;
        let env = self.env.iter().map(|text| c_string(text)).collect::<Result<Vec<_>>>()?;
        // As late as can be: the profile then has to allow nothing of what the runtime does.
        if let Some(filter) = self.late_filter(process, filter) {
            filter.load()?;
        }
        let errno = sys::fd::exec_path(&self.path, &self.args, &env);
        let path = self.path.to_string_lossy();
        Err(Error::Program(format!("exec {path}: {}", errno_text(errno))))
    }
}

fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::message(format!("exec: {text:?}: contains a NUL byte")))
}

/// The path of the program `name`: as it is if it has a slash, else from PATH.
fn look_up(name: &str, env: &[String]) -> std::result::Result<String, String> {
    if name.contains('/') {
        return executable(name).map(|()| name.to_owned()).map_err(|errno| match errno {
            Errno::ENOENT | Errno::ENOTDIR => format!("stat {name}: {}", errno_text(errno)),
            // Older engines take only the first two words for exit status 126.
            Errno::EISDIR => "permission denied (is a directory)".to_owned(),
            other => errno_text(other),
        });
    }
    let path = env.iter().rev().find_map(|entry| entry.strip_prefix("PATH="));
    let directories = path.unwrap_or(DEFAULT_PATH).split(':');
    let candidates = directories.filter(|dir| dir.starts_with('/') && !name.is_empty());
    candidates
        .map(|dir| format!("{}/{name}", dir.trim_end_matches('/')))
        .find(|candidate| executable(candidate).is_ok())
        .ok_or_else(|| "executable file not found in $PATH".to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the program is looked up as execve(2) will, inside the container's root"
)]
fn executable(path: &str) -> nix::Result<()> {
    let mode = stat(path)?.st_mode;
    if mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits() {
        return Err(Errno::EISDIR);
    }
    let access = faccessat(nix::fcntl::AT_FDCWD, path, AccessFlags::X_OK, AtFlags::AT_EACCESS);
    match access {
        // libc may have to emulate AT_EACCESS, which needs more than a container allows.
        Err(Errno::ENOSYS | Errno::EPERM) if mode & 0o111 != 0 => Ok(()),
        other => other,
    }
}

/// The home directory of `uid` in the container's own /etc/passwd, else `/`.
#[expect(
    clippy::disallowed_methods,
    reason = "inside the container's root, with its user's rights, and only read"
)]
fn home_of(uid: u32) -> String {
    let file = std::fs::OpenOptions::new()
        .read(true)
        // It may be a FIFO, where opening would wait forever.
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY)
        .open("/etc/passwd");
    let mut text = Vec::new();
    let Ok(file) = file else { return "/".into() };
    if !file.metadata().is_ok_and(|meta| meta.is_file())
        || file.take(MAX_PASSWD).read_to_end(&mut text).is_err()
    {
        return "/".into();
    }
    String::from_utf8_lossy(&text)
        .lines()
        .find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let home = fields.get(5).filter(|home| !home.is_empty() && !home.contains('\0'))?;
            (fields.get(2)?.parse() == Ok(uid)).then(|| (*home).to_owned())
        })
        .unwrap_or_else(|| "/".into())
}

/// Waits for the word of `start`.
pub(super) fn wait_for_start(start: &OwnedFd) -> Result<()> {
    let mut word = [0_u8; 1];
    loop {
        match nix::unistd::read(start, &mut word) {
            Err(Errno::EINTR) => {}
            Ok(1) => return Ok(()),
            Ok(_) => return Err(Error::message("start FIFO closed")),
            Err(errno) => return Err(Error::os("read", "start FIFO", errno)),
        }
    }
}

/// Tells `start` why the program does not run.
pub(super) fn report_to_start(status: &OwnedFd, error: &Error) {
    // `start` may be gone; then nobody wants to know.
    let _ = nix::unistd::write(status.as_fd(), error.to_string().as_bytes());
}
