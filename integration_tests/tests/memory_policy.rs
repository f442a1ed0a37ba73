//! `linux.memoryPolicy`, read back through get_mempolicy(2) by `runtimetest check`.

use integration_tests::{Bundle, differs, need_root, skip};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

macro_rules! need_numa {
    () => {
        need_root!();
        differs!(Runc | Crun | Youki, "not in older ones");
        if !Path::new("/proc/self/numa_maps").exists() {
            skip!("the kernel has no NUMA");
        }
    };
}

fn with_policy(args: &[&str], policy: &Value) -> Bundle {
    let mut bundle = Bundle::new(args);
    bundle.set("/linux/memoryPolicy", policy.clone());
    bundle
}

#[test]
fn every_mode_and_flag_reaches_the_program() {
    need_numa!();
    for policy in [
        json!({ "mode": "MPOL_DEFAULT" }),
        json!({ "mode": "MPOL_LOCAL" }),
        json!({ "mode": "MPOL_PREFERRED", "nodes": "0" }),
        json!({ "mode": "MPOL_PREFERRED", "nodes": "0", "flags": ["MPOL_F_RELATIVE_NODES"] }),
        json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"] }),
        json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"] }),
        json!({ "mode": "MPOL_INTERLEAVE", "nodes": "0" }),
        json!({ "mode": "MPOL_PREFERRED_MANY", "nodes": "0" }),
        json!({ "mode": "MPOL_WEIGHTED_INTERLEAVE", "nodes": "0" }),
    ] {
        with_policy(&["check"], &policy).run_check();
    }
}

/// `exec` gives the container's policy, even when the bundle is gone.
#[test]
fn processes_that_are_put_in_have_it_too() {
    need_numa!();
    let bundle = with_policy(
        &["sleep", "1000"],
        &json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"] }),
    );
    bundle.up();
    fs::remove_file(bundle.dir().join("config.json")).expect("remove config.json");
    let output = bundle.exec(&["cat", "/proc/self/numa_maps"]);
    assert!(output.ok().contains("bind=static:0"), "{output}");
    let host = fs::read_to_string("/proc/self/numa_maps").expect("numa_maps");
    assert!(!host.contains("bind"), "the policy has reached the caller");
    bundle.delete();
}

#[test]
fn what_is_refused_names_the_place() {
    need_numa!();
    for (policy, words) in [
        (json!({}), "invalid memory policy mode"),
        (json!({ "nodes": "0" }), "invalid memory policy mode"),
        (json!({ "mode": "BIND", "nodes": "0" }), "invalid memory policy mode"),
        (json!({ "mode": "MPOL_LOCAL", "flags": ["x"] }), "invalid memory policy flag"),
        (json!({ "mode": "MPOL_BIND", "nodes": "0-9876543210" }), "invalid memory policy node"),
        (json!({ "mode": "MPOL_DEFAULT", "nodes": "0" }), "requires 0 nodes but got 1"),
        // A node that the machine does not have.
        (json!({ "mode": "MPOL_BIND", "nodes": "1023" }), "set memory policy"),
    ] {
        let bundle = with_policy(&["true"], &policy);
        bundle.run().exits(1).fails_with(&[words]);
        bundle.assert_clean();
    }
}
