//! The container's file system, reached without ever trusting what lies in it.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstat, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

use crate::fd::kind;

/// As many links as the kernel follows; see path_resolution(7).
const MAX_LINKS: usize = 40;
/// How often openat2(2) is asked again when somebody renames directories under it.
const MAX_RETRIES: usize = 16;
/// Mode of directories that are made on the way.
const DIRECTORY_MODE: Mode = Mode::from_bits_truncate(0o755);

/// A directory tree that no path can leave: symbolic links and `..` stay inside, magic links of
/// procfs are not followed. Everything is handed out as descriptors.
#[derive(Debug)]
pub struct Root {
    directory: OwnedFd,
    /// Device and inode number of the directory, once somebody has asked for them.
    identity: OnceCell<(u64, u64)>,
}

impl Root {
    /// The tree below `directory`, which may be opened with `O_PATH`.
    pub fn new(directory: OwnedFd) -> Self {
        Self { directory, identity: OnceCell::new() }
    }

    /// Whether `file` is the directory that the tree begins with, wherever it was found.
    ///
    /// # Errors
    /// Those of fstat(2).
    pub fn is(&self, file: impl AsFd) -> nix::Result<bool> {
        let known = self.identity.get().copied();
        let own = known.map_or_else(|| identity(&self.directory), Ok)?;
        Ok(identity(file)? == *self.identity.get_or_init(|| own))
    }

    /// Opens `path`, taken from the root of the tree whether or not it begins with a slash.
    ///
    /// # Errors
    /// Those of openat(2); `ELOOP` for magic links.
    pub fn open(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        for _ in 0..MAX_RETRIES {
            match openat2(&self.directory, path, how) {
                Err(Errno::EAGAIN) => {}
                Err(Errno::ENOSYS | Errno::EPERM) => break,
                other => return other,
            }
        }
        let mut walk = Walk::new(self.directory.as_fd(), path)?;
        walk.follow_last = !flags.contains(OFlag::O_NOFOLLOW);
        reopen(walk.finish(false)?, flags)
    }

    /// Opens `path` as a bare handle (`O_PATH`), following a link at its end.
    ///
    /// # Errors
    /// As [`Root::open`].
    pub fn find(&self, path: &Path) -> nix::Result<OwnedFd> {
        self.open(path, OFlag::O_PATH)
    }

    /// As [`Root::find`], but a link at the end of `path` is what is found.
    ///
    /// # Errors
    /// As [`Root::open`].
    pub fn find_link(&self, path: &Path) -> nix::Result<OwnedFd> {
        self.open(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)
    }

    /// A handle to what is at `path`, where a link counts as itself; what is missing is made, a directory
    /// or an empty file.
    ///
    /// # Errors
    /// As [`Root::make_parent`] and [`Root::make_file`]; not that something of another kind is there.
    pub fn make_unfollowed(&self, path: &Path, directory: bool) -> nix::Result<OwnedFd> {
        match self.find_link(path) {
            Err(Errno::ENOENT) => {}
            other => return other,
        }
        let (parent, name) = self.make_parent(path)?;
        if directory {
            match mkdirat(&parent, name.as_os_str(), DIRECTORY_MODE) {
                Ok(()) | Err(Errno::EEXIST) => unfollowed(&parent, &name),
                Err(errno) => Err(errno),
            }
        } else {
            new_file(&parent, &name)
        }
    }

    /// A handle to the directory `path`, made with mode 0755 where parts of it are missing.
    ///
    /// # Errors
    /// `ENOTDIR` when something else is in the way; those of mkdirat(2).
    pub fn make_dir(&self, path: &Path) -> nix::Result<OwnedFd> {
        match self.open(path, OFlag::O_PATH | OFlag::O_DIRECTORY) {
            Err(Errno::ENOENT) => Walk::new(self.directory.as_fd(), path)?.finish(true),
            other => other,
        }
    }

    /// A handle to the file `path`: what is there (not a directory), or a new empty file.
    ///
    /// # Errors
    /// `EISDIR` for a directory; those of openat(2).
    pub fn make_file(&self, path: &Path) -> nix::Result<OwnedFd> {
        let existing = match self.find(path) {
            Err(Errno::ENOENT) => {
                let (parent, name) = Walk::new(self.directory.as_fd(), path)?.finish_parent()?;
                new_file(&parent, &name)?
            }
            other => other?,
        };
        match kind(&existing)? {
            SFlag::S_IFDIR => Err(Errno::EISDIR),
            SFlag::S_IFLNK => Err(Errno::ELOOP),
            _ => Ok(existing),
        }
    }

    /// The directory that holds `path`, made where missing, and the last name of `path`; links
    /// before the last name are followed, the last name itself is not looked at.
    ///
    /// # Errors
    /// `EINVAL` when `path` has no last name (`/`, `..`); as [`Root::make_dir`].
    pub fn make_parent(&self, path: &Path) -> nix::Result<(OwnedFd, OsString)> {
        let name = path.file_name().ok_or(Errno::EINVAL)?;
        let parent = self.make_dir(path.parent().unwrap_or(Path::new("/")))?;
        Ok((parent, name.to_owned()))
    }

    /// Makes a symbolic link; one that is there already with the same text is fine, which `false` tells.
    ///
    /// # Errors
    /// `EEXIST` when something else has the name; those of symlinkat(2).
    pub fn make_link(&self, text: &Path, path: &Path) -> nix::Result<bool> {
        let (parent, name) = self.make_parent(path)?;
        match symlinkat(text, &parent, name.as_os_str()) {
            Err(Errno::EEXIST) => match readlinkat(&parent, name.as_os_str()) {
                Ok(found) if found.as_os_str() == text.as_os_str() => Ok(false),
                _ => Err(Errno::EEXIST),
            },
            other => other.map(|()| true),
        }
    }

