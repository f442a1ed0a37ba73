//! Bytes of netlink(7) messages: headers, attributes, and reading them back.

/// Length of `struct nlmsghdr`.
pub(super) const HEADER: usize = 16;
/// Length of `struct rtattr`.
const ATTRIBUTE: usize = 4;

/// Everything in a message begins at a multiple of four.
fn align(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// A request that is being written.
pub(super) struct Request(Vec<u8>);

impl Request {
    /// Begins a request of `kind` (`RTM_*`) with `body`, the structure that belongs to it.
    pub(super) fn new(kind: u16, flags: u16, body: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        let mut request = Self(bytes);
        request.push(body);
        request
    }

    fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        self.0.resize(align(self.0.len()), 0);
    }

    /// Adds an attribute; one that is longer than the kernel could take is left out.
    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        if let Ok(length) = u16::try_from(ATTRIBUTE + value.len()) {
            self.0.extend_from_slice(&length.to_ne_bytes());
            self.0.extend_from_slice(&kind.to_ne_bytes());
            self.push(value);
        }
        self
    }

    /// Adds a name, which ends in a NUL byte.
    pub(super) fn name(self, kind: u16, name: &str) -> Self {
        self.attribute(kind, &[name.as_bytes(), &[0]].concat())
    }

    /// The whole message with its length and a number that the answer will bear.
    pub(super) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0[0..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

/// One message of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) body: &'a [u8],
}

/// The messages of a datagram; what is cut short is left out.
pub(super) fn answers(mut bytes: &[u8]) -> impl Iterator<Item = Answer<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(number(bytes, 0)?).ok()?;
        let answer = Answer {
            kind: short(bytes, 4)?,
            flags: short(bytes, 6)?,
            sequence: number(bytes, 8)?,
            body: bytes.get(HEADER..length)?,
        };
        bytes = bytes.get(align(length)..).unwrap_or_default();
        Some(answer)
    })
}

/// The attributes behind a structure of `skip` bytes, as (kind, value).
pub(super) fn attributes(body: &[u8], skip: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut bytes = body.get(skip..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = usize::from(short(bytes, 0)?);
        // The two highest bits are flags.
        let kind = short(bytes, 2)? & 0x3fff;
        let value = bytes.get(ATTRIBUTE..length)?;
        bytes = bytes.get(align(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = Request::new(7, 5, &[1, 2, 3, 4]).name(3, "eth0").attribute(9, &[1]).finish(42);
        assert_eq!(bytes.len() % 4, 0);
        let two = [bytes.as_slice(), bytes.as_slice()].concat();
        let all: Vec<_> = answers(&two).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0], all[1]);
        assert_eq!((all[0].kind, all[0].flags, all[0].sequence), (7, 5, 42));
        let found: Vec<_> = attributes(all[0].body, 4).collect();
        assert_eq!(found, [(3, &b"eth0\0"[..]), (9, &[1][..])]);
    }

    #[test]
    fn what_is_cut_short_does_no_harm() {
        let bytes = Request::new(7, 5, &[1, 2, 3, 4]).name(3, "eth0").finish(42);
        for length in 0..bytes.len() {
            assert_eq!(answers(&bytes[..length]).count(), 0);
            attributes(&bytes[..length], 4).for_each(drop);
        }
        // Lengths that do not even hold the header.
        for length in [0_u32, 1, 15, u32::MAX] {
            let mut bytes = bytes.clone();
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(answers(&bytes).count(), 0);
        }
        assert_eq!(attributes(&[0, 0, 1, 0], 0).count(), 0);
    }
}
