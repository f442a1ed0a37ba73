//! What holds for every document that the schema allows. `CASES=N` makes N documents in the place of some thousand;
//! `make fuzz` does.

use std::path::Path;

use libcontainer::plan::fields::Section;
use libcontainer::plan::{HostFacts, plan};
use libcontainer::spec::{self, Part};
use serde_json::{Value, json};

use super::generate::generate;
use super::random::Random;
use super::schema;

fn cases() -> u64 {
    let given = std::env::var("CASES").ok().map(|text| text.parse().expect("CASES is a number"));
    given.unwrap_or(3000)
}

/// What becomes of a document, without the lines and columns of errors: these change with what is put in.
fn outcome(document: &Value, euid: u32) -> Result<String, String> {
    let facts = HostFacts { bundle: "/bundle".into(), euid, last_cap: 40 };
    let text = document.to_string();
    let parsed = spec::parse(text.as_bytes(), Path::new("c")).map_err(|error| error.to_string());
    let result = parsed.and_then(|(spec, passed_over)| {
        let plan = plan(&spec, &facts).map_err(|error| error.to_string())?;
        Ok(format!("{plan:#?}\n{passed_over:?}"))
    });
    result.map_err(|error| {
        match error.split_once("column ").and_then(|(_, rest)| rest.split_once(": ")) {
            Some((_, text)) => text.to_owned(),
            None => error.strip_prefix("parse \"c\": ").unwrap_or(&error).to_owned(),
        }
    })
}

/// Places of objects whose members the table names: as a pointer, and as the table has them.
fn objects(value: &Value, pointer: String, at: String, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            let Some(section) = Section::find(&at) else { return };
            // The name of a clock that is none is an error.
            if section.member("*").is_none() && at != "/linux/timeOffsets" {
                out.push((pointer.clone(), at.clone()));
            }
            for (name, member) in map {
                if let Some((known, _)) = section.member(name) {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    objects(member, format!("{pointer}/{name}"), format!("{at}/{known}"), out);
                }
            }
        }
        Value::Array(list) => {
            for (index, item) in list.iter().enumerate() {
                objects(item, format!("{pointer}/{index}"), format!("{at}/[]"), out);
            }
        }
        _ => {}
    }
}

/// Puts members that nobody knows into some objects; gives their pointers.
fn add_unknown(document: &mut Value, random: &mut Random) -> Vec<String> {
    let mut places = Vec::new();
    objects(document, String::new(), String::new(), &mut places);
    let mut added = Vec::new();
    for _ in 0..=random.below(3) {
        let (pointer, at) = random.pick(&places).clone();
        // Names of other objects, too: in the wrong place they mean nothing.
        let name = *random.pick(&[
            "x",
            "Limit",
            "limits",
            "uidMappings",
            "enableCMT",
            "path",
            "options",
            "a/b",
            "~",
            "",
        ]);
        let section = Section::find(&at).expect("section");
        // oci-spec still knows a field of Intel RDT that the runtime-spec has no more.
        if section.member(name).is_some() || (at == "/linux/intelRdt" && name == "enableCMT") {
            continue;
        }
        let value = random
            .pick(&[json!(null), json!(1), json!("y"), json!([{}]), json!({"path": "/"})])
            .clone();
        document.pointer_mut(&pointer).expect("place")[name] = value;
        added.push(format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")));
    }
    added
}

/// Documents of other commands, and where they stand in config.json.
const PARTS: [(Part, &str); 3] =
    [(Part::Process, "/process"), (Part::Resources, "/linux/resources"), (Part::Mounts, "/mounts")];

/// The unknown fields of a part, taken for itself.
fn unknown_in(document: &Value, part: Part, at: &str) -> Vec<String> {
    let Some(value) = document.pointer(at) else { return Vec::new() };
    let found = spec::findings(value.to_string().as_bytes(), part).into_iter();
    found.filter(|line| line.contains("unknown field")).collect()
}

/// The unknown fields of the whole that are in a part.
fn below(found: &[String], at: &str) -> Vec<String> {
    let inside = found.iter().filter_map(|line| line.strip_prefix(at));
    let inside = inside.filter(|line| line.starts_with('/') && line.contains("unknown field"));
    inside.map(str::to_owned).collect()
}

#[test]
fn documents_of_the_schema_never_panic_and_unknown_fields_change_nothing() {
    let schema = schema::config();
    let mut random = Random(0x0c0f_fee0_5bad_cafe);
    let (mut plans, mut errors, mut unknown) = (0_u64, 0_u64, 0_usize);
    for case in 0..cases() {
        let mut document = generate(&schema, "", &mut random);
        let euid = if case % 4 == 0 { 1000 } else { 0 };
        let before = outcome(&document, euid);
        match &before {
            Ok(_) => plans += 1,
            Err(_) => errors += 1,
        }
        let added = add_unknown(&mut document, &mut random);
        assert_eq!(outcome(&document, euid), before, "{added:?} in {document}");
        let found = spec::findings(document.to_string().as_bytes(), Part::Config);
        for pointer in &added {
            let is_found =
                found.iter().any(|line| line.starts_with(&format!("{pointer}: unknown field")));
            assert!(is_found, "{pointer} is not in {found:#?} of {document}");
        }
        for (part, at) in PARTS {
            assert_eq!(unknown_in(&document, part, at), below(&found, at), "{at} of {document}");
        }
        unknown += added.len();
    }
    // Both ways out have been taken often, or the documents are not of the right kind.
    let cases = cases();
    assert!(plans * 10 > cases && errors * 10 > cases, "{plans} plans, {errors} errors");
    assert!(unknown as u64 > cases, "{unknown} unknown fields");
}

/// A document without unknown fields, and one that only mends nothing, has no findings of that kind.
#[test]
fn what_is_known_is_not_found() {
    let schema = schema::config();
    let mut random = Random(0x5eed_5eed_5eed_5eed);
    for _ in 0..cases() / 4 {
        let document = generate(&schema, "", &mut random);
        let found = spec::findings(document.to_string().as_bytes(), Part::Config);
        let wrong = found.iter().find(|line| line.contains("unknown field"));
        assert_eq!(wrong, None, "{document}");
    }
}
