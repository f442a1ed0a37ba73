//! `linux.namespaces`, the id mappings and `linux.timeOffsets`.

use oci_spec::runtime::{Linux, LinuxNamespaceType};

use super::check::{absolute, at, warning};
use super::facts::HostFacts;
use super::idmap::{is_mapped, mappings};
use super::{IdMap, Namespace, Namespaces, TimeOffset};
use crate::error::{Error, Result};

/// Which namespaces the container gets, and what belongs to them.
pub(super) fn namespaces(
    linux: Option<&Linux>,
    facts: &HostFacts,
    warnings: &mut Vec<String>,
) -> Result<Namespaces> {
    let mut plan = Namespaces::default();
    if let Some(linux) = linux {
        list(linux, &mut plan)?;
        user(linux, &mut plan, warnings)?;
        time(linux, &mut plan)?;
    }
    if facts.euid != 0 && plan.user == Namespace::Inherit {
        let text =
            "rootless container requires user namespaces: add {\"type\": \"user\"} and mappings";
        return Err(Error::config("/linux/namespaces", text));
    }
    if plan.mount == Namespace::Inherit {
        let text = "no mount namespace: the container's mounts are made in a tree that only its processes see";
        warnings.push(warning("/linux/namespaces", text));
    }
    Ok(plan)
}

fn list(linux: &Linux, plan: &mut Namespaces) -> Result<()> {
    for (index, entry) in linux.namespaces().iter().flatten().enumerate() {
        let (name, slot) = match entry.typ() {
            LinuxNamespaceType::Mount => ("mount", &mut plan.mount),
            LinuxNamespaceType::Cgroup => ("cgroup", &mut plan.cgroup),
            LinuxNamespaceType::Uts => ("uts", &mut plan.uts),
            LinuxNamespaceType::Ipc => ("ipc", &mut plan.ipc),
            LinuxNamespaceType::User => ("user", &mut plan.user),
            LinuxNamespaceType::Pid => ("pid", &mut plan.pid),
            LinuxNamespaceType::Network => ("network", &mut plan.network),
            LinuxNamespaceType::Time => ("time", &mut plan.time),
        };
        if *slot != Namespace::Inherit {
            let text = format!("malformed spec file: duplicated ns {name:?}");
            return Err(Error::config(format!("/linux/namespaces/{index}"), text));
        }
        *slot = match entry.path() {
            Some(path) if !path.as_os_str().is_empty() => {
                absolute(path, "the namespace path", || format!("/linux/namespaces/{index}/path"))?;
                Namespace::Join(path.clone())
            }
            _ => Namespace::New,
        };
    }
    Ok(())
}

fn user(linux: &Linux, plan: &mut Namespaces, warnings: &mut Vec<String>) -> Result<()> {
    plan.uid_maps = mappings("/linux/uidMappings", linux.uid_mappings())?;
    plan.gid_maps = mappings("/linux/gidMappings", linux.gid_mappings())?;
    match plan.user {
        Namespace::Inherit => {
            for (field, maps) in [("uidMappings", &plan.uid_maps), ("gidMappings", &plan.gid_maps)]
            {
                if !maps.is_empty() {
                    let text = "user namespace mappings specified, but user namespace isn't enabled in the config";
                    return Err(Error::config(format!("/linux/{field}"), text));
                }
            }
            Ok(())
        }
        Namespace::New => {
            root_is_mapped("uid", &plan.uid_maps)?;
            root_is_mapped("gid", &plan.gid_maps)
        }
        // Engines write both. Whether they agree is seen when the namespace is opened.
        Namespace::Join(_) => {
            if !plan.uid_maps.is_empty() || !plan.gid_maps.is_empty() {
                let text =
                    "mappings are given for a user namespace that is joined; its own are used";
                warnings.push(warning("/linux/uidMappings", text));
            }
            Ok(())
        }
    }
}

/// Set-up happens as the namespace's root, which must therefore exist.
fn root_is_mapped(kind: &str, maps: &[IdMap]) -> Result<()> {
    let text = if maps.is_empty() {
        format!("user namespaces enabled, but no {kind} mappings found")
    } else if is_mapped(0, maps) {
        return Ok(());
    } else {
        format!("user namespaces enabled, but no mapping found for {kind} 0")
    };
    Err(Error::config(format!("/linux/{kind}Mappings"), text))
}

fn time(linux: &Linux, plan: &mut Namespaces) -> Result<()> {
    let Some(offsets) = linux.time_offsets().as_ref().filter(|offsets| !offsets.is_empty()) else {
        return Ok(());
    };
    let fail = |text: &str| Err(Error::config("/linux/timeOffsets", text));
    match plan.time {
        Namespace::Inherit => {
            return fail(
                "time namespace offsets specified, but time namespace isn't enabled in the config",
            );
        }
        Namespace::Join(_) => {
            return fail(
                "time namespace enabled, but both namespace path and time offsets specified -- you may only provide one",
            );
        }
        Namespace::New => {}
    }
    for (name, offset) in offsets {
        let pointer = || at("/linux/timeOffsets", name);
        let clock = match name.as_str() {
            "monotonic" => "monotonic",
            "boottime" => "boottime",
            _ => {
                return Err(Error::config(pointer(), "no such clock: use monotonic or boottime"));
            }
        };
        let nanosecs = offset.nanosecs().unwrap_or(0);
        if nanosecs > 999_999_999 {
            return Err(Error::config(
                format!("{}/nanosecs", pointer()),
                "must be at most 999999999",
            ));
        }
        plan.time_offsets.push(TimeOffset { clock, secs: offset.secs().unwrap_or(0), nanosecs });
    }
    plan.time_offsets.sort_by_key(|offset| offset.clock);
    Ok(())
}
