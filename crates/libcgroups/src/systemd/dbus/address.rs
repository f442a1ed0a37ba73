//! Where systemd and the buses that it is on listen.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Instance;

/// A socket to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// systemd itself.
    Private(PathBuf),
    /// A bus daemon.
    Bus(PathBuf),
    /// A bus daemon in the abstract namespace, see unix(7).
    AbstractBus(String),
}

impl Address {
    /// Whether a bus daemon listens there, which wants to be greeted.
    pub(super) fn is_bus(&self) -> bool {
        !matches!(self, Self::Private(_))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private(path) | Self::Bus(path) => write!(f, "{path:?}"),
            Self::AbstractBus(name) => write!(f, "{:?}", format!("@{name}")),
        }
    }
}

/// The sockets to try, in that order.
pub(super) fn candidates(instance: Instance) -> Vec<Address> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    match instance {
        Instance::System => system(variable("DBUS_SYSTEM_BUS_ADDRESS").as_deref()),
        Instance::User => user(
            variable("XDG_RUNTIME_DIR").as_deref(),
            variable("DBUS_SESSION_BUS_ADDRESS").as_deref(),
        ),
    }
}

fn system(bus: Option<&str>) -> Vec<Address> {
    let mut found = vec![Address::Private("/run/systemd/private".into())];
    match bus {
        Some(bus) => found.extend(parse(bus)),
        None => found.push(Address::Bus("/run/dbus/system_bus_socket".into())),
    }
    found
}

fn user(runtime_dir: Option<&str>, bus: Option<&str>) -> Vec<Address> {
    let dir = runtime_dir.map(Path::new).filter(|dir| dir.is_absolute());
    let mut found = Vec::new();
    found.extend(dir.map(|dir| Address::Private(dir.join("systemd/private"))));
    match bus {
        Some(bus) => found.extend(parse(bus)),
        None => found.extend(dir.map(|dir| Address::Bus(dir.join("bus")))),
    }
    found
}

/// The Unix sockets of a list of server addresses (D-Bus Specification, "Server Addresses").
fn parse(addresses: &str) -> Vec<Address> {
    let one = |address: &str| {
        let keys = address.strip_prefix("unix:")?;
        keys.split(',').find_map(|pair| match pair.split_once('=')? {
            ("path", path) => Some(Address::Bus(unescape(path).into())),
            ("abstract", name) => Some(Address::AbstractBus(unescape(name))),
            _ => None,
        })
    };
    addresses.split(';').filter_map(one).collect()
}

/// Takes the escapes (`%20` for a blank) out of a value.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.first_chunk::<2>().and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_private_socket_comes_first() {
        let private = Address::Private("/run/systemd/private".into());
        assert_eq!(
            system(None),
            [private.clone(), Address::Bus("/run/dbus/system_bus_socket".into())]
        );
        assert_eq!(system(Some("unix:path=/b")), [private, Address::Bus("/b".into())]);
        assert_eq!(
            user(Some("/run/user/5"), None),
            [
                Address::Private("/run/user/5/systemd/private".into()),
                Address::Bus("/run/user/5/bus".into())
            ]
        );
        assert_eq!(user(Some("relative"), None), []);
        assert_eq!(user(None, None), []);
    }

    #[test]
    fn lists_of_addresses() {
        let list = "tcp:host=x;unix:guid=00,path=/a%20b;unix:abstract=/tmp/x,guid=1;unix:tmpdir=/t";
        assert_eq!(
            parse(list),
            [Address::Bus("/a b".into()), Address::AbstractBus("/tmp/x".into())]
        );
        assert_eq!(unescape("100%"), "100%");
    }
}
