//! The runtimes under comparison and how each is called.

use std::path::{Path, PathBuf};

use crate::bundle::Place;

/// A program that makes containers.
pub(crate) struct Runtime {
    /// What the tables call it.
    pub(crate) name: &'static str,
    program: PathBuf,
    /// The floor program, which is the stopwatch too.
    pub(crate) stopwatch: PathBuf,
}

/// One call of a runtime.
pub(crate) enum Call {
    /// create, start, wait and delete of the bundle `true`.
    Run,
    /// create of the bundle named.
    Create(&'static str),
    /// start.
    Start,
    /// state.
    State,
    /// exec of `floor true`.
    Exec,
    /// delete of a stopped container.
    Delete,
    /// Ends and removes a container in whatever state.
    Destroy,
}

/// The floor program: `FLOOR`, or the file beside this one.
pub(crate) fn floor() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("FLOOR") {
        return Ok(path.into());
    }
    let here = std::env::current_exe().map_err(|error| format!("find this program: {error}"))?;
    let floor = here.with_file_name("floor");
    if floor.exists() { Ok(floor) } else { Err(format!("no floor program at {floor:?}")) }
}

impl Runtime {
    /// All that the environment and PATH have, the floor first and onggi second.
    pub(crate) fn all(floor: &Path) -> Vec<Runtime> {
        let runtime = |name, program| Runtime { name, program, stopwatch: floor.to_owned() };
        let mut all = vec![runtime("floor", floor.to_owned())];
        for (name, variable, search) in [
            ("onggi", "ONGGI", false),
            ("crun", "CRUN", true),
            ("runc", "RUNC", true),
            ("youki", "YOUKI", true),
        ] {
            let given =
                std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
            match given.or_else(|| search.then(|| find(name)).flatten()) {
                Some(program) => all.push(runtime(name, program)),
                None => eprintln!("left out: {name}: not found ({variable}=PATH says where it is)"),
            }
        }
        all
    }

    /// Whether this is the floor.
    pub(crate) fn is_floor(&self) -> bool {
        self.name == "floor"
    }

    /// The words of a call on the container `id`.
    pub(crate) fn command(&self, call: &Call, id: &str, place: &Place) -> Vec<String> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        // The id names the cgroup, too, so no two runtimes may share one.
        let id = &format!("{id}-{}", self.name);
        let mut words = vec![text(&self.program)];
        if self.is_floor() {
            let state = text(&place.root.join(format!("state-{id}")));
            let bundle = |word| text(&place.bundle(word));
            words.extend(match call {
                Call::Run => vec!["run".into(), bundle("true")],
                Call::Create(word) => vec!["create".into(), bundle(word), state, (*word).into()],
                Call::Start => vec!["start".into(), state],
                Call::State => vec!["state".into(), state],
                Call::Exec => vec!["exec".into(), state],
                Call::Delete => vec!["delete".into(), state],
                Call::Destroy => vec!["destroy".into(), state],
            });
            return words;
        }
        words.extend(["--root".into(), text(&place.root.join(format!("root-{}", self.name)))]);
        let bundle = |word| ["--bundle".into(), text(&place.bundle(word)), id.clone()];
        match call {
            Call::Run => {
                words.push("run".into());
                words.extend(bundle("true"));
            }
            Call::Create(word) => {
                words.push("create".into());
                words.extend(bundle(word));
            }
            Call::Exec => words.extend(["exec", id, "/floor", "true"].map(String::from)),
            Call::Start => words.extend(["start", id].map(String::from)),
            Call::State => words.extend(["state", id].map(String::from)),
            Call::Delete => words.extend(["delete", id].map(String::from)),
            Call::Destroy => words.extend(["delete", "--force", id].map(String::from)),
        }
        words
    }
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}
