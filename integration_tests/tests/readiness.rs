//! `NOTIFY_SOCKET`: a service in a container tells systemd that it is ready.

use integration_tests::{Bundle, differs, need_root, wait_until};
use std::fs;
use std::process::Stdio;

/// What systemd has been sent so far, and what it holds open.
struct Service {
    socket: std::os::unix::net::UnixDatagram,
    path: String,
}

impl Service {
    fn new(bundle: &Bundle) -> Self {
        let path = bundle.dir().join("host.sock");
        let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("listen");
        socket.set_read_timeout(Some(std::time::Duration::from_secs(10))).expect("deadline");
        Self { socket, path: path.to_string_lossy().into_owned() }
    }

    fn message(&self) -> String {
        let mut buffer = [0_u8; 4096];
        // The descriptor that comes with the barrier is closed at once, which is the answer.
        let length = self.socket.recv(&mut buffer).expect("a message within ten seconds");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    /// The three messages of a container that is ready.
    #[track_caller]
    fn ready(&self, pid: i32) {
        assert_eq!(self.message(), "READY=1\n");
        assert_eq!(self.message(), format!("MAINPID={pid}\n"));
        assert_eq!(self.message(), "BARRIER=1");
    }
}

/// Says what a hostile service might, then that it is ready.
const READY: [&str; 6] = ["all", "notify", "MAINPID=1", "STATUS=x\\nREADY=1", "--", "sleep"];

#[test]
fn readiness_is_passed_on_by_start_and_nothing_else_is() {
    need_root!();
    differs!(Runc | Crun | Youki, "lets other lines through, or takes another way");
    let bundle = Bundle::new(&[&READY[..], &["1000"]].concat());
    let service = Service::new(&bundle);
    bundle.write();
    let with = |args: &[&str]| {
        let mut command = bundle.command(args);
        command.env("NOTIFY_SOCKET", &service.path).stdin(Stdio::null());
        command
    };
    let mut create = with(&["create", "--bundle", &bundle.path(), &bundle.id]);
    let log = fs::File::create(bundle.dir().join("log")).expect("log");
    create.stdout(log.try_clone().expect("dup")).stderr(log);
    assert!(create.status().expect("create").success(), "{}", bundle.logs());
    let mut start = with(&["start", &bundle.id]).spawn().expect("start");
    service.ready(bundle.pid());
    assert!(start.wait().expect("wait").success());
    assert_eq!(bundle.status(), "running");
    let env = bundle.exec(&["cat", "/proc/1/environ"]);
    assert!(env.ok().contains("NOTIFY_SOCKET=/run/notify/notify.sock"), "{env}");
    bundle.delete();
}

#[test]
fn readiness_is_passed_on_by_run() {
    need_root!();
    differs!(Runc | Crun | Youki, "lets other lines through, or takes another way");
    let mut bundle = Bundle::new(&[&READY[..], &["1000"]].concat());
    bundle.user_namespace();
    bundle.write();
    let service = Service::new(&bundle);
    let with = |flags: &[&str]| {
        let mut command =
            bundle.command(&[&["run", "--bundle", &bundle.path()], flags, &[&bundle.id]].concat());
        command.env("NOTIFY_SOCKET", &service.path).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("start the runtime")
    };
    let mut detached = with(&["--detach"]);
    // It stays until the container is ready.
    assert_eq!(service.message(), "READY=1\n");
    let pid = bundle.pid();
    assert_eq!(service.message(), format!("MAINPID={pid}\n"));
    assert_eq!(service.message(), "BARRIER=1");
    assert!(detached.wait().expect("wait").success());
    bundle.delete();

    let mut foreground = with(&[]);
    assert_eq!(service.message(), "READY=1\n");
    // This process stays, and gives the status.
    assert_eq!(service.message(), format!("MAINPID={}\n", foreground.id()));
    bundle.kill("KILL");
    assert_eq!(foreground.wait().expect("wait").code(), Some(137));
    bundle.assert_clean();
}

#[test]
fn a_service_that_ends_before_it_is_ready_has_started_all_the_same() {
    need_root!();
    differs!(Runc | Crun | Youki, "waits as long as there is a zombie, or takes another way");
    let bundle = Bundle::new(&["exit", "0"]);
    let service = Service::new(&bundle);
    bundle.write();
    let path = bundle.path();
    let mut command = bundle.command(&["run", "-d", "--bundle", &path, &bundle.id]);
    command.env("NOTIFY_SOCKET", &service.path).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("run");
    let mut status = None;
    wait_until("run to return", || {
        status = child.try_wait().expect("wait");
        status.is_some()
    });
    assert!(status.is_some_and(|status| status.success()));
    service.socket.set_nonblocking(true).expect("set");
    assert!(service.socket.recv(&mut [0; 64]).is_err(), "something was sent");
    bundle.delete();
}
