//! The floor: the least that a runtime has to ask of the kernel for the container of the default
//! `runc spec`. The values are written into the program; nothing is parsed, checked or kept.
//!
//! ```text
//! floor run BUNDLE            create, start, wait, clean up
//! floor create BUNDLE STATE WORD   leaves a container waiting that will run `floor WORD`;
//!                             STATE is a directory of its own
//! floor start STATE
//! floor state STATE
//! floor exec STATE            a second process, `floor true`, in a running container
//! floor delete STATE          after the container's end
//! floor destroy STATE         ends it before that
//! floor true | floor pause    what the containers run
//! floor measure MS COMMAND…   the stopwatch: prints wall, user and system time, peak RSS, status
//! ```

use std::path::Path;
use std::process::ExitCode;

mod cgroup;
mod container;
mod init;
mod measure;
mod raw;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["true"] => {}
        ["pause"] => raw::pause(),
        ["measure", limit, command @ ..] if !command.is_empty() => {
            let limit = limit.parse().unwrap_or_else(|_| raw::fail("measure: bad number", 0));
            return measure::measure(limit, command);
        }
        ["run", bundle] => return container::run(Path::new(bundle)),
        ["create", bundle, state, word] => {
            container::create(Path::new(bundle), Path::new(state), word)
        }
        ["start", state] => container::start(Path::new(state)),
        ["state", state] => container::state(Path::new(state)),
        ["exec", state] => return container::exec(Path::new(state)),
        ["destroy", state] => container::destroy(Path::new(state)),
        ["delete", state] => container::delete(Path::new(state)),
        _ => raw::fail(
            "usage: floor run|create|start|state|exec|delete|destroy|true|pause|measure …",
            0,
        ),
    }
    ExitCode::SUCCESS
}
