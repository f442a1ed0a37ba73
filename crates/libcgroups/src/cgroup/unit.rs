//! Cgroups whose directories systemd makes.

use std::borrow::Cow;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::create::{Made, finish_dir, make_missing, take_over};
use super::remove::wait_vacant;
use super::{Cgroup, Dir, Driver, clean};
use crate::error::{Error, Result};
use crate::files;
use crate::layout::{Hierarchy, Layout, Mode, SYSTEMDS};
use crate::model::Resources;
use crate::systemd::{Properties, Running, Unit, rounded_quota};

/// There on hosts that systemd has started, see sd_booted(3).
const BOOTED: &str = "/run/systemd/system";
/// How soon an error comes that may be due to systemd's being started anew, and how long it is left alone then.
const LOST_WITHIN: Duration = Duration::from_secs(2);
const LOST_WAIT: Duration = Duration::from_millis(100);
/// The unit that process 1 is in itself.
const INIT: &str = "/init.scope";

impl Cgroup {
    /// The names of the cgroup for `linux.cgroupsPath` = `path` with systemd as its maker: `SLICE:PREFIX:NAME`, or
    /// nothing for `onggi-ID.scope` in `system.slice`. With `user` the systemd of the calling user is meant, and its
    /// `user.slice`. Reads where that systemd is in the tree; changes nothing.
    ///
    /// # Errors
    /// For a path of another form, on a host without systemd, and for a user's systemd with v1 hierarchies, which it
    /// cannot have the rights to.
    pub fn for_unit(layout: &Layout, path: Option<&str>, id: &str, user: bool) -> Result<Self> {
        if !Path::new(BOOTED).is_dir() {
            return Err(Error::Systemd(
                "systemd not running on this host, cannot use systemd cgroups manager".into(),
            ));
        }
        let unit = Unit::new(path, id, user)?;
        if user && layout.mode() != Mode::V2 {
            let text = "cannot use rootless systemd cgroups manager on cgroup v1";
            return Err(Error::Systemd(text.into()));
        }
        let in_hierarchy = format!("{}{}", manager_root(layout, user), unit.path()?);
        let dir = |h: &Hierarchy| Dir::new(h, below_mount(h, &in_hierarchy));
        Ok(Self {
            driver: Driver::Systemd(unit),
            mode: layout.mode(),
            v1: layout.v1().iter().map(dir).collect(),
            v2: layout.v2().map(dir),
            explicit_path: true,
            rootless: user,
            made: Vec::new(),
        })
    }

    /// The unit, where systemd makes the directories.
    pub fn unit(&self) -> Option<&Unit> {
        match &self.driver {
            Driver::Cgroupfs => None,
            Driver::Systemd(unit) => Some(unit),
        }
    }

    /// The cgroup at `path` below the unit instead, which is the container's then; nothing changes without a unit.
    /// systemd knows of the unit alone, and has the limits there; the files have them in both.
    ///
    /// # Errors
    /// For a path with `..` or a newline.
    pub fn below_unit(mut self, path: &str) -> Result<Self> {
        if self.unit().is_some() {
            let below = clean(path)?;
            self.v1.iter_mut().chain(&mut self.v2).for_each(|dir| dir.path.push_str(&below));
        }
        Ok(self)
    }

