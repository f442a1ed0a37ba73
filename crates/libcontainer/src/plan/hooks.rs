//! `hooks`.

use oci_spec::runtime::{Hook as OciHook, Hooks as OciHooks};

use super::check::{absolute, no_nul};
use super::{Hook, Hooks};
use crate::error::{Error, Result};

/// All six kinds, in their order.
pub(super) fn hooks(hooks: Option<&OciHooks>) -> Result<Hooks> {
    let Some(hooks) = hooks else {
        return Ok(Hooks::default());
    };
    // Deprecated by the runtime-spec, and what Docker still writes.
    #[allow(deprecated)]
    let prestart = hooks.prestart();
    Ok(Hooks {
        prestart: list("prestart", prestart)?,
        create_runtime: list("createRuntime", hooks.create_runtime())?,
        create_container: list("createContainer", hooks.create_container())?,
        start_container: list("startContainer", hooks.start_container())?,
        poststart: list("poststart", hooks.poststart())?,
        poststop: list("poststop", hooks.poststop())?,
    })
}

fn list(kind: &str, hooks: &Option<Vec<OciHook>>) -> Result<Vec<Hook>> {
    let hooks = hooks.iter().flatten().enumerate();
    hooks.map(|(index, entry)| hook(entry, &format!("/hooks/{kind}/{index}"))).collect()
}

fn hook(hook: &OciHook, pointer: &str) -> Result<Hook> {
    absolute(hook.path(), "the hook", || format!("{pointer}/path"))?;
    let timeout = match hook.timeout() {
        None => None,
        Some(seconds) => match u64::try_from(seconds) {
            Ok(seconds) if seconds > 0 => Some(seconds),
            _ => {
                return Err(Error::config(
                    format!("{pointer}/timeout"),
                    "timeout must be greater than zero",
                ));
            }
        },
    };
    Ok(Hook {
        path: hook.path().clone(),
        args: strings(hook.args(), || format!("{pointer}/args"))?,
        env: match hook.env() {
            None => None,
            given => Some(strings(given, || format!("{pointer}/env"))?),
        },
        timeout,
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
