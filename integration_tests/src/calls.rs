//! Calling the runtime on a bundle: its verbs, what they answer, and what must be gone after.

use crate::bundle::Bundle;
use crate::leaks;
use crate::manager::Manager;
use crate::output::{DEADLINE, Output, run_in, run_to, wait_until};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

impl Bundle {
    /// A container that runs and sleeps.
    #[track_caller]
    pub fn sleeping() -> Self {
        let bundle = Self::new(&["sleep", "1000"]);
        bundle.up();
        bundle
    }

    /// What [`Bundle::command`] begins with, for a shell.
    pub fn command_line(&self) -> String {
        format!("'{}' --root '{}'", self.runtime().display(), self.state_root().display())
    }

    /// The runtime with `--root` and the given words.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.runtime());
        command.arg("--root").arg(self.state_root());
        let makes = args.iter().any(|a| ["create", "run"].contains(a));
        // The other verbs are to remember it: conmon, for one, does not say it again for `exec`.
        if makes && self.manager == Manager::Systemd {
            command.arg("--systemd-cgroup");
        }
        command.args(args).env(leaks::MARK, &self.id).current_dir(self.dir());
        if self.manager == Manager::Files {
            command.env_remove("XDG_RUNTIME_DIR");
        }
        command
    }

    /// Calls the runtime.
    #[track_caller]
    pub fn call(&self, args: &[&str]) -> Output {
        run_in(&mut self.command(args), Stdio::null(), DEADLINE)
    }

    /// Calls the runtime with a file as standard input.
    #[track_caller]
    pub fn call_with_stdin(&self, args: &[&str], stdin: Stdio) -> Output {
        run_in(&mut self.command(args), stdin, DEADLINE)
    }

    /// Writes the configuration and runs the container in the foreground.
    #[track_caller]
    pub fn run(&self) -> Output {
        self.run_with(&[])
    }

    /// The same with options after the verb.
    #[track_caller]
    pub fn run_with(&self, options: &[&str]) -> Output {
        self.write();
        self.call(&[&["run", "--bundle", &self.path()], options, &[&self.id]].concat())
    }

    /// Runs `runtimetest check` and panics on any finding or leak.
    #[track_caller]
    pub fn run_check(&self) {
        let output = self.run();
        output.checked().ok();
        self.assert_clean();
    }

    /// Writes the configuration and creates the container; the process's output is kept for
    /// [`Self::logs`].
    #[track_caller]
    pub fn create(&self) -> Output {
        self.create_with(&[])
    }

    /// The same with options after the verb.
    #[track_caller]
    pub fn create_with(&self, options: &[&str]) -> Output {
        self.write();
        self.detached(&[&["create", "--bundle", &self.path()], options, &[&self.id]].concat())
    }

    /// Calls the runtime so that the process it leaves writes to the log. Runtime and container
    /// share the descriptors, as under an engine, so the output holds both.
    #[track_caller]
    pub fn detached(&self, args: &[&str]) -> Output {
        let path = self.dir().join("log");
        let open = || fs::OpenOptions::new().append(true).read(true).create(true).open(&path);
        let file = open().unwrap_or_else(|e| panic!("open {}: {e}", path.display()));
        let before = self.logs().len();
        let mut command = self.command(args);
        let status = run_to(&mut command, &file, DEADLINE);
        let text = self.logs();
        let said = text.get(before..).unwrap_or_default().to_owned();
        Output { command: format!("{command:?}"), code: status, stdout: said.clone(), stderr: said }
    }

    /// What the created process has written so far.
    pub fn logs(&self) -> String {
        let mut bytes = Vec::new();
        let file = fs::File::open(self.dir().join("log"));
        // No file, no output.
        let _ = file.and_then(|mut f| f.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Creates and starts, panicking when either fails.
    #[track_caller]
    pub fn up(&self) -> &Self {
        self.create().ok();
        self.start();
        self
    }

    /// Starts, panicking on failure.
    #[track_caller]
    pub fn start(&self) {
        self.call(&["start", &self.id]).ok();
    }

    /// Waits until the process has written the text.
    #[track_caller]
    pub fn wait_log(&self, text: &str) -> &Self {
        wait_until(&format!("{text:?} in the output"), || self.logs().contains(text));
        self
    }

    /// Sends a signal, panicking on failure.
    #[track_caller]
    pub fn kill(&self, signal: &str) {
        self.call(&["kill", &self.id, signal]).ok();
    }

    /// The parsed answer of `state`.
    #[track_caller]
    pub fn state(&self) -> Value {
        let output = self.call(&["state", &self.id]);
        serde_json::from_str(output.ok())
            .unwrap_or_else(|e| panic!("state is no JSON: {e}: {output}"))
    }

    /// The status word of `state`.
    #[track_caller]
    pub fn status(&self) -> String {
        self.state()["status"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits for a status.
    #[track_caller]
    pub fn wait_status(&self, status: &str) {
        wait_until(&format!("status {status}"), || self.status() == status);
    }

    /// The init process's number on the host.
    #[track_caller]
    pub fn pid(&self) -> i32 {
        let pid = self.state()["pid"].as_i64().and_then(|p| i32::try_from(p).ok());
        pid.unwrap_or_else(|| panic!("state holds no pid"))
    }

    /// `exec ID /runtimetest ARG…`
    #[track_caller]
    pub fn exec(&self, args: &[&str]) -> Output {
        self.exec_with(&[], args)
    }

    /// `exec OPTION… ID /runtimetest ARG…`
    #[track_caller]
    pub fn exec_with(&self, options: &[&str], args: &[&str]) -> Output {
        self.call(&[&["exec"], options, &[self.id.as_str(), "/runtimetest"], args].concat())
    }

    /// `delete --force`, panicking on failure and on anything left.
    #[track_caller]
    pub fn delete(&self) {
        self.call(&["delete", "--force", &self.id]).ok();
        self.assert_clean();
    }

    /// Panics when a cgroup, mount, process or state of this container is there.
    #[track_caller]
    pub fn assert_clean(&self) {
        let left = leaks::settle(&self.id, self.dir(), &self.state_root(), self.manager);
        assert!(left.is_empty(), "left behind:\n{}", left.join("\n"));
    }

    /// The directory as text, for command lines.
    pub fn path(&self) -> String {
        self.dir().to_string_lossy().into_owned()
    }

    /// Living processes of this container and of the runtime that serves it.
    pub fn processes(&self) -> Vec<i32> {
        leaks::processes(&self.id)
    }
}