    /// The uppermost directory that is the container's alone: the unit's, where systemd makes it.
    pub(super) fn top<'a>(&self, dir: &'a Dir) -> Cow<'a, Dir> {
        let Some(unit) = self.unit() else { return Cow::Borrowed(dir) };
        let names: Vec<&str> = dir.path.split('/').collect();
        match names.iter().position(|name| *name == unit.name()) {
            Some(last) if last + 1 < names.len() => {
                let path = names.get(..=last).unwrap_or_default().join("/");
                Cow::Owned(Dir { path, ..dir.clone() })
            }
            _ => Cow::Borrowed(dir),
        }
    }

    /// Has systemd make the cgroup with process `pid` in it, and makes and joins the hierarchies that systemd does not
    /// care for. Takes at most 30 s. Write the limits with [`Cgroup::apply`] too. Without a unit nothing happens.
    ///
    /// # Errors
    /// [`Error::UnitExists`]: nothing was made, and what there is belongs to somebody else. After any other error there
    /// may be directories left, see [`Cgroup::undo`].
    pub fn start_unit(
        &mut self,
        pid: i32,
        id: &str,
        properties: &Properties,
        resources: &Resources,
    ) -> Result<()> {
        let Some(unit) = self.unit() else { return Ok(()) };
        let v2 = self.mode == Mode::V2;
        let resources = self.as_systemd_writes(resources)?;
        let begin = Instant::now();
        let start = || unit.start(pid, id, properties, &resources, v2);
        // It hangs up when it is started anew (`daemon-reexec`), and the answer is lost; where the process is tells the
        // truth. One that does not answer at all is not asked again.
        let placed = |outcome: &Result<()>| match outcome {
            Err(Error::Systemd(_) | Error::UnitExists(_)) => Ok(self.misplaced(pid)?.is_none()),
            _ => Ok::<_, Error>(false),
        };
        loop {
            let started = start();
            if placed(&started)? {
                break;
            }
            let lost = matches!(started, Err(Error::Systemd(_))) && begin.elapsed() < LOST_WITHIN;
            if !lost {
                started?;
                break;
            }
            std::thread::sleep(LOST_WAIT);
        }
        if let Some((dir, found)) = self.misplaced(pid)? {
            return Err(Error::message(format!(
                "systemd put unit {:?} into cgroup {found:?} and not into {:?}",
                unit.name(),
                dir.in_hierarchy()
            )));
        }
        let below = self.dirs().any(|dir| self.top(dir).path != dir.path);
        // A v2 cgroup hands out controllers only once there is nobody in it any more.
        let make = if v2 && below { make_missing } else { take_over };
        let mut made = Made::default();
        let taken = self.dirs().try_for_each(|dir| make(dir, &mut made));
        // For `undo`: a later step may fail, too.
        self.made = made.0;
        taken?;
        if v2 && !below {
            return self.v1.iter().try_for_each(|dir| self.join_one(dir, pid));
        }
        self.join(pid, false)?;
        if v2 { self.dirs().try_for_each(|dir| finish_dir(dir, &dir.dir())) } else { Ok(()) }
    }

    /// The directory by which systemd knows the unit's processes.
    fn systemds_own(&self) -> Option<&Dir> {
        let v1 = self.v1.iter().find(|dir| dir.has(SYSTEMDS) && self.mode != Mode::V2);
        v1.or(self.v2.as_ref())
    }

    /// Stops the unit, once nobody is in it: the container is gone then, and who lives in a unit of this name may be
    /// somebody else. Without its directory there is none, or not in this place. Gives the directory that must be left
    /// to a systemd that hangs.
    ///
    /// # Errors
    /// `EBUSY` when there are still processes after `patience`. That systemd could not be asked is none.
    pub(super) fn stop_unit(&self, patience: Duration) -> Result<Option<&Dir>> {
        let (Some(unit), Some(dir)) = (self.unit(), self.systemds_own()) else { return Ok(None) };
        let (path, v2) = (self.top(dir).dir(), dir.controllers.is_empty());
        if !path.exists() {
            unit.forget();
            return Ok(None);
        }
        // Asked before: what has nobody in it is this one, and not one that gets its name now.
        let running = unit.running();
        if !wait_vacant(&path, v2, Instant::now() + patience)? {
            return Err(Error::os("stop systemd unit of cgroup", path, Errno::EBUSY));
        }
        let stopped = running.and_then(|running| running.map_or(Ok(()), Running::stop));
        Ok(stopped.is_err().then_some(dir))
    }

    /// The unit in the hierarchy in which systemd itself has put process `pid` elsewhere, and where that is.
    fn misplaced(&self, pid: i32) -> Result<Option<(Cow<'_, Dir>, String)>> {
        let Some(dir) = self.systemds_own().map(|dir| self.top(dir)) else { return Ok(None) };
        let text = files::read_path(Path::new(&format!("/proc/{pid}/cgroup")))?;
        let hierarchy = if dir.controllers.is_empty() { "" } else { SYSTEMDS };
        let found = cgroup_in(&text, hierarchy).unwrap_or("/");
        Ok((found != dir.in_hierarchy()).then(|| (dir, found.to_owned())))
    }

    /// Sets limits and device rules of a cgroup in use, and tells systemd of them where it made the cgroup; `told` says
    /// whether it was. What systemd refuses is an error after the files have changed.
    pub(crate) fn change(&self, resources: &Resources, told: &mut bool) -> Result<()> {
        let Some(unit) = self.unit() else { return self.write(resources) };
        let v2 = self.mode == Mode::V2;
        let limits = Resources { devices: Vec::new(), ..resources.clone() };
        // The kernel first: what it refuses, systemd never hears of.
        if v2 || resources.devices.is_empty() {
            self.write(resources)?;
            unit.set(resources, v2)?;
            *told = true;
            // systemd writes some with its own idea of what was not said, such as a period without a quota.
            return self.write(&limits);
        }
        self.write(&limits)?;
        // On v1 it empties the list of devices before it writes it anew, and not all rules can be told it: nobody is to
        // run meanwhile, and ours come last.
        let hold = !self.is_frozen()?;
        if hold {
            self.freeze()?;
        }
        let done = unit.set(resources, v2).and_then(|()| {
            *told = true;
            self.write(resources)
        });
        if hold {
            self.thaw()?;
        }
        done
    }

    /// `resources` with the CPU quota that systemd would write sooner or later.
    pub(crate) fn as_systemd_writes(&self, resources: &Resources) -> Result<Resources> {
        let mut resources = resources.clone();
        let cpu = &mut resources.cpu;
        let given = (cpu.quota.filter(|q| *q != 0), cpu.period.filter(|p| *p != 0));
        let now = match given {
            (Some(_), None) | (None, Some(_)) => self.cpu_limit().unwrap_or_default(),
            _ => (None, None),
        };
        // Told of one, systemd would take its own default for the other.
        let (quota, period) = (given.0.or(now.0), given.1.or(now.1));
        if let Some(quota) = quota {
            cpu.quota = Some(rounded_quota(quota, period));
            cpu.period = period;
        }
        Ok(resources)
    }

    /// Process `pid` into the v2 directory by way of systemd, which may move it from where this user may not.
    pub(super) fn attach(&self, dir: &Dir, unit: &Unit, pid: i32) -> Result<()> {
        let below: Vec<&str> =
            dir.path.split('/').skip_while(|part| *part != unit.name()).skip(1).collect();
        unit.attach(&format!("/{}", below.join("/")), pid)
    }
}

