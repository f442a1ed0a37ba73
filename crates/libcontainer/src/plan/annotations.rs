//! Annotations that ask for what config.json has no field for. They are crun's; Podman writes some of them.
//! docs/annotations.md says what each does.

use std::path::{Path, PathBuf};

use seccomp::{Action, Flag, Profile, Program};

use super::check::{absolute, at, no_nul, warning};
use super::{Hook, MountContext, MountKind, Plan, base64, clean};
use crate::error::{Error, Result};

/// Changes a plan by the value of its annotation.
type Apply = fn(&mut Plan, value: &str, pointer: &str) -> Result<()>;

/// What each does, in this order. None of them is looked for unless config.json has it.
const KNOWN: &[(&str, Apply)] = &[
    ("run.oci.handler", handler),
    ("run.oci.seccomp.plugins", plugins),
    ("run.oci.hooks.stderr", |plan, file, at| output(plan, file, at, |hook| &mut hook.stderr)),
    ("run.oci.hooks.stdout", |plan, file, at| output(plan, file, at, |hook| &mut hook.stdout)),
    ("run.oci.keep_original_groups", keep_groups),
    ("run.oci.mount_context_type", mount_context),
    ("run.oci.pidfd_receiver", pidfd_receiver),
    ("run.oci.seccomp_fail_unknown_syscall", known_syscalls_only),
    // Before the receiver, which is for its listener as well.
    ("run.oci.seccomp_bpf_data", seccomp_program),
    ("run.oci.seccomp.receiver", seccomp_receiver),
    ("run.oci.systemd.force_cgroup_v1", systemd_v1),
    ("run.oci.systemd.subgroup", |plan, path, at| sub_cgroup(&mut plan.sub_cgroups.unit, path, at)),
    ("run.oci.delegate-cgroup", |plan, path, at| {
        sub_cgroup(&mut plan.sub_cgroups.delegated, path, at)
    }),
];

/// Prefix of those annotations of crun that ask for something.
const PREFIX: &str = "run.oci.";

/// Does what the plan's annotations ask for.
pub(super) fn apply(plan: &mut Plan) -> Result<()> {
    for (name, apply) in KNOWN {
        if let Some(value) = plan.annotations.get(*name).cloned() {
            apply(plan, &value, &at("/annotations", name))?;
        }
    }
    let unknown = plan.annotations.keys().filter(|name| {
        name.starts_with(PREFIX) && KNOWN.iter().all(|(known, _)| known != &name.as_str())
    });
    let notes =
        unknown.map(|name| warning(&at("/annotations", name), "is ignored: it is not known"));
    plan.warnings.extend(notes.collect::<Vec<_>>());
    wasm_variant(plan);
    Ok(())
}

/// Another program than the container's own would be run in its place. What is asked for only where the program is of
/// that kind is no error: such a one fails by itself when it is executed, and others are meant to run.
fn handler(plan: &mut Plan, value: &str, pointer: &str) -> Result<()> {
    // The pod's own container gets the annotations of the pod, and is an ordinary program.
    let sandbox = "io.kubernetes.cri.container-type";
    if plan.annotations.get(sandbox).is_some_and(|kind| kind == "sandbox") {
        return Ok(());
    }
    if value.ends_with(SMART) {
        let text = format!("handler {value:?} is ignored: onggi has no handlers");
        plan.warnings.push(warning(pointer, &text));
        return Ok(());
    }
    let text = format!("handler {value:?} is not supported: onggi runs Linux programs only");
    Err(Error::config(pointer, text))
}

/// End of the words that ask for a handler only where it is needed.
const SMART: &str = "-smart";

/// Says that a module for WebAssembly is executed like any program, which asks binfmt_misc for a handler.
fn wasm_variant(plan: &mut Plan) {
    const NAME: &str = "module.wasm.image/variant";
    if let Some(variant) = plan.annotations.get(NAME) {
        let text = format!("variant {variant:?} is ignored: onggi has no handlers");
        plan.warnings.push(warning(&at("/annotations", NAME), &text));
    }
}

/// Shared objects need a dynamic program to load them.
fn plugins(_: &mut Plan, value: &str, pointer: &str) -> Result<()> {
    if value.is_empty() {
        return Ok(());
    }
    let text = "a static program cannot load shared objects: let an agent listen at linux.seccomp.listenerPath instead";
    Err(Error::config(pointer, text))
}

fn mount_context(plan: &mut Plan, value: &str, pointer: &str) -> Result<()> {
    plan.mount_context = MountContext::from_option(value).ok_or_else(|| {
        let text = format!("{value:?} is none of context, fscontext, defcontext and rootcontext");
        Error::config(pointer, text)
    })?;
    Ok(())
}

/// The destination of the cgroup mount that is meant.
fn systemd_v1(plan: &mut Plan, value: &str, pointer: &str) -> Result<()> {
    let wanted = path(value, pointer)?;
    let mut cgroups = plan.mounts.iter().filter(|mount| mount.kind == MountKind::Cgroup);
    if !cgroups.any(|mount| clean(&mount.destination) == clean(&wanted)) {
        return Err(Error::config(pointer, format!("there is no cgroup mount at {value:?}")));
    }
    plan.systemd_v1 = true;
    Ok(())
}

/// A path of one name or more below another cgroup; an empty one is none.
fn sub_cgroup(place: &mut Option<String>, value: &str, pointer: &str) -> Result<()> {
    no_nul(value, || pointer.to_owned())?;
    let names: Vec<&str> = value.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    if names.contains(&"..") || value.contains('\n') {
        return Err(Error::config(
            pointer,
            format!("{value:?} is not below the container's cgroup"),
        ));
    }
    *place = Some(names.join("/")).filter(|path| !path.is_empty());
    Ok(())
}

/// A program for the kernel as it is. It never takes the place of a profile: Podman hands annotations of images on, and
/// no image may choose to have none.
fn seccomp_program(plan: &mut Plan, value: &str, pointer: &str) -> Result<()> {
    let fail = |text: String| Error::config(pointer, text);
    if plan.seccomp.is_some() {
        return Err(fail("a filter is given in the place of none, not of linux.seccomp".into()));
    }
    let bytes = base64::decode(value).ok_or_else(|| fail("is not base64".into()))?;
    let program = Program::from_bytes(&bytes, 0).map_err(|_| {
        let most = seccomp::MAX_INSTRUCTIONS;
        fail(format!("{} bytes are no filter of 1 to {most} instructions of 8 bytes", bytes.len()))
    })?;
    plan.seccomp = Some(Profile {
        default_action: Action::Allow,
        architectures: Vec::new(),
        flags: vec![Flag::SpecAllow],
        rules: Vec::new(),
        listener_path: None,
        listener_metadata: None,
    });
    plan.seccomp_program = Some(program.instructions);
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
