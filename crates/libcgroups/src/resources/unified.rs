//! unified: v2 files by name.

use std::collections::BTreeMap;

use nix::fcntl::OFlag;

use crate::cgroup::Cgroup;
use crate::error::{Error, Result};
use crate::files;

/// Each value goes line by line into the file that its key names; files such as `io.max` take only one line a write.
pub(super) fn apply(cgroup: &Cgroup, files_by_name: &BTreeMap<String, String>) -> Result<()> {
    if files_by_name.is_empty() {
        return Ok(());
    }
    let Some(dir) = cgroup.v2().map(super::super::cgroup::Dir::dir) else {
        return Err(Error::message("invalid configuration: cannot use unified on cgroup v1"));
    };
    for (key, value) in files_by_name {
        let controller = controller_of(key)?;
        let path = dir.join(key);
        let set = files::open_file(&path, OFlag::O_WRONLY).and_then(|fd| {
            if value.is_empty() {
                // Empties a list such as `cpuset.cpus`.
                return files::write_fd(&fd, &path, "\n");
            }
            value.split_inclusive('\n').try_for_each(|line| files::write_fd(&fd, &path, line))
        });
        match set {
            Err(e) if (e.is_gone() || e.is_permission()) && controller != "cgroup" => {
                let list = files::read_value(&dir, "cgroup.controllers").unwrap_or_default();
                if list.split(' ').any(|name| name == controller) {
                    return Err(e);
                }
                return Err(Error::message(format!(
                    "invalid configuration: set unified resource {key:?}: cgroup controller {controller:?} is not available in the v2 hierarchy"
                )));
            }
            other => other?,
        }
    }
    Ok(())
}

/// `memory` of `memory.high`.
fn controller_of(key: &str) -> Result<&str> {
    if key.contains(['/', '\0']) {
        return Err(Error::message(format!(
            "unified resource {key:?} must be a file name (no slashes)"
        )));
    }
    match key.split_once('.') {
        Some((controller, rest)) if !controller.is_empty() && !rest.is_empty() => Ok(controller),
        _ => Err(Error::message(format!(
            "unified resource {key:?} must be in the form CONTROLLER.PARAMETER"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::controller_of;

    #[test]
    fn keys() {
        assert_eq!(controller_of("memory.high"), Ok("memory"));
        assert_eq!(controller_of("hugetlb.2MB.max"), Ok("hugetlb"));
        for bad in ["", ".", "..", "memory", "memory.", "../memory.max", "a.b/c"] {
            assert!(controller_of(bad).is_err(), "{bad}");
        }
    }
}
