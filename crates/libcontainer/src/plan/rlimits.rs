//! `process.rlimits`.

use oci_spec::runtime::{PosixRlimit, PosixRlimitType};

use super::Rlimit;
use crate::error::{Error, Result};

/// The limits in order.
///
/// # Errors
/// A kind that is listed twice; a soft limit above the hard one.
pub(super) fn rlimits(list: Option<&Vec<PosixRlimit>>, pointer: &str) -> Result<Vec<Rlimit>> {
    let mut plan: Vec<Rlimit> = Vec::new();
    for (index, entry) in list.into_iter().flatten().enumerate() {
        let resource = number(entry.typ());
        let name = entry.typ().to_string();
        let fail = |text: String| Err(Error::config(format!("{pointer}/rlimits/{index}"), text));
        if plan.iter().any(|other| other.resource == resource) {
            return fail(format!("{name} is listed twice"));
        }
        if entry.soft() > entry.hard() {
            let (soft, hard) = (entry.soft(), entry.hard());
            return fail(format!(
                "the soft limit of {name}, {soft}, is above the hard limit, {hard}"
            ));
        }
        plan.push(Rlimit { name, resource, soft: entry.soft(), hard: entry.hard() });
    }
    Ok(plan)
}

/// Numbers of `asm-generic/resource.h`, the same on x86, Arm, RISC-V, POWER, s390 and LoongArch.
fn number(kind: PosixRlimitType) -> u32 {
    match kind {
        PosixRlimitType::RlimitCpu => 0,
        PosixRlimitType::RlimitFsize => 1,
        PosixRlimitType::RlimitData => 2,
        PosixRlimitType::RlimitStack => 3,
        PosixRlimitType::RlimitCore => 4,
        PosixRlimitType::RlimitRss => 5,
        PosixRlimitType::RlimitNproc => 6,
        PosixRlimitType::RlimitNofile => 7,
        PosixRlimitType::RlimitMemlock => 8,
        PosixRlimitType::RlimitAs => 9,
        PosixRlimitType::RlimitLocks => 10,
        PosixRlimitType::RlimitSigpending => 11,
        PosixRlimitType::RlimitMsgqueue => 12,
        PosixRlimitType::RlimitNice => 13,
        PosixRlimitType::RlimitRtprio => 14,
        PosixRlimitType::RlimitRttime => 15,
    }
}
