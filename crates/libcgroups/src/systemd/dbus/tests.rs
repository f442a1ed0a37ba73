use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;

use super::*;

/// A socket with one caller, whom `talk` treats as it likes.
struct Peer {
    path: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    fn new(name: &str, talk: impl FnOnce(UnixStream) + Send + 'static) -> Self {
        let path = std::env::temp_dir().join(format!("onggi-dbus-{}-{name}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("bind");
        let thread = std::thread::spawn(move || talk(listener.accept().expect("accept").0));
        Self { path, thread: Some(thread) }
    }

    fn connect(&self, patience: Duration) -> Result<Connection, Failure> {
        Connection::to(&Address::Private(self.path.clone()), Instant::now() + patience)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

const SHORT: Duration = Duration::from_millis(100);
/// For one who is to be greeted first, which takes its time on a loaded machine.
const GREETED: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(20);

fn unreachable<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    match result.expect_err("a failure") {
        Failure::Unreachable(text) | Failure::Late(text) => text,
        other => panic!("{other:?}"),
    }
}

/// Reads until the other side hangs up.
fn drain(mut stream: UnixStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn one_that_never_answers() {
    let peer = Peer::new("silent", drain);
    let begin = Instant::now();
    let text = unreachable(peer.connect(SHORT));
    assert!(text.ends_with("did not answer in time"), "{text}");
    assert!(begin.elapsed() >= SHORT && begin.elapsed() < LONG);
}

#[test]
fn one_that_stops_answering() {
    let peer = Peer::new("stopped", |mut stream| {
        stream.write_all(b"DATA\r\nOK 0\r\n").expect("write");
        drain(stream);
    });
    let mut connection = peer.connect(GREETED).expect("greeted");
    let text = unreachable(connection.manager("StopUnit", &[Value::text("x.scope")]));
    assert!(text.ends_with("did not answer in time"), "{text}");
}

#[test]
fn one_that_talks_of_other_things_for_ever() {
    let peer = Peer::new("talker", |mut stream| {
        stream.write_all(b"DATA\r\nOK 0\r\n").expect("write");
        // Signals without anything in them.
        let signals = b"l\x04\0\x01\0\0\0\0\x01\0\0\0\0\0\0\0".repeat(4096);
        while stream.write_all(&signals).is_ok() {}
    });
    let begin = Instant::now();
    let mut connection = peer.connect(GREETED).expect("greeted");
    let text = unreachable(connection.manager("StopUnit", &[Value::text("x.scope")]));
    assert!(text.ends_with("did not answer in time"), "{text}");
    assert!(begin.elapsed() < LONG);
}

#[test]
fn ones_that_are_no_systemd() {
    let cases: [(&str, &'static [u8], &str); 4] = [
        ("gone", b"", "hung up"),
        ("rejects", b"REJECTED EXTERNAL\r\n", "does not let this user in: \"REJECTED EXTERNAL\""),
        ("talks", &[b'x'; 5000], "does not speak D-Bus"),
        ("breaks", b"DATA\r\nOK 0\r\nHTTP/1.1 400 Bad Request\r\n\r\n", "unknown byte order"),
    ];
    for (name, answer, expected) in cases {
        let peer = Peer::new(name, move |mut stream| {
            let _ = stream.write_all(answer);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            drain(stream);
        });
        let result = peer.connect(LONG).and_then(|mut c| c.manager("GetUnit", &[]));
        let text = unreachable(result);
        assert!(text.ends_with(expected), "{name}: {text}");
    }
}

#[test]
fn nobody_there() {
    let path = std::env::temp_dir().join("onggi-dbus-nobody");
    let text = unreachable(Connection::to(&Address::Bus(path), Instant::now() + SHORT));
    assert!(
        text.starts_with("connect to ") && text.ends_with(": no such file or directory"),
        "{text}"
    );
}

#[test]
fn labels() {
    assert_eq!(label("onggi-a.scope"), "onggi_2da_2escope");
    assert_eq!(label("0a0"), "_30a0");
}
