//! `update` as a whole or not at all: what the kernel had before is put back when a later value is refused. That is so
//! for memory, cpu, cpuset, pids, block I/O limits and `unified`: what runc's `update` can change.

use std::path::{Path, PathBuf};

use crate::cgroup::Cgroup;
use crate::error::Result;
use crate::files;
use crate::layout::Mode;
use crate::model::{BlockIo, Cpu, Cpuset, Memory, Resources};

/// Values are checked against each other, so that one may have to wait for another.
const ROUNDS: u32 = 3;

impl Cgroup {
    /// As [`Cgroup::apply`] for a cgroup in use: when a value is refused, those that were set before it get their old
    /// values back as well as that goes. Device rules stay. systemd is told of the limits, too, where it made the
    /// cgroup, and of the old ones when it was told of those that failed.
    ///
    /// # Errors
    /// As [`Cgroup::apply`]; when systemd cannot be reached or refuses.
    pub fn update(&self, resources: &Resources) -> Result<Change<'_>> {
        let rounded = self.unit().map(|_| self.as_systemd_writes(resources)).transpose()?;
        let resources = rounded.as_ref().unwrap_or(resources);
        let mut change =
            Change { cgroup: self, before: Snapshot::take(self, resources), told: false };
        match self.change(resources, &mut change.told) {
            Ok(()) => Ok(change),
            Err(error) => {
                change.take_back();
                Err(error)
            }
        }
    }
}

/// Limits that were changed, and what they were before.
#[derive(Debug)]
pub struct Change<'a> {
    cgroup: &'a Cgroup,
    before: Snapshot,
    /// Whether systemd knows of the new ones.
    told: bool,
}

impl Change<'_> {
    /// Puts the old limits back as well as that goes.
    pub fn take_back(self) {
        let Self { cgroup, before, told } = self;
        before.restore();
        let v2 = cgroup.mode() == Mode::V2;
        let unit = cgroup.unit().filter(|_| told);
        if unit.is_some_and(|unit| unit.set(&before.limits(v2), v2).is_ok()) {
            // It writes some of them as it thinks best.
            before.restore();
        }
    }
}

/// Control files and what was in them.
#[derive(Debug)]
struct Snapshot(Vec<(PathBuf, String)>);

impl Snapshot {
    fn take(cgroup: &Cgroup, resources: &Resources) -> Self {
        let mut files = Vec::new();
        for Files { controller, v1, v2, .. } in FILES.iter().filter(|one| (one.touched)(resources))
        {
            let Some((dir, is_v2)) = cgroup.controller_dir(controller) else { continue };
            let names = if is_v2 { v2 } else { v1 };
            files.extend(names.iter().map(|name| dir.dir().join(name)));
        }
        if let Some(dir) = cgroup.v2() {
            let names = resources.unified.keys().filter(|name| !name.contains('/'));
            files.extend(names.map(|name| dir.dir().join(name)));
        }
        // What cannot be read is not there, or holds nothing that could be put back.
        let read = |path: PathBuf| files::read_path(&path).ok().map(|text| (path, text));
        Self(files.into_iter().filter_map(read).collect())
    }

    /// What was in the files, as far as systemd has words for it.
    fn limits(&self, v2: bool) -> Resources {
        let mut old = Resources::default();
        let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let files = self.0.iter().filter_map(|(path, text)| Some((name(path)?, text.trim())));
        for (name, text) in files {
            // "No limit" is the largest number there is in whole pages.
            let size =
                || text.parse().ok().map(|bytes| if bytes > i64::MAX >> 1 { -1 } else { bytes });
            match name.as_str() {
                _ if v2 => drop(old.unified.insert(name, text.to_owned())),
                "memory.limit_in_bytes" => old.memory.limit = size(),
                // Of a hybrid host, where v2 has the controller.
                "memory.max" => old.memory.limit = Some(text.parse().unwrap_or(-1)),
                "cpu.shares" => old.cpu.shares = text.parse().ok(),
                "cpu.cfs_quota_us" => old.cpu.quota = text.parse().ok(),
                "cpu.cfs_period_us" => old.cpu.period = text.parse().ok(),
                "blkio.weight" | "blkio.bfq.weight" => old.block_io.weight = text.parse().ok(),
                "cpuset.cpus" => old.cpuset.cpus = Some(text.to_owned()),
                "cpuset.mems" => old.cpuset.mems = Some(text.to_owned()),
                "pids.max" => old.pids_limit = Some(text.parse().unwrap_or(-1)),
                _ => {}
            }
        }
        old
    }

