//! Device rules on the real kernel: what they forbid, and that changing them never forbids what they allow.

mod common;
#[path = "../src/devices/testing.rs"]
mod testing;
/// Under the name by which the sources know it.
mod model {
    pub(crate) use libcgroups::{Access, DeviceKind, DeviceRule};
}

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Own, skip};
use libcgroups::{DeviceKind, DeviceRule, Mode, Resources, Result};
use nix::errno::Errno;
use nix::sys::stat::{Mode as Bits, SFlag, makedev, mknod};
use nix::unistd::{AccessFlags, access};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use testing::{any_rule, naive, rule};

/// With this in its environment, [`prober`] is no test but a process to be put in a cgroup.
const PROBER: &str = "ONGGI_TEST_PROBER";
/// Before each of its answers, to tell them from what the test program itself prints.
const ANSWER: &str = "= ";

fn apply(own: &Own, rules: &[DeviceRule]) -> Result<()> {
    own.cgroup.apply(&Resources { devices: rules.to_vec(), ..Resources::default() })
}

/// A cgroup where device rules can be set, and a prober in it.
fn with_prober() -> Option<(Own, Prober)> {
    let own = Own::create()?;
    if let Err(e) = apply(&own, &[rule(false, "a *:* rwm")]) {
        assert!(e.is_permission(), "{e}");
        skip(&e.to_string());
        return None;
    }
    let prober = Prober::new();
    own.cgroup.join(prober.child.id().try_into().expect("pid"), false).expect("join");
    Some((own, prober))
}

/// A process that says what it may do with devices; gone at the end of the test, with its nodes.
struct Prober {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
    dir: PathBuf,
}

