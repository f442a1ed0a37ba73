//! The filter is in force, and system calls answer as the profile says.
//!
//! Each probe is a call with arguments so wrong that it can do nothing; the profile's errno and
//! the kernel's own complaint tell apart who answered. Last of all checks, as it may lock us out.

use crate::config::{Config, list, strings};
use crate::raw;
use crate::report::Report;
use crate::status::Status;
use serde_json::Value;

/// A harmless call.
pub(crate) struct Probe {
    pub(crate) name: &'static str,
    pub(crate) number: i64,
    pub(crate) args: [i64; 5],
    /// What the kernel itself answers, where that does not hang on privilege.
    pub(crate) natural: Option<Result<(), i32>>,
}

const fn probe(
    name: &'static str,
    number: i64,
    args: [i64; 5],
    natural: Option<Result<(), i32>>,
) -> Probe {
    Probe { name, number, args, natural }
}

const NULL: [i64; 5] = [0; 5];
const BAD: [i64; 5] = [-1; 5];

/// The calls that tests may use.
pub(crate) const PROBES: &[Probe] = &[
    probe("getcwd", libc::SYS_getcwd, NULL, Some(Err(libc::ERANGE))),
    probe("mkdirat", libc::SYS_mkdirat, [-100, 0, 0, 0, 0], Some(Err(libc::EFAULT))),
    probe("fchmodat", libc::SYS_fchmodat, [-100, 0, 0, 0, 0], Some(Err(libc::EFAULT))),
    probe("socket", libc::SYS_socket, [-1, 1, 0, 0, 0], Some(Err(libc::EAFNOSUPPORT))),
    probe("fchdir", libc::SYS_fchdir, BAD, Some(Err(libc::EBADF))),
    probe("setns", libc::SYS_setns, BAD, Some(Err(libc::EBADF))),
    probe("unshare", libc::SYS_unshare, NULL, Some(Ok(()))),
    probe("kcmp", libc::SYS_kcmp, [-1, -1, -1, 0, 0], None),
    probe("add_key", libc::SYS_add_key, NULL, None),
    probe("request_key", libc::SYS_request_key, NULL, None),
    probe("keyctl", libc::SYS_keyctl, [0x7fff, 0, 0, 0, 0], None),
    probe("mount", libc::SYS_mount, NULL, None),
    probe("umount2", libc::SYS_umount2, [0, -1, 0, 0, 0], None),
    probe("pivot_root", libc::SYS_pivot_root, NULL, None),
    probe("sethostname", libc::SYS_sethostname, [0, -1, 0, 0, 0], None),
    probe("swapon", libc::SYS_swapon, [0, -1, 0, 0, 0], None),
    probe("init_module", libc::SYS_init_module, NULL, None),
    probe("delete_module", libc::SYS_delete_module, NULL, None),
    probe("reboot", libc::SYS_reboot, NULL, None),
    probe("kexec_load", libc::SYS_kexec_load, BAD, None),
    probe("open_by_handle_at", libc::SYS_open_by_handle_at, BAD, None),
    probe("perf_event_open", libc::SYS_perf_event_open, NULL, None),
    probe("bpf", libc::SYS_bpf, BAD, None),
    probe("userfaultfd", libc::SYS_userfaultfd, BAD, None),
    probe("clone3", libc::SYS_clone3, NULL, Some(Err(libc::EINVAL))),
    probe("move_pages", libc::SYS_move_pages, [-1, 0, 0, 0, 0], None),
    #[cfg(target_arch = "x86_64")]
    probe("mkdir", libc::SYS_mkdir, NULL, Some(Err(libc::EFAULT))),
    #[cfg(target_arch = "x86_64")]
    probe("chmod", libc::SYS_chmod, NULL, Some(Err(libc::EFAULT))),
    #[cfg(target_arch = "x86_64")]
    probe("iopl", libc::SYS_iopl, [-1, 0, 0, 0, 0], None),
];

pub(crate) fn check(config: &Config, report: &mut Report) {
    let profile = config.at("/linux/seccomp");
    let status = match Status::read() {
        Ok(status) => status,
        Err(why) => return report.skip("seccomp", &why),
    };
    let Some(default) = profile["defaultAction"].as_str() else {
        return report.equal("seccomp is off", &"0", &status.text("Seccomp"));
    };
    report.equal("seccomp filter is on", &"2", &status.text("Seccomp"));
    for probe in PROBES {
        let Some(wanted) = expected(profile, default, probe) else {
            continue;
        };
        let found = raw::syscall(probe.number, probe.args).map(|_| ());
        report.test(&format!("seccomp {}", probe.name), found == wanted, || {
            format!("expected {wanted:?}, found {found:?}")
        });
    }
}

/// What the call must answer; none when the profile's answer hangs on arguments, kills, or
/// cannot be told from the kernel's.
fn expected(profile: &Value, default: &str, probe: &Probe) -> Option<Result<(), i32>> {
    let mut rules =
        list(&profile["syscalls"]).iter().filter(|r| strings(&r["names"]).contains(&probe.name));
    let (action, errno) = match (rules.next(), rules.next()) {
        (None, _) => (default, &profile["defaultErrnoRet"]),
        (Some(rule), None) if list(&rule["args"]).is_empty() => {
            (rule["action"].as_str()?, &rule["errnoRet"])
        }
        _ => return None,
    };
    match action {
        "SCMP_ACT_ERRNO" => {
            Some(Err(errno.as_i64().and_then(|n| i32::try_from(n).ok()).unwrap_or(libc::EPERM)))
        }
        "SCMP_ACT_ALLOW" | "SCMP_ACT_LOG" => probe.natural,
        _ => None,
    }
}
