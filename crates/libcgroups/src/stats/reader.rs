//! Reading many small files of a cgroup: its directories are opened once, and there is one buffer.

use std::borrow::Cow;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{AccessFlags, faccessat};

use super::parse;
use crate::cgroup::{Cgroup, Dir};
use crate::error::{Error, Result};
use crate::files;

/// Controllers (v1 names) that have statistics; other v1 hierarchies are not opened.
const COUNTED: [&str; 8] =
    ["cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "hugetlb", "rdma"];
/// Files that the kernel gives out page by page, so that less than there is room for is not all.
const LISTS: [&str; 2] = ["cgroup.procs", "cgroup.threads"];
/// More than all but the longest lists.
const ROOM: usize = 8192;

/// Where a controller's files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In this directory of a v1 hierarchy.
    V1(usize),
    /// In the v2 directory.
    V2(usize),
}

/// The opened directories of a cgroup.
pub(super) struct Reader<'a> {
    dirs: Vec<(&'a Dir, OwnedFd)>,
    /// The v2 directory, among `dirs`.
    tree: Option<usize>,
    /// What `cgroup.controllers` of the v2 directory lists: those that have files in it.
    enabled: String,
    buffer: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// Opens the directories. One that is not there is like a missing controller.
    ///
    /// # Errors
    /// `ENOENT` when none is there.
    pub(super) fn open(cgroup: &'a Cgroup) -> Result<Self> {
        let counted = |dir: &&Dir| COUNTED.iter().any(|name| dir.has(name));
        let mut reader =
            Self { dirs: Vec::new(), tree: None, enabled: String::new(), buffer: Vec::new() };
        for dir in cgroup.v1().iter().filter(counted).chain(cgroup.v2()) {
            match files::open_file(&dir.dir(), OFlag::O_PATH | OFlag::O_DIRECTORY) {
                Ok(fd) => reader.dirs.push((dir, fd)),
                Err(e) if e.is_gone() => continue,
                Err(e) => return Err(e),
            }
            if dir.controllers.is_empty() {
                let tree = reader.dirs.len() - 1;
                reader.tree = Some(tree);
                let enabled = reader.text(Place::V2(tree), "cgroup.controllers")?;
                reader.enabled = enabled.unwrap_or_default().into_owned();
            }
        }
        match (reader.dirs.is_empty(), cgroup.main_dir()) {
            (false, _) => Ok(reader),
            (true, Some(dir)) => Err(gone(dir)),
            (true, None) => Err(Error::message("read statistics: the container has no cgroup")),
        }
    }

    /// Where `controller` (its v1 name) has its files, the v1 hierarchy first.
    pub(super) fn find(&self, controller: &str) -> Option<Place> {
        let v2_name = if controller == "blkio" { "io" } else { controller };
        let enabled = || self.enabled.split_whitespace().any(|name| name == v2_name);
        self.v1(controller).or_else(|| self.tree().filter(|_| enabled()))
    }

    /// Where the v1 hierarchy of `controller` is.
    pub(super) fn v1(&self, controller: &str) -> Option<Place> {
        self.dirs.iter().position(|(dir, _)| dir.has(controller)).map(Place::V1)
    }

    /// The v2 directory, for files that belong to no controller.
    pub(super) fn tree(&self) -> Option<Place> {
        self.tree.map(Place::V2)
    }

    /// The content of a file; `None` when there is none of that name, or the kernel keeps no such
    /// statistics.
    pub(super) fn text(&mut self, place: Place, name: &str) -> Result<Option<Cow<'_, str>>> {
        let (Place::V1(index) | Place::V2(index)) = place;
        let Some((dir, fd)) = self.dirs.get(index) else { return Ok(None) };
        match read(fd, name, &mut self.buffer) {
            Ok(length) => Ok(self.buffer.get(..length).map(String::from_utf8_lossy)),
            // Gone meanwhile is for `check_alive`. Without PSI (psi=0) its files are there but not read.
            Err(Errno::ENOENT | Errno::ENODEV | Errno::EOPNOTSUPP) => Ok(None),
            Err(errno) => Err(Error::os("read", dir.dir().join(name), errno)),
        }
    }

    /// A file with one number; "max" is the largest. `None` when there is no such file.
    pub(super) fn number(&mut self, place: Place, name: &str) -> Result<Option<u64>> {
        let Some(text) = self.text(place, name)? else { return Ok(None) };
        if let Some(number) = parse::number(text.trim_end()) {
            return Ok(Some(number));
        }
        let text = text.trim_end().to_owned();
        let path = self.path(place).join(name);
        Err(Error::message(format!("read {:?}: {text:?} is not a number", path.display())))
    }

    fn path(&self, place: Place) -> std::path::PathBuf {
        let (Place::V1(index) | Place::V2(index)) = place;
        self.dirs.get(index).map(|(dir, _)| dir.dir()).unwrap_or_default()
    }

    /// That the cgroup was not removed since it was opened.
    ///
    /// # Errors
    /// `ENOENT`
    pub(super) fn check_alive(&self) -> Result<()> {
        let gone = self.dirs.first().filter(|(_, fd)| {
            faccessat(fd, "cgroup.procs", AccessFlags::F_OK, AtFlags::empty()).is_err()
        });
        gone.map_or(Ok(()), |(dir, _)| Err(self::gone(dir)))
    }
}

fn gone(dir: &Dir) -> Error {
    Error::os("read statistics of cgroup", dir.dir(), Errno::ENOENT)
}

/// Reads a whole file into the beginning of `buffer`; its length.
fn read(dir: &OwnedFd, name: &str, buffer: &mut Vec<u8>) -> nix::Result<usize> {
    let fd = retry(|| openat(dir, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()))?;
    let mut length = 0;
    loop {
        if buffer.len() < length + ROOM {
            buffer.resize(length + ROOM, 0);
        }
        let room = buffer.get_mut(length..).unwrap_or_default();
        let size = room.len();
        let n = retry(|| nix::unistd::read(&fd, room))?;
        length += n;
        // A file that is made in one piece gives all that there is room for: no second read for the end.
        if n == 0 || (n < size && !LISTS.contains(&name)) {
            return Ok(length);
        }
    }
}

fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}
