//! Word of freezing and thawing, without a timer.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::freezer::{V1_FILE, reads_frozen};
use super::{Cgroup, Dir};
use crate::error::{Error, Result};
use crate::files;

const V2_FILE: &str = "cgroup.events";

/// Watches whether a cgroup is frozen.
#[derive(Debug)]
pub struct FreezeWatch {
    source: Source,
    /// What was told last.
    frozen: bool,
}

#[derive(Debug)]
enum Source {
    /// The kernel tells of nothing; but whoever freezes or thaws writes to the file.
    V1 { inotify: Inotify, dir: Dir },
    /// `frozen` of cgroup.events.
    V2 { events: File, path: PathBuf },
}

impl Cgroup {
    /// Begins to watch.
    ///
    /// On v1 only what is written to the container's own `freezer.state` is seen, from the first write on: that a
    /// parent is frozen is not. On v2 a change is told once all processes stand still, whichever cgroup it was that
    /// was frozen.
    ///
    /// # Errors
    /// Without a freezer, and when its file cannot be read.
    pub fn watch_freezer(&self) -> Result<FreezeWatch> {
        let (dir, v2) = self.freezer_dir()?;
        if !v2 {
            let inotify = inotify(&dir.dir().join(V1_FILE))?;
            return Ok(FreezeWatch {
                frozen: reads_frozen(dir)?,
                source: Source::V1 { inotify, dir: dir.clone() },
            });
        }
        let path = dir.dir().join(V2_FILE);
        let events = File::from(files::open_file(&path, OFlag::O_RDONLY)?);
        let frozen = read_frozen(&events, &path)?;
        Ok(FreezeWatch { source: Source::V2 { events, path }, frozen })
    }
}

fn inotify(path: &Path) -> Result<Inotify> {
    let fail = |errno| Error::os("watch", path, errno);
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(fail)?;
    inotify.add_watch(path, AddWatchFlags::IN_MODIFY).map_err(fail)?;
    Ok(inotify)
}

impl FreezeWatch {
    /// What to wait for with poll(2) before [`FreezeWatch::changed`] is asked.
    pub fn interest(&self) -> PollFd<'_> {
        match &self.source {
            Source::V1 { inotify, .. } => PollFd::new(inotify.as_fd(), PollFlags::POLLIN),
            // A reading makes poll(2) wait for the change after it.
            Source::V2 { events, .. } => PollFd::new(events.as_fd(), PollFlags::POLLPRI),
        }
    }

    /// Whether it is frozen now, if that is news; never waits.
    ///
    /// # Errors
    /// When the state cannot be read; `ENODEV` when a v2 cgroup is gone. A v1 cgroup that is gone is not frozen.
    pub fn changed(&mut self) -> Result<Option<bool>> {
        let now = match &self.source {
            Source::V1 { inotify, dir } => {
                drain(inotify)?;
                reads_frozen(dir)?
            }
            Source::V2 { events, path } => read_frozen(events, path)?,
        };
        let before = std::mem::replace(&mut self.frozen, now);
        Ok((now != before).then_some(now))
    }
}

fn drain(inotify: &Inotify) -> Result<()> {
    loop {
        match inotify.read_events() {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(()),
            Err(errno) => return Err(Error::os("read events of", V1_FILE, errno)),
        }
    }
}

fn read_frozen(events: &File, path: &Path) -> Result<bool> {
    let mut text = [0_u8; 256];
    let length = events.read_at(&mut text, 0).map_err(|e| Error::io("read", path, &e))?;
    let text = String::from_utf8_lossy(&text[..length]);
    let value = text.lines().find_map(|line| line.strip_prefix("frozen "));
    value.map(|value| value == "1").ok_or_else(|| {
        Error::message("watch the freezer: this kernel cannot freeze v2 cgroups (Linux 5.2)")
    })
}
