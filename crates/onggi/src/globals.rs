//! The options before the verb.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::{env, fs};

use clap::{Arg, ArgAction, ArgMatches, Command};
use libcontainer::lifecycle::options::{CgroupManager, Runtime, in_user_namespace};
use libcontainer::{Error, Result};

use crate::log::{Format, Level, Log};
use crate::parser;

/// Where containers are kept unless told otherwise.
const DEFAULT_ROOT: &str = "/run/onggi";

/// The global options, as clap reads them.
pub(crate) fn command() -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .help(help)
            .value_parser(clap::value_parser!(OsString))
    };
    parser::bare("onggi")
        .arg(switch("debug", "log what is done, not only why something failed"))
        .arg(value("log", "FILE", "where log records go: a file, journald:NAME or syslog:NAME"))
        .arg(value("log-format", "FORMAT", "how records are written: text (default) or json"))
        .arg(value("log-level", "LEVEL", "error, warning (default without --log), info or debug"))
        .arg(value(
            "root",
            "DIR",
            "where containers are kept (/run/onggi or $XDG_RUNTIME_DIR/onggi)",
        ))
        .arg(switch("systemd-cgroup", "let systemd make the cgroups (slice:prefix:name)"))
        .arg(value("cgroup-manager", "MANAGER", "cgroupfs (default), systemd or disabled"))
        .arg(value("rootless", "BOOL", "do without cgroup rights: true, false or auto (default)"))
        .arg(switch("strict", "refuse what config.json has and would be ignored or mended"))
        // crun and youki know the large letter.
        .arg(switch("version", "print the version").short('v').short_alias('V').display_order(1001))
}

/// What the global options say.
#[derive(Debug)]
pub(crate) struct Session {
    /// Handed to every operation.
    pub(crate) runtime: Runtime,
    /// Where failures are reported.
    pub(crate) log: Log,
    /// The root was named by `--root`.
    pub(crate) root_given: bool,
    /// The root is the default below `$XDG_RUNTIME_DIR`.
    root_in_xdg: bool,
}

/// The log that `matches` ask for.
///
/// # Errors
///
/// Unknown format or level; a file that cannot be opened.
pub(crate) fn log(matches: &ArgMatches) -> Result<Log> {
    let format = match text(matches, "log-format")?.as_deref() {
        None | Some("text") => Format::Text,
        Some("json") => Format::Json,
        Some(other) => return Err(none_of("log-format", other, "text, json")),
    };
    let most = match text(matches, "log-level")?.as_deref() {
        _ if matches.get_flag("debug") => Level::Debug,
        // Nobody reads records on standard error but people, who want to know what was passed over.
        None if value(matches, "log").is_none() => Level::Warning,
        None | Some("error") => Level::Error,
        Some("warning" | "warn") => Level::Warning,
        Some("info") => Level::Info,
        Some("debug") => Level::Debug,
        Some(other) => return Err(none_of("log-level", other, "error, warning, info, debug")),
    };
    Log::open(value(matches, "log").map(OsString::as_os_str), format, most)
}

impl Session {
    /// What `matches` ask for, with records going to `log`; the log comes back with an error.
    pub(crate) fn new(matches: &ArgMatches, log: Log) -> std::result::Result<Self, (Log, Error)> {
        let read = || -> Result<_> {
            let rootless = rootless(text(matches, "rootless")?.as_deref())?;
            let cgroup_manager = cgroup_manager(
                text(matches, "cgroup-manager")?.as_deref(),
                matches.get_flag("systemd-cgroup"),
            )?;
            let given = matches.get_one::<OsString>("root");
            let (root, root_in_xdg) = match given {
                Some(root) => (absolute_root(Path::new(root))?, false),
                None => default_root(),
            };
            let strict = matches.get_flag("strict");
            let runtime = Runtime { root, rootless, cgroup_manager, strict };
            Ok((runtime, root_in_xdg, given.is_some()))
        };
        match read() {
            Ok((runtime, root_in_xdg, root_given)) => {
                Ok(Self { runtime, log, root_given, root_in_xdg })
            }
            Err(error) => Err((log, error)),
        }
    }

    /// Makes the default root below `$XDG_RUNTIME_DIR`, with the sticky bit that the XDG base
    /// directory specification asks of files which must outlive clean-ups. Other roots are made
    /// where a container is.
    ///
    /// # Errors
    ///
    /// It cannot be made or belongs to somebody else.
    pub(crate) fn prepare_root(&self) -> Result<()> {
        if !self.root_in_xdg {
            return Ok(());
        }
        let root = &self.runtime.root;
        fs::create_dir_all(root)
            .and_then(|()| fs::set_permissions(root, fs::Permissions::from_mode(0o1700)))
            .map_err(|error| Error::io("make root directory", root, &error))
    }
}

