//! Answering a process that sets itself up, until it is ready. [`crate::sync`] draws the talk.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::handover::{self, Listener};
use super::{Launched, MountIdMapper, PATIENCE};
use crate::error::{Error, Result};
use crate::hooks;
use crate::plan::Plan;
use crate::state::{State, Status};
use crate::sync::{Answer, Report};

/// What a process may ask for while it sets itself up.
pub(super) struct Attendance<'a> {
    /// The container that the process belongs to.
    pub(super) state: &'a State,
    /// What the container does, and the number of its first process.
    pub(super) container: (Status, i32),
    /// Where the terminal goes; without it the caller gets it.
    pub(super) console_socket: Option<&'a OwnedFd>,
    /// Who gets the notification descriptor of the seccomp filter.
    pub(super) listener: Option<Listener<'a>>,
    /// The plan, for the container's first process: it alone builds a root file system and has hooks.
    pub(super) first: Option<&'a Plan>,
}

impl Attendance<'_> {
    /// Answers the process until it is ready; gives the rlimits that only the runtime can set, as bits by the
    /// kernel's numbers.
    ///
    /// # Errors
    /// Its own failure, that of what it asked for, or silence.
    pub(super) fn until_ready(&self, launched: &mut Launched) -> Result<u32> {
        let mut first = self.first.map(|plan| First::new(plan, launched.pid));
        if let Some(first) = &first
            && !first.awaits_hooks
        {
            launched.go()?;
        }
        let patience = self.patience();
        loop {
            let report = launched.channel.receive(patience)?;
            match (report, &mut first) {
                (Report::MapIds { mount, tree, answer }, Some(first)) => {
                    first.map_ids(mount, &tree, answer);
                }
                (Report::Hooks, Some(first)) if first.awaits_hooks => {
                    first.run_hooks(self.state, launched)?;
                }
                (Report::Console(master), _) => {
                    launched.console = handover::deliver_console(master, self.console_socket)?;
                }
                (Report::Listener(number), _) => {
                    self.notify(number, launched)?;
                }
                (Report::Ready(pending), _) => return Ok(pending),
                (Report::Failed(text), _) => return Err(launched.failure(&text)),
                (Report::Gone, _) => return Err(launched.death()),
                (
                    Report::MapIds { .. } | Report::Hooks | Report::Handle(_) | Report::NotRun(_),
                    _,
                ) => {
                    return Err(Error::message("the container process speaks out of turn"));
                }
            }
        }
    }

    /// A createContainer hook may take as long as its own timeout lets it.
    fn patience(&self) -> Option<Duration> {
        let hooks = self.first.map(|plan| &plan.hooks.create_container);
        hooks.is_none_or(Vec::is_empty).then_some(PATIENCE)
    }

    fn notify(&self, number: i32, launched: &Launched) -> Result<()> {
        let missing = || Error::message("the container has no seccomp listener");
        let listener = self.listener.as_ref().ok_or_else(missing)?;
        listener.deliver(launched, number, self.state, self.container)?;
        launched.go()
    }
}

/// What only the container's first process asks for.
struct First<'a> {
    plan: &'a Plan,
    mapper: MountIdMapper<'a>,
    /// Whether hooks of the runtime's namespaces are still to be run.
    awaits_hooks: bool,
}

impl<'a> First<'a> {
    fn new(plan: &'a Plan, pid: i32) -> Self {
        let hooks = &plan.hooks;
        let awaits_hooks = !hooks.prestart.is_empty() || !hooks.create_runtime.is_empty();
        Self { plan, mapper: MountIdMapper::new(pid), awaits_hooks }
    }

    /// Gives the detached mount `tree` of mount number `mount` its mappings.
    fn map_ids(&mut self, mount: usize, tree: &OwnedFd, answer: Answer) {
        let done = match self.plan.mounts.get(mount) {
            Some(entry) => self.mapper.apply(entry, tree.as_fd()),
            None => Err(Error::message(format!("there is no mount {mount}"))),
        };
        answer.give(done);
    }

    fn run_hooks(&mut self, state: &State, launched: &Launched) -> Result<()> {
        self.awaits_hooks = false;
        let json = state.for_hooks(Status::Created, launched.pid);
        hooks::run_all("prestart", &self.plan.hooks.prestart, &json)?;
        hooks::run_all("createRuntime", &self.plan.hooks.create_runtime, &json)?;
        // Once for the hooks, once for the limits, which are in force by now.
        launched.go()?;
        launched.go()
    }
}
