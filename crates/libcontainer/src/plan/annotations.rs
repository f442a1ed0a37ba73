//! Annotations that ask for what config.json has no field for. They are crun's; Podman writes some of them.

use std::path::{Path, PathBuf};

use super::check::{absolute, at};
use super::{Hook, Plan};
use crate::error::{Error, Result};

/// Changes a plan by the value of its annotation.
type Apply = fn(&mut Plan, value: &str, pointer: &str) -> Result<()>;

/// What each does. None of them is looked for unless config.json has it.
const KNOWN: &[(&str, Apply)] = &[
    ("run.oci.hooks.stderr", |plan, file, at| output(plan, file, at, |hook| &mut hook.stderr)),
    ("run.oci.hooks.stdout", |plan, file, at| output(plan, file, at, |hook| &mut hook.stdout)),
    ("run.oci.keep_original_groups", keep_groups),
    ("run.oci.pidfd_receiver", pidfd_receiver),
    ("run.oci.seccomp.receiver", seccomp_receiver),
    ("run.oci.seccomp_fail_unknown_syscall", known_syscalls_only),
];

/// Does what the plan's annotations ask for.
pub(super) fn apply(plan: &mut Plan) -> Result<()> {
    for (name, apply) in KNOWN {
        if let Some(value) = plan.annotations.get(*name).cloned() {
            apply(plan, &value, &at("/annotations", name))?;
        }
    }
    Ok(())
}

/// A switch is on unless its value says no.
fn is_on(value: &str) -> bool {
    !matches!(value, "0" | "false")
}

fn path(value: &str, pointer: &str) -> Result<PathBuf> {
    absolute(Path::new(value), "the annotation's path", || pointer.to_owned())?;
    Ok(PathBuf::from(value))
}

/// Of hooks whose files are the host's: those of `startContainer` see the container's.
fn output(
    plan: &mut Plan,
    file: &str,
    pointer: &str,
    stream: impl Fn(&mut Hook) -> &mut Option<PathBuf>,
) -> Result<()> {
    let file = path(file, pointer)?;
    let hooks = &mut plan.hooks;
    let on_the_host = [
        &mut hooks.prestart,
        &mut hooks.create_runtime,
        &mut hooks.create_container,
        &mut hooks.poststart,
        &mut hooks.poststop,
    ];
    for hook in on_the_host.into_iter().flatten() {
        *stream(hook) = Some(file.clone());
    }
    Ok(())
}

fn keep_groups(plan: &mut Plan, value: &str, _: &str) -> Result<()> {
    if let Some(process) = &mut plan.process {
        process.keep_groups = is_on(value);
    }
    Ok(())
}

fn pidfd_receiver(plan: &mut Plan, value: &str, pointer: &str) -> Result<()> {
    plan.pidfd_receiver = Some(path(value, pointer)?);
    Ok(())
}

/// As `listenerPath`, which goes first.
fn seccomp_receiver(plan: &mut Plan, value: &str, pointer: &str) -> Result<()> {
    let receiver = path(value, pointer)?.to_string_lossy().into_owned();
    if let Some(profile) = &mut plan.seccomp {
        profile.listener_path.get_or_insert(receiver);
    }
    Ok(())
}

fn known_syscalls_only(plan: &mut Plan, value: &str, _: &str) -> Result<()> {
    let rules = plan.seccomp.as_ref().filter(|_| is_on(value)).map(|profile| &profile.rules);
    for (index, rule) in rules.into_iter().flatten().enumerate() {
        if let Some(name) = rule.names.iter().find(|name| !seccomp::is_syscall(name)) {
            let pointer = format!("/linux/seccomp/syscalls/{index}/names");
            return Err(Error::config(pointer, format!("unknown syscall {name:?}")));
        }
    }
    Ok(())
}
