//! The paths in `/proc/PID/mountinfo`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// Takes the octal escapes out of a path (`\040` for a blank; proc_pid_mountinfo(5)). What is no escape
/// of one byte stays as it is.
pub fn unescape(text: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        if let (b'\\', Some((&[a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7'], behind))) =
            (first, tail.split_first_chunk::<3>())
        {
            plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
            rest = behind;
        } else {
            plain.push(first);
            rest = tail;
        }
    }
    OsString::from_vec(plain)
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escapes() {
        for (text, plain) in [
            (&br"/a\040b\134c"[..], &br"/a b\c"[..]),
            (br"\011\012\377", b"\t\n\xff"),
            (br"/a\04", br"/a\04"),
            (br"\400", br"\400"),
            (br"\+11\08", br"\+11\08"),
            (b"", b""),
        ] {
            assert_eq!(unescape(text).as_encoded_bytes(), plain);
        }
    }
}
