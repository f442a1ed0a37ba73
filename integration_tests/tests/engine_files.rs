//! Pid files and sockets, by which engines get hold of a container's processes and terminal.

use integration_tests::{Bundle, ConsoleSocket, differs, need_root};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use serde_json::json;
use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

// Pid files

/// Names as they appear in a directory, with how.
fn appearances(dir: &Path, act: impl FnOnce()) -> Vec<(String, bool)> {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).expect("inotify");
    let flags = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_MODIFY;
    inotify.add_watch(dir, flags).expect("watch");
    act();
    let events = inotify.read_events().unwrap_or_default();
    let name = |name: Option<std::ffi::OsString>| name.unwrap_or_default().to_string_lossy().into();
    events
        .into_iter()
        .map(|event| (name(event.name), event.mask.contains(AddWatchFlags::IN_MOVED_TO)))
        .collect()
}

#[test]
fn pid_file_is_there_whole_or_not_at_all() {
    need_root!();
    differs!(Crun | Youki, "writes to the file itself");
    let bundle = Bundle::new(&["sleep", "1000"]);
    let dir = bundle.dir().join("pids");
    fs::create_dir(&dir).expect("make a directory");
    let file = |name: &str| dir.join(name).to_string_lossy().into_owned();
    let seen = appearances(&dir, || {
        bundle.create_with(&["--pid-file", &file("init")]).ok();
    });
    let of =
        |name: &str| seen.iter().filter(|(n, _)| n == name).map(|(_, m)| *m).collect::<Vec<_>>();
    assert_eq!(of("init"), [true], "not by rename alone: {seen:?}");
    bundle.start();
    let exec = ["--detach", "--pid-file", &file("exec")];
    let seen = appearances(&dir, || {
        bundle
            .detached(&[&["exec"], &exec[..], &[&bundle.id, "/runtimetest", "sleep", "9"]].concat())
            .ok();
    });
    assert!(seen.iter().any(|(name, moved)| name == "exec" && *moved), "{seen:?}");
    assert!(seen.iter().all(|(name, moved)| name != "exec" || *moved), "{seen:?}");
    for name in ["init", "exec"] {
        let text = text(&dir.join(name));
        assert!(!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()), "{name}: {text:?}");
    }
    bundle.delete();
}

#[test]
fn pid_file_of_a_detached_exec_is_absent_when_its_program_never_started() {
    need_root!();
    differs!(Runc | Crun | Youki, "older ones write it before");
    let bundle = Bundle::sleeping();
    let file = bundle.dir().join("exec.pid");
    for program in ["nosuch", "/tmp", "/config.json"] {
        let path = file.to_string_lossy();
        let args = ["exec", "--detach", "--pid-file", &path, &bundle.id, program];
        bundle.detached(&args).exits(255);
        assert!(!file.exists(), "{program}");
    }
    bundle.delete();
}

// Sockets

#[test]
fn console_socket_gets_one_message_with_the_name_before_the_command_returns() {
    need_root!();
    let mut bundle = Bundle::new(&["sleep", "1000"]);
    bundle.set("/process/terminal", json!(true));
    let socket = ConsoleSocket::new(bundle.dir(), "c.sock");
    bundle.create_with(&["--console-socket", &socket.path()]).ok();
    let (name, masters) = socket.receive();
    assert!(name.starts_with(b"/dev/"), "{name:?}");
    assert_eq!(masters.len(), 1);
    bundle.start();
    let args =
        ["exec", "-t", "-d", "--console-socket", &socket.path(), &bundle.id, "/runtimetest", "tty"];
    bundle.call(&args).ok();
    let (name, masters) = socket.receive();
    assert!(name.starts_with(b"/dev/"), "{name:?}");
    assert_eq!(masters.len(), 1);
    bundle.delete();
}

/// The number of the process behind a pidfd.
fn behind(pidfd: &impl AsRawFd) -> Option<i32> {
    let info = text(Path::new(&format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())));
    info.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
}

#[test]
fn pidfd_sockets_get_the_process_and_its_kind() {
    need_root!();
    differs!(Runc | Crun | Youki, "older ones have no such flag");
    let bundle = Bundle::new(&["sleep", "1000"]);
    let socket = ConsoleSocket::new(bundle.dir(), "p.sock");
    bundle.create_with(&["--pidfd-socket", &socket.path()]).ok();
    let (kind, fds) = socket.receive();
    assert_eq!(kind, b"standard");
    assert_eq!(fds.iter().map(behind).collect::<Vec<_>>(), [Some(bundle.pid())]);
    bundle.start();
    let file = bundle.dir().join("exec.pid");
    let path = file.to_string_lossy();
    let flags = ["exec", "-d", "--pid-file", &path, "--pidfd-socket", &socket.path()];
    bundle.detached(&[&flags, &[&bundle.id, "/runtimetest", "sleep", "99"][..]].concat()).ok();
    let (kind, fds) = socket.receive();
    assert_eq!(kind, b"setns");
    assert_eq!(fds.iter().map(behind).collect::<Vec<_>>(), [text(&file).parse().ok()]);
    bundle.delete();
}
