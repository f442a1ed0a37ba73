//! Compares runtimes with the floor: the same container made by bare system calls.
//!
//! All runtimes are called in turn, once in every round, so that noise of the machine meets all of
//! them alike; medians are printed only as ratios, within this one run.
//!
//! Which runtimes: the environment's `ONGGI`, `CRUN`, `RUNC`, `YOUKI` (paths), and for the last
//! three otherwise what is found in PATH. `FLOOR` is the floor program, by default beside this one.
#![forbid(unsafe_code)]

mod bundle;
mod report;
mod runtime;
mod verbs;

use std::process::ExitCode;

use report::Report;
use runtime::Runtime;
use verbs::Verb;

const USAGE: &str = "usage: bench [--rounds N] [--json FILE] [--verb run|create|exec|state]…";

struct Options {
    rounds: usize,
    json: Option<String>,
    verbs: Vec<Verb>,
}

fn options() -> Result<Options, String> {
    let mut options = Options { rounds: 20, json: None, verbs: Vec::new() };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| USAGE.to_owned());
        match arg.as_str() {
            "--rounds" => options.rounds = value()?.parse().map_err(|_| USAGE.to_owned())?,
            "--json" => options.json = Some(value()?),
            "--verb" => options.verbs.push(Verb::named(&value()?).ok_or_else(|| USAGE.to_owned())?),
            _ => return Err(USAGE.to_owned()),
        }
    }
    if options.verbs.is_empty() {
        options.verbs = Verb::ALL.to_vec();
    }
    Ok(options)
}

fn main() -> ExitCode {
    match options().and_then(|options| bench(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &Options) -> Result<(), String> {
    // Containers that outlive their `create` become children of this process, to be waited for.
    nix::sys::prctl::set_child_subreaper(true)
        .map_err(|errno| format!("become a subreaper: {errno}"))?;
    let floor = runtime::floor()?;
    let place = bundle::Place::create(&floor)?;
    let mut runtimes = Runtime::all(&floor);
    runtimes.retain(|runtime| match verbs::rehearse(runtime, &place) {
        Ok(()) => true,
        Err(why) => {
            eprintln!("left out: {}: {why}", runtime.name);
            false
        }
    });
    if !runtimes.iter().any(|runtime| runtime.is_floor()) {
        return Err("the floor does not run here, so there is nothing to compare with".into());
    }
    let mut report = Report::default();
    for &verb in &options.verbs {
        verbs::measure(verb, &runtimes, &place, options.rounds, &mut report)?;
        print!("{}", report.table(verb.name()));
    }
    if let Some(path) = &options.json {
        std::fs::write(path, report.json().to_string())
            .map_err(|error| format!("write {path:?}: {error}"))?;
    }
    Ok(())
}
