//! Nothing but stdio and the preserved descriptors may be open.

use crate::config::{Config, list};
use crate::report::Report;
use serde_json::Value;
use std::fs;

pub(crate) fn check(config: &Config, report: &mut Report) {
    let found = match open_fds() {
        Ok(found) => found,
        Err(why) => return report.skip("fds", &why),
    };
    let mut expected = vec![0, 1, 2];
    expected.extend(list(&config.expect["fds"]).iter().filter_map(Value::as_u64));
    report.equal("fds", &expected, &found);

    let cwd = fs::read_link("/proc/self/cwd")
        .map(|p| p.to_string_lossy().into_owned())
        .unwrap_or_default();
    report.test("cwd inside the root", !cwd.contains("(unreachable)"), || cwd.clone());
}

/// The open descriptors in order, without the one used to look.
pub(crate) fn open_fds() -> Result<Vec<u64>, String> {
    let dir = fs::read_dir("/proc/self/fd").map_err(|e| format!("read /proc/self/fd: {e}"))?;
    let names: Vec<u64> =
        dir.flatten().filter_map(|e| e.file_name().to_string_lossy().parse().ok()).collect();
    // The directory's own descriptor is closed by now, so its link is gone.
    let mut fds: Vec<u64> = names
        .into_iter()
        .filter(|n| fs::symlink_metadata(format!("/proc/self/fd/{n}")).is_ok())
        .collect();
    fds.sort_unstable();
    Ok(fds)
}
