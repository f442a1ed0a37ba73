//! `linux.intelRdt`.

use oci_spec::runtime::LinuxIntelRdt;

use super::IntelRdt;
use super::check::warning;
use crate::error::{Error, Result};

const POINTER: &str = "/linux/intelRdt";
/// What the kernel itself has in its file system; no class of service can be called so.
const KERNELS: [&str; 3] = ["info", "mon_groups", "mon_data"];

/// The class of service, checked for all that needs no look at the host.
pub(super) fn intel_rdt(given: &LinuxIntelRdt, warnings: &mut Vec<String>) -> Result<IntelRdt> {
    let text = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let clos_id = text(given.clos_id());
    if let Some(id) = clos_id.as_deref().filter(|id| !is_group(id)) {
        return fail("closID", format!("invalid intelRdt.ClosID {id:?}"));
    }
    let l3_cache = text(given.l3_cache_schema());
    if let Some(schema) = &l3_cache {
        no_nul(schema, "l3CacheSchema")?;
        if !schema.starts_with("L3") || schema.contains('\n') {
            let words = "should be one line that starts with \"L3:\"";
            warnings.push(warning("/linux/intelRdt/l3CacheSchema", words));
        }
    }
    let memory_bandwidth = text(given.mem_bw_schema());
    if let Some(schema) = &memory_bandwidth {
        no_nul(schema, "memBwSchema")?;
        if !schema.starts_with("MB:") || schema.contains('\n') {
            let words = format!("{schema:?} must be one line that starts with \"MB:\"");
            return fail("memBwSchema", words);
        }
    }
    let schemata = given.schemata().clone().unwrap_or_default();
    for (index, line) in schemata.iter().enumerate() {
        let field = format!("schemata/{index}");
        no_nul(line, &field)?;
        if line.contains('\n') {
            return fail(&field, format!("{line:?} must be one line"));
        }
    }
    Ok(IntelRdt {
        clos_id,
        l3_cache,
        memory_bandwidth,
        schemata: schemata.into_iter().filter(|line| !line.is_empty()).collect(),
        monitoring: given.enable_monitoring().unwrap_or(false),
    })
}

/// Whether it names the root group or one below it.
fn is_group(id: &str) -> bool {
    id == "/"
        || !id.contains(['/', '\n', '\0']) && !matches!(id, "." | "..") && !KERNELS.contains(&id)
}

fn no_nul(text: &str, field: &str) -> Result<()> {
    super::check::no_nul(text, || format!("{POINTER}/{field}"))
}

fn fail<T>(field: &str, text: String) -> Result<T> {
    Err(Error::config(format!("{POINTER}/{field}"), text))
}
