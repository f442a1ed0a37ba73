//! One table: each limit of `linux.resources`, as config.json, as `update -r -` and as flags of `update`, read back
//! from the kernel, in whichever cgroup view this runs, with the other runtimes of this host beside it.

#[path = "resources/table/mod.rs"]
mod table;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::process::Stdio;
use std::sync::OnceLock;

use integration_tests::{Bundle, Cgroups, Other, has_root, others, record_skip, skip};
use serde_json::{Value, json};
use table::{ANY, CPU, DISKS, HUGE_PAGES, MEMORY, NETWORK, PIDS, Row, UNIFIED};

/// How a limit reaches the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Config,
    Document,
    Flags,
}

/// A row with the names of this host in it, and the files to look at.
struct Case<'a> {
    row: &'a Row,
    words: Words,
    resources: Value,
    base: Value,
    /// (controller, file, text)
    files: Vec<(&'a str, String, String)>,
}

fn peers() -> &'static [Other] {
    static PEERS: OnceLock<Vec<Other>> = OnceLock::new();
    PEERS.get_or_init(others)
}

/// What the words in capitals of a row stand for.
type Words = Vec<(&'static str, String)>;

fn fill(words: &Words, text: &str) -> String {
    words.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, value))
}

impl Case<'_> {
    /// Whether it is known that this peer gives `value`.
    fn excuses(&self, peer: &Other, value: &str) -> bool {
        let theirs = self.row.differs.iter().filter(|differs| differs.peer == peer.name);
        theirs
            .flat_map(|differs| differs.values)
            .any(|known| *known == ANY || fill(&self.words, known) == value)
    }
}

/// Tries all rows of a part of the table.
fn check(part: &str, rows: &[Row]) {
    if !has_root() {
        skip!("needs root");
    }
    let (mut tried, mut compared, mut wrong) = (0, 0, Vec::new());
    for row in rows {
        let cases: Vec<_> = cases(row).into_iter().filter(present).collect();
        tried += usize::from(!cases.is_empty());
        compared += cases.iter().map(|case| compare(case, &mut wrong)).sum::<usize>();
    }
    println!("{part}: {tried} of {} rows tried, {compared} comparisons with peers", rows.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if tried == 0 {
        skip!("no limit of {part} can be set in this view");
    }
}

/// The row for each device or page size of this host that it is about.
fn cases(row: &Row) -> Vec<Case<'_>> {
    let words = words(row);
    if words.is_empty() {
        record_skip(&format!("in part: {}: nothing of that kind here", row.name));
    }
    let case = |words: Words| {
        let parse = |text: &str| -> Value {
            let text = fill(&words, text);
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}: {text}", row.name))
        };
        let cgroups = Cgroups::detect();
        let (v1, v2) = row.controller;
        let (controller, files) = match cgroups.is_v1(v1) {
            true => (v1, row.v1),
            false if cgroups.is_v2(v2) => (v2, row.v2),
            false => ("", [].as_slice()),
        };
        let files = files.iter();
        let files = files.map(|(file, text)| (controller, fill(&words, file), fill(&words, text)));
        let files = files.collect();
        let (resources, base) = (parse(row.resources), parse(row.base));
        Case { row, words, resources, base, files }
    };
    words.into_iter().map(case).collect()
}

