//! What `--strict` finds in a document before the planner sees it: fields that nobody knows, fields and values that
//! are passed over, and what is mended for the sake of old engines.
//!
//! Only run with `--strict`; the ordinary way never looks at a document twice.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Part;
use super::duplicates::duplicates;
use super::mend;
use crate::plan::fields::{Fate, SECTIONS, Section};
use crate::spelling::distance;

/// Each finding as `pointer: text`, in the order of the document's pointers; nothing for a text that is no JSON, which
/// is for the parser to say.
pub(super) fn findings(text: &[u8], part: Part) -> Vec<String> {
    let Ok(mut document) = serde_json::from_slice::<Value>(text) else { return Vec::new() };
    let mut found = Findings::default();
    for pointer in duplicates(text) {
        found.add(pointer, "is there twice, and the later value counts");
    }
    found.walk(&document, part.at(), String::new());
    mend::translate(&mut document, part);
    let mut mended = document.clone();
    mend::mend(&mut mended, part, &mut Vec::new());
    found.differences(&document, &mended, String::new());
    found.0.sort_by(|a, b| a.0.cmp(&b.0));
    let line = |(pointer, text): (String, String)| match pointer.as_str() {
        "" => format!("the document {text}"),
        pointer => format!("{pointer}: {text}"),
    };
    found.0.into_iter().map(line).collect()
}

/// Pointers, each with what is to be said of the place.
#[derive(Default)]
struct Findings(Vec<(String, String)>);

