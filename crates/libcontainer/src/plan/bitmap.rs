//! Lists of numbers such as `0-3,7`, which stand for CPUs and memory nodes.

/// What the numbers of a list stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    /// For messages, for example `CPU`.
    pub(super) name: &'static str,
    /// How many the largest kernel is built for.
    pub(super) max: u64,
}

/// CPUs of cpuset(7).
pub(super) const CPUS: Kind = Kind { name: "CPU", max: 8192 };

/// Memory nodes of numa(7).
pub(super) const NODES: Kind = Kind { name: "memory node", max: 1024 };

/// The list as a mask, number N in bit N % 64 of word N / 64; nothing for an empty list.
///
/// # Errors
/// What is wrong with it, as text.
pub(super) fn mask(list: &str, kind: Kind) -> Result<Option<Vec<u64>>, String> {
    let Kind { name, max } = kind;
    let mut mask = Vec::new();
    for range in list.split(',').map(str::trim).filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| match text.trim().parse::<u64>() {
            Ok(number) if number < max => Ok(number),
            Ok(number) => Err(format!("no kernel has a {name} {number}")),
            Err(_) => Err(format!("{range:?} is no {name} and no range of {name}s")),
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("invalid range: {range}"));
        }
        for number in first..=last {
            let word = usize::try_from(number / 64).unwrap_or_default();
            if mask.len() <= word {
                mask.resize(word + 1, 0);
            }
            if let Some(word) = mask.get_mut(word) {
                *word |= 1 << (number % 64);
            }
        }
    }
    Ok(if mask.is_empty() { None } else { Some(mask) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(mask("", CPUS), Ok(None));
        assert_eq!(mask("0", CPUS), Ok(Some(vec![1])));
        assert_eq!(mask("0-2,5,,", NODES), Ok(Some(vec![0b10_0111])));
        assert_eq!(mask(" 1 , 63-64", CPUS), Ok(Some(vec![1 << 63 | 2, 1])));
        let words = |list, kind| mask(list, kind).map(|mask| mask.map(|mask| mask.len()));
        assert_eq!(words("8191", CPUS), Ok(Some(128)));
        assert_eq!(words("1023", NODES), Ok(Some(16)));
    }

    #[test]
    fn bad_lists() {
        for bad in ["a", "-1", "1-", "2-1", "8192", "0-8192", "1-2-3", "99999999999999999999"] {
            assert!(mask(bad, CPUS).is_err(), "{bad}");
            assert!(mask(bad, NODES).is_err(), "{bad}");
        }
        assert!(mask("1024", NODES).is_err());
    }
}
