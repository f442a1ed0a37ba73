//! `linux.netDevices`: moving network devices of the host into the container's network namespace.
//!
//! Nothing is moved before all is checked, and when one cannot be moved or set up, or a later step of
//! `create` fails, those that were go back. Later, with the namespace, the kernel gives physical ones back
//! and removes the others; the runtime takes none out again, as the spec has it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::fstat;
use sys::net::{Address, Departures, Link, Netlink};

use super::namespaces::open;
use crate::error::{Error, Result};
use crate::plan::{NetDevice, pointer};

/// How many numbers are tried for a device where its own is taken.
const NUMBERS: u32 = 64;

/// Moves all of `devices` from the runtime's network namespace to that of process `pid`; `None` without any.
///
/// # Errors
/// When one is not there, its new name is taken, or the kernel refuses; all are on the host then.
pub(super) fn move_all(devices: &[NetDevice], pid: i32) -> Result<Option<MovedDevices>> {
    if devices.is_empty() {
        return Ok(None);
    }
    let mover = Mover::new(pid)?;
    let links: Vec<Link> =
        devices.iter().map(|device| mover.check(device)).collect::<Result<_>>()?;
    let mut all = MovedDevices { mover, moved: Vec::new() };
    for (device, link) in devices.iter().zip(links) {
        match all.mover.move_one(device, link) {
            Ok(one) => all.moved.push(one),
            Err(error) => {
                all.bring_back();
                return Err(error);
            }
        }
    }
    Ok(Some(all))
}

/// The devices that are in the container. As long as this lives its network namespace does, whatever becomes of its
/// processes: without that nobody would be left to bring them back from.
#[derive(Debug)]
pub(crate) struct MovedDevices {
    mover: Mover,
    moved: Vec<Moved>,
}

impl MovedDevices {
    /// Puts all back as they were, the last one first.
    pub(super) fn bring_back(mut self) {
        self.moved.iter().rev().for_each(|one| self.mover.bring_back(one));
    }
}

/// A device that is in the container.
#[derive(Debug)]
struct Moved {
    /// How it was on the host.
    before: Link,
    /// All the addresses that it had there.
    addresses: Vec<Address>,
    /// Its number now.
    index: u32,
}

/// The two network namespaces, each with a connection.
#[derive(Debug)]
struct Mover {
    own: OwnedFd,
    host: Netlink,
    target: OwnedFd,
    inside: Netlink,
    /// What leaves the container's.
    departures: Departures,
}

impl Mover {
    fn new(pid: i32) -> Result<Self> {
        let own = open(Path::new("/proc/self/ns/net"))?;
        let target = open(Path::new(&format!("/proc/{pid}/ns/net")))?;
        let number = |fd: &OwnedFd| {
            let stat = fstat(fd).map_err(|errno| Error::os("stat", "network namespace", errno))?;
            Ok((stat.st_dev, stat.st_ino))
        };
        if number(&own)? == number(&target)? {
            let text = "the container's network namespace is that of the devices";
            return Err(Error::config("/linux/netDevices", text));
        }
        let connect =
            || Netlink::open().map_err(|errno| Error::os("open", "rtnetlink socket", errno));
        let host = connect()?;
        let enter = |fd: &OwnedFd| {
            setns(fd, CloneFlags::CLONE_NEWNET)
                .map_err(|errno| Error::os("join", "network namespace of container", errno))
        };
        enter(&target)?;
        let inside = connect().and_then(|inside| {
            let watch = Departures::watch();
            Ok((inside, watch.map_err(|errno| Error::os("open", "rtnetlink socket", errno))?))
        });
        enter(&own)?;
        let (inside, departures) = inside?;
        Ok(Self { own, host, target, inside, departures })
    }

    /// The device on the host, if it can be had and its new name is free.
    fn check(&self, device: &NetDevice) -> Result<Link> {
        let link = self.host.link(&device.host).map_err(|errno| fail(device, "find", errno))?;
        if device.is_template() {
            return Ok(link);
        }
        match self.inside.link(new_name(device, &link)) {
            Err(Errno::ENODEV) => Ok(link),
            Ok(_) => Err(fail(device, "move", Errno::EEXIST)),
            Err(errno) => Err(fail(device, "look for the new name of", errno)),
        }
    }

