//! Messages with descriptors over AF_UNIX sockets.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr,
    connect, recvmsg, sendmsg, socket,
};

use crate::fd::own;

/// Most descriptors that one message may carry.
const MAX_FDS: usize = 4;

/// Sends `bytes` as one message, with `fds` attached.
///
/// # Errors
/// `EPIPE` when the other side is gone (no SIGPIPE is raised); those of sendmsg(2).
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> nix::Result<()> {
    send_some(socket, bytes, fds).map(drop)
}

/// Sends all of `bytes` on a stream, with `fds` attached to the first of them. Where the other side's queue is full it
/// is waited for, `patience` in all.
///
/// # Errors
/// `ETIMEDOUT` when the other side does not read; those of [`send`].
pub fn send_all(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    patience: Duration,
) -> nix::Result<()> {
    let end = Instant::now() + patience;
    let (mut rest, mut fds) = (bytes, fds);
    while !rest.is_empty() {
        match send_some(socket, rest, fds) {
            Ok(count) => (rest, fds) = (rest.get(count..).unwrap_or_default(), &[]),
            Err(Errno::EAGAIN) => {
                let left = end.saturating_duration_since(Instant::now());
                let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
                match poll(&mut [PollFd::new(socket, PollFlags::POLLOUT)], left) {
                    Ok(0) => return Err(Errno::ETIMEDOUT),
                    Ok(_) | Err(Errno::EINTR) => {}
                    Err(errno) => return Err(errno),
                }
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// How much of it went.
fn send_some(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> nix::Result<usize> {
    let raw: Vec<_> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &[][..] } else { &rights[..] };
    let parts = [IoSlice::new(bytes)];
    loop {
        let sent =
            sendmsg::<UnixAddr>(socket.as_raw_fd(), &parts, control, MsgFlags::MSG_NOSIGNAL, None);
        match sent {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// Receives one message into `buffer`: its length (0 at the end of the connection) and what
/// descriptors it carried.
///
/// # Errors
/// Those of recvmsg(2).
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> nix::Result<(usize, Vec<OwnedFd>)> {
    let mut space = nix::cmsg_space!([std::os::fd::RawFd; MAX_FDS]);
    loop {
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message =
            match recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
        let mut fds = Vec::new();
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(received) = control {
                // SAFETY: the kernel has just made these descriptors for this process.
                fds.extend(received.into_iter().map(|fd| unsafe { own(fd) }));
            }
        }
        return Ok((message.bytes, fds));
    }
}

/// Connects to the stream socket at `path`, which may be longer than a socket address can hold. `@NAME` is a socket
/// of the abstract namespace, as in Go's `net.Dial`, which other runtimes use.
///
/// # Errors
/// `EAGAIN` when its queue is full: connecting does not wait; those of connect(2).
pub fn connect_stream(path: &Path) -> nix::Result<OwnedFd> {
    use nix::fcntl::{OFlag, open};
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let stream = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let address = match path.as_os_str().as_bytes() {
        [b'@', name @ ..] => UnixAddr::new_abstract(name),
        _ => UnixAddr::new(path),
    };
    match address {
        Ok(address) => connect(stream.as_raw_fd(), &address)?,
        Err(Errno::ENAMETOOLONG) => {
            let handle =
                open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, nix::sys::stat::Mode::empty())?;
            let short = format!("/proc/self/fd/{}", handle.as_raw_fd());
            connect(stream.as_raw_fd(), &UnixAddr::new(short.as_str())?)?;
        }
        Err(errno) => return Err(errno),
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

    #[test]
    fn long_messages_are_sent_whole() {
        let (here, mut there) = UnixStream::pair().expect("socketpair");
        here.set_nonblocking(true).expect("non-blocking");
        let text: Vec<u8> = (0..1_000_000_u32).map(|at| at.to_le_bytes()[0]).collect();
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            there.read_to_end(&mut all).map(|_| all)
        });
        send_all(here.as_fd(), &text, &[], Duration::from_secs(20)).expect("send");
        drop(here);
        assert!(reader.join().expect("reader").expect("read") == text);
    }

    #[test]
    fn who_does_not_read_is_not_waited_for_without_end() {
        let (here, _there) = UnixStream::pair().expect("socketpair");
        here.set_nonblocking(true).expect("non-blocking");
        let sent = send_all(here.as_fd(), &[0; 1 << 22], &[], Duration::from_millis(50));
        assert_eq!(sent, Err(Errno::ETIMEDOUT));
    }

    #[test]
    fn abstract_sockets_begin_with_an_at_sign() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("onggi-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("address");
        let _listener = UnixListener::bind_addr(&address).expect("listen");
        assert!(connect_stream(Path::new(&format!("@{name}"))).is_ok());
        let missing = connect_stream(Path::new(&format!("@{name}-not")));
        assert_eq!(missing.err(), Some(Errno::ECONNREFUSED));
    }
}
