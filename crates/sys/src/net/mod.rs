//! Network devices: the loopback interface of a new network namespace, and moving others between
//! namespaces by rtnetlink(7).

mod address;
mod departures;
mod message;
mod netlink;

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

pub use address::Address;
pub use departures::Departures;
pub use netlink::{Link, Netlink};

/// Brings up `lo` in the network namespace of the calling process.
///
/// # Errors
/// Those of socket(2) and netdevice(7).
pub fn bring_up_loopback() -> nix::Result<()> {
    let any = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
        .or_else(|_| {
            socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
        })?;
    // SAFETY: an all-zero ifreq is a valid one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
        *to = from.cast_signed() as libc::c_char;
    }
    let up = libc::IFF_UP | libc::IFF_RUNNING;
    request.ifr_ifru.ifru_flags = i16::try_from(up).map_err(|_| Errno::EINVAL)?;
    #[allow(clippy::cast_possible_truncation, reason = "musl's ioctl(2) takes an int, and it fits")]
    let flags = libc::SIOCSIFFLAGS as libc::Ioctl;
    // SAFETY: SIOCSIFFLAGS reads an ifreq.
    let ret = unsafe { libc::ioctl(any.as_raw_fd(), flags, &raw const request) };
    Errno::result(ret).map(drop)
}
