//! The runtime under strace(1), which shows its calls, has one fail, waits before it, or kills the runtime there.

use crate::bundle::Bundle;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// Whether strace(1) is installed and may trace.
pub fn strace_works() -> bool {
    static WORKS: LazyLock<bool> = LazyLock::new(|| {
        let mut command = Command::new("strace");
        command.args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    });
    *WORKS
}

/// `strace OPTIONS onggi WORDS`. Messages of strace's own are left out.
pub fn strace(bundle: &Bundle, options: &[&str], words: &[&str]) -> Command {
    let inner = bundle.command(words);
    let mut command = Command::new("strace");
    command.arg("-qq").args(options).arg(inner.get_program()).args(inner.get_args());
    command.current_dir(bundle.dir());
    command.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command
}
