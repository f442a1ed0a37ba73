//! Unit properties that annotations of config.json set: `org.systemd.property.NAME`.

use std::collections::BTreeMap;

use super::dbus::Value;
use super::variant;
use super::{Properties, Property};
use crate::error::{Error, Result};

const PREFIX: &str = "org.systemd.property.";

/// What an annotation may set. Engines hand on annotations of people who may not do everything (CVE-2024-3154), so what
/// starts other units or programs, or acts on the host (`SuccessAction`, `Requires` …), is not among it.
const ALLOWED: &[&str] = &[
    // systemd.unit(5)
    "After",
    "Before",
    "CollectMode",
    "DefaultDependencies",
    "Description",
    "Documentation",
    // systemd.scope(5), systemd.kill(5)
    "FinalKillSignal",
    "KillMode",
    "KillSignal",
    "OOMPolicy",
    "RestartKillSignal",
    "RuntimeMaxUSec",
    "RuntimeRandomizedExtraUSec",
    "SendSIGHUP",
    "SendSIGKILL",
    "TimeoutStopUSec",
    "WatchdogSignal",
    // systemd.resource-control(5); limits of config.json come later and win
    "CPUAccounting",
    "CPUQuotaPerSecUSec",
    "CPUQuotaPeriodUSec",
    "CPUWeight",
    "IOAccounting",
    "IOWeight",
    "IPAccounting",
    "ManagedOOMMemoryPressure",
    "ManagedOOMMemoryPressureDurationUSec",
    "ManagedOOMMemoryPressureLimit",
    "ManagedOOMPreference",
    "ManagedOOMSwap",
    "MemoryAccounting",
    "MemoryHigh",
    "MemoryLow",
    "MemoryMax",
    "MemoryMin",
    "MemoryPressureThresholdUSec",
    "MemoryPressureWatch",
    "MemorySwapMax",
    "MemoryZSwapMax",
    "TasksAccounting",
    "TasksMax",
];

/// The prefix of annotations that set unit properties, for runtime-spec's `potentiallyUnsafeConfigAnnotations`.
pub const ANNOTATION_PREFIX: &str = PREFIX;

impl Properties {
    /// The properties that `annotations` set; values are in GVariant's text form. A name that ends in `Sec` may stand
    /// for systemd's own, in microseconds, with a number of seconds.
    ///
    /// # Errors
    /// The name of the annotation, and what is wrong: a property that annotations may not set, or a broken value.
    pub fn from_annotations<'a>(
        annotations: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> std::result::Result<Self, (String, Error)> {
        let mut found = BTreeMap::new();
        for (key, text) in annotations {
            if let Some(name) = key.strip_prefix(PREFIX) {
                let (name, value) = property(name, text).map_err(|e| (key.clone(), e))?;
                found.insert(name, value);
            }
        }
        Ok(Self(found.into_iter().collect()))
    }
}

fn property(name: &str, text: &str) -> Result<Property> {
    let value = variant::parse(text)
        .map_err(|why| Error::message(format!("systemd property {name}: {why}")))?;
    let (name, value) = match name.strip_suffix("Sec").filter(|stem| ends_in_lower_case(stem)) {
        Some(stem) => (format!("{stem}USec"), microseconds(name, &value)?),
        None => (name.to_owned(), value),
    };
    if ALLOWED.contains(&name.as_str()) {
        Ok((name, value))
    } else {
        Err(Error::message(format!("systemd property {name:?} cannot be set by an annotation")))
    }
}

/// `TimeoutStopSec` is a name in seconds, `TimeoutStopUSec` is none.
fn ends_in_lower_case(stem: &str) -> bool {
    stem.ends_with(|c: char| c.is_ascii_lowercase())
}

fn microseconds(name: &str, value: &Value) -> Result<Value> {
    const SECOND: u64 = 1_000_000;
    let whole = match *value {
        Value::Byte(n) => Some(u64::from(n)),
        Value::Int16(n) => u64::try_from(n).ok(),
        Value::Uint16(n) => Some(u64::from(n)),
        Value::Int32(n) => u64::try_from(n).ok(),
        Value::Uint32(n) => Some(u64::from(n)),
        Value::Int64(n) => u64::try_from(n).ok(),
        Value::Uint64(n) => Some(n),
        // Far below 2^53 µs, which is 285 years.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Value::Double(n) if (0.0..9e9).contains(&n) => {
            return Ok(Value::Uint64((n * 1e6) as u64));
        }
        _ => None,
    };
    whole
        .and_then(|seconds| seconds.checked_mul(SECOND))
        .map(Value::Uint64)
        .ok_or_else(|| Error::message(format!("systemd property {name}: not a number of seconds")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> std::result::Result<Properties, (String, Error)> {
        let owned: Vec<(String, String)> =
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Properties::from_annotations(owned.iter().map(|(k, v)| (k, v)))
    }

    #[test]
    fn what_engines_write() {
        let properties = read(&[
            ("org.systemd.property.KillSignal", "15"),
            ("org.systemd.property.TimeoutStopUSec", "uint64 10000000"),
            ("org.systemd.property.After", "['crio.service']"),
            ("org.systemd.property.DefaultDependencies", "true"),
            ("io.container.manager", "libpod"),
        ]);
        let after = Value::texts(["crio.service".to_owned()]);
        let expected = [
            ("After", after),
            ("DefaultDependencies", Value::Bool(true)),
            ("KillSignal", Value::Int32(15)),
            ("TimeoutStopUSec", Value::Uint64(10_000_000)),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value)).to_vec();
        assert_eq!(properties, Ok(Properties(expected)));
    }

    #[test]
    fn seconds_become_microseconds() {
        for (text, expected) in [("5", 5_000_000), ("uint64 2", 2_000_000), ("1.5", 1_500_000)] {
            let properties = read(&[("org.systemd.property.TimeoutStopSec", text)]);
            let expected = vec![("TimeoutStopUSec".to_owned(), Value::Uint64(expected))];
            assert_eq!(properties, Ok(Properties(expected)), "{text}");
        }
        for text in ["-1", "true", "uint64 18446744073709551615"] {
            read(&[("org.systemd.property.TimeoutStopSec", text)]).expect_err(text);
        }
    }

    #[test]
    fn what_acts_on_the_host_is_refused() {
        for name in ["SuccessAction", "Requires", "PIDs", "Slice", "ExecStart", "OnFailure", ""] {
            let key = format!("org.systemd.property.{name}");
            let (at, e) = read(&[(&key, "'x'")]).expect_err(name);
            assert_eq!(at, key);
            assert_eq!(
                e.to_string(),
                format!("systemd property {name:?} cannot be set by an annotation")
            );
        }
        let (_, e) = read(&[("org.systemd.property.KillSignal", "term")]).expect_err("no value");
        assert_eq!(
            e.to_string(),
            "systemd property KillSignal: \"term\" is neither a number nor a text in quotes"
        );
    }
}
