//! `process.execCPUAffinity`.

use oci_spec::runtime::ExecCPUAffinity;

use super::CpuAffinity;
use super::bitmap::{CPUS, mask};
use crate::error::{Error, Result};

/// Both sets, resolved; one that is empty counts as not given.
pub(super) fn affinity(given: &ExecCPUAffinity, pointer: &str) -> Result<CpuAffinity> {
    let set = |field: &str, text: &Option<String>| {
        let fail = |why: String| Error::config(format!("{pointer}/execCPUAffinity/{field}"), why);
        mask(text.as_deref().unwrap_or_default(), CPUS).map_err(fail)
    };
    Ok(CpuAffinity {
        initial: set("initial", given.initial())?,
        last: set("final", given.cpu_affinity_final())?,
    })
}