    fn move_one(&mut self, device: &NetDevice, before: Link) -> Result<Moved> {
        let addresses = self
            .host
            .addresses(before.index)
            .map_err(|errno| fail(device, "list addresses of", errno))?;
        // What a template has become is not told: it goes over under this name.
        let unique = format!("onggi-{:x}", std::process::id());
        let name = if device.is_template() { &unique } else { new_name(device, &before) };
        let number = self
            .free_number(before.index)
            .map_err(|errno| fail(device, "look for the new number of", errno))?;
        if let Err(errno) = self.host.move_to(before.index, self.target.as_fd(), name, Some(number))
        {
            // Somebody may have taken the new name just now: then it has gone over under its own.
            if self.host.link_by_index(before.index) == Err(Errno::ENODEV)
                && let Ok(index) = self.find_again(before.index, number, &before.name)
            {
                self.bring_back(&Moved { before, addresses, index });
            }
            return Err(fail(device, "move", errno));
        }
        let found = self.find_again(before.index, number, name);
        let index = found.map_err(|errno| fail(device, "find again", errno))?;
        let moved = Moved { before, addresses, index };
        self.set_up(device, &moved).inspect_err(|_| self.bring_back(&moved))?;
        Ok(moved)
    }

    /// The number that a device with number `index` is to have: its own, or one of the next.
    fn free_number(&self, index: u32) -> nix::Result<u32> {
        for number in index..index.saturating_add(NUMBERS) {
            match self.inside.link_by_index(number) {
                Err(Errno::ENODEV) => return Ok(number),
                other => other.map(drop)?,
            }
        }
        Err(Errno::EBUSY)
    }

    /// The number of a device that was number `before` and was to be `number` and `name`. Whoever is in a
    /// namespace that is joined may rename devices at any time and put others in their place, so the name is
    /// looked for only where an old kernel has given another number.
    fn find_again(&self, before: u32, number: u32, name: &str) -> nix::Result<u32> {
        match self.inside.link_by_index(number) {
            Err(Errno::ENODEV) if number != before => self.inside.link(name).map(|link| link.index),
            found => found.map(|link| link.index),
        }
    }

    /// Final name, addresses, and up.
    fn set_up(&self, device: &NetDevice, moved: &Moved) -> Result<()> {
        let index = moved.index;
        if device.is_template() {
            self.inside
                .rename(index, &device.name)
                .map_err(|errno| fail(device, "rename", errno))?;
        }
        let now = self.inside.link_by_index(index);
        let now = now.map_err(|errno| fail(device, "find again", errno))?;
        let names = (moved.before.name.as_str(), now.name.as_str());
        for address in moved.addresses.iter().filter(|one| one.is_permanent_and_global()) {
            self.inside
                .add_address(index, names, address)
                .map_err(|errno| fail(device, "keep an address of", errno))?;
        }
        self.inside.bring_up(index).map_err(|errno| fail(device, "bring up", errno))
    }

    /// Puts a device back as it was, as far as that goes: a failure is told of already.
    fn bring_back(&mut self, moved: &Moved) {
        let name = &moved.before.name;
        let result = self.take_out(moved).and_then(|index| {
            if moved.before.up {
                self.host.bring_up(index)?;
            }
            for address in &moved.addresses {
                // Some the kernel has made anew by itself.
                let _ = self.host.add_address(index, (name, name), address);
            }
            Ok(())
        });
        if let Err(errno) = result {
            let error = Error::os("bring back network device", name, errno);
            crate::warn(&error.to_string());
        }
    }

    /// Moves a device back to the host; gives its number there. Whoever is in a namespace that is joined may have
    /// moved or removed it and given its number to one of his own: that one would get its name and addresses on the host.
    ///
    /// # Errors
    /// `ENODEV` when it is another one by now.
    fn take_out(&mut self, moved: &Moved) -> nix::Result<u32> {
        let Moved { before, index, .. } = moved;
        if self.departures.of(*index)? > 0 {
            return Err(Errno::ENODEV);
        }
        self.inside.move_to(*index, self.own.as_fd(), &before.name, None)?;
        let found = self.host.link(&before.name)?.index;
        // It may have been exchanged just now: then two have left.
        match self.departures.of(*index) {
            Ok(1) => Ok(found),
            other => {
                // Still down and without addresses.
                self.host.move_to(found, self.target.as_fd(), &before.name, None)?;
                Err(other.err().unwrap_or(Errno::ENODEV))
            }
        }
    }
}

/// What the device `link` is to be called. It may have been found by an alternative name, which goes along.
fn new_name<'a>(device: &'a NetDevice, link: &'a Link) -> &'a str {
    if device.name == device.host { &link.name } else { &device.name }
}

fn fail(device: &NetDevice, what: &str, errno: Errno) -> Error {
    let object = match errno {
        Errno::EEXIST => &device.name,
        _ => &device.host,
    };
    let error = Error::os(format!("{what} network device"), object, errno);
    Error::config(pointer("/linux/netDevices", &device.host), error.to_string())
}
