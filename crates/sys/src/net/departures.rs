//! Which network devices leave a network namespace, as the kernel tells everybody who listens.

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{NetlinkAddr, bind, recvfrom};

use super::message::{answers, number};
use super::netlink::{BUFFER, Netlink};

/// `RTMGRP_LINK`
const LINKS: u32 = 1;

/// The devices that have left the network namespace in which the calling process was when it was made, whether they
/// were removed or moved. By its number alone a device cannot be told from a later one, to which whoever may set up the
/// namespace can give the same.
#[derive(Debug)]
pub struct Departures {
    socket: Netlink,
    left: Vec<u32>,
    is_whole: bool,
}

impl Departures {
    /// Listens from now on.
    ///
    /// # Errors
    /// Those of socket(2).
    pub fn watch() -> nix::Result<Self> {
        let socket = Netlink::socket(nix::sys::socket::SockFlag::SOCK_NONBLOCK)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, LINKS))?;
        Ok(Self { socket, left: Vec::new(), is_whole: true })
    }

    /// How many devices of number `index` have left so far.
    ///
    /// # Errors
    /// `ENOBUFS` when more was going on than the kernel keeps for who listens; those of recvfrom(2).
    pub fn of(&mut self, index: u32) -> nix::Result<usize> {
        let mut buffer = vec![0; BUFFER];
        loop {
            match recvfrom::<NetlinkAddr>(self.socket.as_raw_fd(), &mut buffer) {
                // What others say is no news.
                Ok((length, Some(from))) if from.pid() == 0 => {
                    self.note(buffer.get(..length).unwrap_or_default());
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(Errno::ENOBUFS) => self.is_whole = false,
                Err(errno) => return Err(errno),
            }
        }
        if !self.is_whole {
            return Err(Errno::ENOBUFS);
        }
        Ok(self.left.iter().filter(|left| **left == index).count())
    }

    fn note(&mut self, bytes: &[u8]) {
        let gone = answers(bytes).filter(|answer| answer.kind == libc::RTM_DELLINK);
        // The bridge tells of its ports by messages of another family: these are still there.
        let devices = gone.filter(|answer| answer.body.first() == Some(&0));
        self.left.extend(devices.filter_map(|answer| number(answer.body, 4)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Request;
    use super::*;

    #[test]
    fn only_devices_that_are_gone_count() {
        let mut departures = Departures::watch().expect("watch");
        let before = departures.of(7).expect("nothing is lost");
        let message = |kind, family| {
            let mut body = [0; 16];
            (body[0], body[4]) = (family, 7);
            Request::new(kind, 0, &body).finish(0)
        };
        let bridge = u8::try_from(libc::AF_BRIDGE).expect("a family");
        for (kind, family, more) in
            [(libc::RTM_NEWLINK, 0, 0), (libc::RTM_DELLINK, bridge, 0), (libc::RTM_DELLINK, 0, 1)]
        {
            departures.note(&message(kind, family));
            assert_eq!(departures.of(7), Ok(before + more));
        }
    }
}
