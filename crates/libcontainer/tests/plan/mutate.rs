//! Damaged documents must end in a plan or in an error, never in a panic.

use std::path::Path;

use libcontainer::plan::{HostFacts, plan};
use libcontainer::spec;
use serde_json::{Value, json};

use super::random::Random;
use super::{documents, facts, text};

/// Values that sit at the edge of something.
fn odd_values() -> Vec<Value> {
    let mut values = vec![
        json!(null),
        json!(true),
        json!([]),
        json!({}),
        json!([null]),
        json!([[]]),
        json!(1.5),
    ];
    values.extend(
        [0, 1, -1, i64::from(i32::MIN), i64::MAX, i64::MIN, 4095, 65536, 1 << 32].map(|n| json!(n)),
    );
    values.push(json!(u64::MAX));
    let words = [
        "",
        "\0",
        "/",
        "..",
        "a/../..",
        "=",
        "A=",
        ",",
        "\\",
        "\"",
        "-1",
        "é",
        "CAP_ODD",
        "remount",
        "ro",
        "bind",
        "idmap",
        "rshared",
        "SCMP_ACT_NOTIFY",
        "RLIMIT_CPU",
        "/proc",
        "/proc/sys",
        "2.0.0",
        "net",
        "user",
        "time",
        "a",
        "rwm",
        "size=1,mode=2",
    ];
    values.extend(words.map(|word| json!(word)));
    values.push(json!("x".repeat(5000)));
    values
}

/// The members of a document, each as the pointer of where it stands.
fn pointers(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, member) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(member, format!("{at}/{key}"), out);
            }
        }
        Value::Array(list) => {
            for (index, member) in list.iter().enumerate() {
                pointers(member, format!("{at}/{index}"), out);
            }
        }
        _ => {}
    }
    out.push(at);
}

fn damage(document: &mut Value, random: &mut Random, odd: &[Value]) {
    let mut all = Vec::new();
    pointers(document, String::new(), &mut all);
    let from = random.pick(&all).clone();
    let copy = document.pointer(&from).cloned().unwrap_or_default();
    let place = random.pick(&all).clone();
    let Some(target) = document.pointer_mut(&place) else {
        return;
    };
    match (random.below(5), target) {
        (0, target) => *target = copy,
        (1, Value::Array(list)) => list.push(copy),
        (1, Value::Object(map)) => {
            let key = odd.iter().filter_map(Value::as_str).nth(random.below(20)).unwrap_or("k");
            map.insert(key.to_owned(), copy);
        }
        (2, Value::Object(map)) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            if !keys.is_empty() {
                map.remove(random.pick(&keys));
            }
        }
        (2, Value::Array(list)) if !list.is_empty() => {
            list.remove(random.below(list.len()));
        }
        (3, Value::String(word)) => {
            word.push_str(odd[random.below(odd.len())].as_str().unwrap_or("~"))
        }
        (_, target) => *target = random.pick(odd).clone(),
    }
}

fn try_document(text: &[u8], facts: &HostFacts) -> bool {
    match spec::parse(text, Path::new("config.json")) {
        Ok((spec, _)) => plan(&spec, facts).is_ok(),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

/// How many damaged copies of each document there are: a hundredth of the `CASES` that `make fuzz` sets.
fn cases(usual: u64) -> u64 {
    let given = std::env::var("CASES").ok().map(|text| text.parse::<u64>().expect("a number"));
    given.map_or(usual, |cases| cases / 100)
}

#[test]
fn damaged_values_never_panic() {
    let odd = odd_values();
    let mut random = Random(0x0a11_ce55_ed5e_ed01);
    let (mut plans, mut errors) = (0, 0);
    for path in documents() {
        let mut whole: Value = serde_json::from_str(&text(&path)).expect("json");
        // The profile is most of the text and little of the rules; a few of its entries serve.
        if let Some(Value::Array(rules)) = whole.pointer_mut("/linux/seccomp/syscalls") {
            rules
                .iter_mut()
                .filter_map(|rule| rule["names"].as_array_mut())
                .for_each(|names| names.truncate(2));
        }
        for round in 0..cases(150) {
            let mut document = whole.clone();
            for _ in 0..=random.below(4) {
                damage(&mut document, &mut random, &odd);
            }
            let facts = HostFacts { euid: u32::from(round % 2 == 1), last_cap: 255, ..facts() };
            let text = serde_json::to_vec(&document).expect("text");
            if try_document(&text, &facts) { plans += 1 } else { errors += 1 }
        }
    }
    // Both ways out have been taken often, or the damage is not of the right kind.
    assert!(plans > 100 && errors > 1000, "{plans} plans, {errors} errors");
}

#[test]
fn damaged_bytes_never_panic() {
    let mut random = Random(0x5eed_0b1d_cafe_f00d);
    for path in documents() {
        let whole = text(&path).into_bytes();
        for _ in 0..cases(60) {
            let mut bytes = whole.clone();
            let place = random.below(bytes.len());
            match random.below(3) {
                0 => bytes.truncate(place),
                1 => bytes[place] = random.pick(b"{}[]\",:\\0-\0\xff\n").to_owned(),
                _ => {
                    bytes.remove(place);
                }
            }
            try_document(&bytes, &facts());
        }
    }
}
