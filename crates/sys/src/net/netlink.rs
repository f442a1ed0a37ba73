//! rtnetlink(7): finding, moving and setting up network devices.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, send,
    socket,
};

use super::address::Address;
use super::message::{Answer, Request, answers, attributes, number};

/// `struct ifinfomsg`.
const IFINFOMSG: usize = 16;
/// As much as the kernel puts into one datagram.
pub(super) const BUFFER: usize = 32 << 10;
/// How often a list is asked for anew that has changed while it was told.
const ATTEMPTS: u32 = 16;

const RTM_NEWLINK: u16 = libc::RTM_NEWLINK;
const RTM_GETLINK: u16 = libc::RTM_GETLINK;
const RTM_NEWADDR: u16 = libc::RTM_NEWADDR;
const RTM_GETADDR: u16 = libc::RTM_GETADDR;

const REQUEST: u16 = 0x01;
const MULTI: u16 = 0x02;
const ACK: u16 = 0x04;
const DUMP_INTR: u16 = 0x10;
const DUMP: u16 = 0x300;
const EXCL: u16 = 0x200;
const CREATE: u16 = 0x400;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

const IFLA_IFNAME: u16 = 3;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_NEW_IFINDEX: u16 = 49;
const IFF_UP: u32 = 1;

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number in its network namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Whether it is up.
    pub up: bool,
}

/// A connection to the network namespace in which the calling process was when it was made.
#[derive(Debug)]
pub struct Netlink(OwnedFd);

impl Netlink {
    /// Connects to the network namespace of the calling process.
    ///
    /// # Errors
    /// Those of socket(2).
    pub fn open() -> nix::Result<Self> {
        let socket = Self::socket(SockFlag::empty())?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(socket)
    }

    /// A socket that is not bound yet.
    pub(super) fn socket(flags: SockFlag) -> nix::Result<Self> {
        let flags = flags | SockFlag::SOCK_CLOEXEC;
        let protocol = SockProtocol::NetlinkRoute;
        socket(AddressFamily::Netlink, SockType::Raw, flags, protocol).map(Self)
    }

    /// The device of this name.
    ///
    /// # Errors
    /// `ENODEV` when there is none.
    pub fn link(&self, name: &str) -> nix::Result<Link> {
        let request = Request::new(RTM_GETLINK, REQUEST, &ifinfomsg(0, 0, 0));
        self.one_link(request.name(IFLA_IFNAME, name))
    }

    /// The device of this number.
    ///
    /// # Errors
    /// As [`Netlink::link`].
    pub fn link_by_index(&self, index: u32) -> nix::Result<Link> {
        self.one_link(Request::new(RTM_GETLINK, REQUEST, &ifinfomsg(index, 0, 0)))
    }

    fn one_link(&self, request: Request) -> nix::Result<Link> {
        let mut link = None;
        self.exchange(request, |answer| {
            if answer.kind == RTM_NEWLINK {
                link = parse_link(answer.body);
            }
        })?;
        link.ok_or(Errno::EBADMSG)
    }

    /// All addresses of device `index`, in the order in which they were set.
    ///
    /// # Errors
    /// `EINTR` when others change addresses all the time.
    pub fn addresses(&self, index: u32) -> nix::Result<Vec<Address>> {
        for _ in 0..ATTEMPTS {
            let mut list = Vec::new();
            let request = Request::new(RTM_GETADDR, REQUEST | DUMP, &[0; 8]);
            let whole = self.exchange(request, |answer| {
                let found = (answer.kind == RTM_NEWADDR).then(|| Address::parse(answer.body));
                if let Some((_, address)) = found.flatten().filter(|(at, _)| *at == index) {
                    list.push(address);
                }
            })?;
            if whole {
                return Ok(list);
            }
        }
        Err(Errno::EINTR)
    }

    /// Moves device `index` to a network namespace, where it is called `name`. It is down then and has
    /// no addresses. Its number there is `number` or, without one, the same where that is free.
    ///
    /// # Errors
    /// `EEXIST` when there is one of that name, `EBUSY` when there is one of that number (a kernel before
    /// Linux 5.13 gives another then); `EINVAL` for one that cannot be moved (loopback).
    pub fn move_to(
        &self,
        index: u32,
        namespace: BorrowedFd<'_>,
        name: &str,
        number: Option<u32>,
    ) -> nix::Result<()> {
        let namespace = namespace.as_raw_fd().to_ne_bytes();
        let request = Request::new(RTM_NEWLINK, REQUEST | ACK, &ifinfomsg(index, 0, 0));
        let request = request.name(IFLA_IFNAME, name).attribute(IFLA_NET_NS_FD, &namespace);
        let request = match number {
            Some(number) => request.attribute(IFLA_NEW_IFINDEX, &number.to_ne_bytes()),
            None => request,
        };
        self.exchange(request, |_| {}).map(drop)
    }

    /// Renames device `index`; in a name with `%d` the kernel puts the first free number.
    ///
    /// # Errors
    /// `EEXIST` when there is one of that name, `ENFILE` when there is no free number.
    pub fn rename(&self, index: u32, name: &str) -> nix::Result<()> {
        let request = Request::new(RTM_NEWLINK, REQUEST | ACK, &ifinfomsg(index, 0, 0));
        self.exchange(request.name(IFLA_IFNAME, name), |_| {}).map(drop)
    }

