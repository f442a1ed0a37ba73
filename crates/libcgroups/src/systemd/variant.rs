//! Values of `org.systemd.property.*` annotations: GVariant's text form, of which units' simple properties need
//! booleans, numbers, texts, and arrays of these (<https://docs.gtk.org/glib/gvariant-text-format.html>).

use super::dbus::Value;

/// Reads a whole value: `true`, `-5`, `uint64 7`, `'text'`, `['a', 'b']`, `@as []`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut parser = Parser { rest: text.trim(), depth: 0 };
    let value = parser.value(None)?;
    match parser.rest.trim_start() {
        "" => Ok(value),
        rest => Err(format!("{rest:?} behind the value")),
    }
}

/// Types by keyword and by letter.
const TYPES: &[(&str, char)] = &[
    ("boolean", 'b'),
    ("byte", 'y'),
    ("int16", 'n'),
    ("uint16", 'q'),
    ("int32", 'i'),
    ("uint32", 'u'),
    ("int64", 'x'),
    ("uint64", 't'),
    ("double", 'd'),
    ("string", 's'),
];

/// More types and brackets around one value than any that is taken here has.
const MAX_DEPTH: u32 = 8;

struct Parser<'a> {
    rest: &'a str,
    depth: u32,
}

impl<'a> Parser<'a> {
    /// A value, which must be of type `kind` where the text says so in front of it.
    fn value(&mut self, kind: Option<char>) -> Result<Value, String> {
        if self.depth == MAX_DEPTH {
            return Err("a value in too many others".into());
        }
        self.depth += 1;
        let value = self.inner(kind);
        self.depth -= 1;
        value
    }

    fn inner(&mut self, kind: Option<char>) -> Result<Value, String> {
        self.rest = self.rest.trim_start();
        match self.rest.chars().next() {
            None => Err("no value".into()),
            Some('@') => self.typed(),
            Some('[') => self.array(None),
            Some(quote @ ('\'' | '"')) => match kind {
                None | Some('s') => self.text(quote).map(Value::Str),
                Some(_) => Err("a text where a number is wanted".into()),
            },
            Some(_) => {
                let word = self.word();
                match TYPES.iter().find(|(name, _)| *name == word) {
                    Some((_, kind)) => self.value(Some(*kind)),
                    None => scalar(word, kind),
                }
            }
        }
    }

    /// `@TYPE VALUE`, for a simple type or an array of one.
    fn typed(&mut self) -> Result<Value, String> {
        self.rest = &self.rest[1..];
        let signature = self.word();
        let simple = |letters: &str| {
            let mut letters = letters.chars();
            let letter = letters.next().filter(|l| TYPES.iter().any(|(_, known)| known == l));
            letter.filter(|_| letters.next().is_none())
        };
        if let Some(element) = signature.strip_prefix('a').and_then(simple) {
            self.rest = self.rest.trim_start();
            return self.array(Some(element));
        }
        match simple(signature) {
            Some(kind) => self.value(Some(kind)),
            None => Err(format!("type {signature:?} is not one that is known here")),
        }
    }

    fn array(&mut self, element: Option<char>) -> Result<Value, String> {
        self.rest = self.rest.strip_prefix('[').ok_or("no \"[\" where an array begins")?;
        let mut values: Vec<Value> = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if let Some(rest) = self.rest.strip_prefix(']') {
                self.rest = rest;
                break;
            }
            if !values.is_empty() {
                self.rest = self.rest.strip_prefix(',').ok_or("no \",\" between elements")?;
            }
            values.push(self.value(element)?);
        }
        let letter = match values.first().map(Value::signature) {
            Some(first) if values.iter().all(|value| value.signature() == first) => {
                first.chars().next()
            }
            Some(_) => return Err("elements of different types".into()),
            None => element,
        };
        match letter.and_then(signature) {
            Some(letter) => Ok(Value::Array(letter, values)),
            None => Err("an array of unknown type: put \"@as\" or the like before it".into()),
        }
    }

    /// Up to the next character that ends a word.
    fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| c.is_whitespace() || ",[]'\"".contains(c));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn text(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some((_, c @ ('\\' | '\'' | '"'))) => text.push(c),
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    _ => return Err("unknown escape in a text".into()),
                },
                '\0' => return Err("a zero byte in a text".into()),
                c if c == quote => {
                    self.rest = &self.rest[at + c.len_utf8()..];
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err("a text without an end".into())
    }
}

