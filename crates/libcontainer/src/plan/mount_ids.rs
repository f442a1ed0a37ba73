//! Id-mapped mounts: `uidMappings` and `gidMappings` of a mount, `idmap` and `ridmap`.

use oci_spec::runtime::Mount as OciMount;

use super::facts::HostFacts;
use super::idmap::{first_fault, mappings, outside, same_maps};
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
    let mut uid = list("uidMappings", entry.uid_mappings())?;
    let mut gid = list("gidMappings", entry.gid_mappings())?;
    let place = match (&options.idmap, uid.is_empty(), gid.is_empty()) {
        (None, true, true) => return Ok(None),
        (Some(option), true, true) => format!("{pointer}/options/{}", option.index),
        (_, false, _) => format!("{pointer}/uidMappings"),
        (_, true, false) => format!("{pointer}/gidMappings"),
    };
    if let Some(IdMapOption { index, maps: Some(text), .. }) = &options.idmap {
        let fail = |text| Error::config(format!("{pointer}/options/{index}"), text);
        if !uid.is_empty() || !gid.is_empty() {
            return Err(fail("uidMappings or gidMappings give other mappings already".to_owned()));
        }
        [uid, gid] = written(text, namespaces).map_err(fail)?;
    }
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
    let recursive = options.idmap.as_ref().is_some_and(|option| option.recursive);
    Ok(Some(MountIds { maps, recursive }))
}

/// The mappings behind `idmap=` (crun(1), "idmap mount options"): `uids=` and `gids=` in any order with a
/// `;` between, each with ranges and a `#` between.
fn written(text: &str, namespaces: &Namespaces) -> std::result::Result<[Vec<IdMap>; 2], String> {
    let mut lists = [Vec::new(), Vec::new()];
    let kinds = [("uids", &namespaces.uid_maps), ("gids", &namespaces.gid_maps)];
    for part in text.split(';').filter(|part| !part.is_empty()) {
        let (name, ranges) = part.split_once('=').unwrap_or((part, ""));
        let Some(which) = kinds.iter().position(|(kind, _)| *kind == name) else {
            return Err(format!("{name:?} is neither uids nor gids"));
        };
        if !lists[which].is_empty() {
            return Err(format!("{name} is there twice"));
        }
        let maps = ranges.split('#').map(|range| written_range(range, kinds[which].1));
        lists[which] = maps
            .collect::<std::result::Result<_, _>>()
            .map_err(|text| format!("{name}: {text}"))?;
        if let Some((index, text)) = first_fault(&lists[which]) {
            let which = index.map_or(String::new(), |index| format!("mapping {index}: "));
            return Err(format!("{name}: {which}{text}"));
        }
    }
    if lists.iter().all(Vec::is_empty) {
        Err("there are no mappings".to_owned())
    } else {
        Ok(lists)
    }
}

/// `SOURCE-HOST-SIZE`: ids of the source, what they become, how many. With an `@` before them HOST is an
/// id of the container, and what becomes of them is what it stands for by `maps`.
fn written_range(range: &str, maps: &[IdMap]) -> std::result::Result<IdMap, String> {
    let relative = range.strip_prefix('@');
    let digits = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let number = |word: &str| word.parse::<u32>().ok().filter(|_| digits(word));
    let numbers: Option<Vec<u32>> = relative.unwrap_or(range).split('-').map(number).collect();
    let Some(&[container, host, size]) = numbers.as_deref() else {
        return Err(format!("{range:?} is not SOURCE-HOST-SIZE in decimal numbers"));
    };
    if relative.is_none() {
        return Ok(IdMap { container, host, size });
    }
    if maps.is_empty() {
        let text = "is relative to the mappings of the user namespace, and config.json has none";
        return Err(format!("{range:?} {text}"));
    }
    match outside(host, size, maps) {
        Some(host) => Ok(IdMap { container, host, size }),
        None => Err(format!("{range:?} is not within one mapping of the user namespace: split it")),
    }
}
