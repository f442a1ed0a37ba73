//! Between the runtime and systemd: what they say to each other can be counted, kept back, or made to wait.

use crate::bundle::Bundle;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// Where systemd listens itself, see the messages of `busctl --address`.
const SYSTEMD: &str = "/run/systemd/private";

/// The runtime where `socket` stands for both of systemd's, or where they are none. Needs root.
pub fn without_systemd(bundle: &Bundle, socket: Option<&Path>, words: &[&str]) -> Command {
    let command = bundle.command(words);
    let source = socket.unwrap_or(Path::new("/dev/null"));
    let script = "mount --bind \"$0\" /run/systemd/private && mount --bind \"$0\" /run/dbus/system_bus_socket && exec \"$@\"";
    let mut outer = Command::new("unshare");
    outer.args(["--mount", "sh", "-c", script]).arg(source).arg(command.get_program());
    outer.args(command.get_args()).current_dir(bundle.dir());
    for (name, value) in command.get_envs() {
        value.map(|value| outer.env(name, value));
    }
    outer
}

/// Whether a message arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is passed on, as soon as the test has said so.
    Pass,
    /// It is lost.
    Lose,
}

type Judge = dyn Fn(&str) -> Fate + Send + Sync;

/// What [`Proxy`] calls a message without a name: an answer.
pub const ANSWER: &str = "";

/// A socket that passes on what is said to systemd and back, but for what `judge` keeps; it is asked with the name of
/// each method and signal, and [`ANSWER`].
pub struct Proxy {
    path: PathBuf,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Listens in the bundle's directory.
    pub fn new(bundle: &Bundle, judge: impl Fn(&str) -> Fate + Send + Sync + 'static) -> Self {
        let path = bundle.dir().join("proxy");
        let listener = UnixListener::bind(&path).expect("bind the proxy's socket");
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (seen, judge): (_, Arc<Judge>) = (Arc::clone(&calls), Arc::new(judge));
        // The threads end with their connections, the first one with the test program.
        std::thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                let systemd = UnixStream::connect(SYSTEMD).expect("connect to systemd");
                let back = (systemd.try_clone().expect("dup"), caller.try_clone().expect("dup"));
                let (to_systemd, to_caller) = (Arc::clone(&judge), Arc::clone(&judge));
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || {
                    pass_on(caller, systemd, "BEGIN\r\n", |member| {
                        seen.lock().expect("list").push(member.to_owned());
                        to_systemd(member)
                    });
                });
                std::thread::spawn(move || pass_on(back.0, back.1, "OK ", |m| to_caller(m)));
            }
        });
        Self { path, calls }
    }

    /// The runtime, with this socket for systemd's.
    pub fn command(&self, bundle: &Bundle, words: &[&str]) -> Command {
        without_systemd(bundle, Some(&self.path), words)
    }

    /// The methods that were called since the last time.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().expect("list"))
    }
}

/// Copies a greeting, up to the end of the line with `last`, then message by message.
fn pass_on(mut from: UnixStream, mut to: UnixStream, last: &str, judge: impl Fn(&str) -> Fate) {
    let mut bytes = Vec::new();
    let mut greeting = true;
    let mut chunk = [0; 65536];
    while let Ok(n @ 1..) = from.read(&mut chunk) {
        bytes.extend_from_slice(&chunk[..n]);
        if greeting {
            let begin = bytes.windows(last.len()).position(|part| part == last.as_bytes());
            let end =
                begin.and_then(|at| bytes[at..].iter().position(|b| *b == b'\n').map(|n| at + n));
            let _ = to.write_all(&bytes[..end.map_or(0, |end| end + 1)]);
            bytes.drain(..end.map_or(0, |end| end + 1));
            greeting = end.is_none();
        }
        while let Some(length) = message_length(&bytes).filter(|n| !greeting && *n <= bytes.len()) {
            let message: Vec<u8> = bytes.drain(..length).collect();
            let fate = judge(member(&message).as_deref().unwrap_or(ANSWER));
            if fate == Fate::Pass && to.write_all(&message).is_err() {
                break;
            }
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_le_bytes(word) as usize)
}

/// The length of the message (D-Bus Specification, "Message Format") that begins here; little-endian ones only.
fn message_length(bytes: &[u8]) -> Option<usize> {
    Some((16 + number(bytes, 12)?).next_multiple_of(8) + number(bytes, 4)?)
}

/// The name of the method or signal.
fn member(message: &[u8]) -> Option<String> {
    // Header fields begin at multiples of 8: the code of the field, and the signature of its value.
    let at =
        (16..message.len()).step_by(8).find(|at| message[*at..].starts_with(b"\x03\x01s\0"))?;
    let length = number(message, at + 4)?;
    String::from_utf8(message.get(at + 8..at + 8 + length)?.to_vec()).ok()
}
