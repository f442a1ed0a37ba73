//! `mounts`.

use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{Linux, Mount as OciMount};

use super::check::{no_nul, no_nul_path, warning};
use super::facts::HostFacts;
use super::idmap::is_mapped;
use super::mount_ids::mount_ids;
use super::mount_options::Options;
use super::{FilesystemOptions, Mount, MountKind, Namespace, Namespaces};
use crate::error::{Error, Result};

/// What may be mounted over inside /proc: files that tools such as lxcfs replace, none of which the runtime or a security
/// module writes to.
const PROC_FILES: &[&str] = &[
    "cpuinfo",
    "diskstats",
    "meminfo",
    "stat",
    "swaps",
    "uptime",
    "loadavg",
    "slabinfo",
    "sys/kernel/ns_last_pid",
    "sys/crypto/fips_enabled",
];

/// Of a mount whose destination is `/`.
pub(crate) const OVER_ROOT: &str =
    "nothing can be mounted over the root directory: that is what root.path is for";

/// All mounts, in order.
pub(super) fn mounts(
    list: Option<&Vec<OciMount>>,
    facts: &HostFacts,
    rootfs: &Path,
    namespaces: &Namespaces,
    warnings: &mut Vec<String>,
) -> Result<Vec<Mount>> {
    let list = list.map(Vec::as_slice).unwrap_or_default();
    let mut plan = Vec::with_capacity(list.len());
    for (index, entry) in list.iter().enumerate() {
        let pointer = format!("/mounts/{index}");
        let mount = mount(entry, &pointer, facts, rootfs, namespaces, warnings)?;
        if facts.euid != 0 && namespaces.user == Namespace::New {
            ids_are_mapped(&mount.kind, &pointer, namespaces)?;
        }
        plan.push(mount);
    }
    Ok(plan)
}

/// A list of mounts for a container that runs already, which is not config.json's. Of `namespaces` only the
/// user namespace and its mappings count.
///
/// # Errors
/// As for `mounts` of config.json; besides for a whole cgroup view and a `remount`.
pub fn live_mounts(
    list: &[OciMount],
    facts: &HostFacts,
    namespaces: &Namespaces,
    warnings: &mut Vec<String>,
) -> Result<Vec<Mount>> {
    let plan = list.iter().enumerate().map(|(index, entry)| {
        let pointer = format!("/{index}");
        let mount = mount(entry, &pointer, facts, Path::new("/"), namespaces, warnings)?;
        let refuse = |what: &str| Err(Error::config(&*pointer, what));
        match &mount.kind {
            MountKind::Cgroup => refuse("a cgroup mount cannot be added to a running container"),
            MountKind::Remount { .. } => refuse("only new mounts can be added, not changed ones"),
            _ => Ok(mount),
        }
    });
    plan.collect()
}

/// Whether a mount of a list has `copy-symlink` among its options, and so may be none.
pub fn copies_links(entry: &OciMount) -> bool {
    Options::parse(entry.options().as_deref().unwrap_or_default()).links.copy
}

/// `linux.mountLabel`; an empty one is none.
pub(super) fn label(linux: Option<&Linux>) -> Result<Option<String>> {
    let label = linux.and_then(|linux| linux.mount_label().as_deref()).unwrap_or_default();
    no_nul(label, || "/linux/mountLabel".to_owned())?;
    Ok(Some(label.to_owned()).filter(|label| !label.is_empty()))
}

fn mount(
    entry: &OciMount,
    pointer: &str,
    facts: &HostFacts,
    rootfs: &Path,
    namespaces: &Namespaces,
    warnings: &mut Vec<String>,
) -> Result<Mount> {
    let given = entry.options().as_deref().unwrap_or_default();
    for (index, option) in given.iter().enumerate() {
        no_nul(option, || format!("{pointer}/options/{index}"))?;
    }
    let options = Options::parse(given);
    let kind = kind(entry, &options, pointer, facts, warnings)?;
    let destination = destination(entry, pointer, rootfs, warnings)?;
    if clean(&destination) == Path::new("/") && !matches!(kind, MountKind::Remount { .. }) {
        return Err(Error::config(format!("{pointer}/destination"), OVER_ROOT));
    }
    proc_destination(&destination, &kind, pointer)?;

    let is_tmpfs = matches!(&kind, MountKind::Filesystem { fstype, .. } if fstype == "tmpfs");
    if options.copy_up && !is_tmpfs {
        warnings.push(warning(pointer, "tmpcopyup is ignored: this is not a tmpfs"));
    }
    if let (Some(index), false) = (options.links_at, matches!(kind, MountKind::Bind { .. })) {
        let text = format!("{} is ignored: this is not a bind mount", given[index]);
        warnings.push(warning(&format!("{pointer}/options/{index}"), &text));
    }
    let attributes = match &kind {
        MountKind::Bind { .. } => options.bind_attributes().0,
        _ => options.attributes,
    };
    Ok(Mount {
        destination,
        ids: mount_ids(entry, &options, &kind, pointer, facts, namespaces)?,
        kind,
        attributes,
        recursive_attributes: options.recursive_attributes,
        propagation: options.propagation,
        copy_up: options.copy_up && is_tmpfs,
    })
}