    /// Brings device `index` up.
    ///
    /// # Errors
    /// Those of rtnetlink(7).
    pub fn bring_up(&self, index: u32) -> nix::Result<()> {
        let body = ifinfomsg(index, IFF_UP, IFF_UP);
        self.exchange(Request::new(RTM_NEWLINK, REQUEST | ACK, &body), |_| {}).map(drop)
    }

    /// Gives device `index` an address that it had under the name `names.0`; it is `names.1` now.
    ///
    /// # Errors
    /// `EEXIST` when it has it already, and those of rtnetlink(7).
    pub fn add_address(&self, index: u32, names: (&str, &str), one: &Address) -> nix::Result<()> {
        let flags = REQUEST | ACK | CREATE | EXCL;
        self.exchange(one.request(index, names, RTM_NEWADDR, flags), |_| {}).map(drop)
    }

    /// Sends a request and takes what is answered; `false` when a list has changed while it was told.
    fn exchange(&self, request: Request, mut take: impl FnMut(&Answer<'_>)) -> nix::Result<bool> {
        // Each connection has one request under way; a number of its own tells it from none.
        let sequence = 1;
        let fd = self.0.as_raw_fd();
        send(fd, &request.finish(sequence), MsgFlags::empty())?;
        let mut buffer = vec![0; BUFFER];
        let mut whole = true;
        loop {
            let (length, from) = match recvfrom::<NetlinkAddr>(fd, &mut buffer) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            // Whoever has the right to set up this network namespace may send to this socket, too.
            if from.is_none_or(|from| from.pid() != 0) {
                continue;
            }
            let bytes = buffer.get(..length).unwrap_or_default();
            let mut several = false;
            for answer in answers(bytes).filter(|answer| answer.sequence == sequence) {
                whole &= answer.flags & DUMP_INTR == 0;
                several = answer.flags & MULTI != 0;
                match answer.kind {
                    NLMSG_DONE => return Ok(whole),
                    NLMSG_ERROR => return error(answer.body).map(|()| whole),
                    _ => take(&answer),
                }
            }
            if !several {
                return Ok(whole);
            }
        }
    }
}

impl AsRawFd for Netlink {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// What an NLMSG_ERROR says: nothing for an acknowledgement.
fn error(body: &[u8]) -> nix::Result<()> {
    match number(body, 0).map(u32::cast_signed) {
        Some(0) => Ok(()),
        Some(code) => Err(Errno::from_raw(code.saturating_neg())),
        None => Err(Errno::EBADMSG),
    }
}

fn ifinfomsg(index: u32, flags: u32, change: u32) -> [u8; IFINFOMSG] {
    let mut body = [0; IFINFOMSG];
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    body[8..12].copy_from_slice(&flags.to_ne_bytes());
    body[12..16].copy_from_slice(&change.to_ne_bytes());
    body
}

fn parse_link(body: &[u8]) -> Option<Link> {
    let (_, name) = attributes(body, IFINFOMSG).find(|(kind, _)| *kind == IFLA_IFNAME)?;
    let name = String::from_utf8_lossy(name.strip_suffix(&[0]).unwrap_or(name)).into_owned();
    Some(Link { index: number(body, 4)?, name, up: number(body, 8)? & IFF_UP != 0 })
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::{getsockname, sendto};

    use super::*;

    /// The one device that every namespace has.
    #[test]
    fn loopback_is_found_by_name_and_number() {
        let netlink = Netlink::open().expect("open");
        let lo = netlink.link("lo").expect("lo");
        assert_eq!(netlink.link_by_index(lo.index), Ok(lo.clone()));
        assert_eq!(lo.name, "lo");
        assert_eq!(netlink.link("no-such-device"), Err(Errno::ENODEV));
        let addresses = netlink.addresses(lo.index).expect("addresses");
        // 127.0.0.1 is of this host alone.
        assert!(addresses.iter().all(|address| !address.is_permanent_and_global()));
    }

    #[test]
    fn words_of_others_are_no_answers() {
        let netlink = Netlink::open().expect("open");
        let own: NetlinkAddr = getsockname(netlink.0.as_raw_fd()).expect("address");
        let other = Netlink::open().expect("open");
        // Says that there is no such device.
        let mut words = Request::new(NLMSG_ERROR, 0, &(-19_i32).to_ne_bytes()).finish(1);
        words.resize(64, 0);
        match sendto(other.0.as_raw_fd(), &words, &own, MsgFlags::empty()) {
            // Only the privileged may.
            Err(Errno::EPERM) => return,
            sent => assert_eq!(sent, Ok(64)),
        }
        assert_eq!(netlink.link("lo").map(|lo| lo.name).as_deref(), Ok("lo"));
    }

    #[test]
    fn answers_of_errors() {
        assert_eq!(error(&0_i32.to_ne_bytes()), Ok(()));
        assert_eq!(error(&(-17_i32).to_ne_bytes()), Err(Errno::EEXIST));
        assert_eq!(error(&[]), Err(Errno::EBADMSG));
    }
}