/// The cgroup of systemd itself, below which its units are; empty most often.
fn manager_root(layout: &Layout, user: bool) -> String {
    if user {
        let own = layout.v2().map(|h| h.own.as_str()).unwrap_or_default();
        return user_root(own, owner());
    }
    // That of a container shows as another one than `/init.scope`, unless it has a cgroup namespace.
    let text = files::read_path(Path::new("/proc/1/cgroup")).unwrap_or_default();
    system_root(&text)
}

fn system_root(cgroups_of_init: &str) -> String {
    let own = cgroup_in(cgroups_of_init, SYSTEMDS).or_else(|| cgroup_in(cgroups_of_init, ""));
    own.unwrap_or_default().strip_suffix(INIT).unwrap_or_default().to_owned()
}

/// The cgroup in one hierarchy (empty for the v2 tree) by the text of a `/proc/PID/cgroup`.
fn cgroup_in<'a>(text: &'a str, hierarchy: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        (controllers == hierarchy).then_some(path)
    })
}

/// `/user.slice/user-UID.slice/user@UID.service`: as far as our own cgroup goes there, or the usual place.
fn user_root(own: &str, uid: u32) -> String {
    let service = format!("user@{uid}.service");
    match own.split('/').position(|part| part == service) {
        Some(last) => own.split('/').take(last + 1).collect::<Vec<_>>().join("/"),
        None => format!("/user.slice/user-{uid}.slice/{service}"),
    }
}

/// The calling user as the host numbers it: in a user namespace root is somebody else.
fn owner() -> u32 {
    let euid = nix::unistd::geteuid().as_raw();
    let map = files::read_path(Path::new("/proc/self/uid_map")).unwrap_or_default();
    map.lines().find_map(|line| outside(line, euid)).unwrap_or(euid)
}

/// The id outside for the id inside, by one line of uid_map: first inside, first outside, how many.
fn outside(line: &str, id: u32) -> Option<u32> {
    let mut numbers = line.split_whitespace().map(|word| word.parse::<u32>().ok());
    let (inside, outside, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let offset = id.checked_sub(inside).filter(|offset| *offset < count)?;
    outside.checked_add(offset)
}

/// A cgroup of the hierarchy as a path below its mount point.
fn below_mount(hierarchy: &Hierarchy, path: &str) -> String {
    let root = hierarchy.root.trim_end_matches('/');
    let below = path.strip_prefix(root).filter(|below| below.starts_with('/'));
    below.unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots() {
        assert_eq!(system_root("0::/init.scope\n"), "");
        assert_eq!(system_root("0::/docker/x/init.scope\n"), "/docker/x");
        assert_eq!(system_root("5:cpu:/a\n1:name=systemd:/b/init.scope\n0::/c\n"), "/b");
        assert_eq!(system_root(""), "");
        assert_eq!(system_root("3:cpu:/0::/x\n0::/c/init.scope\n"), "/c");
        let root = "/user.slice/user-5.slice/user@5.service";
        assert_eq!(user_root(&format!("{root}/app.slice/x.service"), 5), root);
        assert_eq!(user_root("/user.slice/user-5.slice/session-1.scope", 5), root);
        assert_eq!(user_root("/nested/user@5.service/x", 5), "/nested/user@5.service");
    }

    #[test]
    fn ids_outside() {
        assert_eq!(outside("         0       1000          1", 0), Some(1000));
        assert_eq!(outside("1 100000 65536", 5), Some(100_004));
        assert_eq!(outside("1 100000 65536", 0), None);
        assert_eq!(outside("", 0), None);
    }

    #[test]
    fn places_below_mounts() {
        let layout = Layout::parse(
            "30 23 0:26 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            "0::/docker/x/init.scope\n",
        )
        .expect("layout");
        let v2 = layout.v2().expect("v2");
        assert_eq!(below_mount(v2, "/docker/x/system.slice/a.scope"), "/system.slice/a.scope");
        assert_eq!(below_mount(v2, "/docker/xyz/a.scope"), "/docker/xyz/a.scope");
    }
}
