//! config.json → [`Plan`]: pure, no system call. One file for each section of config.json.
//!
//! Every rule of the runtime-spec that can be checked without looking at the host is checked here, and
//! every error names the place in config.json. What must be seen on the host (does the root exist, is a
//! joined network namespace the host's own, do the mappings of a joined user namespace agree) is left to
//! the launch.

mod affinity;
mod annotations;
mod base64;
mod bitmap;
mod capabilities;
mod cgroup;
mod check;
mod device_rules;
mod devices;
mod facts;
pub mod fields;
mod hooks;
mod idmap;
mod intel_rdt;
mod memory_policy;
mod model;
mod mount_ids;
mod mount_options;
mod mounts;
mod namespaces;
mod net_devices;
mod oci_version;
mod paths;
mod personality;
mod process;
mod resources;
mod rlimits;
mod rootfs;
mod rules;
mod scheduler;
mod seccomp;
mod sysctl;
#[cfg(test)]
mod tests;
mod uts;

use oci_spec::runtime::{Linux, Spec};

pub use capabilities::{capability_names, capability_number};
pub(crate) use cgroup::host_id;
pub(crate) use check::at as pointer;
pub use facts::HostFacts;
pub use hooks::hook_names;
pub(crate) use idmap::same_maps;
pub use memory_policy::{MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES};
pub use model::*;
pub use mount_options::mount_option_names;
pub(crate) use mounts::{OVER_ROOT, clean, covers_a_file_of_proc};
pub use mounts::{copies_links, live_mounts};
pub use namespaces::namespace_names;
pub use process::process;
pub use resources::limits;

use crate::error::Result;
use rules::Rule;

/// Resolves and validates a whole config.json.
///
/// # Errors
/// The first rule that config.json breaks, with a JSON pointer to the place.
pub fn plan(spec: &Spec, facts: &HostFacts) -> Result<Plan> {
    let mut warnings = Vec::new();
    let linux = spec.linux().as_ref();
    oci_version::check(spec.version())?;
    let namespaces = namespaces::namespaces(linux, facts, &mut warnings)?;
    let process = first_process(spec, facts, &namespaces, &mut warnings)?;
    let rootfs = rootfs::rootfs(spec, facts, &namespaces.mount)?;
    let mounts = spec.mounts().as_ref();
    let masked = member(linux, Linux::masked_paths);
    let readonly = member(linux, Linux::readonly_paths);
    let net_devices = member(linux, Linux::net_devices);
    let mut plan = Plan {
        oci_version: spec.version().clone(),
        bundle: facts.bundle.clone(),
        mounts: mounts::mounts(mounts, facts, &rootfs.path, &namespaces, &mut warnings)?,
        mount_label: mounts::label(linux)?,
        mount_context: MountContext::default(),
        rootfs,
        devices: devices::devices(member(linux, Linux::devices), &mut warnings)?,
        masked_paths: paths::paths("maskedPaths", masked, &namespaces.mount)?,
        readonly_paths: paths::paths("readonlyPaths", readonly, &namespaces.mount)?,
        hostname: uts::name("hostname", spec.hostname().as_deref(), &namespaces.uts)?,
        domainname: uts::name("domainname", spec.domainname().as_deref(), &namespaces.uts)?,
        sysctl: sysctl::sysctl(member(linux, Linux::sysctl), &namespaces)?,
        process,
        hooks: hooks::hooks(spec.hooks().as_ref())?,
        cgroups_path: cgroup::path(linux)?,
        cgroup_owner: cgroup::owner(spec, &namespaces),
        sub_cgroups: SubCgroups::default(),
        systemd_v1: false,
        resources: resources::resources(linux, &mut warnings)?,
        seccomp: optional(member(linux, Linux::seccomp), seccomp::profile)?,
        seccomp_program: None,
        personality: personality::personality(member(linux, Linux::personality), &mut warnings),
        intel_rdt: optional(member(linux, Linux::intel_rdt), |given| {
            intel_rdt::intel_rdt(given, &mut warnings)
        })?,
        net_devices: net_devices::net_devices(net_devices, &namespaces, facts)?,
        memory_policy: optional(member(linux, Linux::memory_policy), memory_policy::memory_policy)?,
        annotations: spec.annotations().clone().unwrap_or_default().into_iter().collect(),
        pidfd_receiver: None,
        namespaces,
        warnings,
    };
    annotations::apply(&mut plan)?;
    seccomp::listener(&plan)?;
    Ok(plan)
}

fn first_process(
    spec: &Spec,
    facts: &HostFacts,
    namespaces: &Namespaces,
    warnings: &mut Vec<String>,
) -> Result<Option<Process>> {
    let Some(given) = spec.process() else { return Ok(None) };
    let (process, mut passed_over) = process(given, facts, "/process")?;
    process::ids_are_mapped(&process, namespaces)?;
    warnings.append(&mut passed_over);
    Ok(Some(process))
}

/// A member of the section `linux`, if there are both.
fn member<T>(linux: Option<&Linux>, get: fn(&Linux) -> &Option<T>) -> Option<&T> {
    linux.and_then(|linux| get(linux).as_ref())
}

/// What a section resolves to, if it is there.
fn optional<T, P>(given: Option<&T>, resolve: impl FnOnce(&T) -> Result<P>) -> Result<Option<P>> {
    given.map(resolve).transpose()
}

/// Every rule that is in a table: what must hold, and the heading of the runtime-spec.
pub fn rules() -> Vec<(&'static str, &'static str)> {
    fn of<T: ?Sized>(rules: &[Rule<T>]) -> impl Iterator<Item = (&'static str, &'static str)> {
        rules.iter().map(|rule| (rule.rule, rule.source))
    }
    of(namespaces::USER_RULES)
        .chain(of(namespaces::TIME_RULES))
        .chain(of(scheduler::RULES))
        .chain(of(hooks::RULES))
        .chain(of(seccomp::RULES))
        .chain(of(seccomp::LISTENER_RULES))
        .collect()
}
