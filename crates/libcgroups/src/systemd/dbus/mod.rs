//! A blocking D-Bus client, as small as talking to systemd allows: it knows the messages that this crate sends, waits
//! for one thing at a time, and never longer than told.
//!
//! systemd's own socket is asked first: it spares two messages of greeting and the bus daemon its part, and works
//! where no bus runs. Signals about jobs are sent to it unasked.

mod address;
mod value;
mod wire;

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use address::Address;
pub(super) use value::Value;
use wire::{Message, Target};

/// Which systemd is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instance {
    /// Process 1.
    System,
    /// The one of the calling user.
    User,
}

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// systemd said no: the name of the error, and its text.
    Refused { name: String, text: String },
    /// Nobody could be talked to: what was tried, and why it failed.
    Unreachable(String),
    /// Somebody is there and does not answer in time.
    Late(String),
}

const MANAGER: Target<'_> = Target {
    destination: "org.freedesktop.systemd1",
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
};
const BUS: Target<'_> = Target {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
};
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// Below it each loaded unit has an object by its name, and one by its invocation, if it runs.
const UNITS: &str = "/org/freedesktop/systemd1/unit/";
const JOB_SIGNALS: &str =
    "type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

/// sd_bus_start(3)'s greeting: who we are is for the other side's kernel to say.
const GREETING: &[u8] = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
/// More than any server answers to that.
const MAX_GREETING: usize = 4096;
/// Between two tries to connect to a socket whose queue is full.
const QUEUE_WAIT: Duration = Duration::from_millis(20);

/// A connection to systemd. Everything done with it ends by the deadline that it was made with.
#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
    /// For messages.
    peer: String,
    deadline: Instant,
    received: Vec<u8>,
    serial: u32,
    /// (job, result) of jobs that ended since.
    ended: Vec<(String, String)>,
}

impl Connection {
    /// Connects to systemd.
    pub(super) fn open(instance: Instance, patience: Duration) -> Result<Self, Failure> {
        let deadline = Instant::now() + patience;
        let mut failures = Vec::new();
        let mut is_late = false;
        for address in address::candidates(instance) {
            match Self::to(&address, deadline) {
                Ok(connection) => return Ok(connection),
                Err(Failure::Unreachable(text)) => failures.push(text),
                Err(Failure::Late(text)) => {
                    failures.push(text);
                    is_late = true;
                }
                Err(refused) => return Err(refused),
            }
        }
        if failures.is_empty() {
            failures.push(
                "neither XDG_RUNTIME_DIR nor DBUS_SESSION_BUS_ADDRESS says where it is".into(),
            );
        }
        let text = failures.join("; ");
        Err(if is_late { Failure::Late(text) } else { Failure::Unreachable(text) })
    }

    fn to(address: &Address, deadline: Instant) -> Result<Self, Failure> {
        let peer = address.to_string();
        let failed = |errno: Errno| {
            let text = format!("connect to {peer}: {}", crate::error::errno_text(errno));
            if errno == Errno::EAGAIN { Failure::Late(text) } else { Failure::Unreachable(text) }
        };
        let socket = connect_to(address, deadline).map_err(failed)?;
        let mut connection =
            Self { socket, peer, deadline, received: Vec::new(), serial: 0, ended: Vec::new() };
        connection.greet()?;
        if address.is_bus() {
            connection.call(BUS, "Hello", &[])?;
            connection.call(BUS, "AddMatch", &[Value::text(JOB_SIGNALS)])?;
        }
        Ok(connection)
    }

    /// Calls a method of systemd's manager object; gives the arguments of the answer.
    pub(super) fn manager(&mut self, member: &str, args: &[Value]) -> Result<Vec<String>, Failure> {
        self.call(MANAGER, member, args)
    }

    /// Which invocation of a unit there is, as 32 hexadecimal digits: each time that it is started it is another one.
    /// `None` when it does not run.
    pub(super) fn invocation(&mut self, unit: &str) -> Result<Option<String>, Failure> {
        let path = format!("{UNITS}{}", label(unit));
        let target = Target { path: &path, interface: PROPERTIES, ..MANAGER };
        let args = [UNIT, "InvocationID"].map(Value::text);
        let id = self.call(target, "Get", &args)?.into_iter().next();
        Ok(id.filter(|id| !id.is_empty()))
    }

    /// Calls a method of an invocation of a unit, and of no other one.
    pub(super) fn call_invocation(
        &mut self,
        id: &str,
        member: &str,
        args: &[Value],
    ) -> Result<Vec<String>, Failure> {
        let path = format!("{UNITS}{id}");
        self.call(Target { path: &path, interface: UNIT, ..MANAGER }, member, args)
    }

    /// Waits for the end of a job; gives its result, `done` if all is well.
    pub(super) fn wait_job(&mut self, job: &str) -> Result<String, Failure> {
        loop {
            if let Some((_, result)) = self.ended.iter().find(|(ended, _)| ended == job) {
                return Ok(result.clone());
            }
            self.next_message()?;
        }
    }

    fn call(
        &mut self,
        target: Target<'_>,
        member: &str,
        args: &[Value],
    ) -> Result<Vec<String>, Failure> {
        self.serial += 1;
        let bytes = wire::method_call(self.serial, target, member, args);
        self.write(&bytes)?;
        loop {
            match self.next_message()? {
                Message::Return { serial, args } if serial == self.serial => return Ok(args),
                Message::Error { serial, name, text } if serial == self.serial => {
                    return Err(Failure::Refused { name, text });
                }
                _ => {}
            }
        }
    }

