//! The directory of one run: two bundles (one ends at once, one stays), state directories.

use std::fs;
use std::path::{Path, PathBuf};

/// The default configuration as runc writes it on a host with cgroup v2, but without a terminal.
const CONFIG: &str = include_str!("config.json");

/// A temporary directory, removed at the end.
pub(crate) struct Place {
    /// Where everything lies.
    pub(crate) root: PathBuf,
}

impl Place {
    /// Makes the directory with the bundles `true` and `pause`; their program is the floor's.
    pub(crate) fn create(floor: &Path) -> Result<Place, String> {
        let root = std::env::temp_dir().join(format!("onggi-bench-{}", std::process::id()));
        let place = Place { root };
        place
            .fill(floor)
            .map_err(|error| format!("make the bundles in {:?}: {error}", place.root))?;
        Ok(place)
    }

    fn fill(&self, floor: &Path) -> std::io::Result<()> {
        for word in ["true", "pause"] {
            let rootfs = self.bundle(word).join("rootfs");
            for directory in ["proc", "dev", "sys"] {
                fs::create_dir_all(rootfs.join(directory))?;
            }
            fs::copy(floor, rootfs.join("floor"))?;
            fs::write(self.bundle(word).join("config.json"), CONFIG.replace("WORD", word))?;
        }
        Ok(())
    }

    /// The bundle whose container runs `floor WORD`.
    pub(crate) fn bundle(&self, word: &str) -> PathBuf {
        self.root.join(word)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}
