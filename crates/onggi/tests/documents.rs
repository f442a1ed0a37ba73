//! What README.md, CONTRIBUTING.md and docs/ point to is there: files, headings, and the tests that
//! docs/security.md names.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the project's own files are, from the root of the repository.
const FOLDERS: [&str; 7] =
    ["bench", "completions", "crates", "docs", "integration_tests", "runtimetest", "scripts"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Each with its path from the root of the repository, and its text.
fn documents() -> Vec<(String, String)> {
    let mut names = vec!["README.md".to_owned(), "CONTRIBUTING.md".into(), "SECURITY.md".into()];
    names.extend(files("docs").into_iter().filter(|name| name.ends_with(".md")));
    let read = |name: String| {
        let text = fs::read_to_string(root().join(&name)).expect(&name);
        (name, text)
    };
    names.into_iter().map(read).collect()
}

/// All files below a folder, as paths from the root of the repository.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).expect(folder) {
        let entry = entry.expect(folder);
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().expect(folder).is_dir() {
            found.extend(files(&name));
        } else {
            found.push(name);
        }
    }
    found
}

/// Text in backquotes, each with what stands between it and the next; blocks of code are left out.
fn spans(text: &str) -> Vec<(&str, &str)> {
    let prose = text.split("```").step_by(2);
    let pairs = prose.flat_map(|part| {
        let pieces: Vec<&str> = part.split('`').collect();
        pieces[1..].chunks_exact(2).map(|pair| (pair[0], pair[1])).collect::<Vec<_>>()
    });
    pairs.collect()
}

/// The end of a link to a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn links_lead_somewhere() {
    for (name, text) in documents() {
        let from = Path::new(&name).parent().expect("a file is in a folder");
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("http")) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let path =
                if path.is_empty() { root().join(&name) } else { root().join(from).join(path) };
            assert!(path.exists(), "{name}: nothing is at {target}");
            if !heading.is_empty() {
                let there = fs::read_to_string(&path).expect("read");
                let headings = there.lines().filter(|line| line.starts_with('#'));
                let mut anchors = headings.map(|line| anchor(line.trim_start_matches('#')));
                assert!(anchors.any(|one| one == heading), "{name}: no heading for {target}");
            }
        }
    }
}

#[test]
fn files_that_are_named_are_there() {
    let all: Vec<String> = FOLDERS.iter().flat_map(|folder| files(folder)).collect();
    let is_ours = |word: &str| {
        let first = word.split('/').next().unwrap_or_default();
        word.ends_with(".rs") || word.contains('/') && FOLDERS.contains(&first)
    };
    let mut looked_at = 0;
    for (name, text) in documents() {
        let words = spans(&text).into_iter().map(|(span, _)| span);
        // `VERB.rs` stands for any, and a test is `FILE::FUNCTION`.
        let words = words.filter_map(|word| word.split("::").next());
        for word in words.filter(|word| is_ours(word) && !word.contains("VERB")) {
            let word = word.trim_end_matches('/');
            let (end, inside) = (format!("/{word}"), format!("/{word}/"));
            let is_it = |file: &String| {
                let file = format!("/{file}");
                file.ends_with(&end) || file.contains(&inside)
            };
            assert!(all.iter().any(is_it), "{name}: there is no {word}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 100, "{looked_at} names of files");
}

#[test]
fn tests_that_stop_an_attack_are_there() {
    let text = fs::read_to_string(root().join("docs/security.md")).expect("read");
    let tests = files("integration_tests/tests");
    let mut looked_at = 0;
    let mut source = String::new();
    let mut before = "";
    for (span, after) in spans(&text) {
        if after == ": " {
            let (file, folder) = (format!("/{span}.rs"), format!("/{span}/"));
            let own = tests.iter().filter(|one| one.ends_with(&file) || one.contains(&folder));
            source = own.map(|one| fs::read_to_string(root().join(one)).expect("read")).collect();
        } else if matches!(before, ": " | ", ") && !source.is_empty() {
            assert!(source.contains(&format!("fn {span}()")), "there is no test {span}");
            looked_at += 1;
        }
        if !matches!(after, ": " | ", ") {
            source.clear();
        }
        before = after;
    }
    assert!(looked_at > 50, "{looked_at} names of tests");
}
