//! `hooks`.

use oci_spec::runtime::{Hook as OciHook, Hooks as OciHooks};

use super::check::{no_nul, no_nul_path};
use super::rules::{Fault, Rule, keep};
use super::{Hook, Hooks};
use crate::error::Result;

/// Where a kind of hook is in config.json.
type Given = fn(&OciHooks) -> &Option<Vec<OciHook>>;
/// Where it is in the plan.
type Slot = fn(&mut Hooks) -> &mut Vec<Hook>;

/// Every kind, in the order of a container's life.
// Prestart is deprecated by the runtime-spec, and what Docker still writes.
#[allow(deprecated)]
const KINDS: &[(&str, Given, Slot)] = &[
    ("prestart", OciHooks::prestart, |plan| &mut plan.prestart),
    ("createRuntime", OciHooks::create_runtime, |plan| &mut plan.create_runtime),
    ("createContainer", OciHooks::create_container, |plan| &mut plan.create_container),
    ("startContainer", OciHooks::start_container, |plan| &mut plan.start_container),
    ("poststart", OciHooks::poststart, |plan| &mut plan.poststart),
    ("poststop", OciHooks::poststop, |plan| &mut plan.poststop),
];

/// The names of all kinds of hook, for the `features` verb.
pub fn hook_names() -> Vec<&'static str> {
    KINDS.iter().map(|(name, ..)| *name).collect()
}

/// All six kinds, in their order.
pub(super) fn hooks(hooks: Option<&OciHooks>) -> Result<Hooks> {
    let mut plan = Hooks::default();
    let Some(hooks) = hooks else { return Ok(plan) };
    for (name, given, slot) in KINDS {
        *slot(&mut plan) = list(name, given(hooks))?;
    }
    Ok(plan)
}

fn list(kind: &str, hooks: &Option<Vec<OciHook>>) -> Result<Vec<Hook>> {
    let hooks = hooks.iter().flatten().enumerate();
    hooks.map(|(index, entry)| hook(entry, &format!("/hooks/{kind}/{index}"))).collect()
}

pub(super) const RULES: &[Rule<OciHook>] = &[
    Rule {
        rule: "the path of a hook is absolute",
        source: "config.md#posix-platform-hooks",
        check: relative_path,
    },
    Rule {
        rule: "the timeout of a hook is greater than zero",
        source: "config.md#posix-platform-hooks",
        check: no_time,
    },
];

fn relative_path(hook: &OciHook) -> Option<Fault> {
    (!hook.path().is_absolute()).then(|| {
        let path = hook.path().display().to_string();
        Fault::new("/path", format!("the hook {path:?} must be an absolute path"))
    })
}

fn no_time(hook: &OciHook) -> Option<Fault> {
    let text = "timeout must be greater than zero";
    Fault::when(hook.timeout().is_some_and(|seconds| seconds <= 0), "/timeout", text)
}

fn hook(hook: &OciHook, pointer: &str) -> Result<Hook> {
    keep(RULES, hook, pointer)?;
    no_nul_path(hook.path(), || format!("{pointer}/path"))?;
    Ok(Hook {
        path: hook.path().clone(),
        args: strings(hook.args(), || format!("{pointer}/args"))?,
        env: match hook.env() {
            None => None,
            given => Some(strings(given, || format!("{pointer}/env"))?),
        },
        timeout: hook.timeout().map(i64::unsigned_abs),
        stdout: None,
        stderr: None,
    })
}

fn strings(list: &Option<Vec<String>>, pointer: impl Fn() -> String) -> Result<Vec<String>> {
    let list = list.as_deref().unwrap_or_default();
    for (index, text) in list.iter().enumerate() {
        no_nul(text, || format!("{}/{index}", pointer()))?;
    }
    Ok(list.to_vec())
}
