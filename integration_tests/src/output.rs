//! Child processes that always end: output goes to files, so that a container which holds the
//! descriptors open cannot keep the reader waiting, and a deadline kills the whole group.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::RwLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time for one call of the runtime; generous, as the host may be busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// What a finished child said.
#[derive(Debug, Clone)]
pub struct Output {
    /// The command line, for messages.
    pub command: String,
    /// Exit status, or 128 + signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Panics unless the status is 0; gives standard output.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert_eq!(self.code, 0, "{self}");
        &self.stdout
    }

    /// Panics unless the status is `code`.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "expected status {code}: {self}");
        self
    }

    /// Panics unless the call failed as a runtime error does, with each text in its message.
    #[track_caller]
    pub fn fails_with(&self, texts: &[&str]) -> &Self {
        assert_ne!(self.code, 0, "expected a failure: {self}");
        assert!(!self.stderr.contains("panicked at"), "{self}");
        // The text log format quotes the message and escapes the quotes in it.
        let plain = self.stderr.replace('\\', "");
        for text in texts {
            assert!(plain.contains(text), "expected {text:?} in the message: {self}");
        }
        self
    }

    /// Panics unless every line of `runtimetest check` is good.
    #[track_caller]
    pub fn checked(&self) -> &Self {
        let bad: Vec<&str> = self.stdout.lines().filter(|l| l.starts_with("not ok")).collect();
        assert!(bad.is_empty(), "runtimetest found:\n{}\n{}", bad.join("\n"), self.stderr);
        assert!(self.stdout.contains(" passed, 0 failed"), "runtimetest did not finish: {self}");
        self
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, stdout, stderr } = self;
        write!(f, "{command}\nstatus {code}\nstdout: {stdout}\nstderr: {stderr}")
    }
}

/// Runs with no input and the usual deadline.
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    run_in(command, Stdio::null(), DEADLINE)
}

/// Runs to the end or to the deadline, which is a panic.
#[track_caller]
pub fn run_in(command: &mut Command, stdin: Stdio, deadline: Duration) -> Output {
    let text = format!("{command:?}");
    let (mut out, mut err) = (scratch(), scratch());
    command.stdin(stdin).stdout(dup(&out)).stderr(dup(&err));
    match wait(command, deadline) {
        Some(code) => {
            Output { command: text, code, stdout: read(&mut out), stderr: read(&mut err) }
        }
        None => panic!(
            "{text}: not done after {deadline:?}\nstdout: {}\nstderr: {}",
            read(&mut out),
            read(&mut err)
        ),
    }
}

/// Runs with both outputs going to one file; gives the status.
#[track_caller]
pub(crate) fn run_to(command: &mut Command, file: &fs::File, deadline: Duration) -> i32 {
    command.stdin(Stdio::null()).stdout(dup(file)).stderr(dup(file));
    wait(command, deadline).unwrap_or_else(|| panic!("{command:?}: not done after {deadline:?}"))
}

fn dup(file: &fs::File) -> Stdio {
    Stdio::from(file.try_clone().unwrap_or_else(|e| panic!("dup: {e}")))
}

/// Starts in a process group of its own and waits; none when the deadline passed and the group was killed.
#[track_caller]
fn wait(command: &mut Command, deadline: Duration) -> Option<i32> {
    let spawned = {
        let _guard = PROGRAMS.read();
        command.process_group(0).spawn()
    };
    let mut child = spawned.unwrap_or_else(|e| panic!("start {command:?}: {e}"));
    let end = Instant::now() + deadline;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                return Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)));
            }
            Ok(None) if Instant::now() > end => break,
            Ok(None) => sleep(Duration::from_millis(2)),
            Err(why) => panic!("wait for {command:?}: {why}"),
        }
    }
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    let _ = child.wait();
    None
}

/// A program that is open for writing in any process cannot be executed, and a child that another
/// thread is just starting holds every descriptor of ours until its execve.
static PROGRAMS: RwLock<()> = RwLock::new(());

/// Copies a program so that it can be executed at once.
pub fn copy_program(from: &Path, to: &Path) {
    let _guard = PROGRAMS.write();
    fs::copy(from, to)
        .unwrap_or_else(|e| panic!("copy {} to {}: {e}", from.display(), to.display()));
}

/// An unlinked file of our own.
fn scratch() -> fs::File {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("onggi-out-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let file = fs::OpenOptions::new().read(true).append(true).create_new(true).open(&path);
    let file = file.unwrap_or_else(|e| panic!("make {}: {e}", path.display()));
    let _ = fs::remove_file(&path);
    file
}

fn read(file: &mut fs::File) -> String {
    let mut bytes = Vec::new();
    let done = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes));
    done.map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Polls until the condition holds; panics with `what` after half a minute, which a loaded machine may need.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "waited {} seconds for {what}", DEADLINE.as_secs());
        sleep(Duration::from_millis(5));
    }
}

/// What a child ends with; `None` when it takes longer than `time`. It does not outlive the call.
pub fn ends_within(mut child: Child, time: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + time;
    let status = loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < end => sleep(Duration::from_millis(20)),
            status => break status,
        }
    };
    let _ = (child.kill(), child.wait());
    status.expect("wait for a child")
}
