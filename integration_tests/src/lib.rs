//! Harness for tests that drive an OCI runtime from outside.
//!
//! The binary under test comes from `RUNTIME`, the in-container program from `RUNTIMETEST`.
//! A test makes a [`Bundle`], changes its configuration, and runs it; what the bundle leaves
//! behind is looked for and removed when it is dropped. Tests that cannot run here say so with
//! [`skip!`]; the lines go to the file named by `ONGGI_SKIP_LOG`, too.
//!
//! Which cgroup version is tested is decided outside: start the test program in a mount
//! namespace whose /sys/fs/cgroup shows what is wanted.

mod bundle;
mod bus;
mod calls;
mod captures;
mod cgroups;
mod config;
mod console;
mod host;
mod host_mount;
mod leaks;
mod manager;
mod output;
mod peers;
mod strace;

pub use bundle::{Bundle, Rootfs};
pub use bus::{ANSWER, Fate, Proxy, without_systemd};
pub use captures::{Capture, busybox_bundle, capture, fill};
pub use cgroups::{Cgroups, View};
pub use config::{CONTAINER_PATH, default_config, mount, without_namespace};
pub use console::{ConsoleSocket, Pty, read_for};
pub use host::{
    Canary, Peer, apparmor_runs, busybox, capability_mask, has_root, host_keyring, namespace_link,
    peer, record_skip, runtime, runtimetest, selinux_knows, selinux_runs,
};
pub use host_mount::HostMount;
pub use manager::{
    Manager, default_slice, delegated, others_scope, systemctl, systemd_runs, unit_cgroup,
    unit_name, unit_property, units,
};
pub use output::{Output, copy_program, ends_within, run, run_in, wait_until};
pub use peers::{Other, others};
pub use strace::{strace, strace_works};

/// Ends the test with a line that says what could not be tested and why.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        $crate::record_skip(&format!($($reason)*));
        return;
    }};
}

/// Skips the test unless it runs as root.
#[macro_export]
macro_rules! need_root {
    () => {
        if !$crate::has_root() {
            $crate::skip!("needs root");
        }
    };
}

/// Skips the test unless it runs as root, or as a user with a cgroup of its own to share out.
#[macro_export]
macro_rules! need_cgroups {
    () => {
        if !$crate::has_root() && $crate::delegated().is_none() {
            $crate::skip!("needs root, or a delegated cgroup");
        }
    };
}

/// Skips the test unless systemd manages this machine, and for a normal user the user's units.
#[macro_export]
macro_rules! need_systemd {
    () => {
        if !$crate::systemd_runs() {
            $crate::skip!("systemd is not running here (make test-hosts)");
        }
    };
}

/// Skips the test unless strace(1) is installed and may trace.
#[macro_export]
macro_rules! need_strace {
    () => {
        if !$crate::strace_works() {
            $crate::skip!("strace is not installed, or may not trace");
        }
    };
}

/// Skips the test when the cgroups are made by systemd.
#[macro_export]
macro_rules! need_files {
    ($reason:literal) => {
        if $crate::Manager::chosen() == $crate::Manager::Systemd {
            $crate::skip!("not with systemd's cgroups: {}", $reason);
        }
    };
}

/// Skips the test when the runtime under test is a peer that is known to differ.
#[macro_export]
macro_rules! differs {
    ($($peer:ident)|+, $reason:literal) => {
        if matches!($crate::peer(), $($crate::Peer::$peer)|+) {
            $crate::skip!("known difference of {:?}: {}", $crate::peer(), $reason);
        }
    };
}