    /// Removes the symbolic link `path`, and nothing else: whoever may rename directories on the way could have any file
    /// be meant.
    ///
    /// # Errors
    /// `EINVAL` for what is no link; those of unlinkat(2).
    pub fn remove_link(&self, path: &Path) -> nix::Result<()> {
        let name = path.file_name().ok_or(Errno::EINVAL)?;
        let parent = path.parent().unwrap_or(Path::new("/"));
        let parent = self.open(parent, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        if kind(unfollowed(&parent, name)?)? != SFlag::S_IFLNK {
            return Err(Errno::EINVAL);
        }
        // It can be another file by now only by who may remove that, too.
        unlinkat(&parent, name, UnlinkatFlags::NoRemoveDir)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

fn identity(file: impl AsFd) -> nix::Result<(u64, u64)> {
    fstat(file).map(|stat| (stat.st_dev, stat.st_ino))
}

/// A new empty file `name`, or what somebody has put there meanwhile.
fn new_file(parent: &OwnedFd, name: &OsStr) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match openat(parent, name, flags, Mode::from_bits_truncate(0o644)) {
        Ok(_) | Err(Errno::EEXIST) => unfollowed(parent, name),
        Err(errno) => Err(errno),
    }
}

/// A handle to `name`, which may be a link.
fn unfollowed(parent: impl AsFd, name: &OsStr) -> nix::Result<OwnedFd> {
    openat(parent, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())
}

/// Opens again, with `flags`, what an `O_PATH` handle stands for.
fn reopen(handle: OwnedFd, flags: OFlag) -> nix::Result<OwnedFd> {
    if flags.contains(OFlag::O_PATH) {
        if flags.contains(OFlag::O_DIRECTORY) && kind(&handle)? != SFlag::S_IFDIR {
            return Err(Errno::ENOTDIR);
        }
        return Ok(handle);
    }
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
    nix::fcntl::open(path.as_str(), flags | OFlag::O_CLOEXEC, Mode::empty())
}

/// A walk down a path, one name at a time, each opened without following links, so that it can
/// make what is missing and needs no openat2(2). `..` goes back along the descriptors held, never
/// through the kernel's own idea of a parent.
struct Walk {
    held: Vec<OwnedFd>,
    left: VecDeque<OsString>,
    links: usize,
    /// Whether a link at the end is followed.
    follow_last: bool,
}

impl Walk {
    fn new(root: BorrowedFd<'_>, path: &Path) -> nix::Result<Self> {
        let root = root.try_clone_to_owned().map_err(|_| Errno::EMFILE)?;
        let mut walk =
            Self { held: vec![root], left: VecDeque::new(), links: 0, follow_last: true };
        walk.prepend(path);
        Ok(walk)
    }

    /// Puts the names of `path` before what is left; an absolute one starts from the root again.
    fn prepend(&mut self, path: &Path) {
        if path.has_root() {
            self.held.truncate(1);
        }
        for component in path.components().rev() {
            match component {
                Component::Normal(name) => self.left.push_front(name.to_owned()),
                Component::ParentDir => self.left.push_front("..".into()),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
    }

    fn top(&self) -> BorrowedFd<'_> {
        self.held[self.held.len() - 1].as_fd()
    }

    /// Goes to the end; with `make`, missing directories are made.
    fn finish(mut self, make: bool) -> nix::Result<OwnedFd> {
        while let Some(name) = self.left.pop_front() {
            let Some(next) = self.step(&name, make)? else { continue };
            if kind(&next)? == SFlag::S_IFDIR {
                self.held.push(next);
            } else if self.left.is_empty() && !make {
                return Ok(next);
            } else {
                return Err(Errno::ENOTDIR);
            }
        }
        self.held.pop().ok_or(Errno::ENOENT)
    }

    /// Goes to the last name, following links at the end too, and gives the directory that holds
    /// it and its name; the name need not exist. Missing directories are made.
    fn finish_parent(mut self) -> nix::Result<(OwnedFd, OsString)> {
        while let Some(name) = self.left.pop_front() {
            let last = self.left.is_empty();
            if last && name != ".." {
                match self.step(&name, false) {
                    Err(Errno::ENOENT) | Ok(Some(_)) => {
                        return Ok((self.held.pop().ok_or(Errno::ENOENT)?, name));
                    }
                    Err(errno) => return Err(errno),
                    Ok(None) => continue,
                }
            }
            if let Some(next) = self.step(&name, true)? {
                if kind(&next)? != SFlag::S_IFDIR {
                    return Err(Errno::ENOTDIR);
                }
                self.held.push(next);
            }
        }
        Err(Errno::EISDIR)
    }

    /// Opens one name; `None` when it was `..` or a link, which is now part of what is left.
    fn step(&mut self, name: &OsStr, make: bool) -> nix::Result<Option<OwnedFd>> {
        if name == ".." {
            if self.held.len() > 1 {
                self.held.pop();
            }
            return Ok(None);
        }
        let next = match unfollowed(self.top(), name) {
            Err(Errno::ENOENT) if make => {
                match mkdirat(self.top(), name, DIRECTORY_MODE) {
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(errno),
                }
                unfollowed(self.top(), name)?
            }
            other => other?,
        };
        let end = self.left.is_empty() && !self.follow_last;
        if end || kind(&next)? != SFlag::S_IFLNK {
            return Ok(Some(next));
        }
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::ELOOP);
        }
        let text = readlinkat(&next, "")?;
        self.prepend(Path::new(&text));
        Ok(None)
    }
}
