use serde_json::json;

use super::*;
use crate::plan::{HostFacts, plan};

fn spec(text: &str) -> Result<(Spec, Vec<String>)> {
    parse(text.as_bytes(), Path::new("/b/config.json"))
}

#[track_caller]
fn fails(text: &str, words: &str) {
    let error = spec(text).expect_err("error").to_string();
    assert!(error.starts_with("parse \"/b/config.json\": "), "{error}");
    assert!(error.contains(words), "{error:?} lacks {words:?}");
}

#[test]
fn missing_file() {
    let error = load(Path::new("/nonexistent/config.json")).expect_err("error").to_string();
    assert_eq!(error, "open \"/nonexistent/config.json\": no such file or directory");
    assert_eq!(
        load_process(Path::new("/nonexistent"), &mut Notes::default()).expect_err("error").errno(),
        Some(nix::errno::Errno::ENOENT)
    );
}

#[test]
fn broken_json() {
    fails("", "line 1, column 0: EOF while parsing a value");
    fails("{\n  \"root\": {]\n", "line 2, column 12: key must be a string");
    fails("{\"ociVersion\": \"1.0.0\"}\nx", "line 2, column 1: trailing characters");
    fails("null", "line 1, column 4: invalid type: null");
}

#[test]
fn wrong_types_name_their_place() {
    fails("{\"root\": {\n\"path\": 5}}", "line 2, column 9: /root/path: invalid type: integer `5`");
    fails("{\"mounts\": {}}", "/mounts: invalid type: map, expected a sequence");
    fails(
        "{\"mounts\": [{\"destination\": \"/a\"}, {\"type\": \"tmpfs\"}]}",
        "/mounts/1: missing field `destination`",
    );
    fails(
        "{\"process\": {\"cwd\": \"/\", \"user\": {\"uid\": -1}}}",
        "/process/user/uid: invalid value: integer `-1`",
    );
    fails(
        "{\"linux\": {\"namespaces\": [{\"type\": \"x\"}]}}",
        "/linux/namespaces/0/type: unknown variant `x`",
    );
    fails(
        "{\"linux\": {\"resources\": {\"rdma\": {\"m/1\": {\"hcaHandles\": \"n\"}}}}}",
        "/linux/resources/rdma/m~11/hcaHandles: invalid type",
    );
    // The position is that of the fault which remains after mending.
    let text = "{\"process\": {\"cwd\": null, \"args\": 5}, \"root\": null}";
    let error = spec(text).expect_err("error").to_string();
    assert_eq!(
        error,
        "parse \"/b/config.json\": /process/args: invalid type: integer `5`, expected a sequence"
    );
}

#[test]
fn a_list_is_no_object() {
    const IS: &str = ": invalid type: sequence, expected an object";
    fails("[]", "line 1, column 0: invalid type: sequence");
    // What serde would take for the first members of each.
    for (text, pointer) in [
        ("{\"root\": [\"rootfs\", true]}", "/root"),
        ("{\"linux\": []}", "/linux"),
        ("{\"process\": {\"cwd\": \"/\", \"user\": [0, 0]}}", "/process/user"),
        (
            "{\"process\": {\"cwd\": \"/\", \"user\": {}, \"rlimits\": [[\"RLIMIT_CPU\", 1, 1]]}}",
            "/process/rlimits/0",
        ),
        ("{\"mounts\": [{\"destination\": \"/a\"}, [\"/b\"]]}", "/mounts/1"),
        ("{\"linux\": {\"resources\": {\"cpu\": [2]}}}", "/linux/resources/cpu"),
        ("{\"linux\": {\"resources\": {\"rdma\": {\"m/1\": [1]}}}}", "/linux/resources/rdma/m~11"),
        // Found by the second reading: what else is wrong can be mended.
        ("{\"root\": null, \"linux\": {\"seccomp\": [\"SCMP_ACT_ALLOW\"]}}", "/linux/seccomp"),
    ] {
        fails(text, &format!("{pointer}{IS}"));
    }
    let mut notes = Notes::default();
    let error = parse_resources(b"[[], null]", &mut notes).expect_err("error").to_string();
    assert_eq!(error, format!("parse \"resources\": line 1, column 0{IS}"));
    let mounts = parse_mounts(b"[[\"/a\"]]", Path::new("m"), &mut notes);
    assert_eq!(
        mounts.expect_err("error").to_string(),
        format!("parse \"m\": line 1, column 1: /0{IS}")
    );
}

