//! `tmpcopyup`: a tmpfs that begins with what the directory below it holds.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, fstatat, mkdirat, mknodat};
use nix::unistd::{Gid, Uid, fchownat, symlinkat};

/// Copies everything below the directory `from` into the root directory `to`, with owners and modes. Where `user` and
/// `group` say so, `to` itself gets the owner of `from`, too; its mode it has already.
pub(super) fn copy(from: &OwnedFd, to: &OwnedFd, user: bool, group: bool) -> nix::Result<()> {
    let stat = nix::sys::stat::fstat(from)?;
    let to = openat(to, ".", OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let user = user.then(|| Uid::from_raw(stat.st_uid));
    let group = group.then(|| Gid::from_raw(stat.st_gid));
    nix::unistd::fchown(&to, user, group)?;
    copy_below(from, &to)
}

fn copy_below(from: &OwnedFd, to: &OwnedFd) -> nix::Result<()> {
    let here = AtFlags::AT_SYMLINK_NOFOLLOW;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut entries = Dir::openat(from, ".", flags, Mode::empty())?;
    let mut names = Vec::new();
    for entry in entries.iter() {
        let name = entry?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    for name in names {
        let stat = fstatat(from, name.as_c_str(), here)?;
        let mode = Mode::from_bits_truncate(stat.st_mode & 0o7777);
        let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
        match kind {
            SFlag::S_IFDIR => {
                mkdirat(to, name.as_c_str(), mode)?;
                let source = openat(from, name.as_c_str(), flags, Mode::empty())?;
                let target = openat(to, name.as_c_str(), flags, Mode::empty())?;
                copy_below(&source, &target)?;
            }
            SFlag::S_IFLNK => {
                let text = readlinkat(from, name.as_c_str())?;
                symlinkat(Path::new(&text), to, name.as_c_str())?;
            }
            SFlag::S_IFREG => copy_file(from, to, &name)?,
            _ => mknodat(to, name.as_c_str(), kind, mode, stat.st_rdev)?,
        }
        let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        fchownat(to, name.as_c_str(), Some(uid), Some(gid), here)?;
        if kind != SFlag::S_IFLNK {
            // chown(2) takes set-user-id bits away.
            fchmodat(to, name.as_c_str(), mode, FchmodatFlags::FollowSymlink)?;
        }
    }
    Ok(())
}

fn copy_file(from: impl AsFd, to: impl AsFd, name: &std::ffi::CStr) -> nix::Result<()> {
    let read = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let write = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let source = openat(from, name, read, Mode::empty())?;
    let target = openat(to, name, write, Mode::from_bits_truncate(0o600))?;
    let (mut source, mut target) = (std::fs::File::from(source), std::fs::File::from(target));
    std::io::copy(&mut source, &mut target)
        .map(drop)
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(nix::libc::EIO)))
}
