//! Random profiles, compiled by us and by libseccomp, asked the same questions. What differs must be in the table of
//! [`Reason`]s.
//!
//! `FUZZ_SECONDS` makes it run as long (`make fuzz`), `FUZZ_SEED` starts elsewhere. Profiles are counted from the
//! seed, so the number that a failure names, given as the seed, is that profile at once.
#![cfg(target_env = "gnu")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::cast_precision_loss, reason = "shares are printed")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use common::generate::{Generator, Random};
use common::library::{self, name};
use common::plain::{Answers, Plain};
use common::pseudo::Pseudo;
use common::{Call, ENOSYS, verdict};
use seccomp::{Arch, ArgCondition, Error, Insn, Op, Profile, compile};

/// Where the short form begins: no profile of it makes libseccomp 2.5 or 2.6 hang.
const FIRST: u64 = 1000;

/// Profiles of the short form.
const SHORT: u64 = 1500;

/// How long a profile takes at most, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why an answer may be another than that of libseccomp's program with runc's answer for newer calls before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// runc takes a call for newer than the profile though the profile names it, by way of a multiplexer.
    Multiplexed,
    /// libseccomp's program says something else than libseccomp's own text of the same filter.
    Program,
    /// libseccomp answers what no rule says: its tree shares parts of rules that differ, or drops rules.
    NoRule,
    /// Rules contradict each other, and bounds are among their conditions: see `tangled`.
    Order,
    /// libseccomp refuses the profile; only that one of the matching rules answers is checked.
    Refused,
}

/// Both compilers' results for one profile.
struct Pair<'a> {
    plain: Plain<'a>,
    ours: Vec<Insn>,
    theirs: Option<(Vec<Insn>, Pseudo)>,
    stub: library::Stub,
}

impl<'a> Pair<'a> {
    fn new(profile: &'a Profile, native: Arch) -> Result<Self, Error> {
        let ours = compile(profile, native)?.instructions;
        // As runc does: the search tree for long profiles alone.
        let entries = profile.rules.iter().map(|rule| rule.names.len()).sum::<usize>();
        let level = if entries > 32 { 2 } else { 1 };
        let theirs = library::filter(profile, native).and_then(|mut filter| {
            let pseudo = library::pseudo(&filter)?;
            Some((library::bpf_optimized(&mut filter, native, level), pseudo))
        });
        let stub = library::Stub::new(profile, native);
        Ok(Self { plain: Plain::new(profile, native), ours, theirs, stub })
    }

    /// Nothing when both say the same.
    fn compare(&self, arch: Arch, call: &Call) -> Result<Option<Reason>, String> {
        let ours = verdict(&self.ours, call);
        let answers = self.plain.answers(call);
        if !answers.any.contains(&ours) {
            return Err(format!(
                "{ours:#x} is the answer of no rule, those are {:x?}",
                answers.any
            ));
        }
        let Some((program, pseudo)) = &self.theirs else {
            return Ok((answers.any.len() > 1).then_some(Reason::Refused));
        };
        if self.stub.hits(call) {
            return if ours == ENOSYS { Ok(None) } else { Err(format!("{ours:#x}, not ENOSYS")) };
        }
        let does = verdict(program, call);
        if ours == does {
            let denied = answers.by_runc.is_some_and(|by_runc| by_runc != ours);
            return Ok(denied.then_some(Reason::Multiplexed));
        }
        let means = pseudo.verdict(&name(arch), call);
        if ours == means {
            Ok(Some(Reason::Program))
        } else if !answers.any.contains(&means) {
            Ok(Some(Reason::NoRule))
        } else if tangled(&answers) {
            Ok(Some(Reason::Order))
        } else {
            Err(format!("{ours:#x}, by libseccomp {does:#x}, meant {means:#x}"))
        }
    }
}

/// Where libseccomp's order of contradicting rules is no order: of two bounds on one 64-bit argument it takes one where
/// the high half decides and the other where the low half does; and with bounds among several conditions one rule's
/// tree grows out of another's.
fn tangled(answers: &Answers) -> bool {
    let rules = &answers.conditional;
    let bound = |condition: &&ArgCondition| !matches!(condition.op, Op::Equal | Op::MaskedEqual);
    let several = rules.iter().any(|rule| rule.len() > 1);
    let bounds: Vec<_> = rules.iter().flatten().filter(bound).collect();
    let twice = |index| bounds.iter().filter(|condition| condition.index == index).count() > 1;
    several && !bounds.is_empty() || answers.wide && (0..6).any(twice)
}

/// One profile's figures, as a worker tells them.
#[derive(Default)]
struct Tally {
    profiles: usize,
    refused: usize,
    too_long: usize,
    calls: usize,
    reasons: [usize; REASONS.len()],
}

const REASONS: [Reason; 5] =
    [Reason::Multiplexed, Reason::Program, Reason::NoRule, Reason::Order, Reason::Refused];

