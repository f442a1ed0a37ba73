//! Other runtimes of this host, to do the same beside the one under test.

use crate::bundle::Bundle;
use crate::manager::Manager;
use crate::output::run;
use crate::{record_skip, runtime};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Another runtime.
pub struct Other {
    /// `runc` or `crun`.
    pub name: String,
    /// Its program.
    pub path: PathBuf,
}

/// The peers that can run a container as this host shows cgroups: those of `PEERS` (`runc:/path crun:/path`, or empty
/// for none), else those in `PATH`.
pub fn others() -> Vec<Other> {
    let list = match std::env::var("PEERS") {
        Ok(text) => text.split_whitespace().filter_map(named).collect(),
        Err(_) => ["runc", "crun"].into_iter().filter_map(in_path).collect::<Vec<_>>(),
    };
    list.into_iter().filter(works).collect()
}

fn named(word: &str) -> Option<Other> {
    let (name, path) = word.split_once(':')?;
    Some(Other { name: name.to_owned(), path: path.into() })
}

fn in_path(name: &str) -> Option<Other> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let path = std::env::split_paths(&paths).chain(usual).map(|dir| dir.join(name));
    let path = path.into_iter().find(|path| path.is_file())?;
    Some(Other { name: name.to_owned(), path })
}

/// Whether it is another one than the one under test and runs a container at all; else says why not.
fn works(other: &Other) -> bool {
    if !other.path.is_file() || same(&other.path, runtime()) {
        return false;
    }
    if other.name == "crun" && Manager::chosen() == Manager::Systemd {
        record_skip(
            "in part: crun makes a cgroup of its own below the scope, with limits that the scope lacks",
        );
        return false;
    }
    let version = run(Command::new(&other.path).arg("--version")).stdout;
    let version = version.lines().next().unwrap_or_default().to_owned();
    let mut bundle = Bundle::new(&["true"]);
    bundle.with_runtime(&other.path);
    let output = bundle.run();
    if output.code != 0 {
        let why = output.stderr.lines().last().unwrap_or_default().to_owned();
        record_skip(&format!("in part: {version} runs no container here: {why}"));
    }
    output.code == 0
}

fn same(one: &Path, other: &Path) -> bool {
    one.canonicalize().ok() == other.canonicalize().ok()
}
