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

use oci_spec::runtime::Spec;

pub use capabilities::{capability_names, capability_number};
pub(crate) use cgroup::host_id;
pub(crate) use check::at as pointer;
pub use facts::HostFacts;
pub use hooks::hook_names;
pub(crate) use idmap::same_maps;
pub use memory_policy::{MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES};
pub use model::*;
pub use mount_options::mount_option_names;
pub use mounts::live_mounts;
pub(crate) use mounts::{clean, covers_a_file_of_proc};
pub use namespaces::namespace_names;
pub use process::process;
pub use resources::limits;
pub use rules::rules;

use crate::error::Result;

/// Resolves and validates a whole config.json.
///
/// # Errors
/// The first rule that config.json breaks, with a JSON pointer to the place.
pub fn plan(spec: &Spec, facts: &HostFacts) -> Result<Plan> {
    let mut warnings = Vec::new();
    let linux = spec.linux().as_ref();
    oci_version::check(spec.version())?;
    let namespaces = namespaces::namespaces(linux, facts, &mut warnings)?;
    let process = match spec.process() {
        Some(given) => {
            let (process, mut passed_over) = process(given, facts, "/process")?;
            process::ids_are_mapped(&process, &namespaces)?;
            warnings.append(&mut passed_over);
            Some(process)
        }
        None => None,
    };
    let rootfs = rootfs::rootfs(spec, facts, &namespaces.mount)?;
    let mounts = spec.mounts().as_ref();
    let mut plan = Plan {
        oci_version: spec.version().clone(),
        bundle: facts.bundle.clone(),
        mounts: mounts::mounts(mounts, facts, &rootfs.path, &namespaces, &mut warnings)?,
        mount_label: mounts::label(linux)?,
        mount_context: MountContext::default(),
        rootfs,
        devices: devices::devices(linux.and_then(|linux| linux.devices().as_ref()), &mut warnings)?,
        masked_paths: linux.map_or(Ok(Vec::new()), |linux| {
            paths::paths("maskedPaths", linux.masked_paths(), &namespaces.mount)
        })?,
        readonly_paths: linux.map_or(Ok(Vec::new()), |linux| {
            paths::paths("readonlyPaths", linux.readonly_paths(), &namespaces.mount)
        })?,
        hostname: uts::name("hostname", spec.hostname().as_deref(), &namespaces.uts)?,
        domainname: uts::name("domainname", spec.domainname().as_deref(), &namespaces.uts)?,
        sysctl: sysctl::sysctl(linux.and_then(|linux| linux.sysctl().as_ref()), &namespaces)?,
        process,
        hooks: hooks::hooks(spec.hooks().as_ref())?,
        cgroups_path: cgroup::path(linux)?,
        cgroup_owner: cgroup::owner(spec, &namespaces),
        sub_cgroups: SubCgroups::default(),
        resources: resources::resources(linux, &mut warnings)?,
        seccomp: linux
            .and_then(|linux| linux.seccomp().as_ref())
            .map(seccomp::profile)
            .transpose()?,
        seccomp_program: None,
        personality: personality::personality(
            linux.and_then(|linux| linux.personality().as_ref()),
            &mut warnings,
        ),
        intel_rdt: linux
            .and_then(|linux| linux.intel_rdt().as_ref())
            .map(|given| intel_rdt::intel_rdt(given, &mut warnings))
            .transpose()?,
        net_devices: net_devices::net_devices(
            linux.and_then(|linux| linux.net_devices().as_ref()),
            &namespaces,
            facts,
        )?,
        memory_policy: linux
            .and_then(|linux| linux.memory_policy().as_ref())
            .map(memory_policy::memory_policy)
            .transpose()?,
        annotations: spec.annotations().clone().unwrap_or_default().into_iter().collect(),
        pidfd_receiver: None,
        namespaces,
        warnings,
    };
    annotations::apply(&mut plan)?;
    seccomp::listener(&plan)?;
    Ok(plan)
}
