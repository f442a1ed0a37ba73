//! Handing the v2 directory to the container's user.

use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{Uid, chown};

use super::Cgroup;
use crate::error::{Error, Result};
use crate::files;

/// What the kernel says may be handed over (Linux 4.15).
const LIST: &str = "/sys/kernel/cgroup/delegate";
/// The same where it does not say.
const USUAL: &str = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";

impl Cgroup {
    /// Gives the v2 directory, and those of its files that are for it, to host user `uid`, so that a container with its
    /// own user and cgroup namespaces and a writable cgroup mount can make cgroups below (runtime-spec, "Cgroup
    /// ownership"). The files with limits stay ours. Nothing happens without a v2 tree, and on v1 it would be unsafe.
    ///
    /// # Errors
    /// When the owner cannot be changed; a listed file that this kernel does not have is passed over.
    pub fn delegate(&self, uid: u32) -> Result<()> {
        let Some(dir) = self.v2().map(super::Dir::dir) else { return Ok(()) };
        let list = files::read_path(Path::new(LIST)).unwrap_or_else(|_| USUAL.to_owned());
        let give = |path: &Path| chown(path, Some(Uid::from_raw(uid)), None);
        give(&dir).map_err(|errno| Error::os("change owner of", &dir, errno))?;
        for name in list.lines().filter(|name| !name.is_empty() && !name.contains('/')) {
            let path = dir.join(name);
            match give(&path) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(Error::os("change owner of", path, errno)),
            }
        }
        Ok(())
    }
}