/// A relative destination is taken from `/`, as the runtime-spec allows for old tools. One that begins
/// with the root's own path on the host is meant inside of it, as runc takes it.
fn destination(
    entry: &OciMount,
    pointer: &str,
    rootfs: &Path,
    warnings: &mut Vec<String>,
) -> Result<PathBuf> {
    let destination = entry.destination();
    let pointer = || format!("{pointer}/destination");
    if destination.as_os_str().is_empty() {
        return Err(Error::config(pointer(), "the mount destination must not be empty"));
    }
    no_nul_path(destination, pointer)?;
    if !destination.is_absolute() {
        let text =
            format!("mount destination {} is not absolute, taken from /", destination.display());
        warnings.push(warning(&pointer(), &text));
    }
    let destination = Path::new("/").join(destination);
    match destination.strip_prefix(rootfs) {
        Ok(inside) => Ok(Path::new("/").join(inside)),
        Err(_) => Ok(destination),
    }
}

fn kind(
    entry: &OciMount,
    options: &Options,
    pointer: &str,
    facts: &HostFacts,
    warnings: &mut Vec<String>,
) -> Result<MountKind> {
    let fstype = entry.typ().as_deref().unwrap_or_default();
    let source = entry.source().as_deref().unwrap_or(Path::new(""));
    no_nul(fstype, || format!("{pointer}/type"))?;
    no_nul_path(source, || format!("{pointer}/source"))?;

    if options.remount {
        let bind = options.bind.is_some();
        if bind {
            no_data(options, pointer, warnings)?;
        }
        return Ok(MountKind::Remount { bind, options: remount_options(options) });
    }
    if options.bind.is_some() || fstype == "bind" {
        no_data(options, pointer, warnings)?;
        links_agree(options, pointer)?;
        if source.as_os_str().is_empty() {
            return Err(Error::config(format!("{pointer}/source"), "a bind mount needs a source"));
        }
        return Ok(MountKind::Bind {
            source: facts.bundle.join(source),
            recursive: options.bind.unwrap_or(false),
            unnamed: options.bind_attributes().1,
            links: options.links,
        });
    }
    match fstype {
        "cgroup" | "cgroup2" => {
            for (index, item) in &options.data {
                let text = format!("{item:?} is ignored: a cgroup mount has no options of its own");
                warnings.push(warning(&format!("{pointer}/options/{index}"), &text));
            }
            Ok(MountKind::Cgroup)
        }
        "" | "none" => {
            let text = "name a filesystem type, or put bind or rbind among the options";
            Err(Error::config(format!("{pointer}/type"), text))
        }
        _ => Ok(filesystem(fstype, source, options)),
    }
}

/// A bind mount has no file system of its own to take options: a word nobody knows is refused, an
/// option with a value, which engines leave over from a volume's definition, passed over.
fn no_data(options: &Options, pointer: &str, warnings: &mut Vec<String>) -> Result<()> {
    for (index, item) in &options.data {
        let pointer = format!("{pointer}/options/{index}");
        if !item.contains('=') {
            let text = format!(
                "unknown mount option {item:?}: bind mounts cannot have any filesystem-specific options applied"
            );
            return Err(Error::config(pointer, text));
        }
        let text = format!("mount option {item:?} means nothing for a bind mount");
        warnings.push(warning(&pointer, &text));
    }
    Ok(())
}

