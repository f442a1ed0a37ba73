//! Mounts on the host that a test makes and takes away.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// A mount point on the host below the bundle's directory, taken away on drop.
pub struct HostMount(pub PathBuf);

impl HostMount {
    /// A tmpfs of 1 MiB at `path`, which is made.
    pub fn tmpfs(path: PathBuf) -> Self {
        fs::create_dir_all(&path).expect("mkdir");
        mount(Some("tmpfs"), &path, Some("tmpfs"), MsFlags::empty(), Some("size=1m"))
            .expect("mount tmpfs");
        Self(path)
    }

    /// The directory `source` once more at `path`, which is made.
    pub fn bind(source: &Path, path: PathBuf) -> Self {
        fs::create_dir_all(&path).expect("mkdir");
        mount(Some(source), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .expect("bind mount");
        Self(path)
    }

    /// Changes its flags or its propagation.
    pub fn change(&self, flags: MsFlags) -> &Self {
        mount(None::<&str>, &self.0, None::<&str>, flags, None::<&str>).expect("change a mount");
        self
    }
}

impl Drop for HostMount {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}
