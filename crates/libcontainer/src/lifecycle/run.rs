//! `run`: `create`, `start`, wait and `delete` in one.

use std::os::fd::AsFd;

use super::create::{Creation, Terminal};
use super::delete::remove;
use super::foreground::Foreground;
use super::notify::Proxy;
use super::{RunOptions, Runtime, run_poststart};
use crate::error::{Error, Result};
use crate::launch::PATIENCE;

/// Runs a container; gives the exit status of its program, 128 + N for signal N. With `detach`
/// returns 0 as soon as the program runs.
///
/// # Errors
/// As `create` and `start`; the container is gone then.
pub fn run(runtime: &Runtime, options: &RunOptions) -> Result<i32> {
    if !options.detach && !options.no_subreaper {
        sys::prctl::set_child_subreaper()
            .map_err(|errno| Error::os("become subreaper", "", errno))?;
    }
    let terminal = if options.detach { Terminal::Elsewhere } else { Terminal::Here };
    let creation = Creation::begin(runtime, &options.create, terminal)?
        .or_undo(|creation| match creation.plan.process {
            Some(_) => Ok(()),
            None => Err(Error::config("/process", "required to run a container")),
        })?
        .launch(false)?;
    let proxy = match Proxy::listen(&creation.dir) {
        Ok(proxy) => proxy,
        Err(error) => return creation.or_undo(|_| Err(error)).map(|_| 0),
    };
    // Not before: until its program runs, whoever ends this process ends the container with it.
    let foreground = if options.detach { None } else { Some(Foreground::new()?) };
    let creation = creation.hand_over()?.or_undo(|creation| {
        let Some(launched) = &creation.launched else { return Ok(()) };
        // A startContainer hook may take as long as its own timeout lets it.
        let hooks = &creation.plan.hooks.start_container;
        launched.wait_started(hooks.is_empty().then_some(PATIENCE))?;
        run_poststart(&creation.state, launched.pid)
    })?;
    let Some(mut launched) = creation.launched else { return Ok(0) };
    launched.leave_devices();
    let Some(mut foreground) = foreground else {
        if let Some(proxy) = proxy {
            proxy.relay(launched.pidfd.as_fd(), launched.pid);
        }
        return Ok(0);
    };
    let status = foreground.wait(launched, proxy)?;
    if !options.keep {
        remove(&creation.dir, &creation.state)?;
    }
    Ok(status)
}
