//! Addresses of a network device, read and to be set again.

use super::message::{Request, attributes, number};

/// Length of `struct ifaddrmsg`.
const IFADDRMSG: usize = 8;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const IFA_RT_PRIORITY: u16 = 9;
const IFA_PROTO: u16 = 11;

const IFA_F_PERMANENT: u32 = 0x80;
/// `IFA_F_*` that are set by people: NODAD, HOMEADDRESS, MANAGETEMPADDR, NOPREFIXROUTE, MCAUTOJOIN,
/// OPTIMISTIC. The rest is for the kernel to say.
const SETTABLE: u32 = 0x02 | 0x10 | 0x100 | 0x200 | 0x400 | 0x04;
const RT_SCOPE_UNIVERSE: u8 = 0;

/// An address with all that was set with it: prefix, broadcast, label, flags, lifetimes, metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    family: u8,
    prefix: u8,
    scope: u8,
    flags: u32,
    /// Attributes as (`IFA_*`, value).
    values: Vec<(u16, Vec<u8>)>,
}

impl Address {
    /// From the body of an RTM_NEWADDR message, with the number of its device.
    pub(super) fn parse(body: &[u8]) -> Option<(u32, Self)> {
        let [family, prefix, flags, scope] = *body.first_chunk::<4>()?;
        let index = number(body, 4)?;
        let mut address = Self { family, prefix, scope, flags: flags.into(), values: Vec::new() };
        for (kind, value) in attributes(body, IFADDRMSG) {
            match kind {
                IFA_FLAGS => address.flags = number(value, 0)?,
                IFA_ADDRESS | IFA_LOCAL | IFA_LABEL | IFA_BROADCAST | IFA_CACHEINFO
                | IFA_RT_PRIORITY | IFA_PROTO => address.values.push((kind, value.to_vec())),
                _ => {}
            }
        }
        Some((index, address))
    }

    /// Whether it has no end and holds everywhere: neither handed out for a time nor of this link or
    /// host alone.
    pub fn is_permanent_and_global(&self) -> bool {
        self.flags & IFA_F_PERMANENT != 0 && self.scope == RT_SCOPE_UNIVERSE
    }

    /// Its label for a device that was called `old` and is `new` now: a label begins with the name.
    fn label(&self, value: &[u8], old: &str, new: &str) -> Option<String> {
        let text = std::str::from_utf8(value.strip_suffix(&[0]).unwrap_or(value)).ok()?;
        let rest = text.strip_prefix(old)?;
        // IFNAMSIZ holds for it as well.
        (!rest.is_empty()).then(|| format!("{new}{rest}")).filter(|label| label.len() < 16)
    }

    /// The request that sets it on device `index`.
    pub(super) fn request(
        &self,
        index: u32,
        names: (&str, &str),
        kind: u16,
        flags: u16,
    ) -> Request {
        let settable = self.flags & SETTABLE;
        let [low, ..] = settable.to_le_bytes();
        let mut body = vec![self.family, self.prefix, low, self.scope];
        body.extend_from_slice(&index.to_ne_bytes());
        let request =
            Request::new(kind, flags, &body).attribute(IFA_FLAGS, &settable.to_ne_bytes());
        self.values.iter().fold(request, |request, (kind, value)| match *kind {
            IFA_LABEL => match self.label(value, names.0, names.1) {
                Some(label) => request.name(IFA_LABEL, &label),
                None => request,
            },
            kind => request.attribute(kind, value),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::answers;
    use super::*;

    fn body(flags: u8, scope: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let start = [&[2, 24, flags, scope][..], &7_u32.to_ne_bytes()].concat();
        let request =
            attributes.iter().fold(Request::new(20, 0, &start), |request, (kind, value)| {
                request.attribute(*kind, value)
            });
        let bytes = request.finish(0);
        answers(&bytes).next().expect("a message").body.to_vec()
    }

    #[test]
    fn which_are_kept() {
        let kept = |flags, scope, wide: Option<u32>| {
            let wide = wide.map(u32::to_ne_bytes);
            let list: Vec<(u16, &[u8])> =
                wide.iter().map(|value| (IFA_FLAGS, &value[..])).collect();
            Address::parse(&body(flags, scope, &list)).expect("parse").1.is_permanent_and_global()
        };
        assert!(kept(0x80, 0, None));
        assert!(!kept(0, 0, None));
        assert!(!kept(0x80, 253, None));
        // The longer field has the last word.
        assert!(kept(0, 0, Some(0x80)));
        assert!(!kept(0x80, 0, Some(0x200)));
    }

    #[test]
    fn all_that_was_set_goes_along() {
        let flags = (0x80_u32 | 0x200 | 0x40).to_ne_bytes();
        let given: &[(u16, &[u8])] = &[
            (IFA_ADDRESS, &[10, 0, 0, 1]),
            (IFA_LOCAL, &[10, 0, 0, 2]),
            (IFA_LABEL, b"eth0:a\0"),
            (IFA_FLAGS, &flags),
            (IFA_CACHEINFO, &[255; 16]),
            (IFA_RT_PRIORITY, &[1, 0, 0, 0]),
            // Of no meaning elsewhere.
            (10, &[9, 9, 9, 9]),
        ];
        let (index, address) = Address::parse(&body(0x80, 0, given)).expect("parse");
        assert_eq!(index, 7);
        let bytes = address.request(9, ("eth0", "net1"), 20, 0).finish(1);
        let message = answers(&bytes).next().expect("a message");
        let (index, again) = Address::parse(message.body).expect("parse");
        assert_eq!(index, 9);
        assert_eq!((again.family, again.prefix, again.scope, again.flags), (2, 24, 0, 0x200));
        let value =
            |kind| again.values.iter().find(|(one, _)| *one == kind).map(|(_, v)| v.clone());
        assert_eq!(value(IFA_LOCAL), Some(vec![10, 0, 0, 2]));
        assert_eq!(value(IFA_ADDRESS), Some(vec![10, 0, 0, 1]));
        assert_eq!(value(IFA_LABEL), Some(b"net1:a\0".to_vec()));
        assert_eq!(value(IFA_RT_PRIORITY), Some(vec![1, 0, 0, 0]));
        assert_eq!(value(IFA_CACHEINFO), Some(vec![255; 16]));
        assert_eq!(value(10), None);
        for (label, want) in [("eth0", None), ("other", None), ("eth0:123456789ab", None)] {
            assert_eq!(address.label(label.as_bytes(), "eth0", "long-name"), want, "{label}");
        }
    }
}
