//! `process.execCPUAffinity`.

use oci_spec::runtime::ExecCPUAffinity;

use super::CpuAffinity;
use crate::error::{Error, Result};

/// The largest number of CPUs that a kernel is built for.
const MAX_CPUS: u64 = 8192;

/// Both sets, resolved; one that is empty counts as not given.
pub(super) fn affinity(given: &ExecCPUAffinity, pointer: &str) -> Result<CpuAffinity> {
    let set = |field: &str, text: &Option<String>| {
        let text = text.as_deref().unwrap_or_default();
        let fail = |why: String| Error::config(format!("{pointer}/execCPUAffinity/{field}"), why);
        cpus(text).map_err(fail)
    };
    Ok(CpuAffinity {
        initial: set("initial", given.initial())?,
        last: set("final", given.cpu_affinity_final())?,
    })
}

/// A list like `0-3,7` as a mask, CPU N in bit N % 64 of word N / 64; nothing for an empty list.
fn cpus(list: &str) -> std::result::Result<Option<Vec<u64>>, String> {
    let mut mask = Vec::new();
    for range in list.split(',').map(str::trim).filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| match text.trim().parse::<u64>() {
            Ok(cpu) if cpu < MAX_CPUS => Ok(cpu),
            Ok(cpu) => Err(format!("no kernel has a CPU {cpu}")),
            Err(_) => Err(format!("{range:?} is no CPU and no range of CPUs")),
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("invalid range: {range}"));
        }
        for cpu in first..=last {
            let word = usize::try_from(cpu / 64).unwrap_or_default();
            if mask.len() <= word {
                mask.resize(word + 1, 0);
            }
            if let Some(word) = mask.get_mut(word) {
                *word |= 1 << (cpu % 64);
            }
        }
    }
    Ok(if mask.is_empty() { None } else { Some(mask) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(cpus(""), Ok(None));
        assert_eq!(cpus("0"), Ok(Some(vec![1])));
        assert_eq!(cpus("0-2,5,,"), Ok(Some(vec![0b10_0111])));
        assert_eq!(cpus(" 1 , 63-64"), Ok(Some(vec![1 << 63 | 2, 1])));
        assert_eq!(cpus("8191").map(|mask| mask.map(|mask| mask.len())), Ok(Some(128)));
    }

    #[test]
    fn bad_lists() {
        for bad in ["a", "-1", "1-", "2-1", "8192", "0-8192", "1-2-3", "99999999999999999999"] {
            assert!(cpus(bad).is_err(), "{bad}");
        }
    }
}