/// What the words in capitals of a row stand for here; one empty list for a row without.
fn words(row: &Row) -> Vec<Words> {
    let names = |dir: &str| -> Vec<String> {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    if row.resources.contains("MAJOR") {
        let disk = names("/sys/block").into_iter().find_map(|name| {
            let real = !["ram", "loop", "zram"].iter().any(|prefix| name.starts_with(prefix));
            // Weights are the scheduler's.
            let scheduler = std::fs::read_to_string(format!("/sys/block/{name}/queue/scheduler"));
            let weighs = scheduler.is_ok_and(|text| text.contains("[bfq]"));
            let real = real && (weighs || !row.resources.contains("weightDevice"));
            let numbers = std::fs::read_to_string(format!("/sys/block/{name}/dev")).ok()?;
            let (major, minor) = numbers.trim().split_once(':')?;
            real.then(|| vec![("MAJOR", major.to_owned()), ("MINOR", minor.to_owned())])
        });
        return disk.into_iter().collect();
    }
    if row.resources.contains("SIZE") {
        let sizes = names("/sys/kernel/mm/hugepages");
        let sizes = sizes.iter().filter_map(|name| {
            let kib: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
            let size = match kib {
                0..0x400 => format!("{kib}KB"),
                0x400..0x10_0000 => format!("{}MB", kib >> 10),
                _ => format!("{}GB", kib >> 20),
            };
            Some(vec![("SIZE", size), ("BYTES", (2 * kib * 1024).to_string())])
        });
        return sizes.collect();
    }
    if row.resources.contains("RDMA") {
        return names("/sys/class/infiniband").into_iter().map(|n| vec![("RDMA", n)]).collect();
    }
    if row.resources.contains("SCARCE") {
        let capacity = std::fs::read_to_string("/sys/fs/cgroup/misc.capacity").unwrap_or_default();
        let names = capacity.lines().filter_map(|line| line.split(' ').next());
        return names.map(|name| vec![("SCARCE", name.to_owned())]).collect();
    }
    vec![Vec::new()]
}

/// Whether this view has at least one of the files; says so when not.
fn present(case: &Case<'_>) -> bool {
    let name = case.row.name;
    if case.files.is_empty() {
        let (v1, v2) = case.row.controller;
        let controller = if v2.is_empty() { v1 } else { v2 };
        record_skip(&format!("in part: {name}: no controller {controller} for it in this view"));
        return false;
    }
    let plain = Bundle::new(&["sleep", "100"]);
    plain.up();
    let found = case.files.iter().any(|(controller, file, _)| exists(&plain, controller, file));
    plain.delete();
    if !found {
        record_skip(&format!("in part: {name}: this kernel has no {}", case.files[0].1));
    }
    found
}

fn exists(bundle: &Bundle, controller: &str, file: &str) -> bool {
    let dir = Cgroups::detect().dir(controller, &bundle.cgroup());
    dir.is_some_and(|dir| dir.join(file).exists())
}

/// All forms of a row with our runtime, and then with each peer; how many comparisons with peers there were.
fn compare(case: &Case<'_>, wrong: &mut Vec<String>) -> usize {
    let row = case.row;
    let mut forms = vec![];
    if row.base == "{}" {
        forms.push(Form::Config);
    }
    forms.push(Form::Document);
    if !row.flags.is_empty() {
        forms.push(Form::Flags);
    }
    let mut compared = 0;
    for form in forms {
        let ours = result(case, form, None);
        let expected: Vec<&str> = case.files.iter().map(|(_, _, text)| text.as_str()).collect();
        if !ours.iter().zip(&expected).all(|(found, text)| agrees(found, text)) {
            let what = format!("{} by {form:?}: {ours:?}, expected {expected:?}", row.name);
            wrong.push(what);
        }
        for peer in peers() {
            // What runc's update does not know it ignores.
            if form == Form::Document && row.not_in_update {
                continue;
            }
            compared += 1;
            let theirs = result(case, form, Some(peer));
            let same = |(found, text): (&String, &&str)| agrees(found, text);
            let fine = |pair: (&String, &&str)| same(pair) || case.excuses(peer, pair.0);
            let fine = theirs.iter().zip(&expected).all(fine);
            if !fine {
                let path = peer.path.display();
                let name = row.name;
                wrong.push(format!("{name} by {form:?}: {path} gives {theirs:?}, we {ours:?}"));
            }
        }
    }
    compared
}

/// A file of the kernel agrees when it is the text, or has it as one of its lines; one that is not there always does.
fn agrees(found: &str, text: &str) -> bool {
    found == ABSENT || found == text || (!text.is_empty() && found.lines().any(|l| l == text))
}

const ABSENT: &str = "(no such file)";

/// Of these two all runtimes set one: BFQ's where it is.
fn beside_bfq(bundle: &Bundle, controller: &str, file: &str) -> bool {
    file == "io.weight" && exists(bundle, controller, "io.bfq.weight")
}

/// What the files hold, or the word `error` when the runtime refused.
fn result(case: &Case<'_>, form: Form, peer: Option<&Other>) -> Vec<String> {
    let mut bundle = Bundle::new(&["sleep", "100"]);
    if let Some(peer) = peer {
        bundle.with_runtime(&peer.path);
    }
    let limits = if form == Form::Config { &case.resources } else { &case.base };
    for (key, value) in limits.as_object().into_iter().flatten() {
        bundle.set(&format!("/linux/resources/{key}"), value.clone());
    }
    let created = bundle.create();
    let mut done = created.code == 0;
    if done {
        bundle.start();
        let output = match form {
            Form::Config => None,
            Form::Document => {
                let input = input(&case.resources);
                Some(bundle.call_with_stdin(&["update", "-r", "-", &bundle.id], input))
            }
            Form::Flags => {
                let id = bundle.id.as_str();
                Some(bundle.call(&[&["update"], case.row.flags, &[id]].concat()))
            }
        };
        done = output.is_none_or(|output| {
            assert!(!output.stderr.contains("panicked at") || peer.is_some(), "{output}");
            output.code == 0
        });
    }
    let cgroups = Cgroups::detect();
    let read = |(controller, file, _): &(&str, String, String)| match done {
        true if !exists(&bundle, controller, file) => ABSENT.to_owned(),
        true if beside_bfq(&bundle, controller, file) => ABSENT.to_owned(),
        true => cgroups.read(controller, &bundle.cgroup(), file, file).unwrap_or_default(),
        false => "error".to_owned(),
    };
    let values = case.files.iter().map(read).collect();
    match peer {
        // Not all of them clean up after a limit that they could not set; dropping the bundle does.
        Some(_) => drop(bundle.call(&["delete", "--force", &bundle.id])),
        None => bundle.delete(),
    }
    values
}

/// A document as standard input.
fn input(resources: &Value) -> Stdio {
    let path = std::env::temp_dir().join(format!("onggi-in-{:?}", std::thread::current().id()));
    let open = || -> std::io::Result<File> {
        let mut options = File::options();
        let mut file = options.read(true).write(true).create(true).truncate(true).open(&path)?;
        std::fs::remove_file(&path)?;
        file.write_all(resources.to_string().as_bytes())?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    };
    Stdio::from(open().unwrap_or_else(|e| panic!("write {}: {e}", path.display())))
}

#[test]
fn memory() {
    check("memory", MEMORY);
}

#[test]
fn cpu() {
    check("cpu", CPU);
}

#[test]
fn pids() {
    check("pids", PIDS);
}

#[test]
fn disks() {
    check("block I/O", DISKS);
}

#[test]
fn huge_pages() {
    check("huge pages", HUGE_PAGES);
}

#[test]
fn network_and_rdma() {
    check("network and rdma", NETWORK);
}

#[test]
fn unified() {
    check("unified", UNIFIED);
}

/// The table holds every limit of the runtime-spec.
#[test]
fn nothing_is_left_out() {
    let parts = [MEMORY, CPU, PIDS, DISKS, HUGE_PAGES, NETWORK, UNIFIED];
    let all: String = parts.iter().flat_map(|part| part.iter().map(|row| row.resources)).collect();
    let members = json!([
        "limit",
        "reservation",
        "swap",
        "swappiness",
        "disableOOMKiller",
        "shares",
        "quota",
        "period",
        "burst",
        "idle",
        "realtimeRuntime",
        "realtimePeriod",
        "cpus",
        "mems",
        "pids",
        "weight",
        "weightDevice",
        "throttleReadBpsDevice",
        "throttleWriteBpsDevice",
        "throttleReadIOPSDevice",
        "throttleWriteIOPSDevice",
        "hugepageLimits",
        "classID",
        "priorities",
        "hcaHandles",
        "hcaObjects",
        "unified",
        "misc.max"
    ]);
    for member in members.as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(all.contains(&format!("{member:?}")), "{member}");
    }
}