/// A link that is made once more is not mounted, neither on another one.
fn links_agree(options: &Options, pointer: &str) -> Result<()> {
    let links = options.links;
    match options.links_at {
        Some(index) if links.copy && (links.source || links.destination) => Err(Error::config(
            format!("{pointer}/options/{index}"),
            "copy-symlink is mutually exclusive with src-nofollow and dest-nofollow",
        )),
        _ => Ok(()),
    }
}

fn filesystem(fstype: &str, source: &Path, options: &Options) -> MountKind {
    let source = source.to_string_lossy();
    let mut result = data(options);
    result.mount_flags = options.mount_flags;
    // A tmpfs is filled first and made read-only afterwards, through its mount alone.
    if options.read_only() && fstype != "tmpfs" {
        result.flags.insert(0, "ro".to_owned());
    }
    MountKind::Filesystem {
        fstype: fstype.to_owned(),
        source: if source.is_empty() { "none".to_owned() } else { source.into_owned() },
        options: result,
    }
}

fn remount_options(options: &Options) -> FilesystemOptions {
    let mut result = data(options);
    result.flags.extend(options.superblock_off.iter().map(|word| (*word).to_owned()));
    if options.read_only() {
        result.flags.insert(0, "ro".to_owned());
    } else if options.read_write() {
        result.flags.insert(0, "rw".to_owned());
    }
    result
}

fn data(options: &Options) -> FilesystemOptions {
    let mut result = FilesystemOptions {
        flags: options.superblock.iter().map(|flag| (*flag).to_owned()).collect(),
        values: Vec::new(),
        mount_flags: 0,
    };
    for (_, item) in &options.data {
        match item.split_once('=') {
            Some((key, value)) => {
                result.values.push((key.to_owned(), unquoted(key, value).to_owned()));
            }
            None => result.flags.push(item.clone()),
        }
    }
    result
}

/// mount(2) has security modules take labels out of their quotes, fsconfig(2) does not.
fn unquoted<'a>(key: &str, value: &'a str) -> &'a str {
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    inner.filter(|_| key.ends_with("context")).unwrap_or(value)
}

/// Keeps volumes off /proc, where they could stand in for files that confinement is written to. Links in
/// the root can lead there too; that is seen when the destination is opened.
fn proc_destination(destination: &Path, kind: &MountKind, pointer: &str) -> Result<()> {
    let fail = |text: String| Err(Error::config(format!("{pointer}/destination"), text));
    let clean = clean(destination);
    let Ok(inside) = clean.strip_prefix("/proc") else {
        return Ok(());
    };
    if inside.as_os_str().is_empty() {
        return match kind {
            MountKind::Bind { .. } | MountKind::Remount { .. } => Ok(()),
            MountKind::Filesystem { fstype, .. } if fstype == "proc" => Ok(()),
            _ => fail("\"/proc\" cannot be mounted because it is not of type proc".into()),
        };
    }
    if covers_a_file_of_proc(&clean) {
        return Ok(());
    }
    fail(format!("{:?} cannot be mounted because it is inside /proc", clean.display().to_string()))
}

/// Whether a destination is one of the files of /proc that may be mounted over.
pub(crate) fn covers_a_file_of_proc(clean: &Path) -> bool {
    clean
        .strip_prefix("/proc")
        .is_ok_and(|inside| PROC_FILES.iter().any(|file| inside == Path::new(file)))
}

/// The path without `.` and `..`, by its text alone.
pub(crate) fn clean(path: &Path) -> PathBuf {
    let mut result = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => result.push(name),
            Component::ParentDir => {
                result.pop();
            }
            _ => {}
        }
    }
    result
}

/// A user without privileges can only give files to ids of its own user namespace.
fn ids_are_mapped(kind: &MountKind, pointer: &str, namespaces: &Namespaces) -> Result<()> {
    let MountKind::Filesystem { options, .. } = kind else {
        return Ok(());
    };
    for (key, value) in &options.values {
        let maps = match key.as_str() {
            "uid" => &namespaces.uid_maps,
            "gid" => &namespaces.gid_maps,
            _ => continue,
        };
        if value.parse().is_ok_and(|id| !is_mapped(id, maps)) {
            let text = format!(
                "cannot specify {key}={value} mount option for rootless container: no mapping found for {key} {value}"
            );
            return Err(Error::config(format!("{pointer}/options"), text));
        }
    }
    Ok(())
}
