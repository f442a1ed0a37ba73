//! Intel RDT: groups of the resctrl file system (resctrl.rst of the kernel's documentation).
//!
//! A class of service is a directory; a process belongs to the one whose `tasks` has its number, and
//! so do its children. A monitoring group is a directory in `mon_groups` of the class.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::plan::IntelRdt;

/// Where the kernel has a directory for it, if the machine can do it.
const USUAL: &str = "/sys/fs/resctrl";
/// `f_type` of resctrl.
const MAGIC: i64 = 0x0765_5821;

/// What a container has of it; kept in state.json.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Directory of the class of service.
    dir: PathBuf,
    /// Whether it is the container's own and goes with it.
    own: bool,
    /// Directory of the monitoring group, which is always the container's own.
    monitor: Option<PathBuf>,
}

impl Group {
    /// The group for container `id`, after all that can be checked without making anything.
    ///
    /// # Errors
    /// When resctrl or a part of it is not there, or `closID` names a class that is not as asked for.
    pub(crate) fn resolve(rdt: &IntelRdt, id: &str) -> Result<Self> {
        let at = |field: &str| format!("/linux/intelRdt{field}");
        let Some(root) = mount_point()? else {
            let text = "intelRdt is specified in config, but Intel RDT is not enabled";
            return Err(Error::config(at(""), text));
        };
        for (given, kind, text) in [
            (
                rdt.l3_cache.is_some(),
                CACHE,
                "l3CacheSchema is specified in config, but Intel RDT/CAT",
            ),
            (
                rdt.memory_bandwidth.is_some(),
                MEMORY,
                "memBwSchema is specified in config, but Intel RDT/MBA",
            ),
        ] {
            if given && !has(&root, kind) {
                return Err(Error::config(at(""), format!("intelRdt.{text} is not enabled")));
            }
        }
        let name = rdt.clos_id.as_deref().unwrap_or(id);
        let exists = root.join(name.trim_start_matches('/')).is_dir();
        if rdt.clos_id.is_some() && !exists && lines(rdt).is_empty() {
            let text = format!(
                "there is no class of service {name:?} in {:?}, and no schema to make one",
                root.display()
            );
            return Err(Error::config(at("/closID"), text));
        }
        let group = Self::of(&root, rdt, id, exists);
        if rdt.clos_id.is_some() && exists {
            group.check_schemata(rdt)?;
        }
        Ok(group)
    }

    /// Its directories.
    fn of(root: &Path, rdt: &IntelRdt, id: &str, exists: bool) -> Self {
        let dir = match rdt.clos_id.as_deref() {
            Some("/") => root.to_owned(),
            Some(class) => root.join(class),
            None => root.join(id),
        };
        let monitor = rdt.monitoring.then(|| dir.join("mon_groups").join(id));
        Self { own: rdt.clos_id.is_none() && !exists, dir, monitor }
    }

    /// A class that others may use, too, must be as it is asked for.
    fn check_schemata(&self, rdt: &IntelRdt) -> Result<()> {
        let wanted = [&rdt.l3_cache, &rdt.memory_bandwidth];
        if wanted.iter().all(|schema| schema.is_none()) {
            return Ok(());
        }
        let path = self.dir.join("schemata");
        let text =
            std::fs::read_to_string(&path).map_err(|error| Error::io("read", &path, &error))?;
        let mut all = wanted.into_iter().flatten().flat_map(|schema| schema.lines());
        match all.find_map(|line| difference(&text, line)) {
            Some(why) => Err(Error::config(
                "/linux/intelRdt",
                format!("the class of service {:?} differs: {why}", self.dir.display().to_string()),
            )),
            None => Ok(()),
        }
    }

    /// Makes the directories and writes the schemata; on failure what was made is removed. A class that
    /// somebody else has made meanwhile stays theirs.
    ///
    /// # Errors
    /// `ENOSPC` when the machine has no more classes or monitoring groups; `EINVAL` for a schema that
    /// it does not take. The kernel's own words are added.
    pub(crate) fn make(&mut self, rdt: &IntelRdt) -> Result<()> {
        let new = make_dir(&self.dir)?;
        self.own &= new;
        let rest = || {
            write_schemata(&self.dir, &lines(rdt))?;
            self.monitor.as_deref().map_or(Ok(false), make_dir)
        };
        rest().map(drop).inspect_err(|_| {
            if new {
                let _ = std::fs::remove_dir(&self.dir);
            }
        })
    }

    /// Puts a process in.
    ///
    /// # Errors
    /// Those of writing `tasks`.
    pub(crate) fn join(&self, pid: i32) -> Result<()> {
        // The class first: a monitoring group takes only processes of its own class.
        [Some(&self.dir), self.monitor.as_ref()]
            .into_iter()
            .flatten()
            .try_for_each(|dir| write(&dir.join("tasks"), &pid.to_string()))
    }

