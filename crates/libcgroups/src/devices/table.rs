//! A policy, resolved: a hash table in which a program finds at once what is allowed to a device.
//!
//! Rules overlap, and their order counts. Here every set of devices that they tell apart has one entry with all that
//! is allowed to it, and the first of four entries that is there decides:
//!
//! ```text
//! (kind, major, minor)   (kind, major, any)   (kind, any, minor)   (kind, any, any)      none: nothing is allowed
//! ```
//!
//! The second and the third can only stand for devices that no rule of the other sort is about: where a major number
//! with any minor meets a minor number with any major, that one device has an entry of its own.
//!
//! An entry is one word (see [`key`]). The first word of the table is a multiplier, chosen so that every entry has a
//! place of its own: the program need look in no more than one place for each of the four.

use super::policy::Policy;
use crate::error::{Error, Result};
use crate::model::{Access, DeviceKind};

/// The kernel's bits for accesses, and the lowest bits of an entry.
pub(super) const MKNOD: u64 = 1;
pub(super) const READ: u64 = 2;
pub(super) const WRITE: u64 = 4;
pub(super) const ACCESS_MASK: u64 = 7;

/// The kernel's numbers for kinds, and the bits above those for accesses.
pub(super) const BLOCK: u64 = 1;
pub(super) const CHAR: u64 = 2;
pub(super) const KIND_SHIFT: u32 = 3;
/// Minor numbers have 20 bits (`MINORBITS` of the kernel), and one more that no device has set.
pub(super) const MINOR_SHIFT: u32 = 5;
pub(super) const MAX_MINOR: u32 = (1 << 20) - 1;
pub(super) const ANY_MINOR: u64 = 0x1f_ffff << MINOR_SHIFT;
/// The other bits, six more than a program is told of.
pub(super) const MAJOR_SHIFT: u32 = 26;
pub(super) const ANY_MAJOR: u64 = u64::MAX << MAJOR_SHIFT;

/// How many entries there may be. A table with room for all of them to be alone takes at most 2 MiB.
const MAX_ENTRIES: usize = 1024;
const MIN_BITS: u32 = 4;
const MAX_BITS: u32 = 18;
/// How many multipliers are tried before the table is made larger.
const TRIES: u32 = 128;
const FIRST_MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// The table as the program reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// The multiplier, then 2 to the power of `bits` places; 0 is an empty one.
    pub(super) words: Vec<u64>,
    /// 4 to 18.
    pub(super) bits: u32,
}

impl Table {
    /// # Errors
    /// When the rules tell more than [`MAX_ENTRIES`] devices and sets of devices apart.
    pub(super) fn new(policy: &Policy) -> Result<Self> {
        let too_many = || {
            Error::message(format!(
                "set device rules: they tell more than {MAX_ENTRIES} devices or sets of devices apart"
            ))
        };
        let mut entries = Vec::with_capacity(32);
        for kind in [DeviceKind::Char, DeviceKind::Block] {
            let sets = sets(policy, kind).ok_or_else(too_many)?;
            entries.extend(sets.into_iter().map(|(major, minor)| {
                key(kind, major, minor) | access_bits(policy.allowed(kind, major, minor))
            }));
        }
        // Where nothing is found nothing is allowed, so these would be in vain.
        entries.retain(|entry| {
            *entry & ACCESS_MASK != 0
                || *entry & ANY_MAJOR != ANY_MAJOR
                || *entry & ANY_MINOR != ANY_MINOR
        });
        if entries.len() > MAX_ENTRIES {
            return Err(too_many());
        }
        place(&entries).ok_or_else(too_many)
    }
}

/// A major and a minor number; `None` is any.
type Numbers = (Option<u32>, Option<u32>);

/// The sets of devices of one kind that have to be told apart, each once; `None` when they are far too many.
fn sets(policy: &Policy, kind: DeviceKind) -> Option<Vec<Numbers>> {
    let rules =
        policy.rules.iter().filter(|rule| rule.kind == kind || rule.kind == DeviceKind::All);
    // No device has a larger one.
    let rules = rules.filter(|rule| rule.minor.is_none_or(|minor| minor <= MAX_MINOR));
    let mut sets: Vec<Numbers> = rules.map(|rule| (rule.major, rule.minor)).collect();
    sets.push((None, None));
    sets.sort_unstable();
    sets.dedup();
    let majors: Vec<_> = sets.iter().copied().filter(|set| set.1.is_none()).collect();
    let minors: Vec<_> = sets.iter().copied().filter(|set| set.0.is_none()).collect();
    if majors.len().saturating_mul(minors.len()) > 2 * MAX_ENTRIES {
        return None;
    }
    if minors.len() > 1 {
        sets.extend(majors.iter().flat_map(|major| minors.iter().map(|minor| (major.0, minor.1))));
        sets.sort_unstable();
        sets.dedup();
    }
    Some(sets)
}

/// What an entry is found by: the entry without its accesses.
fn key(kind: DeviceKind, major: Option<u32>, minor: Option<u32>) -> u64 {
    let kind = if kind == DeviceKind::Block { BLOCK } else { CHAR };
    let major = major.map_or(ANY_MAJOR, |n| u64::from(n) << MAJOR_SHIFT);
    let minor = minor.map_or(ANY_MINOR, |n| u64::from(n) << MINOR_SHIFT);
    major | minor | kind << KIND_SHIFT
}

/// Where in a table of that size the entry for `key` is.
fn index(key: u64, multiplier: u64, bits: u32) -> usize {
    // Less than 2 to the power of `bits`.
    #[allow(clippy::cast_possible_truncation)]
    let index = (key.wrapping_mul(multiplier) >> (u64::BITS - bits)) as usize;
    index
}

/// Looks for a size and a multiplier with which no two entries meet.
///
/// About one in e^(n²/2m) multipliers does that for n entries in m places, so the search begins where it is worth
/// trying, and is over after a few dozen steps for the usual dozen entries.
fn place(entries: &[u64]) -> Option<Table> {
    let enough = (entries.len() * 2).max(entries.len() * entries.len() / 8);
    let from = enough.next_power_of_two().trailing_zeros().max(MIN_BITS);
    let mut multiplier = FIRST_MULTIPLIER;
    for bits in from..=MAX_BITS {
        let mut places = vec![0_u64; (1 << bits) + 1];
        for _ in 0..TRIES {
            if scatter(entries, multiplier, bits, &mut places[1..]) {
                places[0] = multiplier;
                return Some(Table { words: places, bits });
            }
            // Any odd number will do next.
            multiplier =
                multiplier.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814e)
                    | 1;
        }
    }
    None
}

/// Whether every entry found a place of its own; else `places` is empty again.
fn scatter(entries: &[u64], multiplier: u64, bits: u32, places: &mut [u64]) -> bool {
    let at = |entry: u64| index(entry & !ACCESS_MASK, multiplier, bits);
    for (done, entry) in entries.iter().enumerate() {
        let place = &mut places[at(*entry)];
        if *place != 0 {
            for entry in &entries[..done] {
                places[at(*entry)] = 0;
            }
            return false;
        }
        *place = *entry;
    }
    true
}

fn access_bits(access: Access) -> u64 {
    let bit = |has: bool, bit| if has { bit } else { 0 };
    bit(access.mknod, MKNOD) | bit(access.read, READ) | bit(access.write, WRITE)
}

#[cfg(test)]
mod tests;