/// What is wrong with a value; it is told where the value stands in the table of fields.
type Rule = (&'static str, fn(&Value) -> Option<(String, String)>);

/// Values that are read and not, or not wholly, applied, each with the member that the finding is about.
const RULES: &[Rule] = &[
    ("/process", console_without_terminal),
    ("/process/env", variable_twice),
    ("/process/user", umask_bits),
    ("/linux/devices/[]", file_mode_bits),
    ("/linux/seccomp/syscalls/[]/names/[]", unknown_syscall),
];

impl Findings {
    fn add(&mut self, pointer: String, text: impl Into<String>) {
        self.0.push((pointer, text.into()));
    }

    /// Adds what mending does to a place, unless that or what it is in was found already.
    fn add_mended(&mut self, pointer: String, text: impl Into<String>) {
        let covers = |(known, _): &(String, String)| {
            pointer
                .strip_prefix(known.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if !self.0.iter().any(covers) {
            self.add(pointer, text);
        }
    }

    /// Compares a value with the table; `at` is its place there.
    fn walk(&mut self, value: &Value, at: &str, pointer: String) {
        for (_, rule) in RULES.iter().filter(|(place, _)| *place == at) {
            if let Some((member, text)) = rule(value) {
                self.add(format!("{pointer}{member}"), text);
            }
        }
        match value {
            Value::Object(map) => self.members(map, at, &pointer),
            // The parser takes a list as the members in their order.
            Value::Array(_) if Section::find(at).is_some() => {
                self.add(pointer, "is a list, where the specification has an object");
            }
            Value::Array(list) => {
                for (index, item) in list.iter().enumerate() {
                    self.walk(item, &format!("{at}/[]"), format!("{pointer}/{index}"));
                }
            }
            _ => {}
        }
    }

    fn members(&mut self, map: &Map<String, Value>, at: &str, pointer: &str) {
        // Where the table has no object, the parser refuses one.
        let Some(section) = Section::find(at) else { return };
        for (name, value) in map {
            let pointer = crate::plan::pointer(pointer, name);
            match section.member(name) {
                None => self.add(pointer, unknown(section, name)),
                Some((_, Fate::Ignored(why))) => self.add(pointer, format!("is ignored: {why}")),
                Some(_) if value.is_null() => self.add(pointer, "null counts as absent"),
                Some((known, _)) => self.walk(value, &format!("{at}/{known}"), pointer),
            }
        }
    }

    /// What mending has changed.
    fn differences(&mut self, before: &Value, after: &Value, pointer: String) {
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => {
                for (name, value) in before {
                    let pointer = crate::plan::pointer(&pointer, name);
                    match after.get(name) {
                        None => self.add_mended(pointer, "is passed over"),
                        Some(mended) => self.differences(value, mended, pointer),
                    }
                }
                for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
                    let text = format!("is missing, and taken as {value}");
                    self.add_mended(crate::plan::pointer(&pointer, name), text);
                }
            }
            (Value::Array(before), Value::Array(after)) if before.len() != after.len() => {
                for (index, item) in before.iter().enumerate() {
                    if !after.contains(item) {
                        self.add_mended(
                            format!("{pointer}/{index}"),
                            format!("{item} is passed over"),
                        );
                    }
                }
            }
            (Value::Array(before), Value::Array(after)) => {
                for (index, (item, mended)) in before.iter().zip(after).enumerate() {
                    self.differences(item, mended, format!("{pointer}/{index}"));
                }
            }
            (before, after) if before == after => {}
            (before, after) => self.add_mended(pointer, format!("{before} is taken as {after}")),
        }
    }
}

fn unknown(section: &Section, name: &str) -> String {
    let distances = section.fields.iter().map(|(known, _)| match shortens(name, known) {
        true => (1, *known),
        false => (distance(&name.to_lowercase(), &known.to_lowercase()), *known),
    });
    // A third of the letters may differ: more is another word.
    let near = distances.min().filter(|(distance, _)| distance * 3 <= name.chars().count().max(3));
    if let Some((_, known)) = near {
        return format!("unknown field, did you mean {known:?}?");
    }
    let holds = |other: &&Section| other.fields.iter().any(|(known, _)| *known == name);
    match SECTIONS.iter().find(holds).and_then(|other| other.at.first()) {
        Some(place) => {
            let place = place.replace("/[]", "/0");
            format!("unknown field here, did you mean {:?}?", format!("{place}/{name}"))
        }
        None => "unknown field".into(),
    }
}

/// Whether a name of at least three letters is another one with letters left out, such as `dst` or `caps`.
fn shortens(name: &str, known: &str) -> bool {
    let mut letters = known.chars();
    name.len() >= 3
        && name.chars().next() == known.chars().next()
        && name.chars().all(|letter| letters.any(|other| other == letter))
}

fn console_without_terminal(process: &Value) -> Option<(String, String)> {
    let terminal = process.get("terminal").and_then(Value::as_bool).unwrap_or(false);
    let size = process.get("consoleSize").is_some_and(|size| !size.is_null());
    (size && !terminal).then(|| ("/consoleSize".into(), "is ignored: there is no terminal".into()))
}

fn variable_twice(env: &Value) -> Option<(String, String)> {
    fn name(entry: &Value) -> Option<&str> {
        entry.as_str()?.split_once('=').map(|(name, _)| name)
    }
    let names = env.as_array()?.iter().map(name).enumerate().rev();
    let mut later = HashSet::new();
    // The first of them, which is the last one seen from the end.
    let twice =
        names.filter_map(|(at, name)| Some((at, name?))).filter(|(_, name)| !later.insert(*name));
    let (index, name) = twice.last()?;
    Some((format!("/{index}"), format!("is ignored: {name} is set once more")))
}

fn umask_bits(user: &Value) -> Option<(String, String)> {
    let umask = user.get("umask")?.as_u64()?;
    (umask > 0o777)
        .then(|| ("/umask".into(), format!("{umask} (0o{umask:o}) has bits that no umask has")))
}

fn file_mode_bits(device: &Value) -> Option<(String, String)> {
    let mode = device.get("fileMode")?.as_u64()?;
    (mode > 0o7777).then(|| {
        ("/fileMode".into(), format!("{mode} (0o{mode:o}) has bits that are no permissions"))
    })
}

fn unknown_syscall(name: &Value) -> Option<(String, String)> {
    let name = name.as_str().filter(|name| !seccomp::is_syscall(name))?;
    Some((String::new(), format!("no architecture has a syscall {name:?}: it is passed over")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses() {
        let memory = Section::find("/linux/resources/memory").expect("section");
        assert_eq!(unknown(memory, "Limit"), "unknown field, did you mean \"limit\"?");
        assert_eq!(unknown(memory, "swapiness"), "unknown field, did you mean \"swappiness\"?");
        assert_eq!(unknown(memory, "weather"), "unknown field");
        assert_eq!(unknown(memory, "hierarchy"), "unknown field, did you mean \"useHierarchy\"?");
        assert_eq!(unknown(memory, "l"), "unknown field");
        let mount = Section::find("/mounts/[]").expect("section");
        assert_eq!(unknown(mount, "src"), "unknown field, did you mean \"source\"?");
        assert_eq!(unknown(mount, "dest"), "unknown field, did you mean \"destination\"?");
        assert_eq!(
            unknown(memory, "noNewPrivileges"),
            "unknown field here, did you mean \"/process/noNewPrivileges\"?"
        );
        assert_eq!(
            unknown(memory, "destination"),
            "unknown field here, did you mean \"/mounts/0/destination\"?"
        );
    }
}
