//! `process`: of config.json, and of the file that `exec --process` takes.

use oci_spec::runtime::{Process as OciProcess, User};

use super::affinity::affinity as cpu_affinity;
use super::check::{absolute, no_nul};
use super::facts::HostFacts;
use super::idmap::is_mapped;
use super::scheduler::{io_priority, scheduler};
use super::{Namespace, Namespaces, Process, capabilities, optional, rlimits};
use crate::error::{Error, Result};

/// Resolves a process; `pointer` is where it stands: `/process`, or empty for a file of its own.
/// The second value is what was passed over.
///
/// # Errors
/// Anything that the process could not be started with.
pub fn process(
    given: &OciProcess,
    facts: &HostFacts,
    pointer: &str,
) -> Result<(Process, Vec<String>)> {
    let mut warnings = Vec::new();
    cwd(given, pointer)?;
    user(given.user(), pointer)?;
    let terminal = given.terminal().unwrap_or(false);
    let apparmor_profile = label(given.apparmor_profile(), "apparmorProfile", pointer)?;
    let selinux_label = label(given.selinux_label(), "selinuxLabel", pointer)?;
    let sets = given.capabilities().as_ref();
    let sets_at = format!("{pointer}/capabilities");
    let affinity = given.exec_cpu_affinity().as_ref();
    let plan = Process {
        args: args(given, pointer)?,
        env: env(given.env().as_deref().unwrap_or_default(), pointer)?,
        cwd: given.cwd().clone(),
        uid: given.user().uid(),
        gid: given.user().gid(),
        additional_gids: given.user().additional_gids().clone().unwrap_or_default(),
        keep_groups: false,
        // umask(2) itself looks at no other bits.
        umask: given.user().umask().map(|umask| umask & 0o777),
        capabilities: capabilities::sets(sets, facts.last_cap, &sets_at, &mut warnings),
        no_new_privileges: given.no_new_privileges().unwrap_or(false),
        rlimits: rlimits::rlimits(given.rlimits().as_ref(), pointer)?,
        oom_score_adj: oom_score_adj(given.oom_score_adj(), pointer)?,
        terminal,
        console_size: if terminal { console_size(given, pointer)? } else { None },
        apparmor_profile,
        selinux_label,
        scheduler: optional(given.scheduler().as_ref(), |given| scheduler(given, pointer))?,
        io_priority: optional(given.io_priority().as_ref(), |given| io_priority(given, pointer))?,
        exec_affinity: optional(affinity, |given| cpu_affinity(given, pointer))?
            .unwrap_or_default(),
    };
    Ok((plan, warnings))
}

/// The label of a security module; an empty one is none.
fn label(value: &Option<String>, field: &str, pointer: &str) -> Result<Option<String>> {
    no_nul(value.as_deref().unwrap_or_default(), || format!("{pointer}/{field}"))?;
    Ok(value.clone().filter(|value| !value.is_empty()))
}

/// The ids of a process must exist in a user namespace that is made for it.
pub(super) fn ids_are_mapped(process: &Process, namespaces: &Namespaces) -> Result<()> {
    if namespaces.user != Namespace::New {
        return Ok(());
    }
    let fail = |field: &str, kind: &str, id: u32| {
        let text = format!("cannot set{kind} to unmapped {kind} {id} in user namespace");
        Err(Error::config(format!("/process/user/{field}"), text))
    };
    if !is_mapped(process.uid, &namespaces.uid_maps) {
        return fail("uid", "uid", process.uid);
    }
    if !is_mapped(process.gid, &namespaces.gid_maps) {
        return fail("gid", "gid", process.gid);
    }
    for (index, gid) in process.additional_gids.iter().enumerate() {
        if !is_mapped(*gid, &namespaces.gid_maps) {
            return fail(&format!("additionalGids/{index}"), "gid", *gid);
        }
    }
    Ok(())
}

fn cwd(given: &OciProcess, pointer: &str) -> Result<()> {
    let pointer = || format!("{pointer}/cwd");
    if given.cwd().as_os_str().is_empty() {
        return Err(Error::config(pointer(), "Cwd property must not be empty"));
    }
    absolute(given.cwd(), "Cwd must be an absolute path:", pointer)
}

fn args(given: &OciProcess, pointer: &str) -> Result<Vec<String>> {
    let args = given.args().as_deref().unwrap_or_default();
    if args.is_empty() {
        return Err(Error::config(format!("{pointer}/args"), "process args cannot be empty"));
    }
    for (index, arg) in args.iter().enumerate() {
        no_nul(arg, || format!("{pointer}/args/{index}"))?;
    }
    Ok(args.to_vec())
}

/// Each name once, with the value given last and at that place. An empty `HOME` counts as absent, so that
/// the home directory of the user is filled in.
fn env(given: &[String], pointer: &str) -> Result<Vec<String>> {
    let mut env: Vec<&String> = Vec::with_capacity(given.len());
    let mut names = std::collections::HashSet::with_capacity(given.len());
    for (index, entry) in given.iter().enumerate().rev() {
        let fail = |text: &str| {
            let text = format!("invalid environment variable {entry:?}: {text}");
            Err(Error::config(format!("{pointer}/env/{index}"), text))
        };
        let name = match entry.split_once('=') {
            None => return fail("missing '='"),
            Some(("", _)) => return fail("name cannot be empty"),
            Some((name, _)) => name,
        };
        if entry.contains('\0') {
            return fail("contains nul byte");
        }
        if names.insert(name) && entry != "HOME=" {
            env.push(entry);
        }
    }
    Ok(env.into_iter().rev().cloned().collect())
}

fn user(user: &User, pointer: &str) -> Result<()> {
    // The kernel takes -1 for "leave as it is": the process would keep the runtime's id.
    let fail = |field: String| {
        let text = format!("{} is not an id that a process can have", u32::MAX);
        Err(Error::config(format!("{pointer}/user/{field}"), text))
    };
    if user.uid() == u32::MAX {
        return fail("uid".into());
    }
    if user.gid() == u32::MAX {
        return fail("gid".into());
    }
    match user.additional_gids().iter().flatten().position(|gid| *gid == u32::MAX) {
        Some(index) => fail(format!("additionalGids/{index}")),
        None => Ok(()),
    }
}

fn oom_score_adj(value: Option<i32>, pointer: &str) -> Result<Option<i32>> {
    match value {
        Some(value) if !(-1000..=1000).contains(&value) => {
            let text = format!("{value} is not between -1000 and 1000");
            Err(Error::config(format!("{pointer}/oomScoreAdj"), text))
        }
        value => Ok(value),
    }
}

fn console_size(given: &OciProcess, pointer: &str) -> Result<Option<(u16, u16)>> {
    let Some(size) = given.console_size() else {
        return Ok(None);
    };
    let side = |field: &str, value: u64| {
        u16::try_from(value).map_err(|_| {
            Error::config(
                format!("{pointer}/consoleSize/{field}"),
                format!("{value} is more than 65535"),
            )
        })
    };
    Ok(Some((side("height", size.height())?, side("width", size.width())?)))
}