    /// The next message; the end of a job is noted on the way.
    fn next_message(&mut self) -> Result<Message, Failure> {
        let broken = |peer: &str, what| {
            Failure::Unreachable(format!("{peer} sent a broken message: {what}"))
        };
        loop {
            let length =
                wire::message_length(&self.received).map_err(|what| broken(&self.peer, what))?;
            match length {
                Some(length) if length <= self.received.len() => {
                    let rest = self.received.split_off(length);
                    let bytes = std::mem::replace(&mut self.received, rest);
                    let message = wire::parse(&bytes).map_err(|what| broken(&self.peer, what))?;
                    self.note_ended(&message);
                    return Ok(message);
                }
                _ => self.read_more()?,
            }
        }
    }

    fn note_ended(&mut self, message: &Message) {
        let Message::Signal { interface, member, args } = message else { return };
        if let (true, [_, job, _, result]) =
            (interface == MANAGER.interface && member == "JobRemoved", args.as_slice())
        {
            self.ended.push((job.clone(), result.clone()));
        }
    }

    /// Sends the greeting and takes the answer: `DATA` for the empty identity, then `OK`.
    fn greet(&mut self) -> Result<(), Failure> {
        self.write(GREETING)?;
        for expected in ["DATA", "OK "] {
            let line = loop {
                if let Some(end) = self.received.windows(2).position(|two| two == b"\r\n") {
                    let rest = self.received.split_off(end + 2);
                    let line = std::mem::replace(&mut self.received, rest);
                    break String::from_utf8_lossy(&line[..end]).into_owned();
                }
                if self.received.len() > MAX_GREETING {
                    return Err(Failure::Unreachable(format!(
                        "{} does not speak D-Bus",
                        self.peer
                    )));
                }
                self.read_more()?;
            };
            if !line.starts_with(expected) {
                return Err(Failure::Unreachable(format!(
                    "{} does not let this user in: {line:?}",
                    self.peer
                )));
            }
        }
        Ok(())
    }

    fn read_more(&mut self) -> Result<(), Failure> {
        // One that never stops talking is no answer either.
        self.time_left()?;
        let mut chunk = [0_u8; 4096];
        loop {
            match nix::unistd::read(&self.socket, &mut chunk) {
                Ok(0) => return Err(Failure::Unreachable(format!("{} hung up", self.peer))),
                Ok(n) => {
                    self.received.extend_from_slice(&chunk[..n]);
                    return Ok(());
                }
                Err(Errno::EAGAIN) => self.wait(PollFlags::POLLIN)?,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(self.lost("read from", errno)),
            }
        }
    }

    fn write(&self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            // Not write(2): nobody is to die of SIGPIPE when systemd goes away.
            let flags = nix::sys::socket::MsgFlags::MSG_NOSIGNAL;
            match nix::sys::socket::send(
                std::os::fd::AsRawFd::as_raw_fd(&self.socket),
                bytes,
                flags,
            ) {
                Ok(n) => bytes = &bytes[n..],
                Err(Errno::EAGAIN) => self.wait(PollFlags::POLLOUT)?,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(self.lost("write to", errno)),
            }
        }
        Ok(())
    }

    fn time_left(&self) -> Result<Duration, Failure> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::Late(format!("{} did not answer in time", self.peer)));
        }
        Ok(left)
    }

    fn wait(&self, what: PollFlags) -> Result<(), Failure> {
        let left = self.time_left()?;
        let mut fds = [PollFd::new(self.socket.as_fd(), what)];
        // poll(2) counts in whole milliseconds: rounded up, or the last one would be spent in a busy loop.
        let timeout = PollTimeout::try_from(left + Duration::from_millis(1));
        match poll(&mut fds, timeout.unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(self.lost("poll", errno)),
        }
    }

    fn lost(&self, op: &str, errno: Errno) -> Failure {
        Failure::Unreachable(format!("{op} {}: {}", self.peer, crate::error::errno_text(errno)))
    }
}

/// A unit's name as a part of an object's path, as sd_bus_path_encode(3) spells it.
fn label(name: &str) -> String {
    let plain =
        |at: usize, byte: u8| byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit());
    let spell = |(at, byte): (usize, u8)| match plain(at, byte) {
        true => char::from(byte).to_string(),
        false => format!("_{byte:02x}"),
    };
    name.bytes().enumerate().map(spell).collect()
}

/// A non-blocking socket that is connected to `address`.
fn connect_to(address: &Address, deadline: Instant) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let name = match address {
        Address::Private(path) | Address::Bus(path) => UnixAddr::new(path)?,
        Address::AbstractBus(name) => UnixAddr::new_abstract(name.as_bytes())?,
    };
    loop {
        match connect(std::os::fd::AsRawFd::as_raw_fd(&fd), &name) {
            // Its queue of connections is full: systemd is busy.
            Err(Errno::EAGAIN) if Instant::now() < deadline => std::thread::sleep(QUEUE_WAIT),
            Err(Errno::EINTR) => {}
            other => return other.map(|()| fd),
        }
    }
}

#[cfg(test)]
mod tests;
