//! `onggi spec`

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use libcontainer::spec::{Template, template};
use libcontainer::{Error, Result};

use super::{PLAIN, Verb, shared};

pub(super) const VERB: Verb = Verb {
    name: "spec",
    about: "create a new specification file",
    usage: "",
    details: "Writes a config.json to begin with: a shell on a terminal, in a root filesystem that it\n\
              expects in \"rootfs\". Edit it to taste, then:\n\
              \n\
              \x20   # onggi run mycontainer\n\
              \n\
              With --rootless the container needs no privileges; its root is you.",
    arguments: |command| {
        command
            .arg(shared::path("bundle", "DIR", "where to write it").short('b'))
            .arg(shared::path("config", "FILE", "write FILE, in place of config.json").short('f'))
            .arg(shared::switch("rootless", "for a container without privileges"))
    },
    run: |_, matches| {
        let bundle = shared::path_of(matches, "bundle").unwrap_or_default();
        let file = shared::path_of(matches, "config").unwrap_or_else(|| "config.json".into());
        write(&bundle.join(file), &text(matches.get_flag("rootless")))?;
        Ok(0)
    },
    ..PLAIN
};

fn text(rootless: bool) -> String {
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    template(Template {
        rootless: rootless.then_some((uid, gid)),
        // A file that only the root of a v2 tree has.
        cgroup2: Path::new("/sys/fs/cgroup/cgroup.controllers").exists(),
    })
}

/// Writes a file that must not be there yet.
fn write(path: &Path, text: &str) -> Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    made.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Error::message(format!("file {} exists; remove it first", path.display()))
        }
        _ => Error::io("create", path, &error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_json_of_this_version() {
        for rootless in [false, true] {
            let text = text(rootless);
            let config: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(config["ociVersion"], crate::version::SPEC);
            assert_eq!(config["root"]["path"], "rootfs");
            let user = config["linux"]["namespaces"]
                .as_array()
                .unwrap()
                .iter()
                .any(|namespace| namespace["type"] == "user");
            assert_eq!(user, rootless);
        }
    }

    #[test]
    fn rootless_maps_the_caller() {
        let config: serde_json::Value = serde_json::from_str(&text(true)).unwrap();
        let map = &config["linux"]["uidMappings"][0];
        assert_eq!(map["hostID"], nix::unistd::geteuid().as_raw());
        assert_eq!(map["size"], 1);
    }
}