    fn restore(&self) {
        for _ in 0..ROUNDS {
            let changed = |(path, old): &&(PathBuf, String)| {
                files::read_path(path).is_ok_and(|now| now != *old)
            };
            let mut changed = self.0.iter().filter(changed).peekable();
            if changed.peek().is_none() {
                return;
            }
            for (path, old) in changed {
                let now = files::read_path(path).unwrap_or_default();
                for line in back(path, old, &now) {
                    // One that must wait gets its turn in the next round.
                    let _ = write(path, &line);
                }
            }
        }
    }
}

/// What `resources` may change, by controller. Files that cannot be written as they are read (`memory.oom_control`) or
/// have no default (v1's weights of devices) are left out.
const FILES: [Files; 5] = [
    Files {
        controller: "memory",
        touched: |resources| resources.memory != Memory::default(),
        v1: &[
            "memory.memsw.limit_in_bytes",
            "memory.limit_in_bytes",
            "memory.soft_limit_in_bytes",
            "memory.swappiness",
        ],
        v2: &["memory.swap.max", "memory.max", "memory.low"],
    },
    Files {
        controller: "cpu",
        touched: |resources| resources.cpu != Cpu::default(),
        v1: &[
            "cpu.shares",
            "cpu.cfs_quota_us",
            "cpu.cfs_period_us",
            "cpu.cfs_burst_us",
            "cpu.idle",
            "cpu.rt_runtime_us",
            "cpu.rt_period_us",
        ],
        v2: &["cpu.idle", "cpu.weight", "cpu.max", "cpu.max.burst"],
    },
    Files {
        controller: "cpuset",
        touched: |resources| resources.cpuset != Cpuset::default(),
        v1: &["cpuset.cpus", "cpuset.mems"],
        v2: &["cpuset.cpus", "cpuset.mems"],
    },
    Files {
        controller: "pids",
        touched: |resources| resources.pids_limit.is_some(),
        v1: &["pids.max"],
        v2: &["pids.max"],
    },
    Files {
        controller: "blkio",
        touched: |resources| resources.block_io != BlockIo::default(),
        v1: &[
            "blkio.weight",
            "blkio.bfq.weight",
            "blkio.throttle.read_bps_device",
            "blkio.throttle.write_bps_device",
            "blkio.throttle.read_iops_device",
            "blkio.throttle.write_iops_device",
        ],
        v2: &["io.weight", "io.max"],
    },
];

/// The files of a controller.
struct Files {
    /// Its name in v1.
    controller: &'static str,
    touched: fn(&Resources) -> bool,
    v1: &'static [&'static str],
    v2: &'static [&'static str],
}

/// What to write, in this order, to bring a file from `now` back to `old`: its text, or line by line where it has one
/// for each device.
fn back(path: &Path, old: &str, now: &str) -> Vec<String> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let none = match name {
        "io.weight" => " default",
        "io.max" => " rbps=max wbps=max riops=max wiops=max",
        _ if name.starts_with("blkio.throttle.") => " 0",
        // An empty list is written as a newline: nothing at all is no write.
        _ => return vec![if old.is_empty() { "\n".into() } else { old.to_owned() }],
    };
    let device = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let known = |line: &&str| !old.lines().any(|other| device(other) == device(line));
    let gone = now.lines().filter(known).map(|line| format!("{}{none}", device(line)));
    gone.chain(old.lines().map(str::to_owned)).collect()
}

fn write(path: &Path, line: &str) -> Result<()> {
    let fd = files::open_file(path, nix::fcntl::OFlag::O_WRONLY)?;
    files::write_fd(&fd, path, line)
}

#[cfg(test)]
mod tests {
    use super::back;
    use std::path::Path;

    #[test]
    fn lines_back() {
        let path = |name: &str| Path::new("/x").join(name);
        assert_eq!(back(&path("memory.max"), "max\n", "5\n"), ["max\n"]);
        assert_eq!(back(&path("cpuset.cpus"), "", "0\n"), ["\n"]);
        let old = "8:0 rbps=1 wbps=max riops=max wiops=max\n";
        let now =
            "8:0 rbps=2 wbps=max riops=max wiops=max\n8:16 rbps=2 wbps=max riops=max wiops=max\n";
        assert_eq!(
            back(&path("io.max"), old, now),
            ["8:16 rbps=max wbps=max riops=max wiops=max", old.trim_end()]
        );
        assert_eq!(
            back(&path("io.weight"), "default 100\n", "default 50\n8:0 7\n"),
            ["8:0 default", "default 100"]
        );
        assert_eq!(back(&path("blkio.throttle.read_bps_device"), "", "8:0 5\n"), ["8:0 0"]);
    }
}
