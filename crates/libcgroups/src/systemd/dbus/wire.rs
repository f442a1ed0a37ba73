//! Messages as bytes (D-Bus Specification, "Message Protocol"), as far as a client of systemd needs them: it writes
//! little-endian method calls and reads replies, errors and signals whose arguments are texts, paths and numbers.

use super::value::Value;

/// What reading a message can find wrong with it.
pub(super) type Malformed = &'static str;

/// The part of the header whose length is fixed, with the length of the header fields.
pub(super) const FIXED_HEADER: usize = 16;
/// The specification's limit on a whole message.
const MAX_MESSAGE: usize = 128 << 20;

/// Kinds of messages.
const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

/// Kinds of header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// Whom a method call is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
}

/// A received message that a client may have been waiting for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// The answer to the call with that serial number.
    Return { serial: u32, args: Vec<String> },
    /// The refusal of the call with that serial number.
    Error { serial: u32, name: String, text: String },
    /// A signal.
    Signal { interface: String, member: String, args: Vec<String> },
    /// Anything else.
    Other,
}

/// A method call.
pub(super) fn method_call(
    serial: u32,
    target: Target<'_>,
    member: &str,
    args: &[Value],
) -> Vec<u8> {
    let mut body = Writer::default();
    args.iter().for_each(|arg| body.value(arg));
    let signature: String = args.iter().map(Value::signature).collect();
    let mut message = Writer::default();
    message.0.extend([b'l', METHOD_CALL, 0, 1]);
    message.u32(body.0.len());
    message.u32(serial as usize);
    message.array(8, |fields| {
        fields.field(PATH, "o", target.path);
        fields.field(DESTINATION, "s", target.destination);
        fields.field(INTERFACE, "s", target.interface);
        fields.field(MEMBER, "s", member);
        if !signature.is_empty() {
            fields.field(SIGNATURE, "g", &signature);
        }
    });
    message.align(8);
    message.0.extend(body.0);
    message.0
}

/// How long the message that begins with `head` is; `None` while its fixed part is not all there.
pub(super) fn message_length(head: &[u8]) -> Result<Option<usize>, Malformed> {
    if head.len() < FIXED_HEADER {
        return Ok(None);
    }
    let mut reader = Reader::new(head)?;
    reader.at = 4;
    let body = reader.u32()? as usize;
    reader.at = 12;
    let fields = reader.u32()? as usize;
    let length = FIXED_HEADER
        .checked_add(fields)
        .and_then(|n| n.checked_next_multiple_of(8))
        .and_then(|n| n.checked_add(body));
    match length {
        Some(length) if length <= MAX_MESSAGE => Ok(Some(length)),
        _ => Err("too long"),
    }
}

/// Reads one whole message.
pub(super) fn parse(bytes: &[u8]) -> Result<Message, Malformed> {
    let mut reader = Reader::new(bytes)?;
    let kind = *bytes.get(1).ok_or("too short")?;
    reader.at = 12;
    let end = reader.u32()? as usize + FIXED_HEADER;
    let (mut member, mut interface, mut error, mut serial) = Default::default();
    let mut signature = String::new();
    while reader.at < end {
        reader.align(8);
        let code = reader.byte()?;
        match (code, reader.short_text()?.as_str()) {
            (MEMBER, "s") => member = reader.text()?,
            (INTERFACE, "s") => interface = reader.text()?,
            (ERROR_NAME, "s") => error = reader.text()?,
            (REPLY_SERIAL, "u") => serial = reader.u32()?,
            (SIGNATURE, "g") => signature = reader.short_text()?,
            (_, "s" | "o") => drop(reader.text()?),
            (_, "u") => drop(reader.u32()?),
            (_, "g") => drop(reader.short_text()?),
            _ => return Err("unknown type of header field"),
        }
    }
    reader.align(8);
    Ok(match kind {
        METHOD_RETURN => Message::Return { serial, args: reader.args(&signature)? },
        ERROR => {
            let text = reader.args(&signature)?.into_iter().next().unwrap_or_default();
            Message::Error { serial, name: error, text }
        }
        SIGNAL => Message::Signal { interface, member, args: reader.args(&signature)? },
        _ => Message::Other,
    })
}

