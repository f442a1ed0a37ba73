//! config.json as plain JSON, with short ways to reach into it.

use serde_json::Value;

/// The configuration and what the harness says in addition (`/expect.json`, optional).
///
/// `expect.json` may hold: `hostNamespaces` and `joinedNamespaces` (type → link text),
/// `hostBounding` (hex mask of the capabilities that the host can give), `fds` (numbers above 2
/// that must be open), `cgroup` (path that must be the process's), `process` (the process
/// section to use instead of config.json's, for `exec`), `hostKeyring` (serial number).
pub(crate) struct Config {
    /// All of config.json.
    pub(crate) spec: Value,
    /// All of expect.json, or null.
    pub(crate) expect: Value,
}

impl Config {
    /// Reads both files; the text of the error is for a person.
    pub(crate) fn load(path: &str) -> Result<Self, String> {
        let text = std::fs::read(path).map_err(|e| format!("read {path}: {e}"))?;
        let spec = serde_json::from_slice(&text).map_err(|e| format!("parse {path}: {e}"))?;
        let expect = match std::fs::read("/expect.json") {
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|e| format!("parse /expect.json: {e}"))?
            }
            Err(_) => Value::Null,
        };
        Ok(Self { spec, expect })
    }

    /// The value at a JSON pointer of config.json, null when absent.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.spec.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The process section in force.
    pub(crate) fn process(&self) -> &Value {
        match &self.expect["process"] {
            Value::Null => &self.spec["process"],
            other => other,
        }
    }

    /// The list at a pointer, empty when absent.
    pub(crate) fn list(&self, pointer: &str) -> &[Value] {
        list(self.at(pointer))
    }

    /// True when a namespace of this type is listed (created or joined).
    pub(crate) fn has_namespace(&self, kind: &str) -> bool {
        self.list("/linux/namespaces").iter().any(|n| n["type"] == kind)
    }
}

/// A JSON array as a slice, empty for anything else.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The strings of a JSON array.
pub(crate) fn strings(value: &Value) -> Vec<&str> {
    list(value).iter().filter_map(Value::as_str).collect()
}
