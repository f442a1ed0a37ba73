//! The table of fields against the schema, and against what the planner does with each of them.

use std::collections::BTreeSet;
use std::path::Path;

use libcontainer::plan::fields::{Fate, SECTIONS};
use libcontainer::plan::{HostFacts, Plan, plan};
use libcontainer::spec::{self, Part};
use serde_json::{Value, json};

use super::schema;

/// Each field of the table with its fate.
pub(crate) fn table() -> Vec<(String, Fate)> {
    let places = SECTIONS.iter().flat_map(|section| section.at.iter().map(move |at| (at, section)));
    places
        .flat_map(|(at, section)| {
            section.fields.iter().map(move |(name, fate)| (format!("{at}/{name}"), *fate))
        })
        .collect()
}

/// Whether the field is below a section of another platform, which the table has as a whole.
pub(crate) fn is_foreign(field: &str) -> bool {
    let foreign = ["/solaris/", "/windows/", "/vm/", "/zos/", "/freebsd/"];
    foreign.iter().any(|section| field.starts_with(section))
}

#[test]
fn the_table_has_the_fields_of_the_schema() {
    let schema = schema::fields(&schema::config()).into_iter().filter(|field| !is_foreign(field));
    let schema: BTreeSet<String> = schema.collect();
    let fields: Vec<String> = table().into_iter().map(|(field, _)| field).collect();
    let table: BTreeSet<String> = fields.iter().cloned().collect();
    assert_eq!(
        table.difference(&schema).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "not in the schema"
    );
    assert_eq!(
        schema.difference(&table).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "not in the table"
    );
    assert_eq!(fields.len(), table.len(), "a field is there twice");
}

/// A document with as many fields as go together.
pub(crate) fn whole() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec/whole.json");
    serde_json::from_str(&std::fs::read_to_string(file).expect("file")).expect("json")
}

/// Documents in which every field of the table stands, and means something.
fn documents() -> Vec<Value> {
    let whole = whole();
    let changes: [(&str, &str, Value); 6] = [
        ("/process", "scheduler", json!({"policy": "SCHED_FIFO", "priority": 5})),
        (
            "/process",
            "scheduler",
            json!({"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 3}),
        ),
        // What is not applied.
        ("/process", "commandLine", json!("sh")),
        ("/process/user", "username", json!("root")),
        ("/linux/resources", "memory", json!({"kernel": 1, "kernelTCP": 2})),
        ("/linux", "personality", json!({"domain": "LINUX32", "flags": ["ADDR_NO_RANDOMIZE"]})),
    ];
    let changed = changes.map(|(at, name, value)| with(&whole, at, name, value));
    let foreign = ["solaris", "windows", "vm", "zos", "freebsd"]
        .map(|name| with(&whole, "", name, json!({})));
    [whole].into_iter().chain(changed).chain(foreign).collect()
}

/// The document with a member set.
pub(crate) fn with(document: &Value, at: &str, name: &str, value: Value) -> Value {
    let mut document = document.clone();
    document.pointer_mut(at).expect(at)[name] = value;
    document
}

/// The plan, without its warnings.
pub(crate) fn outcome(document: &Value) -> Result<Plan, String> {
    let facts = HostFacts { bundle: "/bundle".into(), euid: 0, last_cap: 40 };
    let spec =
        spec::parse(document.to_string().as_bytes(), Path::new("c")).map_err(|e| e.to_string())?.0;
    let mut plan = plan(&spec, &facts).map_err(|error| error.to_string())?;
    plan.warnings.clear();
    Ok(plan)
}

/// The document without the first member at a place of the table, if it has one.
fn without(document: &Value, field: &str) -> Option<Value> {
    let mut document = document.clone();
    remove(&mut document, field).then_some(document)
}

fn remove(value: &mut Value, field: &str) -> bool {
    let (name, rest) = field[1..]
        .split_once('/')
        .map_or((&field[1..], ""), |(name, _)| (name, &field[1 + name.len()..]));
    match value {
        Value::Array(list) => list.iter_mut().any(|item| remove(item, rest)),
        Value::Object(map) => {
            let Some(name) =
                (if name == "*" { map.keys().next().cloned() } else { Some(name.to_owned()) })
            else {
                return false;
            };
            match map.get_mut(&name) {
                Some(member) if !rest.is_empty() => remove(member, rest),
                _ => map.remove(&name).is_some(),
            }
        }
        _ => false,
    }
}

#[test]
fn whole_documents_make_plans() {
    for document in documents() {
        assert!(outcome(&document).is_ok(), "{:?}", outcome(&document));
    }
}

/// A field counts as applied if the plan is another one without it, as ignored if it is not.
#[test]
fn fields_are_what_the_table_says() {
    let documents: Vec<(Value, Result<Plan, String>)> =
        documents().into_iter().map(|document| (document.clone(), outcome(&document))).collect();
    for (field, fate) in table() {
        let mut changes = documents.iter().filter_map(|(document, before)| {
            let without = without(document, &field)?;
            Some(outcome(&without) != *before)
        });
        match fate {
            Fate::Applied => assert!(changes.any(|changed| changed), "{field} is not applied"),
            Fate::Ignored(_) => {
                let changes: Vec<bool> = changes.collect();
                assert!(
                    changes.contains(&false) && !changes.contains(&true),
                    "{field} is not ignored"
                );
            }
        }
    }
}

#[test]
fn strict_takes_what_is_applied_and_nothing_else() {
    let documents = documents();
    let findings = |document: &Value| spec::findings(document.to_string().as_bytes(), Part::Config);
    assert_eq!(findings(&documents[0]), Vec::<String>::new());
    let ignored = table().into_iter().filter(|(_, fate)| matches!(fate, Fate::Ignored(_)));
    for (field, _) in ignored {
        let found = documents
            .iter()
            .flat_map(findings)
            .any(|line| line.starts_with(&format!("{field}: is ignored: ")));
        assert!(found, "{field}");
    }
}
