//! `process.scheduler` and `process.ioPriority`.

use oci_spec::runtime::{
    IOPriorityClass, LinuxIOPriority, LinuxSchedulerFlag as Flag, LinuxSchedulerPolicy as Policy,
    Scheduler as OciScheduler,
};

use super::Scheduler;
use crate::error::{Error, Result};

/// The arguments of sched_setattr(2).
pub(super) fn scheduler(given: &OciScheduler, pointer: &str) -> Result<Scheduler> {
    let fail = |field: &str, text: String| {
        Err(Error::config(format!("{pointer}/scheduler/{field}"), text))
    };
    let policy = *given.policy();
    let nice = given.nice().unwrap_or(0);
    let priority = given.priority().unwrap_or(0);
    let times = [
        ("runtime", *given.runtime()),
        ("deadline", *given.deadline()),
        ("period", *given.period()),
    ];

    if matches!(policy, Policy::SchedOther | Policy::SchedBatch) && !(-20..=19).contains(&nice) {
        return fail(
            "nice",
            format!("invalid scheduler.nice: {nice} when scheduler.policy is {policy}"),
        );
    }
    if priority != 0 && !matches!(policy, Policy::SchedFifo | Policy::SchedRr) {
        return fail(
            "priority",
            "scheduler.priority can only be specified for SchedFIFO or SchedRR policy".into(),
        );
    }
    let Ok(priority) = u32::try_from(priority) else {
        return fail("priority", "must not be negative".into());
    };
    for (field, time) in times {
        if time.unwrap_or(0) != 0 && policy != Policy::SchedDeadline {
            let text =
                "scheduler runtime/deadline/period can only be specified for SchedDeadline policy";
            return fail(field, text.into());
        }
    }
    Ok(Scheduler {
        policy: policy_number(policy),
        flags: given.flags().iter().flatten().fold(0, |flags, flag| flags | flag_bit(*flag)),
        nice,
        priority,
        runtime: times[0].1.unwrap_or(0),
        deadline: times[1].1.unwrap_or(0),
        period: times[2].1.unwrap_or(0),
    })
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
