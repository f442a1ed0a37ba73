//! From a place in JSON text to the JSON pointer of the value there.
//!
//! serde_json tells line and column but not the path. The text is walked once more, on errors only.

/// An open object or array: the path of its current member.
enum Frame {
    Object { key: String, in_key: bool },
    Array { index: usize },
}

/// The pointer of the value that ends at or around byte `offset`. The text need not be whole beyond it.
pub(super) fn pointer_at(text: &[u8], offset: usize) -> String {
    // An object or array of a wrong type is refused before its first byte is read.
    let opening = matches!(text.get(offset), Some(b'{' | b'['));
    let text = &text[..offset.saturating_add(opening.into()).min(text.len())];
    let mut frames: Vec<Frame> = Vec::new();
    let mut last = String::new();
    let mut index = 0;
    while index < text.len() {
        let byte = text[index];
        index += 1;
        match byte {
            b'"' => {
                let end = string_end(text, index);
                match frames.last_mut() {
                    Some(Frame::Object { key, in_key: true }) => *key = unquote(&text[index..end]),
                    _ => last = path(&frames),
                }
                index = end + 1;
            }
            b'{' | b'[' => {
                last = path(&frames);
                frames.push(if byte == b'{' {
                    Frame::Object { key: String::new(), in_key: true }
                } else {
                    Frame::Array { index: 0 }
                });
            }
            b'}' | b']' => {
                frames.pop();
                last = path(&frames);
            }
            b':' => {
                if let Some(Frame::Object { in_key, .. }) = frames.last_mut() {
                    *in_key = false;
                }
            }
            b',' => match frames.last_mut() {
                Some(Frame::Object { in_key, .. }) => *in_key = true,
                Some(Frame::Array { index }) => *index += 1,
                None => {}
            },
            byte if byte.is_ascii_whitespace() => {}
            _ => last = path(&frames),
        }
    }
    last
}

fn string_end(text: &[u8], start: usize) -> usize {
    let mut index = start;
    while index < text.len() && text[index] != b'"' {
        index += if text[index] == b'\\' { 2 } else { 1 };
    }
    index.min(text.len())
}

/// A key as serde_json reads it, escaped as RFC 6901 wants it.
fn unquote(raw: &[u8]) -> String {
    let quoted = format!("\"{}\"", String::from_utf8_lossy(raw));
    let key: String = serde_json::from_str(&quoted).unwrap_or(quoted);
    key.replace('~', "~0").replace('/', "~1")
}

fn path(frames: &[Frame]) -> String {
    let mut path = String::new();
    for frame in frames {
        path.push('/');
        match frame {
            Frame::Object { key, .. } => path.push_str(key),
            Frame::Array { index } => path.push_str(&index.to_string()),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::pointer_at;

    #[test]
    fn names_the_value_at_the_offset() {
        let text = br#"{"a": [{"b/c": 1}, {"d": "x\"]", "e": {}}], "f": null}"#;
        let at = |mark: &str| {
            let text = std::str::from_utf8(text).expect("text");
            pointer_at(text.as_bytes(), text.find(mark).expect("mark") + mark.len())
        };
        assert_eq!(at(": 1"), "/a/0/b~1c");
        assert_eq!(at("\"x\\\"]\""), "/a/1/d");
        assert_eq!(at("{}"), "/a/1/e");
        assert_eq!(at("{}}"), "/a/1");
        assert_eq!(at("null"), "/f");
        for offset in 0..text.len() + 5 {
            pointer_at(text, offset);
        }
        assert_eq!(pointer_at(b"]}\\\"\\", 9), "");
    }
}
