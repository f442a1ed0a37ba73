//! The cgroup that this process is in.

use crate::config::Config;
use crate::report::Report;
use std::fs;

pub(crate) fn check(config: &Config, report: &mut Report) {
    let Ok(text) = fs::read_to_string("/proc/self/cgroup") else {
        return report.skip("cgroup", "no /proc/self/cgroup");
    };
    let lines: Vec<(&str, &str)> =
        text.lines().filter_map(|l| l.split_once(':')?.1.split_once(':')).collect();
    let namespace = config.list("/linux/namespaces").iter().find(|n| n["type"] == "cgroup");
    if namespace.is_some_and(|n| !n["path"].is_null()) {
        return report.skip("cgroup", "seen from the root of a joined namespace");
    }
    let private = namespace.is_some();
    let Some(wanted) = config.expect["cgroup"].as_str() else {
        return;
    };
    // The harness names the controllers that the host's view has; all others are left alone.
    let names: Vec<&str> = crate::config::strings(&config.expect["cgroupControllers"]);
    for (controllers, path) in lines.into_iter().filter(|(c, _)| names.contains(c)) {
        let expected = if private { "/" } else { wanted };
        report.equal(&format!("cgroup {controllers:?}"), &expected, &path);
    }
}
