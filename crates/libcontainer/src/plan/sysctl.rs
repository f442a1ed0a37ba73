//! `linux.sysctl`: only what belongs to a namespace that the container has.
//!
//! Whether a joined network namespace is the host's own can only be seen at run time, by the caller.

use std::collections::HashMap;

use super::check::{at, in_order};
use super::{Namespace, Namespaces};
use crate::error::{Error, Result};

/// Members of `kernel.` that belong to the IPC namespace.
const IPC: &[&str] =
    &["msgmax", "msgmnb", "msgmni", "sem", "shm_rmid_forced", "shmall", "shmmax", "shmmni"];

/// (path below /proc/sys, value), by path.
pub(super) fn sysctl(
    map: Option<&HashMap<String, String>>,
    namespaces: &Namespaces,
) -> Result<Vec<(String, String)>> {
    let mut list = Vec::new();
    for (name, value) in map.into_iter().flat_map(in_order) {
        let fail = |text: String| Error::config(at("/linux/sysctl", name), text);
        let path = path(name);
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) || path.contains('\0') {
            return Err(fail(format!("{name:?} is not the name of a sysctl")));
        }
        refusal(&dotted(&path), &path, namespaces).map_or(Ok(()), |text| Err(fail(text)))?;
        list.push((path, value.clone()));
    }
    list.sort();
    Ok(list)
}

/// Both `net.ipv4.ip_forward` and `net/ipv4/ip_forward`: the first separator tells which of `.` and `/`
/// separates, and the other one then stands for a `.` in a name (sysctl.d(5)).
fn path(name: &str) -> String {
    let slashes = name.find(['.', '/']).is_some_and(|index| name.as_bytes()[index] == b'/');
    if slashes { name.to_owned() } else { swap(name) }
}

/// The name as sysctl(8) prints it.
fn dotted(path: &str) -> String {
    swap(path)
}

fn swap(name: &str) -> String {
    let other = |c| match c {
        '.' => '/',
        '/' => '.',
        c => c,
    };
    name.chars().map(other).collect()
}

/// Why the container may not have this sysctl.
fn refusal(name: &str, path: &str, namespaces: &Namespaces) -> Option<String> {
    let host = |namespace: &Namespace| *namespace == Namespace::Inherit;
    let (top, rest) = path.split_once('/').unwrap_or((path, ""));
    let text = match (top, rest) {
        ("kernel", rest) if IPC.contains(&rest) => ipc(name, namespaces)?,
        ("fs", rest) if rest.starts_with("mqueue/") => ipc(name, namespaces)?,
        ("net", _) if host(&namespaces.network) => {
            format!("sysctl {name:?} not allowed in host network namespace")
        }
        ("kernel", "domainname") if !host(&namespaces.uts) => return None,
        ("kernel", "hostname") if !host(&namespaces.uts) => {
            format!(
                "sysctl {name:?} is not allowed as it conflicts with the OCI \"hostname\" field"
            )
        }
        ("user", _) if host(&namespaces.user) => {
            format!("setting ucounts without a user namespace not allowed: {name}")
        }
        ("net" | "user", rest) if !rest.is_empty() => return None,
        _ => format!("sysctl {name:?} is not in a separate kernel namespace"),
    };
    Some(text)
}

fn ipc(name: &str, namespaces: &Namespaces) -> Option<String> {
    (namespaces.ipc == Namespace::Inherit)
        .then(|| format!("sysctl {name:?} is not allowed in the hosts ipc namespace"))
}
