//! `process.capabilities`: names to bit masks, and what the kernel would not grant taken out.

use std::str::FromStr;

use caps::Capability;
use oci_spec::runtime::{Capabilities, LinuxCapabilities};

use super::CapabilitySets;
use super::check::warning;

/// The names of all known capabilities (`CAP_CHOWN`, …) in the order of their numbers.
pub fn capability_names() -> Vec<String> {
    let mut all: Vec<Capability> = caps::all().into_iter().collect();
    all.sort_unstable_by_key(|capability| capability.index());
    all.iter().map(ToString::to_string).collect()
}

/// The number of a capability; its name may be in lower case and may lack `CAP_`, as the command line allows.
pub fn capability_number(name: &str) -> Option<u8> {
    let name = name.to_ascii_uppercase();
    number(name.strip_prefix("CAP_").unwrap_or(&name))
}

fn number(name: &str) -> Option<u8> {
    Capability::from_str(&format!("CAP_{name}")).ok().map(|capability| capability.index())
}

/// The five sets as the process will have them.
pub(super) fn sets(
    capabilities: Option<&LinuxCapabilities>,
    last_cap: u8,
    pointer: &str,
    warnings: &mut Vec<String>,
) -> CapabilitySets {
    let Some(capabilities) = capabilities else {
        return CapabilitySets::default();
    };
    let mut sets = CapabilitySets {
        bounding: mask(capabilities.bounding()),
        effective: mask(capabilities.effective()),
        permitted: mask(capabilities.permitted()),
        inheritable: mask(capabilities.inheritable()),
        ambient: mask(capabilities.ambient()),
    };
    drop_unavailable(&mut sets, last_cap, pointer, warnings);

    // capset(2) and prctl(2) refuse these combinations; the process gets what can be granted.
    for name in taken_out(&mut sets.effective, sets.permitted) {
        warnings.push(warning(
            pointer,
            &format!("{name} cannot be effective: it is not in the permitted set"),
        ));
    }
    let lost = taken_out(&mut sets.ambient, sets.permitted & sets.inheritable);
    // Without any inheritable ones, as buildah writes each step of a build, no ambient ones are meant.
    for name in lost.iter().filter(|_| sets.inheritable != 0) {
        let text = format!(
            "can't raise ambient capability {name}: it is not both permitted and inheritable"
        );
        warnings.push(warning(pointer, &text));
    }
    sets
}

fn mask(set: &Option<Capabilities>) -> u64 {
    let numbers = set.iter().flatten().filter_map(|capability| number(&capability.to_string()));
    numbers.fold(0, |mask, number| mask | 1 << number)
}

fn drop_unavailable(
    sets: &mut CapabilitySets,
    last_cap: u8,
    pointer: &str,
    warnings: &mut Vec<String>,
) {
    let known = if last_cap >= 63 { u64::MAX } else { (1 << (last_cap + 1)) - 1 };
    let all = [
        &mut sets.bounding,
        &mut sets.effective,
        &mut sets.permitted,
        &mut sets.inheritable,
        &mut sets.ambient,
    ];
    let mut dropped = 0;
    for set in all {
        dropped |= *set & !known;
        *set &= known;
    }
    if dropped != 0 {
        let text =
            format!("ignoring unknown or unavailable capabilities: [{}]", names(dropped).join(" "));
        warnings.push(warning(pointer, &text));
    }
}

/// Takes out of `set` what is not in `allowed`, and names it.
fn taken_out(set: &mut u64, allowed: u64) -> Vec<String> {
    let lost = *set & !allowed;
    *set &= allowed;
    names(lost)
}

fn names(mask: u64) -> Vec<String> {
    let name = |number: usize, known: &[String]| {
        known.get(number).cloned().unwrap_or_else(|| format!("capability {number}"))
    };
    let known = capability_names();
    (0..64).filter(|number| mask >> number & 1 == 1).map(|number| name(number, &known)).collect()
}
