//! What the tests of this folder share.

use proptest::prelude::*;

use crate::model::{Access, DeviceKind, DeviceRule};

/// `rwm` and parts of it.
pub(super) fn access(text: &str) -> Access {
    Access { read: text.contains('r'), write: text.contains('w'), mknod: text.contains('m') }
}

/// A rule in the kernel's spelling, `c 1:* rw`.
pub(super) fn rule(allow: bool, text: &str) -> DeviceRule {
    let mut words = text.split([' ', ':']);
    let mut next = || words.next().expect("four words");
    let kind = match next() {
        "a" => DeviceKind::All,
        "c" => DeviceKind::Char,
        "b" => DeviceKind::Block,
        other => panic!("{other}"),
    };
    let (major, minor) = (next().parse().ok(), next().parse().ok());
    DeviceRule { allow, kind, major, minor, access: access(next()) }
}

/// Rules over few enough numbers to meet often.
pub(super) fn any_rule() -> impl Strategy<Value = DeviceRule> {
    let kind = prop_oneof![
        1 => Just(DeviceKind::All), 3 => Just(DeviceKind::Char), 3 => Just(DeviceKind::Block)
    ];
    let number = || prop::option::of(0_u32..2);
    let bits = prop_oneof![1 => Just(7_u8), 1 => 1_u8..8];
    (any::<bool>(), kind, number(), number(), bits).prop_map(|(allow, kind, major, minor, bits)| {
        let access = Access { read: bits & 1 > 0, write: bits & 2 > 0, mknod: bits & 4 > 0 };
        DeviceRule { allow, kind, major, minor, access }
    })
}

/// The rules read one by one, for each access by itself: the last one that is about it counts.
pub(super) fn naive(
    rules: &[DeviceRule],
    kind: DeviceKind,
    major: u32,
    minor: u32,
    access: Access,
) -> bool {
    let about = |rule: &DeviceRule| {
        (rule.kind == DeviceKind::All || rule.kind == kind)
            && rule.major.is_none_or(|n| n == major)
            && rule.minor.is_none_or(|n| n == minor)
    };
    let verdict = |wanted: bool, has: fn(&Access) -> bool| {
        !wanted || rules.iter().rev().find(|r| about(r) && has(&r.access)).is_some_and(|r| r.allow)
    };
    verdict(access.read, |a| a.read)
        && verdict(access.write, |a| a.write)
        && verdict(access.mknod, |a| a.mknod)
}
