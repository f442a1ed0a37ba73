//! Containers as units of systemd: a scope that holds their processes.
//!
//! ```text
//! create ──▶ StartTransientUnit(scope, limits, first process) ──▶ JobRemoved ──▶ the files, written as always
//! update ──▶ SetUnitProperties(limits)                        ──▶ the files
//! delete ──▶ InvocationID ──▶ nobody is in it ──▶ Stop        ──▶ JobRemoved ──▶ what directories are left
//! ```
//!
//! That is all that systemd is told. `exec`, `kill`, `state`, `pause`, `ps` and `events` know the directories and ask
//! nobody. What systemd has no property for is in the files alone, and safe there: the scope is delegated.
//!
//! - `name` `cgroupsPath` as slice and unit, and where that is in the tree
//! - `properties` limits in systemd's words
//! - `annotations`, `variant` properties that config.json sets directly
//! - `dbus/` the messages

mod annotations;
mod dbus;
mod name;
mod properties;
mod variant;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use annotations::ANNOTATION_PREFIX;
use dbus::{Connection, Failure, Instance, Value};

use crate::devices::Policy;
use crate::error::{Error, Result};
use crate::model::Resources;

/// How long systemd may take for one job, as for its own clients.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same for the end of a unit that nobody is in: that of the cgroup is its end, too, whether or not systemd was
/// told. containerd gives `delete --force` 5 s when it cleans up.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// How long is waited for systemd where nothing depends on its answer.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);

const UNIT_EXISTS: &str = "org.freedesktop.systemd1.UnitExists";

/// Properties that older versions do not know, or know with fewer values: systemd need not be told of these, as their
/// effect is in the cgroup's files (limits) or a matter of tidiness.
const OPTIONAL: &[&str] = &[
    "AllowedCPUs",
    "AllowedMemoryNodes",
    "CPUAccounting",
    "CPUQuotaPeriodUSec",
    "CPUWeight",
    "CollectMode",
    "IOAccounting",
    "IOWeight",
    "OOMPolicy",
];

/// A property's name and value.
type Property = (String, Value);

/// Properties of a unit beside its limits, see [`Properties::from_annotations`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Properties(Vec<Property>);

/// The unit of one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// `onggi-ID.scope`
    name: String,
    /// `system.slice`
    slice: String,
    /// Whether it belongs to the systemd of the calling user, and not to process 1.
    user: bool,
}

impl Unit {
    /// The unit for `linux.cgroupsPath` = `path`, `SLICE:PREFIX:NAME` or nothing.
    pub(crate) fn new(path: Option<&str>, id: &str, user: bool) -> Result<Self> {
        let (slice, name) = name::unit(path, id, user)?;
        Ok(Self { name, slice, user })
    }

    /// The name of the unit, `onggi-ID.scope`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of its slice, such as `system.slice`.
    pub fn slice(&self) -> &str {
        &self.slice
    }

    /// Where it is below the root of its systemd: `/system.slice/onggi-ID.scope`.
    pub(crate) fn path(&self) -> Result<String> {
        Ok(format!("{}/{}", name::expand_slice(&self.slice)?, self.name))
    }

    /// Starts the scope with process `pid` in it.
    ///
    /// # Errors
    /// [`Error::UnitExists`] when it belongs to somebody else. After any other error there may be a unit all the same,
    /// whose word did not reach us; it goes with the process.
    pub(crate) fn start(
        &self,
        pid: i32,
        id: &str,
        given: &Properties,
        resources: &Resources,
        v2: bool,
    ) -> Result<()> {
        let mut properties = self.defaults(pid, id, v2);
        let limits = self.limits(resources, v2)?;
        for (name, value) in given.0.iter().cloned().chain(limits) {
            // Twice in one message is how a list is begun anew.
            if !name.starts_with("Device") {
                properties.retain(|(known, _)| *known != name);
            }
            properties.push((name, value));
        }
        let mut connection = self.open("start", PATIENCE)?;
        let job = match self.call_start(&mut connection, &mut properties, given) {
            Ok(job) => job,
            Err(Failure::Refused { name, .. }) if name == UNIT_EXISTS => {
                return Err(Error::UnitExists(self.name.clone()));
            }
            Err(failure) => return Err(self.failed("start", &failure)),
        };
        match connection.wait_job(&job) {
            Ok(result) if result == "done" => Ok(()),
            Ok(result) => {
                let failure = Failure::Unreachable(format!("its job ended with {result:?}"));
                Err(self.failed("start", &failure))
            }
            Err(failure) => Err(self.failed("start", &failure)),
        }
    }

