//! The compiled seccomp filter and its way into the kernel.

use std::os::fd::{AsFd, OwnedFd};

use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::sync::ChildEnd;

/// `SECCOMP_FILTER_FLAG_NEW_LISTENER`
const NEW_LISTENER: u32 = 8;

/// Instructions as the kernel lays them out, and the flags of seccomp(2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    /// `struct sock_filter` after `struct sock_filter`.
    pub program: Vec<u8>,
    /// `SECCOMP_FILTER_FLAG_*`
    pub flags: u32,
}

impl Filter {
    /// The filter of a plan for this machine: the ready one, or that of the profile; `None` without either.
    ///
    /// # Errors
    /// Those of [`seccomp::compile`], with the place in config.json.
    pub(crate) fn of_plan(plan: &Plan) -> Result<Option<Self>> {
        let Some(profile) = &plan.seccomp else { return Ok(None) };
        let program = match &plan.seccomp_program {
            Some(given) => seccomp::with_flags(given.clone(), profile),
            None => seccomp::compile(profile, seccomp::Arch::native()).map_err(|error| {
                let pointer = format!("/linux/seccomp{}", error.place());
                Error::config(pointer, error.to_string())
            })?,
        };
        crate::debug(|| format!("seccomp filter flags: {}", program.flags));
        Ok(Some(Self { program: program.to_bytes(), flags: program.flags }))
    }

    /// Whether it asks somebody outside; then there is a descriptor to hand over.
    pub(crate) fn notifies(&self) -> bool {
        self.flags & NEW_LISTENER != 0
    }

    /// Puts the calling process under the filter.
    ///
    /// # Errors
    /// Those of seccomp(2).
    pub(crate) fn load(&self) -> Result<Option<OwnedFd>> {
        sys::seccomp::install(&self.program, self.flags)
            .map_err(|errno| Error::os("load seccomp filter", "", errno))
    }

    /// As [`Filter::load`], and has the runtime take the notification descriptor.
    ///
    /// # Errors
    /// Those of seccomp(2).
    pub(crate) fn install(&self, channel: &ChildEnd) -> Result<()> {
        if self.notifies() {
            // The runtime copies the descriptor out of this process, for which it must be allowed
            // to look into it.
            sys::prctl::set_dumpable(true).map_err(|errno| Error::os("set dumpable", "", errno))?;
        }
        match self.load()? {
            Some(listener) => {
                channel.listener(listener.as_fd())?;
                sys::prctl::set_dumpable(false)
                    .map_err(|errno| Error::os("set non-dumpable", "", errno))
            }
            None => Ok(()),
        }
    }
}
