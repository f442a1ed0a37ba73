//! Base64 (RFC 4648, section 4).

/// The bytes that `text` stands for; blanks and line ends in it are nothing, since base64(1) breaks its lines. `None`
/// for other characters, a wrong length, and bits that belong to no byte.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let (groups, []) = text.as_chunks::<4>() else { return None };
    let (last, whole) = match groups.split_last() {
        None => return Some(Vec::new()),
        Some(split) => split,
    };
    let mut bytes = Vec::with_capacity(groups.len() * 3);
    for group in whole {
        bytes.extend(three(*group)?);
    }
    let padding = last.iter().rev().take_while(|byte| **byte == b'=').count();
    // The padding is read as zeros, and the bytes that it makes are left off.
    let end = three(last.map(|byte| if byte == b'=' { b'A' } else { byte }))?;
    let kept = 3_usize.checked_sub(padding).filter(|kept| *kept > 0)?;
    let (kept, rest) = end.split_at_checked(kept)?;
    let inner = last.iter().take(4 - padding).any(|byte| *byte == b'=');
    let stray = rest.iter().any(|byte| *byte != 0);
    bytes.extend(kept);
    (!inner && !stray).then_some(bytes)
}

fn three(group: [u8; 4]) -> Option<[u8; 3]> {
    let mut bits = 0_u32;
    for byte in group {
        bits = bits << 6 | u32::from(value(byte)?);
    }
    let [_, bytes @ ..] = bits.to_be_bytes();
    Some(bytes)
}

fn value(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of RFC 4648, section 10, and bytes that need the whole alphabet.
    #[test]
    fn known_texts() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYg==", b"foob"),
            ("Zm9vYmE=", b"fooba"),
            ("Zm9v\nYmFy\n", b"foobar"),
            ("+/+/", &[0xfb, 0xff, 0xbf]),
            ("AP8Q", &[0, 255, 16]),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes), "{text:?}");
        }
    }

    #[test]
    fn broken_texts() {
        for text in [
            "Z",
            "Zg",
            "Zg=",
            "Z===",
            "====",
            "=g==",
            "Z=8=",
            "Zh==",
            "Zm9=",
            "Zg==Zg==",
            "Zm9v-_",
            "Zm9\u{e9}",
        ] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
