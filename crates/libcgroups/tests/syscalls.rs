//! How many system calls one cgroup costs: this program is run again and stopped at each (ptrace(2)).

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use common::{Own, char_rule, skip};
use libcgroups::{Access, Cpu, Cpuset, Layout, Memory, Mode, Resources};
use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgid, gettid};

/// Set for the process whose calls are counted.
const COUNTED: &str = "ONGGI_COUNTED";
/// Most that making, limiting and removing may take on v2.
const MOST: usize = 80;

#[test]
fn of_one_cgroup() {
    if std::env::var_os(COUNTED).is_some() {
        return work();
    }
    if Layout::detect().map(|layout| layout.mode()) != Ok(Mode::V2) || Own::resolve().is_none() {
        return skip("no v2 host, or not root");
    }
    let mut child = Counted::spawn();
    match child.count() {
        Ok(counts) => {
            let [detect, create, limit, remove] = counts[..] else { panic!("{counts:?}") };
            let all = create + limit + remove;
            println!(
                "system calls: {detect} to find the hierarchies; {all} for one cgroup: {create} to make, \
                 {limit} to limit, {remove} to remove"
            );
            assert!(all <= MOST, "{all} system calls, at most {MOST} are wanted");
            assert!(detect > 4 && create > 2 && limit > 2 && remove > 0, "nothing was counted");
        }
        Err(Errno::EPERM) => skip("ptrace is not allowed"),
        Err(errno) => panic!("ptrace: {errno}"),
    }
}

/// What is counted, in parts that begin and end with a call that nothing else makes.
fn work() {
    let mark = || {
        let _ = getpgid(None);
    };
    let own = Own::resolve().expect("resolve");
    let limits = limits(&own);
    println!("thread {}", gettid());
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("word to go");
    mark();
    let layout = Layout::detect();
    mark();
    let mut own = own;
    let made = own.cgroup.create();
    mark();
    let limited = own.cgroup.apply(&limits);
    mark();
    let removed = own.cgroup.remove();
    mark();
    assert_eq!(layout.map(|l| l.mode()), Ok(Mode::V2));
    assert_eq!((made, limited, removed), (Ok(()), Ok(()), Ok(())));
}

/// What engines usually set, as far as this host has the controllers.
fn limits(own: &Own) -> Resources {
    let available = std::fs::read_to_string(
        own.cgroup.v2().expect("v2").mount_point.join("cgroup.controllers"),
    );
    let available = available.expect("controllers");
    let has = |name: &str| available.split_whitespace().any(|other| other == name);
    let mut limits = Resources::default();
    if has("memory") {
        limits.memory = Memory {
            limit: Some(64 << 20),
            swap: Some(128 << 20),
            reservation: Some(32 << 20),
            ..Memory::default()
        };
    }
    if has("cpu") {
        let (shares, quota, period) = (Some(512), Some(50_000), Some(100_000));
        limits.cpu = Cpu { shares, quota, period, ..Cpu::default() };
    }
    if has("cpuset") {
        limits.cpuset = Cpuset { cpus: Some("0".into()), mems: Some("0".into()) };
    }
    limits.pids_limit = has("pids").then_some(100);
    let rwm = Access { read: true, write: true, mknod: true };
    limits.devices = vec![
        char_rule(false, None, rwm),
        char_rule(true, Some((1, 3)), rwm),
        char_rule(true, Some((1, 5)), rwm),
    ];
    limits
}

/// The process that is counted, gone at the end of the test.
struct Counted(Child);

impl Counted {
    fn spawn() -> Self {
        let program = std::env::current_exe().expect("own path");
        let mut command = Command::new(program);
        command.args(["--exact", "of_one_cgroup", "--nocapture"]).env(COUNTED, "1");
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("spawn"))
    }

    /// Calls in each part.
    fn count(&mut self) -> nix::Result<Vec<usize>> {
        // Open to the end: it goes on printing.
        let mut output = BufReader::new(self.0.stdout.take().expect("stdout"));
        let thread = output.by_ref().lines().map_while(Result::ok).find_map(|line| {
            line.split_once("thread ").and_then(|(_, number)| number.parse().ok())
        });
        let thread = Pid::from_raw(thread.expect("number of the thread"));
        ptrace::seize(thread, ptrace::Options::PTRACE_O_TRACESYSGOOD)?;
        ptrace::interrupt(thread)?;
        waitpid(thread, Some(WaitPidFlag::__WALL))?;
        self.0.stdin.take().expect("stdin").write_all(b"go\n").expect("go");
        let mut parts: Vec<usize> = Vec::new();
        let mut entering = true;
        let mut signal: Option<Signal> = None;
        loop {
            ptrace::syscall(thread, signal.take())?;
            match waitpid(thread, Some(WaitPidFlag::__WALL))? {
                WaitStatus::PtraceSyscall(_) if entering => {
                    if number(thread)? == libc::SYS_getpgid {
                        parts.push(0);
                    } else if let Some(part) = parts.last_mut() {
                        *part += 1;
                    }
                    entering = false;
                }
                WaitStatus::PtraceSyscall(_) => entering = true,
                WaitStatus::Stopped(_, other) => signal = Some(other),
                WaitStatus::PtraceEvent(..) => {}
                WaitStatus::Exited(..) | WaitStatus::Signaled(..) => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(self.0.wait().expect("wait").success(), "what was counted failed");
        // The last mark opens a part that nobody wants to know of.
        parts.pop();
        Ok(parts)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The number of the call that the thread is about to make.
fn number(thread: Pid) -> nix::Result<libc::c_long> {
    let regs = ptrace::getregs(thread)?;
    #[cfg(target_arch = "x86_64")]
    let number = regs.orig_rax;
    #[cfg(target_arch = "aarch64")]
    let number = regs.regs[8];
    Ok(number.cast_signed())
}
