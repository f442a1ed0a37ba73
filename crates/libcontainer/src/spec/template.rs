//! The config.json that the `spec` verb writes.

/// What a first config.json depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// User and group id that a container without privileges maps its root to.
    pub rootless: Option<(u32, u32)>,
    /// The host has the cgroup v2 tree alone: the container gets a cgroup namespace.
    pub cgroup2: bool,
}

const ROOT: &str = include_str!("template.json.in");
const ROOTLESS: &str = include_str!("template-rootless.json.in");

/// JSON text, tab-indented, with the members in the order of the runtime-spec and no newline at the end.
pub fn template(host: Template) -> String {
    let cgroup =
        if host.cgroup2 { ",\n\t\t\t{\n\t\t\t\t\"type\": \"cgroup\"\n\t\t\t}" } else { "" };
    let text = match host.rootless {
        None => ROOT.to_owned(),
        Some((uid, gid)) => {
            ROOTLESS.replace("@UID@", &uid.to_string()).replace("@GID@", &gid.to_string())
        }
    };
    text.trim_end().replace("@CGROUP@", cgroup)
}
