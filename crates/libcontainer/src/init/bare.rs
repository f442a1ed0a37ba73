//! Taking the host's procfs and sysfs away where its mounts stay below the container's root.
//!
//! Without pivot_root(2) they are covered, not gone. The kernel lets a user namespace make a procfs or
//! sysfs of its own only if one is in its mount namespace that nothing covers parts of, and the host's
//! is such a one: with it a container could get a procfs without masked paths.

use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, umount2};
use nix::sys::stat::Mode;
use sys::Proc;
use sys::mount::{self, FsContext};
use sys::mountinfo::unescape;

use crate::error::{Error, Result};

/// Detaches every whole procfs and sysfs that is mounted outside of `rootfs`, or covers it.
pub(super) fn hide(proc: &Proc, rootfs: &Path) -> Result<()> {
    let path = "self/mountinfo";
    let fail = |errno| Error::os("read", path, errno);
    let mut file = std::fs::File::from(proc.open_file(path, OFlag::O_RDONLY).map_err(fail)?);
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(|error| Error::io("read", path, &error))?;
    text.split(|byte| *byte == b'\n')
        .filter_map(bare_mount)
        .try_for_each(|point| if point.starts_with(rootfs) { Ok(()) } else { take_away(&point) })
}

/// Its place, if a line of mountinfo is of a whole procfs or sysfs; see proc_pid_mountinfo(5).
fn bare_mount(line: &[u8]) -> Option<PathBuf> {
    let mut words = line.split(|byte| *byte == b' ');
    let (root, point) = (words.nth(3)?, words.next()?);
    let fstype = words.skip_while(|word| *word != b"-").nth(1)?;
    let bare = root == b"/" && (fstype == b"proc" || fstype == b"sysfs");
    bare.then(|| unescape(point).into())
}

fn take_away(point: &Path) -> Result<()> {
    match umount2(point, MntFlags::MNT_DETACH) {
        // Gone with one that it was mounted in.
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        // Inherited as one piece with the rest of the host's mounts: it can only be covered.
        Err(Errno::EINVAL | Errno::EPERM) => {
            cover(point).map_err(|errno| Error::os("cover", point, errno))
        }
        Err(errno) => Err(Error::os("unmount", point, errno)),
    }
}

#[expect(clippy::disallowed_methods, reason = "a mount point of the host, named by the kernel")]
fn cover(point: &Path) -> nix::Result<()> {
    let place = open(point, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    let empty = FsContext::new("tmpfs")?.mount(mount::ATTR_RDONLY)?;
    mount::attach(empty.as_fd(), place.as_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_ones_are_found() {
        let line = b"23 29 0:22 / /a\\040b\\134 rw,nosuid shared:12 - proc proc rw";
        assert_eq!(bare_mount(line), Some(PathBuf::from("/a b\\")));
        let plain = b"23 29 0:22 / /sys rw - sysfs sysfs rw";
        assert_eq!(bare_mount(plain), Some(PathBuf::from("/sys")));
        for other in [
            &b"23 29 0:22 /sys /proc/sys rw - proc proc rw"[..],
            b"23 29 0:22 / /tmp rw - tmpfs proc rw",
            b"23 29 0:22 / /proc",
            b"",
        ] {
            assert_eq!(bare_mount(other), None);
        }
    }
}
