//! Configurations recorded from real engines, with the places filled in that belong to one host.

use crate::bundle::{Bundle, Rootfs};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A recorded file of `data/captures`.
pub struct Capture {
    /// File name without `.json`.
    pub name: String,
    /// The JSON with its placeholders.
    pub json: Value,
}

/// Reads one recorded file.
pub fn capture(name: &str) -> Capture {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("data/captures").join(format!("{name}.json"));
    let text = fs::read(&path).unwrap_or_else(|e| panic!("read {}: {e}", path.display()));
    let json =
        serde_json::from_slice(&text).unwrap_or_else(|e| panic!("parse {}: {e}", path.display()));
    Capture { name: name.to_owned(), json }
}

/// Fills in the placeholders: `@ENGINE@` a directory of this bundle, `@PATH@` a name made of the
/// destination, `@PID@` the sandbox process. Every source of a bind mount is made: a directory
/// for /dev/shm, else a file. Hooks become a call of `/bin/true`'s kind that records its state.
pub fn fill(bundle: &mut Bundle, capture: &Capture, sandbox: i32) {
    let engine = bundle.dir().join("engine");
    let mut config = capture.json.clone();
    for mount in config["mounts"].as_array_mut().into_iter().flatten() {
        let name = mount["destination"].as_str().unwrap_or_default().replace('/', "_");
        if let Some(source) = mount["source"].as_str().filter(|s| s.contains("@ENGINE@")) {
            let source = source
                .replace("@PATH@", &format!("/{name}"))
                .replace("@ENGINE@", &engine.to_string_lossy());
            make_source(Path::new(&source), &name);
            mount["source"] = Value::from(source);
        }
    }
    config["linux"]["cgroupsPath"] = Value::from(bundle.manager.cgroups_path(&bundle.id));
    for hooks in config["hooks"].as_object_mut().into_iter().flat_map(|m| m.values_mut()) {
        for hook in hooks.as_array_mut().into_iter().flatten() {
            *hook = serde_json::json!({
                "path": crate::runtimetest(),
                "args": ["runtimetest", "tee", bundle.dir().join("hook-state").to_string_lossy()],
            });
        }
    }
    let text = config
        .to_string()
        .replace("@PID@", &sandbox.to_string())
        .replace("@ENGINE@", &engine.to_string_lossy());
    bundle.config = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", capture.name));
    bundle.drop_unavailable_limits();
    if let Some(host) = bundle.config["linux"]["uidMappings"][0]["hostID"].as_u64() {
        let host = u32::try_from(host).unwrap_or(0);
        bundle.own_rootfs(host);
        bundle.own_tree(&engine, host);
    }
}

fn make_source(path: &Path, name: &str) {
    let parent: PathBuf =
        if name == "_dev_shm" { path.to_owned() } else { path.parent().unwrap_or(path).to_owned() };
    let made = fs::create_dir_all(&parent).and_then(|()| match name {
        "_dev_shm" => Ok(()),
        _ => fs::write(path, format!("{name}\n")),
    });
    made.unwrap_or_else(|e| panic!("make {}: {e}", path.display()));
}

/// A bundle with busybox in it, or none when the host has no busybox.
pub fn busybox_bundle() -> Option<Bundle> {
    crate::busybox().map(|_| Bundle::with(Rootfs::Busybox, &["true"]))
}
