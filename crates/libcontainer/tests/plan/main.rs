//! Every config.json that an engine was seen to write, planned and compared with the text committed beside
//! this file. `UPDATE=1 cargo test -p libcontainer --test plan` writes the texts anew.

mod mutate;
#[path = "../common/random.rs"]
mod random;
mod render;
mod speed;

use std::fs;
use std::path::{Path, PathBuf};

use libcontainer::plan::{HostFacts, Plan, plan, process};
use libcontainer::spec;

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../integration_tests/data/captures")
}

fn facts() -> HostFacts {
    HostFacts { bundle: PathBuf::from("/bundle"), euid: 0, last_cap: 40 }
}

/// Files whose name ends in `.json`, by name.
fn documents() -> Vec<PathBuf> {
    let folder = captures();
    let list =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = list
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no captures in {}", folder.display());
    files
}

/// A capture with its placeholders filled in, so that paths are absolute again.
fn text(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("capture");
    [("@ENGINE@", "/engine"), ("@PATH@", "/path"), ("@PID@", "1"), ("@TMP@", "/tmp/x")]
        .iter()
        .fold(text, |text, (mark, value)| text.replace(mark, value))
}

fn plan_of(path: &Path) -> Plan {
    let (spec, warnings) = spec::parse(text(path).as_bytes(), path).expect("spec");
    assert_eq!(warnings, Vec::<String>::new(), "{}", path.display());
    plan(&spec, &facts()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rendered(path: &Path) -> String {
    if !path.to_string_lossy().ends_with("-exec.json") {
        return render::plan(&plan_of(path));
    }
    let given = serde_json::from_str(&text(path)).expect("process");
    let (process, warnings) = process(&given, &facts(), "").expect("process plan");
    assert_eq!(warnings, Vec::<String>::new());
    render::process(&process)
}

#[test]
fn captures_make_the_committed_plans() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut different = Vec::new();
    for document in documents() {
        let name = document.file_stem().expect("name").to_string_lossy().into_owned();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/plan/{name}.txt"));
        let got = rendered(&document);
        if update {
            fs::write(&file, &got).expect("write");
        } else if let Some(line) =
            first_difference(&fs::read_to_string(&file).unwrap_or_default(), &got)
        {
            different.push(format!("{name}.txt: {line}"));
        }
    }
    assert!(different.is_empty(), "UPDATE=1 writes these anew:\n{}", different.join("\n"));
}

fn first_difference(want: &str, got: &str) -> Option<String> {
    let (mut want, mut got) = (want.lines(), got.lines());
    for number in 1.. {
        match (want.next(), got.next()) {
            (None, None) => return None,
            (want, got) if want == got => {}
            (want, got) => {
                let line = |text: Option<&str>| text.unwrap_or("(end)").to_owned();
                return Some(format!("line {number}\n  want {}\n  got  {}", line(want), line(got)));
            }
        }
    }
    None
}

#[test]
fn engines_write_nothing_that_is_passed_over() {
    for document in documents() {
        if !document.to_string_lossy().ends_with("-exec.json") {
            assert_eq!(plan_of(&document).warnings, Vec::<String>::new(), "{}", document.display());
        }
    }
}

#[test]
fn engines_write_nothing_that_strict_refuses() {
    for document in documents() {
        let is_process = document.to_string_lossy().ends_with("-exec.json");
        let part = if is_process { spec::Part::Process } else { spec::Part::Config };
        let found = spec::findings(text(&document).as_bytes(), part);
        assert_eq!(found, Vec::<String>::new(), "{}", document.display());
    }
}