    fn defaults(&self, pid: i32, id: &str, v2: bool) -> Vec<Property> {
        // Nobody but us waits for this process: until then the number is its own, so a pidfd would say no more. It
        // would take another greeting, and a systemd that knows `PIDFDs`.
        let pids = vec![Value::Uint32(pid.unsigned_abs())];
        let io = if v2 { "IOAccounting" } else { "BlockIOAccounting" };
        let list = [
            ("Description", Value::text(format!("onggi container {id}"))),
            ("Slice", Value::text(&self.slice)),
            ("PIDs", Value::Array("u", pids)),
            // All controllers, and the tree below is ours.
            ("Delegate", Value::Bool(true)),
            ("MemoryAccounting", Value::Bool(true)),
            ("CPUAccounting", Value::Bool(true)),
            ("TasksAccounting", Value::Bool(true)),
            (io, Value::Bool(true)),
            ("DefaultDependencies", Value::Bool(false)),
            // A container that failed is nothing to be kept and looked at by systemctl.
            ("CollectMode", Value::text("inactive-or-failed")),
        ];
        list.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    fn limits(&self, resources: &Resources, v2: bool) -> Result<Vec<Property>> {
        let mut limits = properties::limits(resources, v2)?;
        if !v2 && !resources.devices.is_empty() {
            limits.extend(properties::v1_devices(&Policy::new(&resources.devices)));
        }
        Ok(limits)
    }

    fn call_start(
        &self,
        connection: &mut Connection,
        properties: &mut Vec<Property>,
        given: &Properties,
    ) -> std::result::Result<String, Failure> {
        let mut leftover = true;
        loop {
            let args = [
                Value::text(&self.name),
                Value::text("fail"),
                as_argument(properties),
                Value::Array("(sa(sv))", Vec::new()),
            ];
            match connection.manager("StartTransientUnit", &args) {
                Ok(answer) => return Ok(answer.into_iter().next().unwrap_or_default()),
                Err(Failure::Refused { name, .. }) if leftover && name == UNIT_EXISTS => {
                    // One that has failed and is empty is kept until somebody says that he has seen it.
                    leftover = false;
                    let _ = connection.manager("ResetFailedUnit", &[Value::text(&self.name)]);
                }
                Err(Failure::Refused { name, text }) => {
                    match refused_option(&text, properties, given) {
                        Some(option) => properties.retain(|(known, _)| *known != option),
                        None => return Err(Failure::Refused { name, text }),
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Tells systemd of new limits.
    ///
    /// # Errors
    /// When it cannot be reached or refuses one.
    pub(crate) fn set(&self, resources: &Resources, v2: bool) -> Result<()> {
        let mut properties = self.limits(resources, v2)?;
        // Only a new unit takes it.
        properties.retain(|(name, _)| name != "OOMPolicy");
        if properties.is_empty() {
            return Ok(());
        }
        let mut connection = self.open("update", PATIENCE)?;
        loop {
            // "Runtime": forgotten when the host is started anew, as the container is.
            let args = [Value::text(&self.name), Value::Bool(true), as_argument(&properties)];
            match connection.manager("SetUnitProperties", &args) {
                Ok(_) => return Ok(()),
                Err(Failure::Refused { name, text }) => {
                    match refused_option(&text, &properties, &Properties::default()) {
                        Some(option) => properties.retain(|(known, _)| *known != option),
                        None => return Err(self.failed("update", &Failure::Refused { name, text })),
                    }
                }
                Err(failure) => return Err(self.failed("update", &failure)),
            }
        }
    }

    /// The unit that runs under this name now, to be stopped once nobody is in it; `None` when there is none, or no
    /// systemd.
    ///
    /// # Errors
    /// [`Hangs`]
    pub(crate) fn running(&self) -> std::result::Result<Option<Running>, Hangs> {
        self.running_within(STOP_PATIENCE)
    }

    fn running_within(&self, patience: Duration) -> std::result::Result<Option<Running>, Hangs> {
        let found = Connection::open(self.instance(), patience).and_then(|mut connection| {
            let invocation = connection.invocation(&self.name)?;
            Ok(invocation.map(|invocation| Running { connection, invocation }))
        });
        match found {
            Ok(found) => Ok(found),
            Err(Failure::Late(_)) => Err(Hangs),
            Err(_) => Ok(None),
        }
    }

    /// Has systemd forget the unit where it is kept because it has failed, or because it was not seen that its cgroup
    /// has gone. One with processes is not touched: it is somebody else's. That systemd could not be asked is no error.
    pub(crate) fn forget(&self) {
        // Most often it is gone by now, and this is all.
        let Ok(Some(mut running)) = self.running_within(SHORT_PATIENCE) else { return };
        let answer = running.connection.manager("GetUnitProcesses", &[Value::text(&self.name)]);
        if answer.is_ok_and(|answer| answer.first().is_some_and(|bytes| bytes == "0")) {
            let _ = running.stop();
        }
    }

    /// Has systemd move process `pid` into the unit, into the cgroup `below` it (`/` or `/sub`): it may do so from
    /// where a user may not.
    ///
    /// # Errors
    /// When it cannot be reached or refuses.
    pub(crate) fn attach(&self, below: &str, pid: i32) -> Result<()> {
        let pids = Value::Array("u", vec![Value::Uint32(pid.unsigned_abs())]);
        let args = [Value::text(&self.name), Value::text(below), pids];
        let mut connection = self.open("join", PATIENCE)?;
        let answer = connection.manager("AttachProcessesToUnit", &args);
        answer.map(drop).map_err(|failure| self.failed("join", &failure))
    }

    fn instance(&self) -> Instance {
        if self.user { Instance::User } else { Instance::System }
    }

    fn open(&self, op: &str, patience: Duration) -> Result<Connection> {
        Connection::open(self.instance(), patience).map_err(|failure| self.failed(op, &failure))
    }

    fn failed(&self, op: &str, failure: &Failure) -> Error {
        let reason = match failure {
            Failure::Refused { text, .. } if !text.is_empty() => first_lower(text),
            Failure::Refused { name, .. } => name.clone(),
            Failure::Unreachable(text) | Failure::Late(text) => text.clone(),
        };
        let whose = if self.user { "user " } else { "" };
        Error::Systemd(format!("{op} systemd {whose}unit {:?}: {reason}", self.name))
    }
}

/// systemd is there and does not answer. It sees later that nobody is in a unit, as long as the directory by which it
/// knows of that is left to it; otherwise it has the unit, and its name, for good.
#[derive(Debug)]
pub(crate) struct Hangs;

/// A unit that was started, told from a later one of the same name.
#[derive(Debug)]
pub(crate) struct Running {
    connection: Connection,
    invocation: String,
}

impl Running {
    /// Stops it, which ends all its processes, and waits until it is gone. One that has ended meanwhile is not there any
    /// more, whoever has its name.
    ///
    /// # Errors
    /// [`Hangs`]
    pub(crate) fn stop(mut self) -> std::result::Result<(), Hangs> {
        match self.try_stop() {
            Err(Failure::Late(_)) => Err(Hangs),
            _ => Ok(()),
        }
    }

    fn try_stop(&mut self) -> std::result::Result<(), Failure> {
        let Self { connection, invocation } = self;
        let answer = connection.call_invocation(invocation, "Stop", &[Value::text("replace")])?;
        connection.wait_job(&answer.into_iter().next().unwrap_or_default())?;
        // Where it is kept because it has failed; most often it is gone by now.
        connection.call_invocation(invocation, "ResetFailed", &[]).map(drop)
    }
}

/// Properties as `a(sv)`.
fn as_argument(properties: &[Property]) -> Value {
    let entry = |(name, value): &Property| {
        Value::Struct(vec![Value::text(name), Value::Variant(Box::new(value.clone()))])
    };
    Value::Array("(sv)", properties.iter().map(entry).collect())
}

/// The property that systemd complains of, if it need not be told of it; what config.json names in person must hold.
fn refused_option(text: &str, properties: &[Property], given: &Properties) -> Option<String> {
    let named =
        |name: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name);
    properties
        .iter()
        .map(|(name, _)| name)
        .find(|name| OPTIONAL.contains(&name.as_str()) && named(name))
        .filter(|name| !given.0.iter().any(|(given, _)| given == *name))
        .cloned()
}

/// systemd's sentences begin with a capital letter and end with a full stop; errors here do neither.
fn first_lower(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    match (chars.next(), chars.as_str().chars().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// `quota` as systemd will write it, see systemd.resource-control(5) `CPUQuota=`.
pub(crate) use properties::rounded_quota;

#[cfg(test)]
mod tests;
