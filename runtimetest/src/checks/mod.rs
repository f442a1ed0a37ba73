//! The checks, one file per topic of config.json.

mod caps;
mod cgroup;
mod devices;
mod fds;
mod limits;
mod memory_policy;
mod mounts;
mod namespaces;
mod paths;
mod process;
mod seccomp;
mod system;
mod terminal;

use crate::config::Config;
use crate::report::Report;

pub(crate) use fds::open_fds;
pub(crate) use seccomp::PROBES;

type Check = fn(&Config, &mut Report);

const CHECKS: &[Check] = &[
    fds::check,
    process::check,
    caps::check,
    limits::check,
    memory_policy::check,
    namespaces::check,
    system::check,
    mounts::check,
    paths::check,
    devices::check,
    cgroup::check,
    terminal::check,
    seccomp::check,
];

/// Runs every check; exit status 1 when one failed.
pub(crate) fn run(path: Option<&str>) -> i32 {
    let mut report = Report::default();
    match Config::load(path.unwrap_or("/config.json")) {
        Ok(config) => CHECKS.iter().for_each(|check| check(&config, &mut report)),
        Err(why) => report.fail("config", why),
    }
    report.finish()
}
