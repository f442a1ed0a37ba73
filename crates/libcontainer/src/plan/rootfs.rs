//! `root` and `linux.rootfsPropagation`.

use oci_spec::runtime::Spec;

use super::check::no_nul_path;
use super::facts::HostFacts;
use super::mount_options::propagation;
use super::{Namespace, Rootfs};
use crate::error::{Error, Result};

/// Where the root is and how it is mounted; whether it exists is for the caller to see.
pub(super) fn rootfs(spec: &Spec, facts: &HostFacts, mount: &Namespace) -> Result<Rootfs> {
    let Some(root) = spec.root() else {
        return Err(Error::config("/root", "root must be specified: {\"path\": \"rootfs\"}"));
    };
    let pointer = || "/root/path".to_owned();
    if root.path().as_os_str().is_empty() {
        return Err(Error::config(pointer(), "the path of the root filesystem must not be empty"));
    }
    no_nul_path(root.path(), pointer)?;

    let word = spec.linux().as_ref().and_then(|linux| linux.rootfs_propagation().as_deref());
    let propagation = match word {
        None | Some("") => None,
        Some(_) if *mount == Namespace::Inherit => {
            let text = "rootfsPropagation needs a mount namespace: it would change the host's mounts";
            return Err(Error::config("/linux/rootfsPropagation", text));
        }
        Some(word) => Some(propagation(word).ok_or_else(|| {
            let text = format!(
                "rootfsPropagation={word} is not supported: use shared, slave, private or unbindable, or these with an r before"
            );
            Error::config("/linux/rootfsPropagation", text)
        })?),
    };
    Ok(Rootfs {
        path: facts.bundle.join(root.path()),
        readonly: root.readonly().unwrap_or(false),
        propagation,
    })
}