    /// [`Group::join`] for a process that is put into a running container, whose group may have been
    /// taken away by whoever manages them.
    ///
    /// # Errors
    /// As for [`Group::join`].
    pub(crate) fn join_if_there(&self, pid: i32) -> Result<()> {
        if self.dir.is_dir() { self.join(pid) } else { Ok(()) }
    }

    /// Sets other schemata.
    ///
    /// # Errors
    /// Those of writing `schemata`.
    pub(crate) fn update(&self, schemata: &[&str]) -> Result<()> {
        write_schemata(
            &self.dir,
            &schemata.iter().map(|line| format!("{line}\n")).collect::<String>(),
        )
    }

    /// Removes what is the container's own.
    ///
    /// # Errors
    /// Those of rmdir(2), but not that it is gone already.
    pub(crate) fn remove(&self) -> Result<()> {
        let own = self.own.then_some(&self.dir);
        self.monitor.iter().chain(own).try_for_each(|dir| match std::fs::remove_dir(dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove resctrl group", dir, &error))
            }
            _ => Ok(()),
        })
    }
}

/// Names in `info` of which one is there when the cache can be shared out; with "code and data
/// prioritization" there are two.
const CACHE: &[&str] = &["L3", "L3CODE"];
/// The same for memory bandwidth.
const MEMORY: &[&str] = &["MB"];

fn has(root: &Path, names: &[&str]) -> bool {
    names.iter().any(|name| root.join("info").join(name).exists())
}

/// Why `update` cannot set schemata of a kind here, in the words of runc.
pub(crate) fn lacks(l3_cache: bool, memory_bandwidth: bool) -> Result<Option<&'static str>> {
    let root = mount_point()?;
    let without = |names| root.as_deref().is_none_or(|root| !has(root, names));
    Ok(if l3_cache && without(CACHE) {
        Some("Intel RDT/CAT: l3 cache schema is not enabled")
    } else if memory_bandwidth && without(MEMORY) {
        Some("Intel RDT/MBA: memory bandwidth schema is not enabled")
    } else {
        None
    })
}

/// Where resctrl is mounted.
fn mount_point() -> Result<Option<PathBuf>> {
    let usual = std::fs::File::open(USUAL);
    if usual.is_ok_and(|dir| sys::mount::filesystem_magic(dir) == Ok(MAGIC)) {
        return Ok(Some(USUAL.into()));
    }
    let path = "/proc/self/mountinfo";
    let text = std::fs::read(path).map_err(|error| Error::io("read", path, &error))?;
    Ok(text.split(|byte| *byte == b'\n').find_map(mount_of_line))
}

/// The mount point of a line of mountinfo, if it is of resctrl; see proc_pid_mountinfo(5).
fn mount_of_line(line: &[u8]) -> Option<PathBuf> {
    let mut words = line.split(|byte| *byte == b' ');
    let point = words.nth(4)?;
    let fstype = words.skip_while(|word| *word != b"-").nth(1)?;
    (fstype == b"resctrl").then(|| sys::mountinfo::unescape(point).into())
}

/// All that is written into `schemata`, in the order that the spec wants.
fn lines(rdt: &IntelRdt) -> String {
    let all = rdt.l3_cache.iter().chain(&rdt.memory_bandwidth).chain(&rdt.schemata);
    all.map(|line| format!("{line}\n")).collect()
}

/// A line of `schemata`: its kind, and for each domain its value. The kernel takes domains in any order.
fn parse(line: &str) -> Option<(&str, BTreeMap<u64, &str>)> {
    let (kind, rest) = line.trim().split_once(':')?;
    let domains = rest.split(';').filter(|part| !part.trim().is_empty());
    Some((kind.trim(), domains.map(domain).collect::<Option<_>>()?))
}

/// `ID=VALUE`, the value without zeros and signs that mean nothing.
fn domain(part: &str) -> Option<(u64, &str)> {
    let (id, value) = part.split_once('=')?;
    let digits = value.trim().trim_start_matches("0x").trim_start_matches('0');
    Some((id.trim().parse().ok()?, if digits.is_empty() { "0" } else { digits }))
}

/// How what is in force differs from a line that is asked for. What the line does not name may be as it
/// likes.
fn difference(in_force: &str, line: &str) -> Option<String> {
    let Some((kind, wanted)) = parse(line) else { return Some(format!("{line:?} is no schema")) };
    let found = in_force.lines().filter_map(parse).find(|(other, _)| *other == kind);
    let Some((_, found)) = found else { return Some(format!("it has no {kind}")) };
    wanted.iter().find_map(|(id, value)| match found.get(id) {
        Some(other) if other.eq_ignore_ascii_case(value) => None,
        Some(other) => Some(format!("{kind}:{id} is {other} and not {value}")),
        None => Some(format!("{kind} has no {id}")),
    })
}

/// Makes a directory; `false` when it is there already.
fn make_dir(dir: &Path) -> Result<bool> {
    match std::fs::create_dir(dir) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(with_reason(Error::io("make resctrl group", dir, &error))),
    }
}

