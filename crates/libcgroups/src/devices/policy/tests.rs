//! Policies against the plain reading of the rules.

use proptest::prelude::*;

use super::super::testing::{access, any_rule, naive, rule};
use super::*;

fn allows(policy: &Policy, kind: DeviceKind, major: u32, minor: u32, access: Access) -> bool {
    access.without(policy.allowed(kind, Some(major), Some(minor))).is_empty()
}

#[test]
fn what_docker_sends() {
    let rules = [
        rule(false, "a *:* rwm"),
        rule(true, "c 1:5 rwm"),
        rule(true, "c 1:3 rwm"),
        rule(false, "c 10:229 rwm"),
    ];
    let policy = Policy::new(&rules);
    assert!(!policy.default_allow);
    assert_eq!(policy.rules, rules[1..3], "the last one forbids what is forbidden");
}

#[test]
fn privileged() {
    assert!(Policy::new(&[rule(false, "a *:* rwm"), rule(true, "a *:* rwm")]).allows_everything());
}

#[test]
fn kind_a_with_numbers_is_not_everything() {
    let policy = Policy::new(&[rule(true, "a 1:3 r")]);
    assert!(allows(&policy, DeviceKind::Char, 1, 3, access("r")));
    assert!(allows(&policy, DeviceKind::Block, 1, 3, access("r")));
    assert!(!allows(&policy, DeviceKind::Char, 1, 3, access("rw")));
    assert!(!allows(&policy, DeviceKind::Char, 1, 4, access("r")));
}

#[test]
fn a_wider_denial_takes_back_narrower_permissions() {
    let policy = Policy::new(&[rule(true, "c 1:3 rw"), rule(false, "c *:* w")]);
    assert_eq!(policy.rules, [rule(true, "c 1:3 r")]);
}

#[test]
fn a_hole_in_a_wide_permission() {
    let policy = Policy::new(&[rule(true, "c 1:* rwm"), rule(false, "c 1:1 rwm")]);
    assert_eq!(policy.rules.len(), 2);
    assert!(!allows(&policy, DeviceKind::Char, 1, 1, access("r")));
    assert!(allows(&policy, DeviceKind::Char, 1, 2, access("r")));
}

proptest! {
    #[test]
    fn same_as_reading_the_rules_one_by_one(
        rules in prop::collection::vec(any_rule(), 0..12), probe in any_rule(),
    ) {
        let policy = Policy::new(&rules);
        for kind in [DeviceKind::Char, DeviceKind::Block] {
            for (major, minor) in [(0, 0), (0, 1), (1, 0), (1, 1), (7, 7)] {
                prop_assert_eq!(
                    allows(&policy, kind, major, minor, probe.access),
                    naive(&rules, kind, major, minor, probe.access),
                    "{:?}", policy
                );
            }
        }
    }
}
