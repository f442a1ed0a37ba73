//! Directories beside those of the containers: not yet, or no longer, that of one.
//!
//! A process locks its own for as long as it is at work. Its number alone would say nothing to others: they may be in
//! another pid namespace, where it is that of nobody, or their own.

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, open};
use nix::sys::stat::{Mode, fstat, stat};

use crate::error::{Error, Result};

/// How many names are tried.
const NAMES: u32 = 64;

/// A directory that is new and only this process's.
pub(super) struct Aside {
    pub(super) path: PathBuf,
    /// `None` where the file system knows no locks.
    _lock: Option<Flock<OwnedFd>>,
}

impl Aside {
    /// Makes it, and `root` above it if need be.
    pub(super) fn make(root: &Path) -> Result<Self> {
        for attempt in 0..NAMES {
            let path = root.join(name(attempt));
            let fail = |error| Error::io("mkdir", &path, &error);
            match mkdir(&path, false) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    mkdir(root, true).and_then(|()| mkdir(&path, false)).map_err(fail)?;
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    // A process with this number died here before.
                    take_away(&path);
                    continue;
                }
                made => made.map_err(fail)?,
            }
            // Whoever looks for leftovers may have come in between.
            if let Ok(lock) = lock(&path) {
                return Ok(Self { path, _lock: lock });
            }
        }
        let text = format!("mkdir {:?}: all names are taken", root.join(name(0)));
        Err(Error::message(text))
    }

    /// Removes it and all in it.
    pub(super) fn remove(self) -> Result<()> {
        match std::fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::io("remove", &self.path, &error))
            }
            _ => Ok(()),
        }
    }
}

/// Removes what processes that were killed have left in `root`.
pub(super) fn sweep(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        if is_aside(&entry.file_name()) {
            take_away(&entry.path());
        }
    }
}

/// No id has a `~`.
fn name(attempt: u32) -> String {
    let pid = std::process::id();
    if attempt == 0 { format!("~{pid}") } else { format!("~{pid}.{attempt}") }
}

fn is_aside(name: &OsStr) -> bool {
    let numbers = name.to_str().and_then(|name| name.strip_prefix('~'));
    numbers.is_some_and(|text| text.split('.').all(|number| number.parse::<u32>().is_ok()))
}

fn mkdir(path: &Path, recursive: bool) -> std::io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(recursive).create(path)
}

/// Removes a directory that nobody is at work in.
fn take_away(path: &Path) {
    if let Ok(_lock) = lock(path) {
        let _ = std::fs::remove_dir_all(path);
    }
}

/// Locks a directory as long as it has this path.
///
/// # Errors
/// When somebody else has the lock, or the directory is gone or has become that of a container.
fn lock(path: &Path) -> nix::Result<Option<Flock<OwnedFd>>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let dir = open(path, flags, Mode::empty())?;
    let held = fstat(&dir)?;
    let lock = match Flock::lock(dir, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Some(lock),
        Err((_, errno @ Errno::EWOULDBLOCK)) => return Err(errno),
        Err(_) => None,
    };
    let now = stat(path)?;
    if (now.st_dev, now.st_ino) == (held.st_dev, held.st_ino) {
        Ok(lock)
    } else {
        Err(Errno::ENOENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory for one test.
    struct Place(PathBuf);

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn only_what_nobody_is_at_work_in_goes() {
        let name = format!("onggi-aside-{}", std::process::id());
        let place = Place(std::env::temp_dir().join(name));
        let root = place.0.join("root");
        let first = Aside::make(&root).expect("make");
        let second = Aside::make(&root).expect("make another");
        assert_ne!(first.path, second.path);
        std::fs::write(first.path.join("state"), "").expect("write");
        for name in ["~7", "~7.1"] {
            std::fs::create_dir_all(root.join(name).join("id")).expect("mkdir");
        }
        for name in ["~x", "~", "~7.x", "id"] {
            std::fs::create_dir(root.join(name)).expect("mkdir");
        }
        // One that has become a container's is none of them.
        std::fs::rename(&second.path, root.join("other")).expect("rename");
        sweep(&root);
        assert!(first.path.join("state").exists());
        let mut left: Vec<_> = std::fs::read_dir(&root)
            .expect("read")
            .map(|entry| entry.expect("entry").path())
            .filter(|path| *path != first.path)
            .map(|path| path.file_name().unwrap_or_default().to_owned())
            .collect();
        left.sort();
        assert_eq!(left, ["id", "other", "~", "~7.x", "~x"]);
        first.remove().expect("remove");
        let third = Aside::make(&root).expect("make");
        // Its process was killed.
        drop(third);
        let fourth = Aside::make(&root).expect("make");
        sweep(&root);
        assert!(fourth.path.exists());
        assert_eq!(std::fs::read_dir(&root).expect("read").count(), 6);
    }
}