#[test]
fn what_runc_accepts_is_mended() {
    let document = json!({
        "ociVersion": "1.0.0",
        "root": {"path": "r", "readonly": null},
        "uidMappings": 5,
        "process": {
            "args": ["sh"], "cwd": "/",
            "capabilities": {"bounding": ["CAP_CHOWN", "CAP_NEXT", "CAP_NEW"], "effective": ["CAP_NEW"]},
            "scheduler": {
                "policy": "SCHED_DEADLINE",
                "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_RECLAIM"],
            },
        },
        "mounts": [{"destination": "/a", "type": "tmpfs", "options": null}],
        "windows": {"resources": "whatever"},
        "linux": {
            "resources": {
                "devices": [{"allow": false, "type": "", "access": "rwm"}],
                "hugepageLimits": [{"pageSize": "2MB", "limit": u64::MAX}],
            },
            "seccomp": {"defaultAction": ""},
        },
    });
    let (spec, warnings) = spec(&document.to_string()).expect("mended");
    assert_eq!(
        warnings,
        ["/process/capabilities: ignoring unknown or unavailable capabilities: [CAP_NEW CAP_NEXT]"]
    );
    let facts = HostFacts { bundle: "/b".into(), euid: 0, last_cap: 40 };
    let plan = plan(&spec, &facts).expect("plan");
    let process = plan.process.expect("process");
    assert_eq!(process.capabilities.bounding, 1);
    assert_eq!(process.scheduler.expect("scheduler").flags, 7);
    assert_eq!(plan.resources.hugepage_limits[0].limit, i64::MAX as u64);
    assert!(plan.seccomp.is_none());
}

#[test]
fn absent_seccomp_arguments_are_zero() {
    let rule = json!({"names": ["a"], "action": "SCMP_ACT_LOG", "args": [{"op": "SCMP_CMP_NE"}]});
    let seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
    let (spec, _) = spec(&json!({"linux": {"seccomp": seccomp}}).to_string()).expect("mended");
    let seccomp =
        spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref()).expect("seccomp");
    assert!(seccomp.syscalls().as_ref().is_some_and(|rules| rules.len() == 1));
}

#[test]
fn nothing_is_invented() {
    let (spec, _) = spec("{\"linux\": {}}").expect("spec");
    assert!(spec.root().is_none() && spec.process().is_none() && spec.mounts().is_none());
    assert!(spec.hostname().is_none() && spec.version().is_empty());
    let linux = spec.linux().as_ref().expect("linux");
    assert!(
        linux.namespaces().is_none()
            && linux.masked_paths().is_none()
            && linux.resources().is_none()
    );
}

#[test]
fn process_files() {
    let text = br#"{"terminal": true, "args": ["x"], "capabilities": {"bounding": ["CAP_ODD"]}}"#;
    let mut notes = Notes::default();
    let parsed: Result<Process> = parse_with(text, Path::new("p.json"), Part::Process, &mut notes);
    let process = parsed.expect("process");
    assert!(process.cwd().as_os_str().is_empty());
    assert_eq!(
        notes.list(),
        ["/capabilities: ignoring unknown or unavailable capabilities: [CAP_ODD]"]
    );
}

#[test]
fn templates_make_plans() {
    for (rootless, euid) in [(None, 0), (Some((1000, 1001)), 1000)] {
        for cgroup2 in [false, true] {
            let text = template(Template { rootless, cgroup2 });
            assert!(text.starts_with(
                "{\n\t\"ociVersion\": \"1.3.0\",\n\t\"process\": {\n\t\t\"terminal\": true"
            ));
            assert!(text.ends_with('}') && !text.contains('@'));
            let (spec, warnings) = spec(&text).expect("spec");
            let facts = HostFacts { bundle: "/b".into(), euid, last_cap: 40 };
            let plan = plan(&spec, &facts).expect("plan");
            assert_eq!((plan.warnings.len(), warnings.len()), (0, 0));
            assert_eq!(plan.namespaces.cgroup == crate::plan::Namespace::New, cgroup2);
            assert_eq!(
                plan.namespaces.uid_maps.first().map(|map| map.host),
                rootless.map(|(uid, _)| uid)
            );
        }
    }
}

