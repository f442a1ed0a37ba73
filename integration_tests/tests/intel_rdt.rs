//! `linux.intelRdt` on machines without it: the error is clear, and nothing stays. What the kernel does
//! with the groups can only be tried on hardware that has it, which no test host is.

use integration_tests::{Bundle, differs, need_root, skip};
use serde_json::json;

fn has_resctrl() -> bool {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.contains(" - resctrl ")
}

macro_rules! need_no_resctrl {
    () => {
        need_root!();
        differs!(Runc | Crun | Youki, "in other words");
        if has_resctrl() {
            skip!("resctrl is mounted here");
        }
    };
}

#[test]
fn without_resctrl_it_is_refused() {
    need_no_resctrl!();
    for rdt in [
        json!({}),
        json!({ "closID": "gold" }),
        json!({ "l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20" }),
        json!({ "schemata": ["L3:0=f"] }),
        json!({ "enableMonitoring": true }),
    ] {
        let mut bundle = Bundle::new(&["true"]);
        bundle.set("/linux/intelRdt", rdt);
        let words = ["/linux/intelRdt", "Intel RDT is not enabled"];
        bundle.run().exits(1).fails_with(&words);
        bundle.assert_clean();
    }
}

#[test]
fn what_is_wrong_in_itself_is_told_first() {
    need_no_resctrl!();
    let mut bundle = Bundle::new(&["true"]);
    bundle.set("/linux/intelRdt", json!({ "closID": "../gold" }));
    bundle.run().exits(1).fails_with(&["/linux/intelRdt/closID", "invalid intelRdt.ClosID"]);
    bundle.assert_clean();
}
