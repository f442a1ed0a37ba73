//! Every field of config.json of runtime-spec 1.3, and what becomes of it.
//!
//! One table for `--strict`, which looks for fields that are not in it or are not applied, for `features`, and for
//! docs/spec-conformance.md. Tests compare it with the schema of the runtime-spec, and with what the planner does.

use Fate::{Applied, Ignored};

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It does what the runtime-spec says.
    Applied,
    /// It is read and changes nothing; why.
    Ignored(&'static str),
}

/// The members of one object.
#[derive(Debug)]
pub struct Section {
    /// Where it stands, as [`Section::find`] takes it; some objects stand at several places.
    pub at: &'static [&'static str],
    /// File and heading of the runtime-spec.
    pub source: &'static str,
    /// Name and fate of each member; `*` for names that are free.
    pub fields: &'static [(&'static str, Fate)],
}

const PLATFORM: Fate = Ignored("it is of another platform");

/// All objects, each after the one that it is in.
#[rustfmt::skip]
pub const SECTIONS: &[Section] = &[
    Section { at: &[""], source: "config.md#specification-version", fields: &[
        ("ociVersion", Applied), ("root", Applied), ("mounts", Applied), ("process", Applied),
        ("hostname", Applied), ("domainname", Applied), ("hooks", Applied), ("annotations", Applied),
        ("linux", Applied), ("solaris", PLATFORM), ("windows", PLATFORM), ("vm", PLATFORM), ("zos", PLATFORM),
        ("freebsd", PLATFORM),
    ] },
    Section { at: &["/root"], source: "config.md#root", fields: &[("path", Applied), ("readonly", Applied)] },
    Section { at: &["/mounts/[]"], source: "config.md#mounts", fields: &[
        ("destination", Applied), ("source", Applied), ("type", Applied), ("options", Applied),
        ("uidMappings", Applied), ("gidMappings", Applied),
    ] },
    Section { at: &["/mounts/[]/uidMappings/[]", "/mounts/[]/gidMappings/[]"], source: "config.md#posix-platform-mounts", fields: &[
        ("containerID", Applied), ("hostID", Applied), ("size", Applied),
    ] },
    Section { at: &["/process"], source: "config.md#process", fields: &[
        ("terminal", Applied), ("consoleSize", Applied), ("cwd", Applied), ("env", Applied), ("args", Applied),
        ("commandLine", PLATFORM), ("user", Applied), ("rlimits", Applied), ("capabilities", Applied),
        ("noNewPrivileges", Applied), ("apparmorProfile", Applied), ("selinuxLabel", Applied),
        ("oomScoreAdj", Applied), ("scheduler", Applied), ("ioPriority", Applied), ("execCPUAffinity", Applied),
    ] },
    Section { at: &["/process/consoleSize"], source: "config.md#process", fields: &[("height", Applied), ("width", Applied)] },
    Section { at: &["/process/user"], source: "config.md#posix-platform-user", fields: &[
        ("uid", Applied), ("gid", Applied), ("umask", Applied), ("additionalGids", Applied), ("username", PLATFORM),
    ] },
    Section { at: &["/process/rlimits/[]"], source: "config.md#posix-process", fields: &[
        ("type", Applied), ("soft", Applied), ("hard", Applied),
    ] },
    Section { at: &["/process/capabilities"], source: "config.md#linux-process", fields: &[
        ("effective", Applied), ("bounding", Applied), ("inheritable", Applied), ("permitted", Applied),
        ("ambient", Applied),
    ] },
    Section { at: &["/process/scheduler"], source: "config.md#linux-process", fields: &[
        ("policy", Applied), ("nice", Applied), ("priority", Applied), ("flags", Applied), ("runtime", Applied),
        ("deadline", Applied), ("period", Applied),
    ] },
    Section { at: &["/process/ioPriority"], source: "config.md#linux-process", fields: &[
        ("class", Applied), ("priority", Applied),
    ] },
    Section { at: &["/process/execCPUAffinity"], source: "config.md#linux-process", fields: &[
        ("initial", Applied), ("final", Applied),
    ] },
    Section { at: &["/hooks"], source: "config.md#posix-platform-hooks", fields: &[
        ("prestart", Applied), ("createRuntime", Applied), ("createContainer", Applied), ("startContainer", Applied),
        ("poststart", Applied), ("poststop", Applied),
    ] },
    Section {
        at: &[
            "/hooks/prestart/[]", "/hooks/createRuntime/[]", "/hooks/createContainer/[]",
            "/hooks/startContainer/[]", "/hooks/poststart/[]", "/hooks/poststop/[]",
        ],
        source: "config.md#posix-platform-hooks",
        fields: &[("path", Applied), ("args", Applied), ("env", Applied), ("timeout", Applied)],
    },
    Section { at: &["/annotations"], source: "config.md#annotations", fields: &[("*", Applied)] },
    Section { at: &["/linux"], source: "config-linux.md", fields: &[
        ("namespaces", Applied), ("uidMappings", Applied), ("gidMappings", Applied), ("timeOffsets", Applied),
        ("devices", Applied), ("netDevices", Applied), ("cgroupsPath", Applied), ("resources", Applied),
        ("intelRdt", Applied), ("memoryPolicy", Applied), ("sysctl", Applied), ("seccomp", Applied),
        ("rootfsPropagation", Applied), ("maskedPaths", Applied), ("readonlyPaths", Applied),
        ("mountLabel", Applied), ("personality", Applied),
    ] },
    Section { at: &["/linux/namespaces/[]"], source: "config-linux.md#namespaces", fields: &[("type", Applied), ("path", Applied)] },
    Section { at: &["/linux/uidMappings/[]", "/linux/gidMappings/[]"], source: "config-linux.md#user-namespace-mappings", fields: &[
        ("containerID", Applied), ("hostID", Applied), ("size", Applied),
    ] },
    Section { at: &["/linux/timeOffsets"], source: "config-linux.md#offset-for-time-namespace", fields: &[
        ("boottime", Applied), ("monotonic", Applied),
    ] },
    Section { at: &["/linux/timeOffsets/boottime", "/linux/timeOffsets/monotonic"], source: "config-linux.md#offset-for-time-namespace", fields: &[
        ("secs", Applied), ("nanosecs", Applied),
    ] },
    Section { at: &["/linux/devices/[]"], source: "config-linux.md#devices", fields: &[
        ("type", Applied), ("path", Applied), ("major", Applied), ("minor", Applied), ("fileMode", Applied),
        ("uid", Applied), ("gid", Applied),
    ] },
    Section { at: &["/linux/netDevices"], source: "config-linux.md#network-devices", fields: &[("*", Applied)] },
    Section { at: &["/linux/netDevices/*"], source: "config-linux.md#network-devices", fields: &[("name", Applied)] },
    Section { at: &["/linux/resources"], source: "config-linux.md#control-groups", fields: &[
        ("devices", Applied), ("memory", Applied), ("cpu", Applied), ("blockIO", Applied),
        ("hugepageLimits", Applied), ("network", Applied), ("pids", Applied), ("rdma", Applied), ("unified", Applied),
    ] },
    Section { at: &["/linux/resources/devices/[]"], source: "config-linux.md#allowed-device-list", fields: &[
        ("allow", Applied), ("type", Applied), ("major", Applied), ("minor", Applied), ("access", Applied),
    ] },
    Section { at: &["/linux/resources/memory"], source: "config-linux.md#memory", fields: &[
        ("limit", Applied), ("reservation", Applied), ("swap", Applied),
        ("kernel", Ignored("no kernel since 5.4 has it")), ("kernelTCP", Ignored("it went with the limit on kernel memory")),
        ("swappiness", Applied), ("disableOOMKiller", Applied), ("useHierarchy", Applied),
        ("checkBeforeUpdate", Applied),
    ] },
    Section { at: &["/linux/resources/cpu"], source: "config-linux.md#cpu", fields: &[
        ("shares", Applied), ("quota", Applied), ("burst", Applied), ("period", Applied),
        ("realtimeRuntime", Applied), ("realtimePeriod", Applied), ("cpus", Applied), ("mems", Applied),
        ("idle", Applied),
    ] },
    Section { at: &["/linux/resources/blockIO"], source: "config-linux.md#block-io", fields: &[
        ("weight", Applied), ("leafWeight", Applied), ("weightDevice", Applied), ("throttleReadBpsDevice", Applied),
        ("throttleWriteBpsDevice", Applied), ("throttleReadIOPSDevice", Applied), ("throttleWriteIOPSDevice", Applied),
    ] },
    Section { at: &["/linux/resources/blockIO/weightDevice/[]"], source: "config-linux.md#block-io", fields: &[
        ("major", Applied), ("minor", Applied), ("weight", Applied), ("leafWeight", Applied),
    ] },
    Section {
        at: &[
            "/linux/resources/blockIO/throttleReadBpsDevice/[]", "/linux/resources/blockIO/throttleWriteBpsDevice/[]",
            "/linux/resources/blockIO/throttleReadIOPSDevice/[]", "/linux/resources/blockIO/throttleWriteIOPSDevice/[]",
        ],
        source: "config-linux.md#block-io",
        fields: &[("major", Applied), ("minor", Applied), ("rate", Applied)],
    },
    Section { at: &["/linux/resources/hugepageLimits/[]"], source: "config-linux.md#huge-page-limits", fields: &[
        ("pageSize", Applied), ("limit", Applied),
    ] },
    Section { at: &["/linux/resources/network"], source: "config-linux.md#network", fields: &[
        ("classID", Applied), ("priorities", Applied),
    ] },
    Section { at: &["/linux/resources/network/priorities/[]"], source: "config-linux.md#network", fields: &[
        ("name", Applied), ("priority", Applied),
    ] },
    Section { at: &["/linux/resources/pids"], source: "config-linux.md#pids", fields: &[("limit", Applied)] },
    Section { at: &["/linux/resources/rdma"], source: "config-linux.md#rdma", fields: &[("*", Applied)] },
    Section { at: &["/linux/resources/rdma/*"], source: "config-linux.md#rdma", fields: &[
        ("hcaHandles", Applied), ("hcaObjects", Applied),
    ] },
    Section { at: &["/linux/resources/unified"], source: "config-linux.md#unified", fields: &[("*", Applied)] },
    Section { at: &["/linux/intelRdt"], source: "config-linux.md#intelrdt", fields: &[
        ("closID", Applied), ("schemata", Applied), ("l3CacheSchema", Applied),
        ("memBwSchema", Applied), ("enableMonitoring", Applied),
    ] },
    Section { at: &["/linux/memoryPolicy"], source: "config-linux.md#memory-policy", fields: &[
        ("mode", Applied), ("nodes", Applied), ("flags", Applied),
    ] },
    Section { at: &["/linux/sysctl"], source: "config-linux.md#sysctl", fields: &[("*", Applied)] },
    Section { at: &["/linux/seccomp"], source: "config-linux.md#seccomp", fields: &[
        ("defaultAction", Applied), ("defaultErrnoRet", Applied), ("architectures", Applied), ("flags", Applied),
        ("listenerPath", Applied), ("listenerMetadata", Applied), ("syscalls", Applied),
    ] },
    Section { at: &["/linux/seccomp/syscalls/[]"], source: "config-linux.md#seccomp", fields: &[
        ("names", Applied), ("action", Applied), ("errnoRet", Applied), ("args", Applied),
    ] },
    Section { at: &["/linux/seccomp/syscalls/[]/args/[]"], source: "config-linux.md#seccomp", fields: &[
        ("index", Applied), ("value", Applied), ("valueTwo", Applied), ("op", Applied),
    ] },
    Section { at: &["/linux/personality"], source: "config-linux.md#personality", fields: &[
        ("domain", Applied), ("flags", Ignored("the runtime-spec has none to give")),
    ] },
];

impl Section {
    /// The object that stands at a place: a pointer with `[]` for each index and `*` for each free name, empty for
    /// the whole document.
    pub fn find(at: &str) -> Option<&'static Self> {
        SECTIONS.iter().find(|section| section.at.contains(&at))
    }

    /// The name in the table for a member, and its fate: its own name or, where names are free, `*`.
    pub fn member(&self, name: &str) -> Option<(&'static str, Fate)> {
        let found = |wanted: &str| self.fields.iter().find(|(known, _)| *known == wanted).copied();
        found(name).or_else(|| found("*"))
    }
}

/// Whether the field at a place is applied.
pub fn is_applied(path: &str) -> bool {
    let Some((at, name)) = path.rsplit_once('/') else { return false };
    let member = Section::find(at).and_then(|section| section.member(name));
    matches!(member, Some((_, Applied)))
}
