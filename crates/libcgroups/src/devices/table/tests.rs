//! Tables against the plain reading of the rules.

use proptest::prelude::*;

use super::super::testing::{access, any_rule, naive, rule};
use super::*;
use crate::model::DeviceRule;

fn table(rules: &[DeviceRule]) -> Table {
    Table::new(&Policy::new(rules)).expect("table")
}

/// What the table says is allowed, read as [`super`] says.
fn allowed(table: &Table, kind: DeviceKind, major: u32, minor: u32) -> u64 {
    let keys = [(Some(major), Some(minor)), (Some(major), None), (None, Some(minor)), (None, None)];
    keys.into_iter()
        .map(|(major, minor)| key(kind, major, minor))
        .find_map(|key| {
            let entry = table.words[1 + index(key, table.words[0], table.bits)];
            (entry & !ACCESS_MASK == key).then_some(entry & ACCESS_MASK)
        })
        .unwrap_or(0)
}

#[test]
fn keys_do_not_meet() {
    let numbers = [None, Some(0), Some(1), Some(2), Some(0xfff), Some(MAX_MINOR)];
    let mut keys = Vec::new();
    for kind in [DeviceKind::Char, DeviceKind::Block] {
        keys.extend(numbers.iter().flat_map(|a| numbers.iter().map(move |b| key(kind, *a, *b))));
    }
    assert!(keys.iter().all(|key| key & ACCESS_MASK == 0 && *key != 0));
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 72);
    // Whatever a program is told, it cannot be taken for "any".
    assert_ne!(key(DeviceKind::Char, Some(u32::MAX), None), key(DeviceKind::Char, None, None));
}

#[test]
fn one_device_in_two_wide_rules() {
    let table = table(&[rule(true, "c 1:* r"), rule(true, "c *:3 w")]);
    for (numbers, letters) in [((1, 3), "rw"), ((1, 4), "r"), ((2, 3), "w"), ((2, 4), "")] {
        let expected = access_bits(access(letters));
        assert_eq!(
            allowed(&table, DeviceKind::Char, numbers.0, numbers.1),
            expected,
            "{numbers:?}"
        );
    }
}

#[test]
fn no_larger_than_it_must_be() {
    let dozen: Vec<_> = (0..13).map(|n| rule(true, &format!("c 1:{n} rwm"))).collect();
    assert!(table(&dozen).bits <= 6, "{}", table(&dozen).bits);
    assert_eq!(table(&[rule(false, "a *:* rwm")]).words.iter().filter(|w| **w != 0).count(), 1);
}

#[test]
fn many_rules() {
    let rules = |n: u32| -> Vec<_> {
        let rule = |n| rule(true, &format!("c {}:{} rwm", n % 100, n * 77));
        (0..n).map(rule).collect()
    };
    for n in [100, 400, 1024] {
        let table = table(&rules(n));
        for rule in rules(n) {
            let (major, minor) = (rule.major.expect("major"), rule.minor.expect("minor"));
            assert_eq!(allowed(&table, DeviceKind::Char, major, minor), 7);
            assert_eq!(allowed(&table, DeviceKind::Char, major, minor + 1), 0);
        }
    }
    let e = Table::new(&Policy::new(&rules(1025))).expect_err("too many");
    let text = "set device rules: they tell more than 1024 devices or sets of devices apart";
    assert_eq!(e.to_string(), text);
    // Wide rules that meet in ever so many devices.
    let mut wide: Vec<_> = (0..100).map(|n| rule(true, &format!("c {n}:* r"))).collect();
    wide.extend((0..100).map(|n| rule(true, &format!("c *:{n} w"))));
    assert_eq!(Table::new(&Policy::new(&wide)).expect_err("too many").to_string(), text);
}

#[test]
fn numbers_out_of_range_stand_for_nothing() {
    let mut none = rule(true, "c 1:3 rwm");
    for (major, minor) in [(1, u32::MAX), (1, MAX_MINOR + 1), (u32::MAX, 3), (1 << 12, 3)] {
        (none.major, none.minor) = (Some(major), Some(minor));
        let table = table(std::slice::from_ref(&none));
        for (major, minor) in [(1, 3), (0, 3), (1, 0), (2, 0), (0xfff, MAX_MINOR)] {
            assert_eq!(allowed(&table, DeviceKind::Char, major, minor), 0);
        }
    }
}

proptest! {
    #[test]
    fn tables_mean_what_the_rules_mean(rules in prop::collection::vec(any_rule(), 0..16)) {
        let table = table(&rules);
        for kind in [DeviceKind::Char, DeviceKind::Block] {
            for (major, minor) in [(0, 0), (0, 1), (1, 0), (1, 1), (0, 7), (7, 0), (7, 7)] {
                let allowed = allowed(&table, kind, major, minor);
                for letter in ["r", "w", "m"] {
                    prop_assert_eq!(
                        allowed & access_bits(access(letter)) != 0,
                        naive(&rules, kind, major, minor, access(letter)),
                        "{} {:?} {}:{}", letter, kind, major, minor
                    );
                }
            }
        }
    }
}
