//! `events --follow`

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};

use libcgroups::{Cgroup, FreezeWatch, OomWatch};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::events::{Event, stopped};
use super::{Container, Runtime, cgroup_error};
use crate::error::{Error, Result};
use crate::state::{ExitWatch, Liveness};

/// What happens to a container from now on: freezing, thawing, lack of memory and its end. Nothing is
/// looked at in between.
///
/// # Errors
/// When the container is not running.
pub fn follow(runtime: &Runtime, id: &str) -> Result<Follow> {
    let state = Container::load(runtime, id)?.state;
    let init = state.init.filter(|init| init.liveness() == Liveness::Alive);
    let init = init.ok_or_else(|| stopped(id))?;
    let exit = ExitWatch::begin(init).map_err(|errno| match errno {
        Errno::ESRCH => stopped(id),
        errno => Error::os("open process", init.pid.to_string(), errno),
    })?;
    // The rest is worth something without either.
    let cgroup = state.cgroup.as_ref().filter(|cgroup| cgroup.exists());
    let oom = cgroup.and_then(|cgroup| heard(cgroup.watch_oom()));
    let freezer = cgroup.and_then(|cgroup| heard(cgroup.watch_freezer()));
    let cgroup = cgroup.cloned();
    Ok(Follow {
        id: id.to_owned(),
        cgroup,
        exit,
        oom,
        freezer,
        ready: VecDeque::new(),
        over: false,
    })
}

fn heard<T>(watch: libcgroups::Result<T>) -> Option<T> {
    watch.map_err(|error| crate::warn(&error.to_string())).ok()
}

/// The happenings of one container until it stops.
pub struct Follow {
    id: String,
    cgroup: Option<Cgroup>,
    exit: ExitWatch,
    /// `None` where the kernel does not tell.
    oom: Option<OomWatch>,
    freezer: Option<FreezeWatch>,
    ready: VecDeque<Event>,
    over: bool,
}

impl Follow {
    /// The next event; `None` after the end of the container, or when nobody reads any more from the
    /// other end of `output`. In between it sleeps.
    ///
    /// # Errors
    /// Those of reading the cgroup.
    pub fn next(&mut self, output: BorrowedFd<'_>) -> Result<Option<Event>> {
        while self.ready.is_empty() && !self.over {
            let Some(ended) = self.sleep(output)? else { return Ok(None) };
            // What killed the container is told before its end.
            if self.ask(|follow| follow.oom.as_mut().map_or(Ok(false), OomWatch::happened))? {
                self.ready.push_back(Event::plain("oom", &self.id));
            }
            let changed =
                |follow: &mut Self| follow.freezer.as_mut().map_or(Ok(None), FreezeWatch::changed);
            if let Some(frozen) = self.ask(changed)? {
                let kind = if frozen { "freeze" } else { "thaw" };
                self.ready.push_back(Event::plain(kind, &self.id));
            }
            if ended {
                self.ready.push_back(Event::exit(&self.id, self.exit.status()?));
                self.over = true;
            }
        }
        Ok(self.ready.pop_front())
    }

    /// Waits for any of it. Whether the process has ended; `None` when nobody reads any more.
    fn sleep(&self, output: BorrowedFd<'_>) -> Result<Option<bool>> {
        let mut fds = vec![
            PollFd::new(self.exit.as_fd(), PollFlags::POLLIN),
            // Errors are reported without being asked for.
            PollFd::new(output, PollFlags::empty()),
        ];
        fds.extend(self.oom.as_ref().map(OomWatch::interest));
        fds.extend(self.freezer.as_ref().map(FreezeWatch::interest));
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Some(false)),
            Err(errno) => return Err(Error::os("poll", "", errno)),
        }
        let woken = |index: usize| fds.get(index).and_then(PollFd::any).unwrap_or_default();
        Ok((!woken(1)).then_some(woken(0)))
    }

    /// A question to a watch. A cgroup that goes answers none any more, and is not asked again.
    fn ask<T: Default>(
        &mut self,
        question: impl FnOnce(&mut Self) -> libcgroups::Result<T>,
    ) -> Result<T> {
        let answer = question(self);
        if self.cgroup.as_ref().is_some_and(|cgroup| !cgroup.exists()) {
            (self.oom, self.freezer) = (None, None);
            return Ok(answer.unwrap_or_default());
        }
        answer.map_err(cgroup_error)
    }
}
