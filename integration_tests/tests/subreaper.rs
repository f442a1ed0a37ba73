//! Whose children the container's processes are. A program of its own, since it becomes what a shim of an engine is:
//! the one to whom orphans go.

use integration_tests::{Bundle, need_root, runtime};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs;

fn status(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default()
}

#[test]
fn init_and_detached_processes_belong_to_the_subreaper() {
    need_root!();
    nix::sys::prctl::set_child_subreaper(true).expect("become subreaper");
    let bundle = Bundle::new(&["sleep", "1000"]);
    bundle.up();
    let file = bundle.dir().join("exec.pid");
    let path = file.to_string_lossy();
    let args = ["exec", "--detach", "--pid-file", &path, &bundle.id, "/runtimetest", "sleep", "99"];
    bundle.detached(&args).ok();
    let exec: i32 = fs::read_to_string(&file).expect("a pid file").parse().expect("a number");
    let init = bundle.pid();
    let me = std::process::id().to_string();
    for pid in [init, exec] {
        let status = status(pid);
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:\t"));
        assert_eq!(parent, Some(me.as_str()), "{pid}: {status}");
    }
    // And nothing of the runtime stays in between or beside.
    let name = runtime().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let processes = bundle.processes().into_iter().map(status);
    let left: Vec<_> =
        processes.filter(|status| status.starts_with(&format!("Name:\t{name}\n"))).collect();
    assert!(left.is_empty(), "{left:?}");

    // The kernel ends a pid namespace only when all of it has been waited for.
    bundle.kill("KILL");
    for pid in [exec, init] {
        let ended = waitpid(Pid::from_raw(pid), None).expect("it is our child");
        assert!(matches!(ended, WaitStatus::Signaled(..)), "{ended:?}");
    }
    assert_eq!(bundle.status(), "stopped");
    bundle.delete();
}