/// The letter as a text that lives long enough.
fn signature(letter: char) -> Option<&'static str> {
    const LETTERS: &[&str] = &["b", "y", "n", "q", "i", "u", "x", "t", "d", "s"];
    LETTERS.iter().copied().find(|known| known.starts_with(letter))
}

fn scalar(word: &str, kind: Option<char>) -> Result<Value, String> {
    let kind = kind.unwrap_or(match word {
        "true" | "false" => 'b',
        _ if word.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            return Err(format!("{word:?} is neither a number nor a text in quotes"));
        }
        _ if word.contains(['.', 'e', 'E']) && !word.contains("0x") => 'd',
        _ => 'i',
    });
    let value = match kind {
        'b' => word.parse().ok().map(Value::Bool),
        'y' => integer(word).map(Value::Byte),
        'n' => integer(word).map(Value::Int16),
        'q' => integer(word).map(Value::Uint16),
        'i' => integer(word).map(Value::Int32),
        'u' => integer(word).map(Value::Uint32),
        'x' => integer(word).map(Value::Int64),
        't' => integer(word).map(Value::Uint64),
        'd' => word.parse().ok().filter(|n: &f64| n.is_finite()).map(Value::Double),
        _ => None,
    };
    value.ok_or_else(|| {
        let name =
            TYPES.iter().find(|(_, letter)| *letter == kind).map_or("value", |(name, _)| name);
        format!("{word:?} is not of type {name}")
    })
}

/// A decimal number, or a hexadecimal one after `0x`, if it fits.
fn integer<T: TryFrom<i128>>(word: &str) -> Option<T> {
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let (digits, radix) = digits.strip_prefix("0x").map_or((digits, 10), |digits| (digits, 16));
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let number = i128::from(u64::from_str_radix(digits, radix).ok()?);
    T::try_from(if negative { -number } else { number }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let texts = |texts: &[&str]| Value::texts(texts.iter().map(|t| (*t).to_owned()));
        let good = [
            ("true", Value::Bool(true)),
            (" 5 ", Value::Int32(5)),
            ("-0x10", Value::Int32(-16)),
            ("-0x1e", Value::Int32(-30)),
            ("uint64 18446744073709551615", Value::Uint64(u64::MAX)),
            ("@t 7", Value::Uint64(7)),
            ("byte 255", Value::Byte(255)),
            ("1.5", Value::Double(1.5)),
            ("'a'", Value::text("a")),
            ("\"it's\"", Value::text("it's")),
            (r"'a\'b\\'", Value::text(r"a'b\")),
            ("string 'x'", Value::text("x")),
            ("['a', 'b']", texts(&["a", "b"])),
            ("@as []", texts(&[])),
            ("[1,2]", Value::Array("i", vec![Value::Int32(1), Value::Int32(2)])),
            ("@at [3]", Value::Array("t", vec![Value::Uint64(3)])),
        ];
        for (text, value) in good {
            assert_eq!(parse(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn no_values() {
        for text in [
            "",
            "x",
            "'a",
            "'a' b",
            "[]",
            "[1,'a']",
            "[1",
            "[1 2]",
            "uint32 -1",
            "byte 256",
            "uint64 18446744073709551616",
            "uint32 'x'",
            "@a{sv} {}",
            "{'a': 1}",
            "(1, 2)",
            "@zz 1",
            "inf",
            "--5",
            "0x",
            r"'\q'",
            "2147483648",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("uint32 -1"), Err("\"-1\" is not of type uint32".into()));
    }

    #[test]
    fn depth_is_limited() {
        for (begin, end) in [("[", "]"), ("@ai [", "]"), ("int32 ", "")] {
            let text = format!("{}5{}", begin.repeat(1 << 20), end.repeat(1 << 20));
            assert_eq!(parse(&text), Err("a value in too many others".into()), "{begin}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_survived(text in r#"[@a-z0-9\[\]'" ,.\\-]{0,20}"#) {
            let _ = parse(&text);
        }
    }
}
