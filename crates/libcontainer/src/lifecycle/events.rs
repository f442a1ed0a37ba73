//! `events`

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use libcgroups::{Cgroup, OomWatch, Stats};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use serde::Serialize;

use super::{Container, Runtime, cgroup_error};
use crate::error::{Error, Result};
use crate::state::{InitProcess, Liveness};

/// One line of `events`; serialises to the JSON of runc, in whose kind are those that runc lacks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum Data {
    Stats(Box<StatsData>),
    /// `None` when the kernel does not tell.
    Exit {
        status: Option<i32>,
    },
}

impl Event {
    /// One that says it all by its kind.
    pub(super) fn plain(kind: &'static str, id: &str) -> Self {
        Self { kind, id: id.to_owned(), data: None }
    }

    /// The end of the container.
    pub(super) fn exit(id: &str, status: Option<i32>) -> Self {
        Self { data: Some(Data::Exit { status }), ..Self::plain("exit", id) }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct StatsData {
    #[serde(flatten)]
    cgroup: Stats,
    /// No resctrl group is ever made.
    intel_rdt: Empty,
    /// runc knows of the interfaces that it made itself; through config.json nobody can ask for one.
    network_interfaces: Option<Empty>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Empty {}

/// What the container has used until now.
///
/// # Errors
/// When it is not running; those of reading its cgroup.
pub fn stats(runtime: &Runtime, id: &str) -> Result<Event> {
    running(runtime, id)?.stats()
}

/// What the container has used, every `interval` from now on, and word of lack of memory when it happens.
///
/// # Errors
/// When the container is not running, or has no cgroup.
pub fn events(runtime: &Runtime, id: &str, interval: Duration) -> Result<EventStream> {
    let subject = running(runtime, id)?;
    let pidfd = match subject.init.pidfd() {
        Ok(pidfd) => pidfd,
        Err(Errno::ESRCH) => return Err(stopped(id)),
        Err(errno) => {
            return Err(Error::os("open process", subject.init.pid.to_string(), errno));
        }
    };
    let oom = subject.cgroup.watch_oom();
    // The statistics are worth something without.
    let oom = oom.map_err(|error| crate::warn(&error.to_string())).ok();
    Ok(EventStream { subject, pidfd, oom, interval, due: Instant::now() + interval, over: false })
}

/// A live container.
struct Subject {
    id: String,
    cgroup: Cgroup,
    init: InitProcess,
}

fn running(runtime: &Runtime, id: &str) -> Result<Subject> {
    let state = Container::load(runtime, id)?.state;
    let alive = state.init.filter(|init| init.liveness() == Liveness::Alive);
    let init = alive.ok_or_else(|| stopped(id))?;
    // Without root it may be that none could be made.
    let cgroup = state.cgroup.filter(Cgroup::exists);
    let no_cgroup = || Error::message("the container has no cgroup to read statistics from");
    Ok(Subject { id: id.to_owned(), cgroup: cgroup.ok_or_else(no_cgroup)?, init })
}

/// In the words of runc.
pub(super) fn stopped(id: &str) -> Error {
    Error::message(format!("container with id {id} is not running"))
}

impl Subject {
    fn stats(&self) -> Result<Event> {
        let cgroup = self.cgroup.stats().map_err(cgroup_error)?;
        let data = StatsData { cgroup, intel_rdt: Empty {}, network_interfaces: None };
        Ok(Event { data: Some(Data::Stats(Box::new(data))), ..Event::plain("stats", &self.id) })
    }

    fn oom(&self) -> Event {
        Event::plain("oom", &self.id)
    }

    /// Whether nothing more can come of it.
    fn is_over(&self) -> bool {
        self.init.liveness() == Liveness::Dead || !self.cgroup.exists()
    }
}

/// The events of one container until it stops.
pub struct EventStream {
    subject: Subject,
    pidfd: OwnedFd,
    /// `None` where the kernel does not tell.
    oom: Option<OomWatch>,
    interval: Duration,
    /// When the next statistics are.
    due: Instant,
    over: bool,
}

/// What [`EventStream::wait`] was woken by.
#[derive(Default)]
struct Woken {
    stopped: bool,
    oom: bool,
    unread: bool,
}

impl EventStream {
    /// The next event; `None` when the container has stopped, or nobody reads from the other end of `output`
    /// any more. In between it sleeps.
    ///
    /// # Errors
    /// Those of reading the cgroup.
    pub fn next(&mut self, output: BorrowedFd<'_>) -> Result<Option<Event>> {
        while !self.over {
            let woken = self.wait(output)?;
            // What killed the container is told before its end.
            self.over = woken.stopped || woken.unread;
            if (woken.oom || woken.stopped) && !woken.unread && self.has_oom_happened()? {
                return Ok(Some(self.subject.oom()));
            }
            let now = Instant::now();
            if !self.over && now >= self.due {
                // As Go's ticker: what could not be delivered in time is not made up for.
                self.due = (self.due + self.interval).max(now);
                match self.subject.stats() {
                    Ok(event) => return Ok(Some(event)),
                    Err(_) if self.subject.is_over() => self.over = true,
                    Err(error) => return Err(error),
                }
            } else if woken.oom && self.subject.is_over() {
                self.over = true;
            }
        }
        Ok(None)
    }

    /// Sleeps until the container stops, runs out of memory, its statistics are due, or nobody reads them.
    fn wait(&self, output: BorrowedFd<'_>) -> Result<Woken> {
        let mut fds = vec![
            PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN),
            // Errors are reported without being asked for.
            PollFd::new(output, PollFlags::empty()),
        ];
        fds.extend(self.oom.as_ref().map(OomWatch::interest));
        let left = self.due.saturating_duration_since(Instant::now());
        match ppoll(&mut fds, Some(TimeSpec::from_duration(left)), None) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Woken::default()),
            Err(errno) => return Err(Error::os("poll", "", errno)),
        }
        let woken = |index: usize| fds.get(index).and_then(PollFd::any).unwrap_or_default();
        Ok(Woken { stopped: woken(0), unread: woken(1), oom: woken(2) })
    }

    fn has_oom_happened(&mut self) -> Result<bool> {
        let happened = self.oom.as_mut().map_or(Ok(false), OomWatch::happened);
        match happened {
            Err(_) if self.subject.is_over() => Ok(false),
            other => other.map_err(cgroup_error),
        }
    }
}
