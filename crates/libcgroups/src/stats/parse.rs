//! The formats that the kernel's statistics come in (cgroup-v2.rst, "Format"). A line or word that is not of
//! the form is passed over: kernels add some, and one of them must not cost all other values.

/// A decimal number; "max" is the largest, and what is below zero is zero: some v1 counters go there.
pub(super) fn number(text: &str) -> Option<u64> {
    match text.strip_prefix('-') {
        None if text == "max" => Some(u64::MAX),
        None => text.parse().ok(),
        Some(digits) => {
            (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(0)
        }
    }
}

/// Lines of `KEY VALUE`.
pub(super) fn flat_keyed(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, number(value)?)).filter(|_| !key.is_empty())
    })
}

/// Words of `KEY=VALUE`.
pub(super) fn pairs<'a>(
    words: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    words.filter_map(|word| word.split_once('='))
}

/// `MAJOR:MINOR` of a device.
pub(super) fn device(word: &str) -> Option<(u64, u64)> {
    let (major, minor) = word.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The numbers of a list such as `0-3,7` (cpuset(7), "List format"); none of a part that is no range.
pub(super) fn list(text: &str) -> Vec<u16> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<u16>().ok()?..=last.parse::<u16>().ok()?)
    };
    text.trim().split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("18446744073709551615"), Some(u64::MAX));
        assert_eq!(number("max"), Some(u64::MAX));
        assert_eq!(number("-1"), Some(0));
        assert_eq!(number("-99999999999999999999999"), Some(0));
        for bad in ["", "-", "-x", "1.5", " 1", "18446744073709551616", "0x1", "maximum"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn flat_keyed_files() {
        let text = "usage_usec 12\nodd\nno number x\n 3\nnr_periods 0\nnegative -5\n";
        let found: Vec<_> = flat_keyed(text).collect();
        assert_eq!(found, [("usage_usec", 12), ("nr_periods", 0), ("negative", 0)]);
    }

    #[test]
    fn lists() {
        assert_eq!(list("0-3,7\n"), [0, 1, 2, 3, 7]);
        assert_eq!(list("5\n"), [5]);
        assert!(list("\n").is_empty());
        assert!(list("3-1").is_empty());
        assert_eq!(list("x,1-,2,70000,-"), [2]);
        assert_eq!(list("65535"), [65535]);
    }

    #[test]
    fn devices() {
        assert_eq!(device("8:16"), Some((8, 16)));
        for bad in ["8", "8:", ":1", "a:b", "8:1:2", "(unknown)"] {
            assert_eq!(device(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([a-z0-9:=., \n-]{0,12}|\\PC{0,8}){0,6}") {
            let _ = number(&text);
            let _ = flat_keyed(&text).count();
            let _ = pairs(text.split(' ')).count();
            let _ = device(&text);
            let _ = list(&text);
        }

        #[test]
        fn lists_read_what_was_written(numbers in prop::collection::btree_set(0_u16.., 0..20)) {
            let words: Vec<String> = numbers.iter().map(u16::to_string).collect();
            prop_assert_eq!(list(&words.join(",")), numbers.into_iter().collect::<Vec<_>>());
        }
    }
}
