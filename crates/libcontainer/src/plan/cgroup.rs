//! `linux.cgroupsPath`, and to whom the cgroup is to belong.

use std::path::{Component, Path};

use oci_spec::runtime::{Linux, Mount, Spec};

use super::check::no_nul_path;
use super::{IdMap, Namespace, Namespaces};
use crate::error::Result;

/// The path as written; an empty one counts as none.
pub(super) fn path(linux: Option<&Linux>) -> Result<Option<String>> {
    let path = linux.and_then(|linux| linux.cgroups_path().as_ref());
    let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(None);
    };
    no_nul_path(path, || "/linux/cgroupsPath".into())?;
    Ok(Some(path.to_string_lossy().into_owned()))
}

/// The user of the container who is to own its v2 cgroup (config-linux.md, "Cgroup ownership"): that of the process,
/// if the container gets a cgroup namespace of its own and a writable mount of it.
pub(super) fn owner(spec: &Spec, namespaces: &Namespaces) -> Option<u32> {
    let writable = spec.mounts().iter().flatten().any(is_writable_cgroup_mount);
    let owned = writable && namespaces.cgroup == Namespace::New;
    owned.then(|| spec.process().as_ref().map_or(0, |process| process.user().uid()))
}

fn is_writable_cgroup_mount(mount: &Mount) -> bool {
    let parts = mount.destination().components().filter(|part| *part != Component::CurDir);
    mount.source().as_deref() == Some(Path::new("cgroup"))
        && parts.eq(Path::new("/sys/fs/cgroup").components())
        && !mount.options().iter().flatten().any(|option| option == "ro")
}

/// The id outside for `id` of the user namespace; `None` when it has none.
pub(crate) fn host_id(id: u32, maps: &[IdMap]) -> Option<u32> {
    maps.iter().find_map(|map| {
        let offset = id.checked_sub(map.container).filter(|offset| *offset < map.size)?;
        map.host.checked_add(offset)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_outside() {
        let maps = [
            IdMap { container: 0, host: 1000, size: 1 },
            IdMap { container: 10, host: 100_000, size: 5 },
            IdMap { container: 4_000_000_000, host: 4_294_967_290, size: 10 },
        ];
        for (id, host) in [
            (0, Some(1000)),
            (1, None),
            (10, Some(100_000)),
            (14, Some(100_004)),
            (15, None),
            (4_000_000_001, Some(4_294_967_291)),
            (4_000_000_009, None),
        ] {
            assert_eq!(host_id(id, &maps), host, "{id}");
        }
    }
}