/// Bytes of a message; alignment counts from its beginning.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    /// A length or serial number; nothing here comes near 4 GiB.
    fn u32(&mut self, number: usize) {
        self.align(4);
        self.0.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.u32(text.len());
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.0.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    /// An array whose elements are aligned to `element`: its length does not count the padding before the first.
    fn array(&mut self, element: usize, elements: impl FnOnce(&mut Self)) {
        self.u32(0);
        let length_at = self.0.len() - 4;
        self.align(element);
        let begin = self.0.len();
        elements(self);
        let length = u32::try_from(self.0.len() - begin).unwrap_or(u32::MAX);
        self.0[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }

    fn field(&mut self, code: u8, kind: &str, text: &str) {
        self.align(8);
        self.0.push(code);
        self.signature(kind);
        match kind {
            "g" => self.signature(text),
            _ => self.text(text),
        }
    }

    fn number<const N: usize>(&mut self, bytes: [u8; N]) {
        self.align(N);
        self.0.extend(bytes);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Bool(yes) => self.u32(usize::from(*yes)),
            Value::Byte(n) => self.0.push(*n),
            Value::Int16(n) => self.number(n.to_le_bytes()),
            Value::Uint16(n) => self.number(n.to_le_bytes()),
            Value::Int32(n) => self.number(n.to_le_bytes()),
            Value::Uint32(n) => self.number(n.to_le_bytes()),
            Value::Int64(n) => self.number(n.to_le_bytes()),
            Value::Uint64(n) => self.number(n.to_le_bytes()),
            Value::Double(n) => self.number(n.to_le_bytes()),
            Value::Str(text) => self.text(text),
            Value::Bytes(bytes) => self.array(1, |array| array.0.extend(bytes)),
            Value::Array(element, values) => self.array(alignment(element), |array| {
                values.iter().for_each(|value| array.value(value));
            }),
            Value::Struct(fields) => {
                self.align(8);
                fields.iter().for_each(|field| self.value(field));
            }
            Value::Variant(inner) => {
                self.signature(&inner.signature());
                self.value(inner);
            }
        }
    }
}

/// The alignment of a type, by the first letter of its signature.
fn alignment(signature: &str) -> usize {
    match signature.as_bytes().first() {
        Some(b'y' | b'g' | b'v') => 1,
        Some(b'n' | b'q') => 2,
        Some(b'x' | b't' | b'd' | b'(' | b'{') => 8,
        _ => 4,
    }
}

/// Walks over the bytes of a message.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    big_endian: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        match bytes.first() {
            Some(b'l') => Ok(Self { bytes, at: 0, big_endian: false }),
            Some(b'B') => Ok(Self { bytes, at: 0, big_endian: true }),
            _ => Err("unknown byte order"),
        }
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).ok_or("too long")?;
        let taken = self.bytes.get(self.at..end).ok_or("too short")?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.align(4);
        let bytes = self.take(4)?.try_into().map_err(|_| "too short")?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn text_of(&mut self, length: usize) -> Result<String, Malformed> {
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        // The zero byte at its end.
        self.take(1)?;
        Ok(text)
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let length = self.u32()? as usize;
        self.text_of(length)
    }

    fn short_text(&mut self) -> Result<String, Malformed> {
        let length = usize::from(self.byte()?);
        self.text_of(length)
    }

    /// The arguments as text, up to the first of a type that no message has which is waited for. Of an array there is
    /// the length in bytes, and nothing comes after it; of bytes in a variant their hexadecimal digits.
    fn args(&mut self, signature: &str) -> Result<Vec<String>, Malformed> {
        let mut args = Vec::new();
        for letter in signature.bytes() {
            args.push(match letter {
                b's' | b'o' => self.text()?,
                b'u' => self.u32()?.to_string(),
                b'v' if self.short_text()? == "ay" => {
                    let length = self.u32()? as usize;
                    self.take(length)?.iter().map(|byte| format!("{byte:02x}")).collect()
                }
                b'a' => {
                    args.push(self.u32()?.to_string());
                    break;
                }
                _ => break,
            });
        }
        Ok(args)
    }
}

#[cfg(test)]
mod tests;
