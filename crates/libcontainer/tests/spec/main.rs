//! The good and bad documents of the runtime-spec's own schema tests (`schema/test/config` there,
//! Apache-2.0). Each row says what becomes of a file.

use std::path::{Path, PathBuf};

use libcontainer::plan::{HostFacts, plan};
use libcontainer::spec;

/// File, and a part of the message with which it is refused; none for a file that makes a plan.
#[rustfmt::skip]
const DOCUMENTS: &[(&str, Option<&str>)] = &[
    ("good/minimal.json", None),
    ("good/minimal-for-start.json", None),
    ("good/linux-rdma.json", None),
    // Devices of the host cannot be moved to the host.
    ("good/linux-netdevice.json", Some("/linux/netDevices: unable to move network devices without a NET namespace")),
    // Written for a version before 1.0.
    ("good/spec-example.json", Some("/ociVersion: version \"0.5.0-dev\" is not supported")),
    ("good/zos-example.json", Some("/ociVersion: version \"0.5.0-dev\" is not supported")),
    // Sections of other platforms are passed over.
    ("good/zos-minimal.json", None),
    ("good/freebsd-minimal.json", None),
    // Not so what all platforms share: on Linux a hostname wants a namespace.
    ("good/freebsd-example.json", Some("/hostname: unable to set hostname without a private UTS namespace")),
    ("bad/freebsd-vnet-disable.json", None),
    ("bad/invalid-json.json", Some("line 1, column 2: key must be a string")),
    ("bad/linux-hugepage.json", Some("/linux/resources/hugepageLimits/0/pageSize: \"64kB\" is not a page size")),
    ("bad/linux-netdevice.json", Some("/linux/netDevices/eth0/name: invalid type: integer `23`")),
    ("bad/linux-rdma.json", Some("/linux/resources/rdma/mlx5_1/hcaHandles: invalid type: string")),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec")
}

fn outcome(path: &Path) -> Result<(), String> {
    let facts = HostFacts { bundle: PathBuf::from("/bundle"), euid: 0, last_cap: 40 };
    let spec = spec::load(path).map_err(|error| error.to_string())?;
    plan(&spec, &facts).map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn documents_end_as_they_should() {
    for (file, refusal) in DOCUMENTS {
        match (outcome(&folder().join(file)), refusal) {
            (Ok(()), None) => {}
            (Err(error), Some(words)) => assert!(error.contains(words), "{file}: {error}"),
            (got, _) => panic!("{file}: {got:?}, not {refusal:?}"),
        }
    }
}

#[test]
fn every_document_has_its_row() {
    for kind in ["good", "bad"] {
        for entry in std::fs::read_dir(folder().join(kind)).expect("folder") {
            let name = format!("{kind}/{}", entry.expect("entry").file_name().to_string_lossy());
            assert!(DOCUMENTS.iter().any(|(file, _)| *file == name), "{name}");
        }
    }
}

/// The long example of the specification, with its version brought up.
#[test]
fn the_long_example_is_read_whole() {
    let text = std::fs::read_to_string(folder().join("good/spec-example.json")).expect("file");
    let mut document: serde_json::Value = serde_json::from_str(&text).expect("json");
    document["ociVersion"] = "1.0.0".into();
    let (spec, _) =
        spec::parse(document.to_string().as_bytes(), Path::new("config.json")).expect("spec");
    let facts = HostFacts { bundle: PathBuf::from("/bundle"), euid: 0, last_cap: 40 };
    let plan = plan(&spec, &facts).expect("plan");
    assert_eq!(plan.namespaces.uid_maps.len(), 1);
    assert_eq!(plan.hooks.prestart.len(), 2);
    assert!(plan.resources.memory.limit.is_some() && plan.seccomp.is_some());
}