#[test]
fn strict_findings_of_parts() {
    let found = |text: &str, part| findings(text.as_bytes(), part);
    let twice = "{\"annotations\": {\"a\": \"1\", \"a\": \"2\"}}";
    assert_eq!(
        found(twice, Part::Config),
        ["/annotations/a: is there twice, and the later value counts"]
    );
    let process = "{\"cwd\": \"/\", \"args\": [\"x\"], \"envs\": []}";
    assert_eq!(
        found(process, Part::Process),
        ["/envs: unknown field, did you mean \"env\"?", "/user: is missing, and taken as {}"]
    );
    let resources = "{\"pids\": {}, \"cpu\": {\"share\": 1}}";
    assert_eq!(
        found(resources, Part::Resources),
        ["/cpu/share: unknown field, did you mean \"shares\"?"]
    );
    let mounts = "[{\"destination\": \"/a\", \"target\": \"b\"}]";
    assert_eq!(found(mounts, Part::Mounts), ["/0/target: unknown field"]);
    for text in ["", "null", "5", "{"] {
        for part in [Part::Config, Part::Process, Part::Resources, Part::Mounts] {
            assert_eq!(found(text, part), Vec::<String>::new(), "{text} {part:?}");
        }
    }
}

/// serde takes the members of an object as a list, too, in the order in which oci-spec has them.
#[test]
fn strict_finds_lists_in_the_place_of_objects() {
    const LIST: &str = "is a list, where the specification has an object";
    let found = |text: &str, part| findings(text.as_bytes(), part);
    for (text, part, place) in [
        ("[]", Part::Config, "the document"),
        ("[]", Part::Resources, "the document"),
        ("{\"root\": [\"rootfs\", true]}", Part::Config, "/root:"),
        ("{\"mounts\": [[\"/a\"]]}", Part::Config, "/mounts/0:"),
        ("[[\"/a\"]]", Part::Mounts, "/0:"),
    ] {
        assert_eq!(found(text, part), [format!("{place} {LIST}")], "{text} {part:?}");
    }
    assert!(found("[]", Part::Mounts).is_empty());
}

/// What oci-spec cannot say is no fault of the document.
#[test]
fn strict_takes_what_the_specification_allows() {
    let document = json!({
        "process": {
            "cwd": "/", "user": {}, "args": ["x"], "execCPUAffinity": {"initial": " 0, 2", "final": ""},
            "scheduler": {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN"]},
        },
        "linux": {"resources": {"pids": {}, "hugepageLimits": [{"pageSize": "2MB", "limit": u64::MAX}]}},
    });
    assert_eq!(findings(document.to_string().as_bytes(), Part::Config), Vec::<String>::new());
    assert!(spec(&document.to_string()).is_ok());
}

/// A limit that is not there is none, one of 0 is one.
#[test]
fn pids_limits() {
    let limit = |pids: &str| {
        let text = format!("{{\"linux\": {{\"resources\": {{\"pids\": {pids}}}}}}}");
        let spec = spec(&text).expect("a document").0;
        let resources = spec.linux().as_ref().and_then(|linux| linux.resources().clone());
        let part =
            parse_resources(format!("{{\"pids\": {pids}}}").as_bytes(), &mut Notes::default());
        assert_eq!(resources.as_ref(), part.as_ref().ok());
        resources.and_then(|all| all.pids().as_ref().map(|pids| pids.limit()))
    };
    assert_eq!(limit("{}"), None);
    assert_eq!(limit("{\"limit\": 0}"), Some(0));
    assert_eq!(limit("{\"limit\": 5}"), Some(5));
}
