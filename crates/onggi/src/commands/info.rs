//! `onggi info`

use libcontainer::lifecycle::{self, HostInfo};
use libcontainer::{Error, Result};

use super::{PLAIN, Verb, shared};
use crate::{log, output};

pub(super) const VERB: Verb = Verb {
    name: "info",
    about: "show what this host allows",
    usage: "",
    details: "The kernel, cgroups, namespaces and security modules that containers can have here. What onggi\n\
              itself can do is told by features.",
    arguments: |command| command.arg(shared::format()),
    run: |_, matches| {
        let info = lifecycle::info()?;
        let text = match shared::text_of(matches, "format").as_deref() {
            None | Some("table") => lines(&info)?.into_bytes(),
            Some("json") => output::json_line(&info)?,
            Some(_) => return Err(Error::message("invalid format option")),
        };
        output::write(&text)?;
        Ok(0)
    },
    ..PLAIN
};

/// A line for each member, named as in the JSON.
fn lines(info: &HostInfo) -> Result<String> {
    let value = serde_json::to_value(info).map_err(|e| Error::message(format!("info: {e}")))?;
    let members = value.as_object().into_iter().flatten();
    let line = |(name, value): (&String, &serde_json::Value)| {
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
            serde_json::Value::Array(items) => {
                let items: Vec<&str> = items.iter().filter_map(|item| item.as_str()).collect();
                items.join(" ")
            }
            serde_json::Value::Number(bytes) if name == "memory" => {
                format!("{} MiB", bytes.as_u64().unwrap_or_default() >> 20)
            }
            other => other.to_string(),
        };
        format!("{}\n", format!("{:<20}{}", format!("{name}:"), log::escape(&text)).trim_end())
    };
    Ok(members.map(line).collect())
}
