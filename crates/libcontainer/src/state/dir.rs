//! The directory that holds the state of one container.

use std::fs::{DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, open};
use nix::sys::stat::{Mode, fstat, stat};
use nix::unistd::mkfifo;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::aside::{self, Aside};
use super::files::{read_file, replace};
use super::{ExecDefaults, State};
use crate::error::{Error, Result};

const STATE: &str = "state.json";
const EXEC: &str = "exec.json";
const FILTER: &str = "filter.bpf";
/// Both end as runc's does, by which people and its tests know what a created process has open.
const START: &str = "exec.fifo";
const STATUS: &str = "status/exec.fifo";
const STATUS_DIR: &str = "status";
const NOTIFY: &str = "notify";
/// Between two looks at a lock that somebody has.
const LOCK_WAIT: Duration = Duration::from_millis(5);

/// Keeps others from removing a container while it lives.
pub(crate) struct Hold(#[expect(dead_code, reason = "to be dropped")] Option<Flock<OwnedFd>>);

/// The directory of one container.
#[derive(Debug, Clone)]
pub(crate) struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// The directory of container `id` below `root`, whether or not it is there.
    pub(crate) fn new(root: &Path, id: &str) -> Self {
        Self { path: root.join(id) }
    }

    /// Makes the directory with `state` in it, both at once: whoever finds the id finds its state. What a directory
    /// without anything in it had been for is done.
    ///
    /// # Errors
    /// `container with given ID already exists` when the id is taken.
    pub(crate) fn create(&self, state: &State) -> Result<()> {
        let draft = Aside::make(self.root())?;
        let made = Self { path: draft.path.clone() }.save(state).and_then(|()| {
            // Onto a directory that is not empty nothing is renamed.
            std::fs::rename(&draft.path, &self.path).map_err(|error| match error.kind() {
                ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => self.taken(),
                _ => Error::io("create", &self.path, &error),
            })
        });
        made.inspect_err(|_| drop(draft.remove()))
    }

    /// The directory of all containers.
    fn root(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Whether the id is that of a container, or of what is left of one.
    ///
    /// # Errors
    /// `container with given ID already exists` when it is; when the caller may not look.
    pub(crate) fn check_free(&self) -> Result<()> {
        match std::fs::read_dir(&self.path).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                Err(Error::io("open", &self.path, &error))
            }
            _ => Err(self.taken()),
        }
    }

    /// The error for an id that another container has.
    fn taken(&self) -> Error {
        let text = "container with given ID already exists";
        match std::fs::symlink_metadata(self.path.join(STATE)) {
            Err(error) if error.kind() == ErrorKind::NotFound && self.exists() => Error::message(
                format!("{text}: {:?} is left of one, which \"delete --force\" removes", self.path),
            ),
            _ => Error::message(text),
        }
    }

    /// Removes what processes that were killed have left beside the containers' directories of `root`.
    pub(crate) fn sweep(root: &Path) {
        aside::sweep(root);
    }

    /// The error for an id that no container has.
    pub(crate) fn missing() -> Error {
        Error::message("container does not exist")
    }

    /// Whether the directory is there.
    pub(crate) fn exists(&self) -> bool {
        self.path.is_dir()
    }

    /// Reads state.json.
    ///
    /// # Errors
    /// `container does not exist` without the directory; a message that names the file when it is
    /// missing, empty or broken.
    pub(crate) fn load(&self) -> Result<State> {
        if !self.exists() {
            return Err(Self::missing());
        }
        let state: State = self.read(STATE)?;
        if state.format != super::FORMAT {
            return Err(Error::message(format!(
                "{:?}: written by another version (format {}, this one knows {})",
                self.path.join(STATE),
                state.format,
                super::FORMAT
            )));
        }
        Ok(state)
    }

    /// What can be read of a state.json that [`StateDir::load`] refuses; `None` when nothing can.
    ///
    /// # Errors
    /// When it is a whole document of another version: its container is that version's to delete.
    pub(crate) fn salvage(&self) -> Result<Option<State>> {
        let path = self.path.join(STATE);
        let Ok(bytes) = read_file(&path) else { return Ok(None) };
        if let Ok(state) = serde_json::from_slice(&bytes) {
            return Ok(Some(state));
        }
        match serde_json::from_slice::<serde_json::Value>(&bytes) {
            Ok(document) if document.get("init").is_some_and(|init| !init.is_null()) => {
                Err(Error::message(format!("{path:?}: written by another version of this program")))
            }
            _ => Ok(None),
        }
    }

    /// Keeps the other callers of this out for as long as the result lives: who changes a part of state.json reads it
    /// under this lock.
    ///
    /// # Errors
    /// When another one has it for longer than `patience`; when the directory is gone.
    pub(crate) fn lock(&self, patience: Duration) -> Result<Flock<OwnedFd>> {
        let deadline = Instant::now() + patience;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut dir = open(&self.path, flags, Mode::empty())
            .map_err(|errno| Error::os("open", &self.path, errno))?;
        loop {
            dir = match Flock::lock(dir, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(lock),
                Err((dir, Errno::EWOULDBLOCK)) if Instant::now() < deadline => dir,
                Err((_, errno)) => return Err(Error::os("lock", &self.path, errno)),
            };
            std::thread::sleep(LOCK_WAIT);
        }
    }

    /// As [`StateDir::lock`] for who takes the container away: a later one of the same id is another one. `None` when
    /// somebody else has taken it away by now. Who has the lock for longer than `patience` is not waited for.
    ///
    /// # Errors
    /// When the directory cannot be opened.
    pub(crate) fn lock_for_removal(&self, patience: Duration) -> Result<Option<Hold>> {
        let deadline = Instant::now() + patience;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut dir = match open(&self.path, flags, Mode::empty()) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            other => other.map_err(|errno| Error::os("open", &self.path, errno))?,
        };
        let there = |dir: &OwnedFd| {
            let (now, held) = (stat(&self.path), fstat(dir));
            matches!((now, held), (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
        };
        loop {
            dir = match Flock::lock(dir, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(there(&lock).then_some(Hold(Some(lock)))),
                Err((dir, Errno::EWOULDBLOCK)) if Instant::now() < deadline => dir,
                Err((dir, _)) => return Ok(there(&dir).then_some(Hold(None))),
            };
            if !there(&dir) {
                return Ok(None);
            }
            std::thread::sleep(LOCK_WAIT);
        }
    }

    /// Replaces state.json.
    pub(crate) fn save(&self, state: &State) -> Result<()> {
        self.write(STATE, state)
    }

    /// Reads exec.json.
    pub(crate) fn load_exec(&self) -> Result<ExecDefaults> {
        self.read(EXEC)
    }

    /// Writes exec.json.
    pub(crate) fn save_exec(&self, defaults: &ExecDefaults) -> Result<()> {
        self.write(EXEC, defaults)
    }

    /// The compiled filter and its flags, if the container has one.
    pub(crate) fn load_filter(&self) -> Result<Option<(u32, Vec<u8>)>> {
        let path = self.path.join(FILTER);
        match read_file(&path) {
            Ok(bytes) => match bytes.split_first_chunk() {
                Some((flags, program)) if !program.is_empty() => {
                    Ok(Some((u32::from_ne_bytes(*flags), program.to_vec())))
                }
                _ => Err(Error::message(format!("{path:?}: broken seccomp filter"))),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", path, &error)),
        }
    }

    /// Writes the compiled filter.
    pub(crate) fn save_filter(&self, flags: u32, program: &[u8]) -> Result<()> {
        let mut bytes = flags.to_ne_bytes().to_vec();
        bytes.extend_from_slice(program);
        replace(&self.path.join(FILTER), &bytes, 0o600)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let path = self.path.join(name);
        let bytes = read_file(&path).map_err(|error| Error::io("read", &path, &error))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::message(format!("{path:?}: broken container state: {error}")))
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let path = self.path.join(name);
        let bytes = serde_json::to_vec(value)
            .map_err(|error| Error::message(format!("{path:?}: {error}")))?;
        replace(&path, &bytes, 0o600)
    }

    /// Makes the two FIFOs between the created process and `start`, and opens both for the
    /// process: (where it reads the word to go, where it reports a failure).
    pub(crate) fn make_fifos(&self) -> Result<(OwnedFd, OwnedFd)> {
        let fifo = |name: &str| {
            let path = self.path.join(name);
            mkfifo(&path, Mode::from_bits_truncate(0o600))
                .map_err(|errno| Error::os("mkfifo", &path, errno))?;
            // Both directions, so that opening does not wait and nobody sees an early end.
            open(&path, OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW, Mode::empty())
                .map_err(|errno| Error::os("open", &path, errno))
        };
        let dir = self.path.join(STATUS_DIR);
        let made = DirBuilder::new().mode(0o700).create(&dir);
        made.map_err(|error| Error::io("mkdir", &dir, &error))?;
        Ok((fifo(START)?, fifo(STATUS)?))
    }

    /// Opens the FIFOs for `start`: (where the word to go is written, where a failure is read).
    ///
    /// # Errors
    /// `ENXIO` when no process is waiting any more.
    pub(crate) fn open_fifos(&self) -> nix::Result<(OwnedFd, OwnedFd)> {
        let flags = OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let status = open(&self.path.join(STATUS), flags | OFlag::O_RDONLY, Mode::empty())?;
        let start = open(&self.path.join(START), flags | OFlag::O_WRONLY, Mode::empty())?;
        Ok((start, status))
    }

    /// Makes the directory that a socket for the container's notifications goes to; gives its path.
    pub(crate) fn make_notify(&self) -> Result<PathBuf> {
        let path = self.path.join(NOTIFY);
        std::fs::create_dir(&path)
            .and_then(|()| std::fs::set_permissions(&path, Permissions::from_mode(0o755)))
            .map_err(|error| Error::io("mkdir", &path, &error))?;
        Ok(path)
    }

    /// The path of that directory and a handle to it, if there is one.
    pub(crate) fn open_notify(&self) -> Result<Option<(PathBuf, OwnedFd)>> {
        let path = self.path.join(NOTIFY);
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        match open(&path, flags, Mode::empty()) {
            Ok(handle) => Ok(Some((path, handle))),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(Error::os("open", path, errno)),
        }
    }

    /// Lets everybody write to a socket.
    pub(crate) fn open_to_all(socket: &Path) -> std::io::Result<()> {
        std::fs::set_permissions(socket, Permissions::from_mode(0o777))
    }

    /// Whether the container was created and not started: somebody is behind the first FIFO, which a `start`
    /// that was killed may have left.
    pub(crate) fn awaits_start(&self) -> bool {
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let opened = open(&self.path.join(START), flags, Mode::empty());
        !matches!(opened, Err(Errno::ENOENT | Errno::ENXIO))
    }

    /// Gives the process behind the first FIFO the word to go; only one caller ever can, and one
    /// that dies halfway leaves the right to the next.
    ///
    /// # Errors
    /// `EALREADY` when another caller has given it; `EPIPE` when the process is gone.
    pub(crate) fn give_start(&self, start: OwnedFd) -> nix::Result<()> {
        let start = Flock::lock(start, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
            if errno == Errno::EWOULDBLOCK { Errno::EALREADY } else { errno }
        })?;
        if fstat(&*start)?.st_nlink == 0 {
            return Err(Errno::EALREADY);
        }
        nix::unistd::write(&*start, &[0])?;
        let _ = std::fs::remove_file(self.path.join(START));
        let _ = std::fs::remove_dir_all(self.path.join(STATUS_DIR));
        Ok(())
    }

    /// Removes the directory and all in it; one that is gone already is fine. The id is free at once, whatever happens
    /// to the rest.
    pub(crate) fn remove(&self) -> Result<()> {
        if !self.path.exists() {
            return Ok(());
        }
        let Ok(aside) = Aside::make(self.root()) else {
            // On a full disk, for one.
            let removed = std::fs::remove_dir_all(&self.path);
            return removed.map_err(|error| Error::io("remove", &self.path, &error));
        };
        let place = aside.path.join(self.path.file_name().unwrap_or_default());
        match std::fs::rename(&self.path, place) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                let error = Error::io("remove", &self.path, &error);
                drop(aside.remove());
                return Err(error);
            }
        }
        aside.remove()
    }
}
