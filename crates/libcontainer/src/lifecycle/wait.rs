//! `wait`

use nix::errno::Errno;

use super::{Container, Runtime};
use crate::error::{Error, Result};
use crate::state::{ExitWatch, Status};

/// Waits until the container's first process has ended, whichever process created it; gives its exit
/// status, 128 + N for signal N.
///
/// # Errors
/// When the container is still being created; when it has stopped and its status is not known any more:
/// then whoever waited for the process has it. A process that stays a zombie, for nobody waits for it,
/// still has its status.
pub fn wait(runtime: &Runtime, id: &str) -> Result<i32> {
    let container = Container::load(runtime, id)?;
    let Some(init) = container.state.init else {
        return Err(match container.status() {
            Status::Creating => Error::message("cannot wait for a container that is being created"),
            _ => unknown(),
        });
    };
    let watch = match ExitWatch::begin(init) {
        Ok(watch) => watch,
        Err(Errno::ESRCH) => return Err(unknown()),
        Err(errno) => return Err(Error::os("open process", init.pid.to_string(), errno)),
    };
    watch.wait()?;
    watch.status()?.ok_or_else(unknown)
}

fn unknown() -> Error {
    Error::message("the container has stopped, and its exit status is not known any more")
}
