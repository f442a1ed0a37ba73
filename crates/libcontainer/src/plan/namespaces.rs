//! `linux.namespaces`, the id mappings and `linux.timeOffsets`.

use oci_spec::runtime::{Linux, LinuxNamespaceType};

use super::check::{absolute, at, in_order, warning};
use super::facts::HostFacts;
use super::idmap::{is_mapped, mappings};
use super::rules::{Fault, Rule, keep};
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
        user(linux, &mut plan)?;
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

/// Where a kind of namespace is in the plan.
type Slot = fn(&mut Namespaces) -> &mut Namespace;

/// Every kind, by name.
const KINDS: &[(&str, LinuxNamespaceType, Slot)] = &[
    ("cgroup", LinuxNamespaceType::Cgroup, |plan| &mut plan.cgroup),
    ("ipc", LinuxNamespaceType::Ipc, |plan| &mut plan.ipc),
    ("mount", LinuxNamespaceType::Mount, |plan| &mut plan.mount),
    ("network", LinuxNamespaceType::Network, |plan| &mut plan.network),
    ("pid", LinuxNamespaceType::Pid, |plan| &mut plan.pid),
    ("time", LinuxNamespaceType::Time, |plan| &mut plan.time),
    ("user", LinuxNamespaceType::User, |plan| &mut plan.user),
    ("uts", LinuxNamespaceType::Uts, |plan| &mut plan.uts),
];

/// The names of all kinds of namespace, sorted, for the `features` verb.
pub fn namespace_names() -> Vec<&'static str> {
    KINDS.iter().map(|(name, ..)| *name).collect()
}

fn list(linux: &Linux, plan: &mut Namespaces) -> Result<()> {
    for (index, entry) in linux.namespaces().iter().flatten().enumerate() {
        let kind = KINDS.iter().find(|(_, kind, _)| *kind == entry.typ());
        let Some((name, _, slot)) = kind else {
            let pointer = format!("/linux/namespaces/{index}/type");
            return Err(Error::config(pointer, "no such kind of namespace"));
        };
        let slot = slot(plan);
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

/// User namespace and mappings.
pub(super) const USER_RULES: &[Rule<Namespaces>] = &[
    Rule {
        rule: "mappings are only given with a user namespace",
        source: "config-linux.md#user-namespace-mappings",
        check: mappings_for_nobody,
    },
    Rule {
        rule: "a new user namespace has mappings, and id 0 is in them",
        source: "config-linux.md#user-namespace-mappings",
        check: no_root,
    },
];

/// The time namespace of a container with offsets.
pub(super) const TIME_RULES: &[Rule<Namespace>] = &[
    Rule {
        rule: "time offsets are only given with a time namespace",
        source: "config-linux.md#offset-for-time-namespace",
        check: offsets_for_nobody,
    },
    Rule {
        rule: "time offsets are not given with the path of a time namespace",
        source: "config-linux.md#offset-for-time-namespace",
        check: offsets_of_others,
    },
];

fn maps(plan: &Namespaces) -> [(&'static str, &[IdMap]); 2] {
    [("uid", &plan.uid_maps), ("gid", &plan.gid_maps)]
}

fn mappings_for_nobody(plan: &Namespaces) -> Option<Fault> {
    let (kind, _) = maps(plan).into_iter().find(|(_, maps)| !maps.is_empty())?;
    let text = "user namespace mappings specified, but user namespace isn't enabled in the config";
    Fault::when(plan.user == Namespace::Inherit, &format!("/{kind}Mappings"), text)
}

/// Set-up happens as the namespace's root, which must therefore exist.
fn no_root(plan: &Namespaces) -> Option<Fault> {
    let without = |(_, maps): &(&str, &[IdMap])| !is_mapped(0, maps);
    let (kind, maps) =
        maps(plan).into_iter().filter(|_| plan.user == Namespace::New).find(without)?;
    let what = if maps.is_empty() {
        format!("no {kind} mappings found")
    } else {
        format!("no mapping found for {kind} 0")
    };
    Some(Fault::new(format!("/{kind}Mappings"), format!("user namespaces enabled, but {what}")))
}

fn user(linux: &Linux, plan: &mut Namespaces) -> Result<()> {
    plan.uid_maps = mappings("/linux/uidMappings", linux.uid_mappings())?;
    plan.gid_maps = mappings("/linux/gidMappings", linux.gid_mappings())?;
    // Of a namespace that is joined engines write both. Whether they agree is seen when there is a process.
    keep(USER_RULES, plan, "/linux")
}

fn offsets_for_nobody(time: &Namespace) -> Option<Fault> {
    let text = "time namespace offsets specified, but time namespace isn't enabled in the config";
    Fault::when(*time == Namespace::Inherit, "/timeOffsets", text)
}

fn offsets_of_others(time: &Namespace) -> Option<Fault> {
    let text = "time namespace enabled, but both namespace path and time offsets specified -- you may only provide one";
    Fault::when(matches!(time, Namespace::Join(_)), "/timeOffsets", text)
}

fn time(linux: &Linux, plan: &mut Namespaces) -> Result<()> {
    let Some(offsets) = linux.time_offsets().as_ref().filter(|offsets| !offsets.is_empty()) else {
        return Ok(());
    };
    keep(TIME_RULES, &plan.time, "/linux")?;
    for (name, offset) in in_order(offsets) {
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