impl Prober {
    fn new() -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("onggi-prober-{}-{n}", std::process::id()));
        std::fs::create_dir(&dir).expect("mkdir");
        let mut child = Command::new(std::env::current_exe().expect("own path"))
            .args(["--exact", "prober", "--nocapture", "--test-threads=1"])
            .env(PROBER, &dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("prober");
        let answers = BufReader::new(child.stdout.take().expect("stdout"));
        Self { child, answers, dir }
    }

    fn ask(&mut self, question: &str) -> String {
        writeln!(self.child.stdin.as_mut().expect("stdin"), "{question}").expect("ask");
        loop {
            let mut line = String::new();
            assert_ne!(self.answers.read_line(&mut line).expect("answer"), 0, "the prober died");
            if let Some(answer) = line.trim_end().strip_prefix(ANSWER) {
                return answer.to_owned();
            }
        }
    }

    /// Whether all of `letters` is allowed to the device, `c 1:3` for example. Nothing is opened.
    fn may(&mut self, device: &str, letters: &str) -> bool {
        let node = self.dir.join(device.replace([' ', ':'], "-"));
        if !node.exists() {
            make(&node, device).expect("mknod");
        }
        match self.ask(&format!("{device} {letters}")).as_str() {
            "yes" => true,
            "EPERM" => false,
            other => panic!("{device} {letters}: {other}"),
        }
    }

    /// Begins to open the file again and again.
    fn begin(&mut self, path: &str) {
        assert_eq!(self.ask(&format!("begin {path}")), "begun");
    }

    /// How often it was opened since, and how often it was refused.
    fn end(&mut self) -> (u64, u64) {
        let answer = self.ask("end");
        let (opened, refused) = answer.split_once(' ').expect("two numbers");
        (opened.parse().expect("number"), refused.parse().expect("number"))
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn make(path: &Path, device: &str) -> nix::Result<()> {
    let rule = rule(true, &format!("{device} r"));
    let kind = if rule.kind == DeviceKind::Block { SFlag::S_IFBLK } else { SFlag::S_IFCHR };
    let number = makedev(rule.major.expect("major").into(), rule.minor.expect("minor").into());
    mknod(path, kind, Bits::from_bits_truncate(0o666), number)
}

/// The other side of [`Prober`].
#[test]
fn prober() {
    let Some(dir) = std::env::var_os(PROBER).map(PathBuf::from) else { return };
    let mut looping = None;
    for line in std::io::stdin().lines() {
        let line = line.expect("question");
        let answer = match line.rsplit_once(' ') {
            Some(("begin", path)) => {
                looping = Some(open_in_a_loop(path.into()));
                "begun".to_owned()
            }
            Some((device, letters)) => match probe(&dir, device, letters) {
                Ok(()) => "yes".to_owned(),
                Err(errno) => format!("{errno:?}"),
            },
            None => {
                let (stop, thread) = looping.take().expect("begin before end");
                stop.store(true, Ordering::Relaxed);
                let (opened, refused) = thread.join().expect("loop");
                format!("{opened} {refused}")
            }
        };
        println!("\n{ANSWER}{answer}");
    }
}

/// access(2) asks for the same rights as open(2), and needs no driver for the device.
fn probe(dir: &Path, device: &str, letters: &str) -> nix::Result<()> {
    if letters == "m" {
        let path = dir.join("new");
        make(&path, device)?;
        return nix::unistd::unlink(&path);
    }
    let mut mode = AccessFlags::empty();
    mode.set(AccessFlags::R_OK, letters.contains('r'));
    mode.set(AccessFlags::W_OK, letters.contains('w'));
    access(&dir.join(device.replace([' ', ':'], "-")), mode)
}

type Loop = (Arc<AtomicBool>, std::thread::JoinHandle<(u64, u64)>);

fn open_in_a_loop(path: PathBuf) -> Loop {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let thread = std::thread::spawn(move || {
        let (mut opened, mut refused) = (0, 0);
        while !stopped.load(Ordering::Relaxed) {
            match std::fs::File::open(&path) {
                Ok(_) => opened += 1,
                Err(e) if e.raw_os_error() == Some(nix::libc::EPERM) => refused += 1,
                Err(e) => panic!("{}: {e}", path.display()),
            }
        }
        (opened, refused)
    });
    (stop, thread)
}

#[test]
fn rules_are_felt() {
    let Some((own, mut prober)) = with_prober() else { return };
    let deny = rule(false, "a *:* rwm");
    let mut may = |list: &[DeviceRule]| {
        apply(&own, list).expect("apply");
        [("c 1:5", "rw"), ("c 1:7", "r"), ("c 1:7", "w"), ("b 1:7", "m")]
            .map(|(d, l)| prober.may(d, l))
    };
    assert_eq!(may(std::slice::from_ref(&deny)), [false; 4]);
    let zero = rule(true, "c 1:5 rwm");
    let full = rule(true, "c 1:7 r");
    assert_eq!(may(&[deny.clone(), zero.clone(), full.clone()]), [true, true, false, false]);
    assert_eq!(may(&[deny.clone(), full]), [false, true, false, false]);
    assert_eq!(may(&[deny, zero]), [true, false, false, false]);
    assert_eq!(may(&[rule(true, "a *:* rwm")]), [true; 4]);
    assert_eq!(may(&[rule(true, "a *:* rwm"), rule(false, "c *:7 w")]), [true, true, false, true]);
}

#[test]
fn the_kernel_means_what_the_rules_mean() {
    let Some((own, prober)) = with_prober() else { return };
    let prober = std::cell::RefCell::new(prober);
    let config = Config { cases: 100, failure_persistence: None, ..Config::default() };
    let lists = prop::collection::vec(any_rule(), 1..12);
    let result = TestRunner::new(config).run(&lists, |rules| {
        match apply(&own, &rules) {
            Err(e) if e.to_string().contains("cgroup v1 cannot except") => return Ok(()),
            other => other.expect("apply"),
        }
        for (letter, kind) in [('c', DeviceKind::Char), ('b', DeviceKind::Block)] {
            for (major, minor) in [(0, 1), (1, 0), (1, 1), (1, 7), (7, 1), (7, 7)] {
                for letters in ["r", "w", "rw", "m"] {
                    let device = format!("{letter} {major}:{minor}");
                    let expected = naive(&rules, kind, major, minor, testing::access(letters));
                    let felt = prober.borrow_mut().may(&device, letters);
                    prop_assert_eq!(felt, expected, "{} {}", device, letters);
                }
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|e| panic!("{e}"));
}

/// Lists that all allow reading zero (1:5), by one rule or another.
fn lists() -> [Vec<DeviceRule>; 6] {
    let deny = || rule(false, "a *:* rwm");
    [
        vec![deny(), rule(true, "c 1:5 rwm")],
        vec![deny(), rule(true, "c 1:* rw"), rule(true, "c 136:* rwm")],
        vec![deny(), rule(true, "c *:5 r"), rule(true, "b 7:* rwm")],
        vec![deny(), rule(true, "c 1:5 r"), rule(true, "c 1:7 rw"), rule(true, "c *:* m")],
        vec![rule(true, "a *:* rwm")],
        vec![rule(true, "a *:* rwm"), rule(false, "c 1:11 rw"), rule(false, "b *:* w")],
    ]
}

#[test]
fn what_stays_allowed_is_never_refused() {
    let Some((own, mut prober)) = with_prober() else { return };
    let lists = lists();
    apply(&own, &lists[0]).expect("apply");
    prober.begin("/dev/zero");
    // v1 changes its default with the processes frozen, which takes its time.
    let quick = if own.cgroup.mode() == Mode::V2 { &lists[..] } else { &lists[..4] };
    // Nor has an emulated machine time for all.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    for list in quick.iter().cycle().take(10_000) {
        apply(&own, list).expect("apply");
        if std::time::Instant::now() > end {
            break;
        }
    }
    for list in lists.iter().cycle().take(300) {
        apply(&own, list).expect("apply");
    }
    assert_eq!(own.cgroup.is_frozen(), Ok(false));
    let (opened, refused) = prober.end();
    assert!(opened > 1000, "{opened}");
    assert_eq!(refused, 0, "of {opened}");

    // The same loop does see what is taken away.
    apply(&own, &[rule(false, "a *:* rwm"), rule(true, "c 1:3 rwm")]).expect("apply");
    assert!(!prober.may("c 1:5", "r"));
    prober.begin("/dev/zero");
    std::thread::sleep(std::time::Duration::from_millis(100));
    let (opened, refused) = prober.end();
    assert!(opened == 0 && refused > 0, "{opened} {refused}");
}

#[test]
fn a_frozen_cgroup_stays_frozen() {
    let Some((own, prober)) = with_prober() else { return };
    own.cgroup.freeze().expect("freeze");
    for list in &lists() {
        apply(&own, list).expect("apply");
        assert_eq!(own.cgroup.is_frozen(), Ok(true));
    }
    own.cgroup.thaw().expect("thaw");
    drop(prober);
}

/// The device programs of a v2 cgroup.
fn programs(own: &Own) -> Vec<u32> {
    let dir = own.cgroup.v2().expect("v2").dir();
    let fd = std::fs::File::open(dir).expect("open");
    sys::bpf::device_programs(fd.as_fd()).expect("query")
}

/// On a v2 host, where rules can be set.
fn on_v2() -> Option<Own> {
    let own = Own::create()?;
    if own.cgroup.mode() != Mode::V2 {
        skip("device rules are v1's here");
        return None;
    }
    Some(own)
}

#[test]
fn programs_do_not_pile_up() {
    let Some(own) = on_v2() else { return };
    let fd = std::fs::File::open(own.cgroup.v2().expect("v2").dir()).expect("open");
    // One of somebody else's, that allows everything; and one of ours from before there were tables.
    let insns = [sys::bpf::Insn::new(0xb7, 0, 0, 0, 1), sys::bpf::Insn::new(0x95, 0, 0, 0, 0)];
    for name in ["other", "onggi_devices"] {
        let program = sys::bpf::load_device_program(&insns, name).expect("load");
        sys::bpf::attach_device_program(fd.as_fd(), program.as_fd(), None).expect("attach");
    }
    let [other, former] = programs(&own)[..] else { panic!("not two") };
    for list in lists().iter().filter(|list| list.len() > 1) {
        apply(&own, list).expect("apply");
        let now = programs(&own);
        assert_eq!((now.len(), now[0]), (2, other));
        assert_ne!(now[1], former);
    }
    apply(&own, &[rule(true, "a *:* rwm")]).expect("apply");
    assert_eq!(programs(&own), [other], "ours is gone, theirs stays");
    apply(&own, &[rule(true, "c 1:3 r")]).expect("apply");
    assert_eq!(programs(&own).len(), 2);
}

#[test]
fn updates_at_the_same_time() {
    let Some(own) = on_v2() else { return };
    let lists = lists();
    apply(&own, &lists[0]).expect("apply");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let work =
                || lists[..4].iter().cycle().take(200).try_for_each(|list| apply(&own, list));
            scope.spawn(move || work().expect("apply"));
        }
    });
    assert_eq!(programs(&own).len(), 1);
}

#[test]
fn too_many_rules_are_told() {
    let Some(own) = on_v2() else { return };
    let rules: Vec<_> = (0..2000).map(|n| rule(true, &format!("c 1:{n} rwm"))).collect();
    let e = apply(&own, &rules).expect_err("too many");
    assert!(e.to_string().starts_with("set device rules: they tell more than 1024 "), "{e}");
    assert_eq!(e.errno(), None::<Errno>);
    apply(&own, &rules[..1024]).expect("as many as can be");
    assert_eq!(programs(&own).len(), 1);
}
