//! `process.scheduler` and `process.ioPriority`.

use oci_spec::runtime::{
    IOPriorityClass, LinuxIOPriority, LinuxSchedulerFlag as Flag, LinuxSchedulerPolicy as Policy,
    Scheduler as OciScheduler,
};

use super::Scheduler;
use super::rules::{Fault, Rule, keep};
use crate::error::{Error, Result};

const SOURCE: &str = "config.md#linux-process";

pub(super) const RULES: &[Rule<OciScheduler>] = &[
    Rule {
        rule: "scheduler.nice is between -20 and 19 for SCHED_OTHER and SCHED_BATCH",
        source: SOURCE,
        check: nice,
    },
    Rule {
        rule: "scheduler.priority is only given for SCHED_FIFO and SCHED_RR",
        source: SOURCE,
        check: priority_of_others,
    },
    Rule { rule: "scheduler.priority is not negative", source: SOURCE, check: negative_priority },
    Rule {
        rule: "scheduler.runtime, deadline and period are only given for SCHED_DEADLINE",
        source: SOURCE,
        check: times_of_others,
    },
];

/// The arguments of sched_setattr(2).
pub(super) fn scheduler(given: &OciScheduler, pointer: &str) -> Result<Scheduler> {
    keep(RULES, given, &format!("{pointer}/scheduler"))?;
    Ok(Scheduler {
        policy: policy_number(*given.policy()),
        flags: given.flags().iter().flatten().fold(0, |flags, flag| flags | flag_bit(*flag)),
        nice: given.nice().unwrap_or(0),
        priority: given.priority().unwrap_or(0).unsigned_abs(),
        runtime: given.runtime().unwrap_or(0),
        deadline: given.deadline().unwrap_or(0),
        period: given.period().unwrap_or(0),
    })
}

fn nice(given: &OciScheduler) -> Option<Fault> {
    let (policy, nice) = (*given.policy(), given.nice().unwrap_or(0));
    let counts = matches!(policy, Policy::SchedOther | Policy::SchedBatch);
    (counts && !(-20..=19).contains(&nice)).then(|| {
        let text = format!("invalid scheduler.nice: {nice} when scheduler.policy is {policy}");
        Fault::new("/nice", text)
    })
}

fn priority_of_others(given: &OciScheduler) -> Option<Fault> {
    let counts = matches!(given.policy(), Policy::SchedFifo | Policy::SchedRr);
    let text = "scheduler.priority can only be specified for SchedFIFO or SchedRR policy";
    Fault::when(!counts && given.priority().unwrap_or(0) != 0, "/priority", text)
}

fn negative_priority(given: &OciScheduler) -> Option<Fault> {
    Fault::when(given.priority().unwrap_or(0) < 0, "/priority", "must not be negative")
}

fn times_of_others(given: &OciScheduler) -> Option<Fault> {
    let times = [
        ("/runtime", given.runtime()),
        ("/deadline", given.deadline()),
        ("/period", given.period()),
    ];
    let text = "scheduler runtime/deadline/period can only be specified for SchedDeadline policy";
    let counts = *given.policy() == Policy::SchedDeadline;
    let wrong = times.into_iter().find(|(_, time)| !counts && time.unwrap_or(0) != 0);
    wrong.map(|(at, _)| Fault::new(at, text))
}

fn policy_number(policy: Policy) -> u32 {
    match policy {
        Policy::SchedOther => 0,
        Policy::SchedFifo => 1,
        Policy::SchedRr => 2,
        Policy::SchedBatch => 3,
        Policy::SchedIso => 4,
        Policy::SchedIdle => 5,
        Policy::SchedDeadline => 6,
    }
}

fn flag_bit(flag: Flag) -> u64 {
    match flag {
        Flag::SchedResetOnFork => 0x01,
        Flag::SchedFlagReclaim => 0x02,
        Flag::SchedFlagDLOverrun => 0x04,
        Flag::SchedFlagKeepPolicy => 0x08,
        Flag::SchedFlagKeepParams => 0x10,
        Flag::SchedFlagUtilClampMin => 0x20,
        Flag::SchedFlagUtilClampMax => 0x40,
    }
}

/// The value of ioprio_set(2): class and level.
pub(super) fn io_priority(given: &LinuxIOPriority, pointer: &str) -> Result<u32> {
    let class: u32 = match given.class() {
        IOPriorityClass::IoprioClassRt => 1,
        IOPriorityClass::IoprioClassBe => 2,
        IOPriorityClass::IoprioClassIdle => 3,
    };
    match u32::try_from(given.priority()) {
        Ok(level) if level <= 7 => Ok(class << 13 | level),
        _ => {
            let text =
                format!("invalid ioPriority.Priority: {}, not between 0 and 7", given.priority());
            Err(Error::config(format!("{pointer}/ioPriority/priority"), text))
        }
    }
}