impl Tally {
    /// Compares one profile.
    fn of(generator: &Generator, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (profile, native) = generator.profile(&mut random);
        let mut tally = Self { profiles: 1, ..Self::default() };
        let pair = match Pair::new(&profile, native) {
            Ok(pair) => pair,
            Err(Error::TooLong { .. }) => return Self { too_long: 1, ..tally },
            Err(error) => panic!("FUZZ_SEED={seed}: {error}: {profile:?}"),
        };
        tally.refused = usize::from(pair.theirs.is_none());
        for (arch, call) in generator.calls(&mut random, &profile, native) {
            tally.calls += 1;
            match pair.compare(arch, &call) {
                Ok(None) => {}
                Ok(Some(reason)) => tally.reasons[reason as usize] += 1,
                Err(what) => {
                    let small = reduce(profile, native, arch, &call);
                    panic!(
                        "FUZZ_SEED={seed}: {arch:?} on {native:?}: {what}\n{call:x?}\n{small:#?}"
                    )
                }
            }
        }
        tally
    }

    fn figures(&self) -> Vec<usize> {
        let first = [self.profiles, self.refused, self.too_long, self.calls];
        first.into_iter().chain(self.reasons).collect()
    }

    fn add(&mut self, line: &str) {
        let mut figures = line.split(' ').map(|figure| figure.parse::<usize>().unwrap());
        let own = [&mut self.profiles, &mut self.refused, &mut self.too_long, &mut self.calls];
        for field in own.into_iter().chain(&mut self.reasons) {
            *field += figures.next().unwrap();
        }
    }

    fn print(&self, time: Duration, hung: &[u64]) {
        let Self { profiles, refused, too_long, calls, .. } = self;
        println!(
            "{profiles} profiles in {time:.0?}, {calls} calls; libseccomp refused {refused}, and hung on {}; {too_long} too long",
            hung.len()
        );
        for (reason, count) in REASONS.iter().zip(self.reasons) {
            println!("  {reason:?}: {count} ({:.3} %)", count as f64 * 100.0 / *calls as f64);
        }
    }
}

/// The profile without what does not matter for the failure.
fn reduce(mut profile: Profile, native: Arch, arch: Arch, call: &Call) -> Profile {
    let fails = |profile: &Profile| {
        Pair::new(profile, native).is_ok_and(|pair| pair.compare(arch, call).is_err())
    };
    let mut at = 0;
    while at < profile.rules.len() {
        let mut smaller = profile.clone();
        smaller.rules.remove(at);
        if fails(&smaller) { profile = smaller } else { at += 1 }
    }
    for at in 0..profile.rules.len() {
        for name in profile.rules[at].names.clone() {
            let mut smaller = profile.clone();
            smaller.rules[at].names.retain(|other| *other != name);
            if !smaller.rules[at].names.is_empty() && fails(&smaller) {
                profile = smaller;
            }
        }
        let mut condition = 0;
        while condition < profile.rules[at].args.len() {
            let mut smaller = profile.clone();
            smaller.rules[at].args.remove(condition);
            if fails(&smaller) { profile = smaller } else { condition += 1 }
        }
    }
    profile
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// Compares profile after profile and tells of each, until it is ended. A process of its own, since libseccomp gets
/// into endless loops with some profiles.
#[test]
#[ignore = "started by the other test"]
fn worker() {
    let generator = Generator::new();
    let first = number("FUZZ_SEED").unwrap();
    println!("\nknows {} architectures", generator.archs().len());
    for seed in first..number("FUZZ_END").unwrap() {
        let figures = Tally::of(&generator, seed).figures();
        let figures: Vec<String> = figures.iter().map(usize::to_string).collect();
        println!("profile {}", figures.join(" "));
    }
}

/// A worker and the lines that it says.
struct Worker {
    child: Child,
    lines: Receiver<String>,
}

impl Worker {
    fn start(seed: u64, end: u64) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["worker", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env("FUZZ_SEED", seed.to_string()).env("FUZZ_END", end.to_string());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn verdicts_are_those_of_libseccomp() {
    let seconds = number("FUZZ_SECONDS").filter(|seconds| *seconds != 0);
    let first = number("FUZZ_SEED").unwrap_or(FIRST);
    let end = if seconds.is_some() { u64::MAX } else { first.saturating_add(SHORT) };
    let start = Instant::now();
    let (mut tally, mut hung, mut minutes) = (Tally::default(), Vec::new(), 0);
    let mut seed = first;
    let mut worker = Worker::start(seed, end);
    while seed < end && seconds.is_none_or(|seconds| start.elapsed().as_secs() < seconds) {
        match worker.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                if let Some(figures) = line.strip_prefix("profile ") {
                    tally.add(figures);
                    seed += 1;
                } else if line.starts_with("knows ") {
                    println!("libseccomp {line}");
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                println!("libseccomp hangs with FUZZ_SEED={seed}");
                hung.push(seed);
                seed += 1;
                worker = Worker::start(seed, end);
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = worker.child.wait().unwrap();
                panic!("FUZZ_SEED={seed}: {status}; see above");
            }
        }
        if start.elapsed().as_secs() / 60 > minutes {
            minutes += 1;
            tally.print(start.elapsed(), &hung);
        }
    }
    tally.print(start.elapsed(), &hung);
    // The reasons are for corners; a comparison that they swallow would be none.
    let explained: usize = tally.reasons.iter().sum();
    assert!(
        tally.calls > 1000 && explained * 20 < tally.calls && hung.len() * 100 < tally.profiles
    );
}
