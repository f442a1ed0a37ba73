//! /proc/self/mountinfo, see proc_pid_mountinfo(5).

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

/// One line of mountinfo.
#[derive(Debug, Clone)]
pub(crate) struct Mount {
    pub(crate) id: u64,
    pub(crate) target: String,
    pub(crate) options: Vec<String>,
    /// `shared:N`, `master:N`, `propagate_from:N`, `unbindable`.
    pub(crate) propagation: Vec<String>,
    pub(crate) fstype: String,
    pub(crate) super_options: Vec<String>,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ');
        let id = left.next()?.parse().ok()?;
        let target = unescape(left.nth(3)?);
        let words = |s: &str| s.split(',').map(str::to_owned).collect();
        let options = words(left.next()?);
        let propagation = left.map(str::to_owned).collect();
        let mut right = right.split(' ');
        let fstype = right.next()?.to_owned();
        let super_options = words(right.nth(1)?);
        Some(Self { id, target, options, propagation, fstype, super_options })
    }

    /// True when the mount or its file system carries the option.
    pub(crate) fn has(&self, option: &str) -> bool {
        self.options.iter().chain(&self.super_options).any(|o| o == option)
    }

    /// True for `shared:N` and the like.
    pub(crate) fn has_propagation(&self, prefix: &str) -> bool {
        self.propagation.iter().any(|p| p.starts_with(prefix))
    }
}

/// All mounts of this process's namespace below its root.
pub(crate) fn read() -> Result<Vec<Mount>, String> {
    let text = fs::read_to_string("/proc/self/mountinfo")
        .map_err(|e| format!("read /proc/self/mountinfo: {e}"))?;
    Ok(text.lines().filter_map(Mount::parse).collect())
}

/// The mount that `path` lies on as a lookup sees it, whatever else is below.
pub(crate) fn mount_id_of(path: &str) -> Option<u64> {
    let file = fs::OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path).ok()?;
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    let line = info.lines().find_map(|l| l.strip_prefix("mnt_id:"))?;
    line.trim().parse().ok()
}

fn unescape(word: &str) -> String {
    word.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}
