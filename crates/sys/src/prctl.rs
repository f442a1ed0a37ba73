//! prctl(2) and the few calls like it that set one property of the calling process.

use nix::errno::Errno;
use nix::libc::{self, c_int, c_ulong};

fn prctl(option: c_int, a: c_ulong, b: c_ulong) -> nix::Result<c_int> {
    // SAFETY: only options whose arguments are integers are passed by this module.
    let ret = unsafe { libc::prctl(option, a, b, 0 as c_ulong, 0 as c_ulong) };
    Errno::result(ret)
}

/// Has `signal` sent to this process when its parent ends; 0 switches it off.
///
/// # Errors
/// `EINVAL` when there is no such signal.
pub fn set_parent_death_signal(signal: c_int) -> nix::Result<()> {
    prctl(libc::PR_SET_PDEATHSIG, c_ulong::from(signal.cast_unsigned()), 0).map(drop)
}

/// Whether /proc/PID of this process is open to others of its user, and core dumps are made.
///
/// # Errors
/// Those of prctl(2); none is known for these two values.
pub fn set_dumpable(on: bool) -> nix::Result<()> {
    prctl(libc::PR_SET_DUMPABLE, c_ulong::from(on), 0).map(drop)
}

/// Sets no_new_privs; it cannot be taken back.
///
/// # Errors
/// Those of prctl(2); none is known since Linux 5.3.
pub fn set_no_new_privileges() -> nix::Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)
}

/// Orphaned descendants become children of this process.
///
/// # Errors
/// Those of prctl(2); none is known since Linux 5.3.
pub fn set_child_subreaper() -> nix::Result<()> {
    prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0).map(drop)
}

/// Whether the next change of user ids keeps the permitted capabilities.
///
/// # Errors
/// `EPERM` where `SECBIT_KEEP_CAPS_LOCKED` is set.
pub fn set_keep_capabilities(on: bool) -> nix::Result<()> {
    prctl(libc::PR_SET_KEEPCAPS, c_ulong::from(on), 0).map(drop)
}

/// Whether `capability` (its number, 0 to 63) is in the bounding set.
///
/// # Errors
/// `EINVAL` for one that the kernel does not know.
pub fn bounding_contains(capability: u8) -> nix::Result<bool> {
    prctl(libc::PR_CAPBSET_READ, c_ulong::from(capability), 0).map(|present| present == 1)
}

/// Takes `capability` (its number) from the bounding set.
///
/// # Errors
/// `EPERM` without CAP_SETPCAP; `EINVAL` for one that the kernel does not know.
pub fn drop_bounding(capability: u8) -> nix::Result<()> {
    prctl(libc::PR_CAPBSET_DROP, c_ulong::from(capability), 0).map(drop)
}

/// Empties the ambient set.
///
/// # Errors
/// Those of prctl(2); none is known since Linux 5.3.
pub fn clear_ambient() -> nix::Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as c_ulong, 0).map(drop)
}

/// Adds `capability` (its number) to the ambient set.
///
/// # Errors
/// `EPERM` when it is not both permitted and inheritable; `EINVAL` for one that the kernel does not know.
pub fn raise_ambient(capability: u8) -> nix::Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as c_ulong, c_ulong::from(capability))
        .map(drop)
}

/// Sets the execution domain, `PER_*` with flags; see personality(2).
///
/// # Errors
/// `EINVAL` when the kernel cannot change it.
pub fn personality(persona: u64) -> nix::Result<()> {
    // SAFETY: takes an integer.
    Errno::result(unsafe { libc::syscall(libc::SYS_personality, persona) }).map(drop)
}

/// Gives the process a new session keyring called `name`, which nobody but its possessor can use.
///
/// # Errors
/// `ENOSYS` on kernels without keyrings; those of keyctl(2).
pub fn join_session_keyring(name: &str) -> nix::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: c_int = 1;
    const KEYCTL_SETPERM: c_int = 5;
    const KEYCTL_DESCRIBE: c_int = 6;
    /// Search permission for the user (`KEY_USR_SEARCH`), without which the user's own programs
    /// cannot find what they put there.
    const USER_SEARCH: u32 = 0x0008_0000;
    let name = crate::raw::c_str(name)?;
    // SAFETY: `name` is a C string that outlives the call.
    let id = Errno::result(unsafe {
        libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr())
    })?;
    let mut text = [0_u8; 512];
    // SAFETY: the kernel writes at most `text.len()` bytes into `text`.
    let length = Errno::result(unsafe {
        libc::syscall(libc::SYS_keyctl, KEYCTL_DESCRIBE, id, text.as_mut_ptr(), text.len())
    })?;
    let length = usize::try_from(length).unwrap_or(0).min(text.len());
    // type;uid;gid;perm;description
    let permissions = text[..length]
        .split(|&byte| byte == b';')
        .nth(3)
        .and_then(|field| std::str::from_utf8(field).ok())
        .and_then(|field| u32::from_str_radix(field, 16).ok())
        .ok_or(Errno::EINVAL)?;
    // SAFETY: integers only.
    Errno::result(unsafe {
        libc::syscall(libc::SYS_keyctl, KEYCTL_SETPERM, id, permissions | USER_SEARCH)
    })
    .map(drop)
}

/// Puts every signal back to its default action, also those that Rust (SIGPIPE) or this process's
/// caller ignores, and takes all out of the mask, so that the user's program starts as if no
/// runtime had been there.
///
/// # Errors
/// Those of sigprocmask(2); signals that cannot be changed are passed over.
pub fn reset_signals() -> nix::Result<()> {
    use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
    /// Size of the kernel's signal set, and the last signal in it.
    const SIGNALS: usize = 64;
    // `struct sigaction` of the kernel with `SIG_DFL`; no architecture has a larger one.
    let default = [0_u64; 8];
    for number in 1..=SIGNALS {
        // SAFETY: an all-zero action is the default one and runs no code of ours. By number, because
        // libc keeps some signals to itself; SIGKILL and SIGSTOP answer EINVAL, as they must.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                number,
                default.as_ptr(),
                std::ptr::null_mut::<u64>(),
                SIGNALS / 8,
            );
        }
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// Has SIGHUP, SIGINT, SIGQUIT and SIGTERM end this process with exit status 2, also where it is the
/// first of a pid namespace, to which the kernel would not deliver them otherwise.
///
/// # Errors
/// Those of sigaction(2).
pub fn end_on_signals() -> nix::Result<()> {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    extern "C" fn end(_signal: c_int) {
        // SAFETY: _exit(2) may be called in a signal handler, and does not return.
        unsafe { libc::_exit(2) }
    }
    let action = SigAction::new(SigHandler::Handler(end), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM] {
        // SAFETY: the handler does nothing but end the process.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(())
}

/// Has the kernel keep ended children for wait(2), whatever this process's caller chose: with
/// SIGCHLD ignored it would not.
///
/// # Errors
/// Those of sigaction(2).
pub fn keep_children() -> nix::Result<()> {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: the default action runs no code of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }.map(drop)
}

/// Sets the NIS domain name of the UTS namespace; see setdomainname(2).
///
/// # Errors
/// `EINVAL` for more than 64 bytes; `EPERM` without CAP_SYS_ADMIN in the user namespace of the UTS namespace.
pub fn set_domain_name(name: &str) -> nix::Result<()> {
    // SAFETY: pointer and length describe `name`, which outlives the call.
    let ret = unsafe { libc::syscall(libc::SYS_setdomainname, name.as_ptr(), name.len()) };
    Errno::result(ret).map(drop)
}
