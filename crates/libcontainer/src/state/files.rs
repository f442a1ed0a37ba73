//! Files of the state: whole or not there, and nobody else's.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// No file of ours is longer, in bytes.
const LONGEST: u64 = 64 << 20;

/// The bytes of a file; a FIFO in its place is an empty one, which nobody waits for.
///
/// # Errors
/// `EFBIG` for a file that is longer than any of ours, or has no end.
pub(super) fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    let length = file.metadata().map_or(0, |meta| meta.len()).min(LONGEST);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    // Not of the file itself, which would ask for its length again.
    if file.take(LONGEST + 1).read_to_end(&mut bytes)? as u64 > LONGEST {
        return Err(std::io::Error::from_raw_os_error(nix::libc::EFBIG));
    }
    Ok(bytes)
}

/// Puts a file with these bytes at `path` by rename: it is there whole or not at all, no link that
/// lies at `path` is followed, and its mode does not depend on the umask.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let (temporary, mut file) = open_beside(path, mode)?;
    let done = file.write_all(bytes).and_then(|()| std::fs::rename(&temporary, path));
    done.map_err(|error| {
        let _ = std::fs::remove_file(&temporary);
        Error::io("write", path, &error)
    })
}

/// Opens a new file `.NAME.PID` beside `path`.
fn open_beside(path: &Path, mode: u32) -> Result<(PathBuf, File)> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or(OsStr::new("file")));
    name.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode).custom_flags(nix::libc::O_NOFOLLOW);
    let file = match options.open(&temporary) {
        // A process with this number died here before: its leftover is nobody's.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let _ = std::fs::remove_file(&temporary);
            options.open(&temporary)
        }
        other => other,
    };
    let file = file.map_err(|error| Error::io("open", path, &error))?;
    if mode & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(mode))
            .map_err(|error| Error::io("chmod", path, &error))?;
    }
    Ok((temporary, file))
}
