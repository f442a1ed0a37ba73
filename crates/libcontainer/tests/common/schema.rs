//! The JSON schema of the runtime-spec: which fields there are, and whether a document follows it.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// Where the schema is kept.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../integration_tests/data/runtime-spec")
}

/// The schema of config.json, without references.
pub(crate) fn config() -> Value {
    read("config-schema.json")
}

/// The schema of what `features` prints, without references.
pub(crate) fn features() -> Value {
    read("features-schema.json")
}

fn read(file: &str) -> Value {
    expand(file, &load(file))
}

fn load(file: &str) -> Value {
    let path = folder().join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).expect("json")
}

/// `value` of `file`, each reference in it replaced by what it refers to.
fn expand(file: &str, value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut all = Map::new();
            for (key, member) in map {
                match (key.as_str(), member.as_str()) {
                    ("$ref", Some(reference)) => {
                        let (other, pointer) = reference.split_once('#').expect("reference");
                        let other = if other.is_empty() { file } else { other };
                        let target = load(other);
                        let target = target.pointer(pointer.trim_end_matches('/'));
                        let Value::Object(more) = expand(other, target.expect(reference)) else {
                            panic!("{reference} is no object");
                        };
                        all.extend(more);
                    }
                    _ => {
                        all.insert(key.clone(), expand(file, member));
                    }
                }
            }
            Value::Object(all)
        }
        Value::Array(list) => list.iter().map(|item| expand(file, item)).collect(),
        other => other.clone(),
    }
}

/// Every field below `schema`, `[]` in the place of each index and `*` of each free name, in order.
pub(crate) fn fields(schema: &Value) -> Vec<String> {
    let mut all = Vec::new();
    walk(schema, "", &mut all);
    all
}

fn walk(schema: &Value, at: &str, all: &mut Vec<String>) {
    for part in ["allOf", "anyOf"].into_iter().flat_map(|key| schema[key].as_array()).flatten() {
        walk(part, at, all);
    }
    let named = schema["properties"].as_object().into_iter().flatten();
    let free = free(schema).map(|member| ("*", member));
    for (name, member) in named.map(|(name, member)| (name.as_str(), member)).chain(free) {
        let path = format!("{at}/{name}");
        if !all.contains(&path) {
            all.push(path.clone());
        }
        walk(member, &path, all);
    }
    if schema["items"].is_object() {
        walk(&schema["items"], &format!("{at}/[]"), all);
    }
}

/// What a member with a free name is.
pub(crate) fn free(schema: &Value) -> Option<&Value> {
    let patterns = schema["patternProperties"].as_object().and_then(|map| map.values().next());
    Some(&schema["additionalProperties"]).filter(|member| member.is_object()).or(patterns)
}

/// How a document breaks the schema, each as `pointer: text`.
pub(crate) fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "", &mut found);
    found
}

fn check(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let list = |key: &str| schema[key].as_array().map(Vec::as_slice).unwrap_or_default();
    list("allOf").iter().for_each(|part| check(part, value, at, found));
    if !list("anyOf").is_empty()
        && list("anyOf").iter().all(|part| !violations(part, value).is_empty())
    {
        found.push(format!("{at}: fits none"));
    }
    let has_type = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some(other) => panic!("type {other}"),
        None => true,
    };
    if !has_type {
        found.push(format!("{at}: {value} is no {}", schema["type"]));
    }
    if !list("enum").is_empty() && !list("enum").contains(value) {
        found.push(format!("{at}: {value} is not one of the words"));
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
        && !matches(pattern, text)
    {
        found.push(format!("{at}: {text:?} is not like {pattern}"));
    }
    let below = schema["minimum"].as_i64().zip(value.as_i64()).is_some_and(|(least, n)| n < least);
    let above = schema["maximum"].as_u64().zip(value.as_u64()).is_some_and(|(most, n)| n > most);
    if below || above {
        found.push(format!("{at}: {value} is out of range"));
    }
    for name in list("required").iter().filter_map(Value::as_str) {
        if value.is_object() && value.get(name).is_none() {
            found.push(format!("{at}: lacks {name}"));
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        if let Some(schema) = schema["properties"].get(name).or_else(|| free(schema)) {
            check(schema, member, &format!("{at}/{name}"), found);
        }
    }
    let items = value.as_array().into_iter().flatten().enumerate();
    items.for_each(|(index, item)| check(&schema["items"], item, &format!("{at}/{index}"), found));
}

/// As much of regular expressions as the schema has: letters, `\\n`, sets in brackets, `+` and `*`.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$'));
    here(&pattern.expect("a whole text").replace("\\n", "\n"), text)
}

fn here(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return text.is_empty() };
    let end = if first == '[' { pattern.find(']').expect("]") } else { first.len_utf8() - 1 };
    let (set, rest) = pattern.split_at(end + 1);
    let count = text.chars().take_while(|letter| is_in(set, *letter)).count();
    match rest.chars().next() {
        // What follows a repetition never begins with a letter of it.
        Some(mark @ ('+' | '*')) if count > 0 || mark == '*' => here(
            &rest[1..],
            &text[text.char_indices().nth(count).map_or(text.len(), |(at, _)| at)..],
        ),
        Some('+' | '*') => false,
        _ => count > 0 && here(rest, &text[text.chars().next().map_or(0, char::len_utf8)..]),
    }
}

fn is_in(set: &str, letter: char) -> bool {
    let Some(inside) = set.strip_prefix('[').and_then(|set| set.strip_suffix(']')) else {
        return set.starts_with(letter);
    };
    let (inside, negative) = inside.strip_prefix('^').map_or((inside, false), |rest| (rest, true));
    let letters: Vec<char> = inside.chars().collect();
    let mut found = letters.contains(&letter);
    for range in letters.windows(3).filter(|range| range[1] == '-' && range[0] < range[2]) {
        found |= (range[0]..=range[2]).contains(&letter);
    }
    found != negative
}
