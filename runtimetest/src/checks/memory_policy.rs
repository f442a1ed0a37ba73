//! `linux.memoryPolicy`, as get_mempolicy(2) gives it.

use crate::config::{Config, strings};
use crate::raw;
use crate::report::Report;

const MODES: [&str; 7] = [
    "MPOL_DEFAULT",
    "MPOL_PREFERRED",
    "MPOL_BIND",
    "MPOL_INTERLEAVE",
    "MPOL_LOCAL",
    "MPOL_PREFERRED_MANY",
    "MPOL_WEIGHTED_INTERLEAVE",
];
const FLAGS: [(&str, u32); 3] = [
    ("MPOL_F_NUMA_BALANCING", 1 << 13),
    ("MPOL_F_RELATIVE_NODES", 1 << 14),
    ("MPOL_F_STATIC_NODES", 1 << 15),
];

pub(crate) fn check(config: &Config, report: &mut Report) {
    let wanted = config.at("/linux/memoryPolicy");
    if wanted.is_null() {
        return;
    }
    let (found, nodes) = match raw::memory_policy() {
        Ok(found) => found,
        Err(errno) => return report.fail("memoryPolicy", format!("get_mempolicy: errno {errno}")),
    };
    let mode = MODES.get((found & 0x1fff) as usize).copied();
    report.equal("memoryPolicy mode", &wanted["mode"].as_str(), &mode);
    let wanted_flags = strings(&wanted["flags"]);
    for (name, bit) in FLAGS {
        let name_wanted = wanted_flags.contains(&name);
        report.equal(&format!("memoryPolicy {name}"), &name_wanted, &(found & bit != 0));
    }
    let list: Vec<String> =
        (0..64).filter(|node| nodes & 1 << node != 0).map(|node: u64| node.to_string()).collect();
    // A single node is all that the machines of these tests have.
    let text = wanted["nodes"].as_str().unwrap_or_default();
    report.equal("memoryPolicy nodes", &text, &list.join(",").as_str());
}
