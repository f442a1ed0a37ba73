//! How alike two names are, for guesses at what was meant.

/// How many letters have to be put in, taken out or exchanged to make one of the other.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, letter) in a.chars().enumerate() {
        let mut corner = index;
        let mut left = index + 1;
        for (above, other) in row.iter_mut().skip(1).zip(&b) {
            let exchange = corner + usize::from(letter != *other);
            corner = *above;
            left = exchange.min(*above + 1).min(left + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, want) in [
            ("", "", 0),
            ("", "abc", 3),
            ("limit", "limit", 0),
            ("noNewPrivilges", "noNewPrivileges", 1),
            ("web1", "web2", 1),
            ("ab", "ba", 2),
            ("flaw", "lawn", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!((distance(a, b), distance(b, a)), (want, want), "{a} {b}");
        }
    }
}
