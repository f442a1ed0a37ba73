//! What is measured: sequences of calls, each through the stopwatch and with a time limit.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::bundle::Place;
use crate::report::{Report, Sample};
use crate::runtime::{Call, Runtime};

/// Milliseconds that one call may take.
const LIMIT: &str = "20000";
/// How long a container whose program has nothing to do may take to end.
const END: Duration = Duration::from_secs(10);

/// A row group of the report.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Run,
    Create,
    Exec,
    State,
}

impl Verb {
    pub(crate) const ALL: [Verb; 4] = [Verb::Run, Verb::Create, Verb::Exec, Verb::State];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Verb::Run => "run",
            Verb::Create => "create+start+delete",
            Verb::Exec => "exec",
            Verb::State => "state",
        }
    }

    pub(crate) fn named(word: &str) -> Option<Verb> {
        let first = |verb: &Verb| verb.name().split('+').next() == Some(word);
        Verb::ALL.into_iter().find(first)
    }

    /// Whether it wants a running container.
    fn on_running(self) -> bool {
        matches!(self, Verb::Exec | Verb::State)
    }
}

/// Each call once: whether the runtime works here at all.
pub(crate) fn rehearse(runtime: &Runtime, place: &Place) -> Result<(), String> {
    if let Err(why) = call(runtime, &Call::Run, "rehearsal", place) {
        // It may have been killed half-way; what this says is of no interest.
        let _ = call(runtime, &Call::Destroy, "rehearsal", place);
        return Err(why);
    }
    let result = begin(runtime, place)
        .and_then(|()| call(runtime, &Call::Exec, "bench", place))
        .and_then(|_| call(runtime, &Call::State, "bench", place));
    end(runtime, place);
    result.and_then(|_| create_start_delete(runtime, "rehearsal", place)).map(|_| ())
}

/// Measures `rounds` rounds of every runtime in turn.
pub(crate) fn measure(
    verb: Verb,
    runtimes: &[Runtime],
    place: &Place,
    rounds: usize,
    report: &mut Report,
) -> Result<(), String> {
    let mut result = Ok(());
    if verb.on_running() {
        result = runtimes.iter().try_for_each(|runtime| begin(runtime, place));
    }
    for round in 0..rounds {
        for runtime in runtimes {
            if result.is_err() {
                break;
            }
            let id = format!("bench-{round}");
            let sample = match verb {
                Verb::Run => call(runtime, &Call::Run, &id, place),
                Verb::Create => create_start_delete(runtime, &id, place),
                Verb::Exec => call(runtime, &Call::Exec, "bench", place),
                Verb::State => call(runtime, &Call::State, "bench", place),
            };
            result = sample
                .map(|sample| report.add(verb.name(), runtime.name, sample))
                .map_err(|why| format!("{} {}, round {round}: {why}", runtime.name, verb.name()));
        }
    }
    if verb.on_running() {
        runtimes.iter().for_each(|runtime| end(runtime, place));
    }
    result
}

/// A running container, `bench`.
fn begin(runtime: &Runtime, place: &Place) -> Result<(), String> {
    call(runtime, &Call::Create("pause"), "bench", place)?;
    call(runtime, &Call::Start, "bench", place).map(|_| ())
}

fn end(runtime: &Runtime, place: &Place) {
    if let Err(why) = call(runtime, &Call::Destroy, "bench", place) {
        eprintln!("bench: clean up after {}: {why}", runtime.name);
    }
    while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive)
    {
    }
}

fn create_start_delete(runtime: &Runtime, id: &str, place: &Place) -> Result<Sample, String> {
    let create = call(runtime, &Call::Create("true"), id, place)?;
    let start = call(runtime, &Call::Start, id, place)?;
    // The container's end is not the runtime's time; its init is a child of this process now.
    let begin = Instant::now();
    loop {
        match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => break,
            Ok(WaitStatus::StillAlive) if begin.elapsed() > END => {
                return Err("the container does not end".into());
            }
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_micros(200)),
            _ => {}
        }
    }
    let delete = call(runtime, &Call::Delete, id, place)?;
    Ok(create.then(start).then(delete))
}

/// One call through the stopwatch.
fn call(runtime: &Runtime, call: &Call, id: &str, place: &Place) -> Result<Sample, String> {
    let words = runtime.command(call, id, place);
    // A file: a container that stays keeps its stderr, and a pipe would never end.
    let errors = place.root.join("stderr");
    let file = fs::File::create(&errors).map_err(|error| format!("create {errors:?}: {error}"))?;
    let output = Command::new(&runtime.stopwatch)
        .args(["measure", LIMIT])
        .args(&words)
        .stdin(Stdio::null())
        .stderr(file)
        .output()
        .map_err(|error| format!("start the stopwatch: {error}"))?;
    let said = fs::read_to_string(&errors).unwrap_or_default();
    let said = said.lines().next_back().unwrap_or_default().to_owned();
    let text = String::from_utf8_lossy(&output.stdout);
    let (numbers, status) =
        text.trim().rsplit_once(' ').ok_or_else(|| format!("the stopwatch failed: {said}"))?;
    if status != "0" {
        return Err(format!("`{}` ended with {status}: {said}", words[1..].join(" ")));
    }
    let numbers: Vec<f64> = numbers.split(' ').filter_map(|number| number.parse().ok()).collect();
    let [wall, user, system, rss] = numbers[..] else {
        return Err(format!("the stopwatch said {text:?}"));
    };
    Ok(Sample { wall: wall / 1e3, cpu: user + system, rss })
}