/// A value that was given and is not empty; an empty one counts as not given.
fn value<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a OsString> {
    matches.get_one::<OsString>(name).filter(|value| !value.is_empty())
}

/// The same as text.
fn text(matches: &ArgMatches, name: &str) -> Result<Option<String>> {
    let not_text = || Error::message(format!("invalid {name}: not valid UTF-8"));
    value(matches, name)
        .map(|value| value.to_str().map(str::to_owned).ok_or_else(not_text))
        .transpose()
}

/// `--rootless`; `None` stands for finding out.
fn rootless(text: Option<&str>) -> Result<Option<bool>> {
    match text.map(str::to_ascii_lowercase).as_deref() {
        None | Some("auto") => Ok(None),
        Some("true" | "t" | "1") => Ok(Some(true)),
        Some("false" | "f" | "0") => Ok(Some(false)),
        Some(other) => Err(none_of("rootless", other, "true, false, auto")),
    }
}

/// `--cgroup-manager`, which the older `--systemd-cgroup` stands back for.
fn cgroup_manager(text: Option<&str>, systemd: bool) -> Result<CgroupManager> {
    match text {
        None if systemd => Ok(CgroupManager::Systemd),
        None | Some("cgroupfs") => Ok(CgroupManager::Cgroupfs),
        Some("systemd") => Ok(CgroupManager::Systemd),
        Some("disabled") => Ok(CgroupManager::Disabled),
        Some(other) => Err(none_of("cgroup-manager", other, "cgroupfs, systemd, disabled")),
    }
}

fn none_of(flag: &str, given: &str, words: &str) -> Error {
    Error::message(format!("invalid {flag}: {given:?} is none of {words}"))
}

/// The root as an absolute path without `.` and `..`.
fn absolute_root(root: &Path) -> Result<PathBuf> {
    if root.as_os_str().is_empty() {
        return Err(Error::message("option --root must not be empty"));
    }
    let absolute =
        std::path::absolute(root).map_err(|error| Error::io("resolve root", root, &error))?;
    let clean = clean(&absolute);
    if clean == Path::new("/") {
        return Err(Error::message("option --root must not be /"));
    }
    Ok(clean)
}

/// An absolute path without `.` and `..`, by its text alone.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            _ => {}
        }
    }
    clean
}

/// The default root, and whether it lies below `$XDG_RUNTIME_DIR`.
fn default_root() -> (PathBuf, bool) {
    // The XDG base directory specification has relative paths ignored.
    match env::var_os("XDG_RUNTIME_DIR").filter(|dir| Path::new(dir).is_absolute()) {
        Some(dir) if is_normal_user() => (Path::new(&dir).join("onggi"), true),
        _ => (DEFAULT_ROOT.into(), false),
    }
}

/// Not root, or root only in a user namespace that somebody else made. Who calls himself root
/// there (`USER=root`) is taken at his word and keeps /run.
fn is_normal_user() -> bool {
    if !nix::unistd::geteuid().is_root() {
        return true;
    }
    in_user_namespace() && env::var_os("USER").is_none_or(|user| user != "root")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn rootless_values() {
        assert_eq!(rootless(None).unwrap(), None);
        assert_eq!(rootless(Some("auto")).unwrap(), None);
        assert_eq!(rootless(Some("true")).unwrap(), Some(true));
        assert_eq!(rootless(Some("FALSE")).unwrap(), Some(false));
        assert!(rootless(Some("create")).is_err());
    }

    #[test]
    fn cgroup_managers() {
        assert_eq!(cgroup_manager(None, false).unwrap(), CgroupManager::Cgroupfs);
        assert_eq!(cgroup_manager(None, true).unwrap(), CgroupManager::Systemd);
        assert_eq!(cgroup_manager(Some("disabled"), true).unwrap(), CgroupManager::Disabled);
        assert!(cgroup_manager(Some("none"), false).is_err());
    }

    #[test]
    fn root_is_never_the_root_directory() {
        for root in ["", "/", "//", "/..", "/a/..", "/a/../../."] {
            assert!(absolute_root(Path::new(root)).is_err(), "{root:?}");
        }
        assert_eq!(absolute_root(Path::new("/a/./b/../c/")).unwrap(), Path::new("/a/c"));
        assert!(absolute_root(Path::new("x")).unwrap().is_absolute());
    }
}
