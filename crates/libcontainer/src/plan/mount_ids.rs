//! Id-mapped mounts: `uidMappings` and `gidMappings` of a mount, `idmap` and `ridmap`.

use oci_spec::runtime::Mount as OciMount;

use super::facts::HostFacts;
use super::idmap::{mappings, same_maps};
use super::mount_options::{IdMapOption, Options};
use super::{IdMap, MountKind, Namespace, Namespaces};
use crate::error::{Error, Result};

/// How a mount shows the owners of its files; see mount_setattr(2), ID-mapped mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountIds {
    /// Which ids stand for which.
    pub maps: MountMaps,
    /// `ridmap`: on the mounts below, too.
    pub recursive: bool,
}

/// Where the mappings of a mount come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountMaps {
    /// The user namespace of the container, made or joined.
    Container,
    /// The mount's own: `container` is an id of the source, `host` what it becomes, before the
    /// container's user namespace gives its own name to it.
    Own {
        /// `uidMappings`
        uid: Vec<IdMap>,
        /// `gidMappings`
        gid: Vec<IdMap>,
    },
}

/// What a mount of `kind` asks for, if anything (config.md, "Mounts"). Options alone mean the mappings of
/// the container's user namespace; mappings that are those already name it as well.
pub(super) fn mount_ids(
    entry: &OciMount,
    options: &Options,
    kind: &MountKind,
    pointer: &str,
    facts: &HostFacts,
    namespaces: &Namespaces,
) -> Result<Option<MountIds>> {
    let list = |field: &str, given: &_| mappings(&format!("{pointer}/{field}"), given);
    let uid = list("uidMappings", entry.uid_mappings())?;
    let gid = list("gidMappings", entry.gid_mappings())?;
    let place = match (options.idmap, uid.is_empty(), gid.is_empty()) {
        (None, true, true) => return Ok(None),
        (Some(IdMapOption { index, .. }), true, true) => format!("{pointer}/options/{index}"),
        (_, false, _) => format!("{pointer}/uidMappings"),
        (_, true, false) => format!("{pointer}/gidMappings"),
    };
    let fail = |text: &str| Err(Error::config(&*place, text));
    if !matches!(kind, MountKind::Bind { .. }) {
        return fail("id-mapped mounts are only supported for bind-mounts");
    }
    if facts.euid != 0 {
        return fail("id-mapped mounts are not supported for rootless containers");
    }
    let implied = uid.is_empty() && gid.is_empty() && namespaces.user != Namespace::Inherit;
    if !implied && (uid.is_empty() || gid.is_empty()) {
        return fail("id-mapped mounts must have both uid and gid mappings specified");
    }
    let containers = namespaces.user == Namespace::New
        && same_maps(&uid, &namespaces.uid_maps)
        && same_maps(&gid, &namespaces.gid_maps);
    let maps =
        if implied || containers { MountMaps::Container } else { MountMaps::Own { uid, gid } };
    Ok(Some(MountIds { maps, recursive: options.idmap.is_some_and(|option| option.recursive) }))
}
