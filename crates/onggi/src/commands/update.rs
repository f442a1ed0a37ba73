//! `onggi update`

mod numbers;

use clap::{Arg, ArgMatches, Command, value_parser};
use libcontainer::lifecycle::UpdateOptions;
use libcontainer::{Error, Result, lifecycle};

use super::{PLAIN, Verb, shared};
use numbers::{bytes, signed, unsigned};

pub(super) const VERB: Verb = Verb {
    name: "update",
    about: "update container resource constraints",
    details: "Sets the limits that are given and leaves the others as they are; when one is refused,\n\
              none is changed. Sizes take a unit (512m, 1.5GiB). With --resources the limits come as\n\
              JSON, in the form of linux.resources of config.json, and other limits are not looked at:\n\
              \n\
              \x20   # onggi update --memory 64m --pids-limit 50 mycontainer\n\
              \x20   # echo '{\"memory\": {\"limit\": 67108864}}' | onggi update -r - mycontainer",
    arguments,
    run: |session, matches| {
        lifecycle::update(&session.runtime, &options(matches)?)?;
        Ok(0)
    },
    ..PLAIN
};

/// What obsolete flags say, which the help page leaves out.
const IGNORED: &str = "ignored";

/// Flags with a text: name, kind of value, help.
const FLAGS: [(&str, &str, &str); 16] = [
    ("cpu-period", "USEC", "CPU period for the quota"),
    ("cpu-quota", "USEC", "CPU time in a period; -1 for no limit"),
    ("cpu-burst", "USEC", "CPU time that may be saved up beyond the quota"),
    ("cpu-share", "N", "CPU shares, 2 to 262144"),
    ("cpu-rt-period", "USEC", "CPU period for realtime processes (cgroup v1)"),
    ("cpu-rt-runtime", "USEC", "CPU time of realtime processes in a period (cgroup v1)"),
    ("cpu-idle", "0|1", "1: only CPU time that nobody else wants"),
    ("cpuset-cpus", "LIST", "CPUs to use, such as 0-3,7"),
    ("cpuset-mems", "LIST", "memory nodes to use"),
    ("memory", "SIZE", "memory limit; -1 for no limit"),
    ("memory-reservation", "SIZE", "memory that is left to the container when it gets scarce"),
    ("memory-swap", "SIZE", "limit on memory and swap together; -1 for no limit"),
    ("l3-cache-schema", "SCHEMA", "Intel RDT: L3 cache"),
    ("mem-bw-schema", "SCHEMA", "Intel RDT: memory bandwidth"),
    ("kernel-memory", "SIZE", IGNORED),
    ("kernel-memory-tcp", "SIZE", IGNORED),
];

fn arguments(command: Command) -> Command {
    let number =
        |name, help| -> Arg { shared::text(name, "N", help).value_parser(value_parser!(i64)) };
    let text = |(name, value, help)| shared::text(name, value, help).hide(help == IGNORED);
    let help = "file with the new limits, or - for standard input";
    shared::with_id(command)
        .arg(shared::path("resources", "FILE", help).short('r'))
        .arg(number("blkio-weight", "block I/O weight, 10 to 1000"))
        .arg(number("pids-limit", "number of processes and threads; below 0 for no limit"))
        .args(FLAGS.into_iter().map(text))
}

fn options(matches: &ArgMatches) -> Result<UpdateOptions> {
    let text = |name| shared::text_of(matches, name).filter(|text| !text.is_empty());
    let mut options = UpdateOptions {
        id: shared::checked_id(matches)?.to_owned(),
        document: shared::path_of(matches, "resources")
            .map(|path| shared::input(&path))
            .transpose()?,
        l3_cache_schema: text("l3-cache-schema"),
        mem_bw_schema: text("mem-bw-schema"),
        ..UpdateOptions::default()
    };
    if options.document.is_none() {
        limits(matches, &mut options)?;
    }
    Ok(options)
}

fn limits(matches: &ArgMatches, options: &mut UpdateOptions) -> Result<()> {
    let limits = &mut options.limits;
    if let Some(&weight) = matches.get_one::<i64>("blkio-weight") {
        let wrong = |_| format!("invalid value for blkio-weight: {weight} (10 to 1000)");
        limits.block_io.weight =
            Some(u16::try_from(weight).map_err(wrong).map_err(Error::message)?);
    }
    limits.cpuset.cpus = shared::text_of(matches, "cpuset-cpus");
    limits.cpuset.mems = shared::text_of(matches, "cpuset-mems");
    let cpu = &mut limits.cpu;
    cpu.idle = signed(matches, "cpu-idle")?;
    cpu.burst = unsigned(matches, "cpu-burst")?;
    cpu.period = unsigned(matches, "cpu-period")?;
    cpu.realtime_period = unsigned(matches, "cpu-rt-period")?;
    cpu.shares = unsigned(matches, "cpu-share")?;
    cpu.quota = signed(matches, "cpu-quota")?;
    cpu.realtime_runtime = signed(matches, "cpu-rt-runtime")?;
    let memory = &mut limits.memory;
    memory.limit = bytes(matches, "memory")?;
    memory.swap = bytes(matches, "memory-swap")?;
    let kernel = [bytes(matches, "kernel-memory")?, bytes(matches, "kernel-memory-tcp")?];
    options.kernel_memory = kernel.iter().any(Option::is_some);
    memory.reservation = bytes(matches, "memory-reservation")?;
    limits.pids_limit = matches.get_one("pids-limit").copied();
    Ok(())
}
