//! What Go's decoder and runc let pass and oci-spec does not.
//!
//! Run only after the strict parse has failed. Each function changes the document so that it means to
//! oci-spec what it means to runc, and notes what was lost.

use serde_json::{Map, Value, json};

use super::Part;
use crate::plan::capability_number;

/// Mends a document.
pub(super) fn mend(document: &mut Value, part: Part, warnings: &mut Vec<String>) {
    drop_nulls(document);
    translate(document, part);
    match part {
        Part::Config => spec(document, warnings),
        Part::Process => mend_process(document, "", warnings),
        Part::Resources => document.as_object_mut().into_iter().for_each(mend_resources),
        Part::Mounts => {}
    }
}

/// Puts into oci-spec's words what the runtime-spec allows and they cannot say as it is; nothing is lost by it.
pub(super) fn translate(document: &mut Value, part: Part) {
    let mut change = |pointer: &str, change: fn(&mut Map<String, Value>)| {
        let inside = pointer.strip_prefix(part.at());
        let object = inside.and_then(|pointer| document.pointer_mut(pointer));
        object.and_then(Value::as_object_mut).into_iter().for_each(change);
    };
    change("/process", translate_process);
    change("/linux/resources", translate_resources);
}

/// Mends a whole config.json.
fn spec(document: &mut Value, warnings: &mut Vec<String>) {
    let Some(document) = document.as_object_mut() else {
        return;
    };
    // Sections of other platforms, and two members that only oci-spec believes in.
    for key in ["solaris", "windows", "vm", "zos", "freebsd", "uidMappings", "gidMappings"] {
        document.remove(key);
    }
    if let Some(given) = document.get_mut("process") {
        mend_process(given, "/process", warnings);
    }
    let Some(linux) = document.get_mut("linux").and_then(Value::as_object_mut) else {
        return;
    };
    if let Some(resources) = linux.get_mut("resources").and_then(Value::as_object_mut) {
        mend_resources(resources);
    }
    mend_seccomp(linux);
}

/// Since runtime-spec 1.3 a pids limit need not be one.
fn drop_empty_pids(resources: &mut Map<String, Value>) {
    if resources.get("pids").is_some_and(|pids| pids.get("limit").is_none()) {
        resources.remove("pids");
    }
}

/// To Go, a null member is an absent one.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, member| !member.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn mend_process(process: &mut Value, pointer: &str, warnings: &mut Vec<String>) {
    let Some(process) = process.as_object_mut() else {
        return;
    };
    process.entry("user").or_insert_with(|| json!({}));
    // Left empty for the planner, which says what is wrong with it.
    process.entry("cwd").or_insert_with(|| json!(""));

    let mut unknown = Vec::new();
    if let Some(sets) = process.get_mut("capabilities").and_then(Value::as_object_mut) {
        for set in sets.values_mut().filter_map(Value::as_array_mut) {
            set.retain(|name| keep_capability(name, &mut unknown));
        }
    }
    if !unknown.is_empty() {
        unknown.sort();
        unknown.dedup();
        let names = unknown.join(" ");
        warnings.push(format!(
            "{pointer}/capabilities: ignoring unknown or unavailable capabilities: [{names}]"
        ));
    }
}

fn translate_process(process: &mut Map<String, Value>) {
    // oci-spec takes no list of CPUs with a space or an empty entry in it.
    if let Some(sets) = process.get_mut("execCPUAffinity").and_then(Value::as_object_mut) {
        for set in sets.values_mut() {
            if let Some(list) = set.as_str() {
                let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
                *set = json!(entries.collect::<Vec<_>>().join(","));
            }
        }
        sets.retain(|_, set| set != "");
    }
    let flags = process.get_mut("scheduler").and_then(|scheduler| scheduler.get_mut("flags"));
    for flag in flags.and_then(Value::as_array_mut).into_iter().flatten() {
        // oci-spec misspells two names of the runtime-spec.
        match flag.as_str() {
            Some("SCHED_FLAG_RESET_ON_FORK") => *flag = json!("SCHED_RESET_ON_FORK"),
            Some("SCHED_FLAG_DL_OVERRUN") => *flag = json!("SCHED_FLAG_D_L_OVERRUN"),
            _ => {}
        }
    }
}

fn keep_capability(name: &Value, unknown: &mut Vec<String>) -> bool {
    match name.as_str() {
        Some(text) if capability_number(text).is_none() => {
            unknown.push(text.to_owned());
            false
        }
        _ => true,
    }
}

fn mend_resources(resources: &mut Map<String, Value>) {
    let rules = resources.get_mut("devices").and_then(Value::as_array_mut);
    for rule in rules.into_iter().flatten().filter_map(Value::as_object_mut) {
        if rule.get("type").and_then(Value::as_str) == Some("") {
            rule.remove("type");
        }
    }
}

fn translate_resources(resources: &mut Map<String, Value>) {
    drop_empty_pids(resources);
    let limits = resources.get_mut("hugepageLimits").and_then(Value::as_array_mut);
    for limit in limits.into_iter().flatten().filter_map(|entry| entry.get_mut("limit")) {
        if limit.as_u64().is_some_and(|limit| i64::try_from(limit).is_err()) {
            *limit = json!(i64::MAX);
        }
    }
}

fn mend_seccomp(linux: &mut Map<String, Value>) {
    let Some(seccomp) = linux.get_mut("seccomp").and_then(Value::as_object_mut) else {
        return;
    };
    let text = |key: &str| seccomp.get(key).and_then(Value::as_str).unwrap_or_default();
    let syscalls = seccomp.get("syscalls").and_then(Value::as_array);
    // An engine's way to say that seccomp is off.
    if !seccomp.contains_key("defaultAction") || text("defaultAction").is_empty() {
        if syscalls.is_none_or(Vec::is_empty) {
            linux.remove("seccomp");
        }
        return;
    }
    for rule in seccomp.get_mut("syscalls").and_then(Value::as_array_mut).into_iter().flatten() {
        let args = rule.get_mut("args").and_then(Value::as_array_mut);
        for arg in args.into_iter().flatten().filter_map(Value::as_object_mut) {
            arg.entry("index").or_insert_with(|| json!(0));
            arg.entry("value").or_insert_with(|| json!(0));
        }
    }
}
