//! `NOTIFY_SOCKET`: a service in a container tells systemd that it is ready, see sd_notify(3).
//!
//! The container gets a socket of its own. Of what comes there only that it is ready is passed on, with the
//! container's process as the one to watch: the rest of that protocol steers the unit of whoever called us.

use std::ffi::OsString;
use std::io::PipeReader;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{
    MOUNT_ATTR_NODEV as NODEV, MOUNT_ATTR_NOEXEC as NOEXEC, MOUNT_ATTR_NOSUID as NOSUID,
    MOUNT_ATTR_RDONLY as RDONLY,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::{Error, Result};
use crate::plan::{Attributes, Links, Mount, MountKind, Plan};
use crate::state::StateDir;

/// Where the container finds the directory of the socket.
const INSIDE: &str = "/run/notify";
/// The socket in it.
const NAME: &str = "notify.sock";
/// How long systemd may take to have read what it was sent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where systemd listens, if the caller is a service that is to tell it.
fn host() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty())
}

/// Makes the directory of the socket, and has it mounted in the container.
pub(super) fn prepare(dir: &StateDir, plan: &mut Plan) -> Result<()> {
    let (Some(process), Some(_)) = (plan.process.as_mut(), host()) else { return Ok(()) };
    plan.mounts.push(Mount {
        destination: INSIDE.into(),
        kind: MountKind::Bind {
            source: dir.make_notify()?,
            recursive: false,
            unnamed: 0,
            links: Links::default(),
        },
        ids: None,
        attributes: Attributes { set: NOSUID | NOEXEC | NODEV | RDONLY, clear: 0 },
        recursive_attributes: Attributes::default(),
        propagation: Vec::new(),
        copy_up: false,
    });
    process.env.retain(|entry| !entry.starts_with("NOTIFY_SOCKET="));
    process.env.push(format!("NOTIFY_SOCKET={INSIDE}/{NAME}"));
    Ok(())
}

/// The socket that the container writes to.
pub(super) struct Proxy {
    socket: UnixDatagram,
    host: OsString,
}

impl Proxy {
    /// Listens, if the container was made with such a socket and the caller is still one to be told.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub(super) fn listen(dir: &StateDir) -> Result<Option<Self>> {
        let Some(host) = host() else { return Ok(None) };
        let Some((path, handle)) = dir.open_notify()? else { return Ok(None) };
        // The directory's own path may be too long for an address.
        let short = format!("/proc/self/fd/{}/{NAME}", handle.as_raw_fd());
        let fail = |error: std::io::Error| Error::io("listen at", path.join(NAME), &error);
        match std::fs::remove_file(&short) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
        let socket = UnixDatagram::bind(&short).map_err(fail)?;
        // Whatever user the container's program is.
        StateDir::open_to_all(Path::new(&short)).map_err(fail)?;
        Ok(Some(Self { socket, host }))
    }

    /// What to wait for with poll(2) before [`Proxy::hear`] is asked.
    pub(super) fn interest(&self) -> PollFd<'_> {
        PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)
    }

    /// Takes one message; says so if the container is ready, with `main` as the process to watch, and, as
    /// this process is about to `leave`, waits until that was read. Whether nothing more is to come. A
    /// systemd that cannot be told is a warning.
    pub(super) fn hear(&self, main: i32, leave: bool) -> bool {
        let mut message = [0_u8; 4096];
        let told = match self.socket.recv(&mut message) {
            Ok(length) => match ready_line(&message[..length]) {
                Some(line) => tell(&self.host, line, main, leave),
                None => return false,
            },
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return false,
            Err(error) => Err(Error::io("receive from", INSIDE, &error)),
        };
        if let Err(error) = told {
            crate::warn(&format!("pass on that the container is ready: {error}"));
        }
        true
    }

    /// Waits until the container is ready and says so, with the process behind `init`, `main`, as the one to
    /// watch; or until that has ended.
    pub(super) fn relay(&self, init: BorrowedFd<'_>, main: i32) {
        loop {
            let mut fds = [self.interest(), PollFd::new(init, PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return crate::warn(&Error::os("poll", "", errno).to_string()),
            }
            let [message, ended] = fds.map(|fd| fd.any().unwrap_or_default());
            if (message && self.hear(main, true)) || (ended && !message) {
                return;
            }
        }
    }
}

/// The line of a message that says that its sender is ready.
fn ready_line(message: &[u8]) -> Option<&[u8]> {
    message.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"READY="))
}

/// Tells systemd. Who is to `leave` waits until it has read that: it must not look for the sender in vain.
fn tell(host: &OsString, ready: &[u8], main: i32, leave: bool) -> Result<()> {
    let fail = |error: std::io::Error| Error::io("send to", host, &error);
    let address = match host.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(host),
    };
    let socket = UnixDatagram::unbound().map_err(fail)?;
    socket.connect_addr(&address.map_err(fail)?).map_err(fail)?;
    socket.send(&[ready, b"\n"].concat()).map_err(fail)?;
    socket.send(format!("MAINPID={main}\n").as_bytes()).map_err(fail)?;
    if !leave {
        return Ok(());
    }
    let (reader, writer) = std::io::pipe().map_err(fail)?;
    sys::socket::send(socket.as_fd(), b"BARRIER=1", &[writer.as_fd()])
        .map_err(|errno| Error::os("send to", host, errno))?;
    drop(writer);
    wait_closed(&reader)
}

/// Waits until nobody holds the other end any more; one that does not know of it keeps it.
fn wait_closed(reader: &PipeReader) -> Result<()> {
    let mut fds = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
    match poll(&mut fds, timeout) {
        Ok(0) => Err(Error::message("systemd did not answer within 30 s")),
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(Error::os("poll", "", errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::ready_line;

    #[test]
    fn of_a_message_only_that_it_is_ready_counts() {
        for (message, line) in [
            ("READY=1", Some("READY=1")),
            ("STATUS=x\nREADY=1\nMAINPID=1", Some("READY=1")),
            ("MAINPID=1\nSTATUS=READY=1", None),
            ("", None),
        ] {
            assert_eq!(ready_line(message.as_bytes()), line.map(str::as_bytes), "{message}");
        }
    }
}
