//! memory: usage and limits, swap, kernel memory, and all of memory.stat.

use std::collections::BTreeMap;

use serde::Serialize;

use super::reader::{Place, Reader};
use super::{PsiStats, is_default, parse, psi};
use crate::error::Result;

/// memory controller, bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct MemoryStats {
    /// Page cache: `cache` (v1) or `file` (v2) of memory.stat.
    #[serde(skip_serializing_if = "is_default")]
    pub cache: u64,
    /// Memory.
    #[serde(skip_serializing_if = "is_default")]
    pub usage: MemoryEntry,
    /// Memory and swap together, as v1 counts; on v2 the two are added.
    #[serde(skip_serializing_if = "is_default")]
    pub swap: MemoryEntry,
    /// Kernel memory (v1).
    #[serde(skip_serializing_if = "is_default")]
    pub kernel: MemoryEntry,
    /// Buffers of TCP (v1).
    #[serde(rename = "kernelTCP", skip_serializing_if = "is_default")]
    pub kernel_tcp: MemoryEntry,
    /// memory.stat as it is.
    #[serde(skip_serializing_if = "is_default")]
    pub raw: BTreeMap<String, u64>,
    /// memory.pressure; `None` without a v2 tree or without PSI.
    #[serde(skip_serializing_if = "is_default")]
    pub psi: Option<PsiStats>,
}

/// One kind of memory, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MemoryEntry {
    /// `u64::MAX` for none on v2; v1 has a number of its own for that.
    pub limit: u64,
    /// In use.
    #[serde(skip_serializing_if = "is_default")]
    pub usage: u64,
    /// The most that was ever in use; 0 where the kernel does not tell.
    #[serde(skip_serializing_if = "is_default")]
    pub max: u64,
    /// How often the limit was hit (v1).
    pub failcnt: u64,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<MemoryStats> {
    let mut stats =
        MemoryStats { psi: psi::read(reader, "memory.pressure")?, ..MemoryStats::default() };
    let Some(place) = reader.find("memory") else { return Ok(stats) };
    if let Some(text) = reader.text(place, "memory.stat")? {
        stats.raw = raw(&text);
    }
    match place {
        Place::V1(_) => {
            stats.cache = stats.raw.get("cache").copied().unwrap_or_default();
            stats.usage = entry_v1(reader, place, "memory")?;
            stats.swap = entry_v1(reader, place, "memory.memsw")?;
            stats.kernel = entry_v1(reader, place, "memory.kmem")?;
            stats.kernel_tcp = entry_v1(reader, place, "memory.kmem.tcp")?;
        }
        Place::V2(_) => {
            stats.cache = stats.raw.get("file").copied().unwrap_or_default();
            stats.usage = entry_v2(reader, place, ["memory.current", "memory.max", "memory.peak"])?;
            let swap = ["memory.swap.current", "memory.swap.max", ""];
            stats.swap = together(stats.usage, entry_v2(reader, place, swap)?);
        }
    }
    Ok(stats)
}

/// memory.stat.
fn raw(text: &str) -> BTreeMap<String, u64> {
    parse::flat_keyed(text).map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Zeros where the kernel does not count this kind. Linux 6.1 and later have no limit for kernel memory.
fn entry_v1(reader: &mut Reader<'_>, place: Place, kind: &str) -> Result<MemoryEntry> {
    let Some(usage) = reader.number(place, &format!("{kind}.usage_in_bytes"))? else {
        return Ok(MemoryEntry::default());
    };
    let mut number =
        |what: &str| reader.number(place, &format!("{kind}.{what}")).map(Option::unwrap_or_default);
    Ok(MemoryEntry {
        limit: number("limit_in_bytes")?,
        usage,
        max: number("max_usage_in_bytes")?,
        failcnt: number("failcnt")?,
    })
}

/// From the files for usage, limit and (Linux 5.19, none if it has no name) peak; zeros without the first.
fn entry_v2(reader: &mut Reader<'_>, place: Place, files: [&str; 3]) -> Result<MemoryEntry> {
    let [usage, limit, peak] = files;
    let Some(usage) = reader.number(place, usage)? else { return Ok(MemoryEntry::default()) };
    let limit = reader.number(place, limit)?.unwrap_or_default();
    let max = if peak.is_empty() { None } else { reader.number(place, peak)? };
    Ok(MemoryEntry { limit, usage, max: max.unwrap_or_default(), failcnt: 0 })
}

/// Memory and swap of v2 as v1 counts them; there is no peak of the sum. Without swap it is the memory alone.
fn together(memory: MemoryEntry, swap: MemoryEntry) -> MemoryEntry {
    MemoryEntry {
        limit: memory.limit.saturating_add(swap.limit),
        usage: memory.usage.saturating_add(swap.usage),
        max: 0,
        failcnt: 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(limit: u64, usage: u64) -> MemoryEntry {
        MemoryEntry { limit, usage, max: 9, failcnt: 0 }
    }

    #[test]
    fn swap_has_the_memory_in_it() {
        let sum = |memory, swap| {
            let MemoryEntry { limit, usage, max, .. } = together(memory, swap);
            (limit, usage, max)
        };
        assert_eq!(sum(entry(100, 40), entry(50, 5)), (150, 45, 0));
        assert_eq!(sum(entry(100, 40), entry(u64::MAX, 5)), (u64::MAX, 45, 0));
        assert_eq!(sum(entry(u64::MAX, 40), entry(50, 5)), (u64::MAX, 45, 0));
        assert_eq!(sum(entry(100, 40), MemoryEntry::default()), (100, 40, 0));
    }

    #[test]
    fn json_in_the_order_of_runc() {
        let mut stats = MemoryStats { cache: 1, usage: entry(100, 40), ..MemoryStats::default() };
        stats.kernel_tcp.failcnt = 2;
        stats.raw = raw("b 2\na 1\nodd\n");
        assert_eq!(
            serde_json::to_string(&stats).expect("json"),
            "{\"cache\":1,\"usage\":{\"limit\":100,\"usage\":40,\"max\":9,\"failcnt\":0},\
             \"kernelTCP\":{\"limit\":0,\"failcnt\":2},\"raw\":{\"a\":1,\"b\":2}}"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([a-z_]{0,8} ?[0-9-]{0,22}\n?|\\PC{0,9}){0,5}") {
            let _ = raw(&text);
        }

        #[test]
        fn no_numbers_panic(a in any::<(u64, u64)>(), b in any::<(u64, u64)>()) {
            let _ = together(entry(a.0, a.1), entry(b.0, b.1));
        }
    }
}