fn write_schemata(dir: &Path, lines: &str) -> Result<()> {
    if lines.is_empty() { Ok(()) } else { write(&dir.join("schemata"), lines) }
}

/// One write(2), which the kernel takes as a whole.
fn write(path: &Path, text: &str) -> Result<()> {
    let open = std::fs::OpenOptions::new().write(true).open(path);
    open.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| with_reason(Error::io(format!("write {text:?} to"), path, &error)))
}

/// Adds what the kernel says of the last change that it refused.
fn with_reason(error: Error) -> Error {
    let refused = !matches!(error.errno(), Some(Errno::ENOENT | Errno::EACCES));
    let status = mount_point()
        .ok()
        .flatten()
        .filter(|_| refused)
        .and_then(|root| std::fs::read_to_string(root.join("info/last_cmd_status")).ok());
    match status.as_deref().map(str::trim).filter(|text| !text.is_empty() && *text != "ok") {
        Some(text) => Error::message(format!("{error} ({text})")),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rdt() -> IntelRdt {
        IntelRdt {
            l3_cache: Some("L3:0=f;1=f0".into()),
            memory_bandwidth: Some("MB:0=20".into()),
            schemata: vec!["L2:0=3".into(), "L3:0=7".into()],
            ..IntelRdt::default()
        }
    }

    #[test]
    fn order_of_what_is_written() {
        assert_eq!(lines(&rdt()), "L3:0=f;1=f0\nMB:0=20\nL2:0=3\nL3:0=7\n");
        assert_eq!(lines(&IntelRdt::default()), "");
    }

    #[test]
    fn whose_directories_they_are() {
        let root = Path::new("/r");
        let of = |class: Option<&str>, monitoring, exists| {
            let clos_id = class.map(String::from);
            Group::of(root, &IntelRdt { clos_id, monitoring, ..rdt() }, "box", exists)
        };
        let group = |dir: &str, own, monitor: Option<&str>| Group {
            dir: dir.into(),
            own,
            monitor: monitor.map(PathBuf::from),
        };
        assert_eq!(of(None, false, false), group("/r/box", true, None));
        assert_eq!(of(None, true, false), group("/r/box", true, Some("/r/box/mon_groups/box")));
        // Somebody has made it before: it stays.
        assert_eq!(of(None, false, true), group("/r/box", false, None));
        assert_eq!(of(Some("c"), true, false), group("/r/c", false, Some("/r/c/mon_groups/box")));
        assert_eq!(of(Some("/"), true, true), group("/r", false, Some("/r/mon_groups/box")));
    }

    #[test]
    fn a_class_that_others_have_made_is_not_removed() {
        let root = std::env::temp_dir().join(format!("onggi-rdt-{}", std::process::id()));
        let dir = root.join("box");
        for others in [false, true] {
            std::fs::create_dir_all(&root).expect("mkdir");
            let mut group = Group { dir: dir.clone(), own: true, monitor: None };
            if others {
                std::fs::create_dir(&dir).expect("mkdir");
            }
            group.make(&IntelRdt::default()).expect("make");
            assert!(dir.exists());
            group.remove().expect("remove");
            assert_eq!(dir.exists(), others);
            std::fs::remove_dir_all(&root).expect("remove");
        }
    }

    #[test]
    fn what_is_in_force_is_compared_by_its_meaning() {
        let in_force = "    MB:0=100;1= 50\n    L3:0=fffff;1=00f0\n";
        for same in
            ["L3:0=fffff", "L3:1=f0;0=FFFFF", "L3: 1=0xf0", "MB:1=50;0=100", "MB:0=0100", "L3:"]
        {
            assert_eq!(difference(in_force, same), None, "{same}");
        }
        for (other, why) in [
            ("L3:0=ffff", "L3:0 is fffff and not ffff"),
            ("L3:2=f", "L3 has no 2"),
            ("MB:1=5", "MB:1 is 50 and not 5"),
            ("MB:1=0", "MB:1 is 50 and not 0"),
            ("L2:0=f", "it has no L2"),
            ("L3", "no schema"),
            ("L3:x=1", "no schema"),
            ("L3:0", "no schema"),
        ] {
            let found = difference(in_force, other).expect("a difference");
            assert!(found.contains(why), "{other}: {found}");
        }
    }

    #[test]
    fn mount_points() {
        let line = b"40 30 0:35 / /sys/fs/resctrl rw,relatime shared:9 - resctrl resctrl rw";
        assert_eq!(mount_of_line(line), Some(USUAL.into()));
        let blank = br"40 30 0:35 / /a\040b rw - resctrl resctrl rw";
        assert_eq!(mount_of_line(blank), Some("/a b".into()));
        for other in [&b"40 30 0:35 / /resctrl rw - sysfs resctrl rw"[..], b"40 30", b""] {
            assert_eq!(mount_of_line(other), None);
        }
    }
}
