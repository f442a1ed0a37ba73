//! `linux.seccomp`.

use oci_spec::runtime::{
    Arch as OciArch, LinuxSeccomp, LinuxSeccompAction as OciAction, LinuxSeccompArg,
    LinuxSeccompFilterFlag as OciFlag, LinuxSeccompOperator as OciOp, LinuxSyscall,
};
use seccomp::{Action, Arch, ArgCondition, Flag, Op, Profile};

use super::Plan;
use super::check::{no_nul, no_nul_path};
use super::rules::{Fault, Rule, keep};
use crate::error::{Error, Result};

const EPERM: u16 = 1;

const SOURCE: &str = "config-linux.md#seccomp";

pub(super) const RULES: &[Rule<LinuxSeccomp>] = &[
    Rule {
        rule: "seccomp.defaultAction is not SCMP_ACT_NOTIFY",
        source: SOURCE,
        check: notify_by_default,
    },
    Rule {
        rule: "seccomp.syscalls[].names has at least one name",
        source: SOURCE,
        check: no_names,
    },
    Rule {
        rule: "an errno of seccomp is only given with SCMP_ACT_ERRNO and SCMP_ACT_TRACE, and is at most 65535",
        source: SOURCE,
        check: wrong_errno,
    },
    Rule {
        rule: "the write syscall is not notified of: the runtime itself needs it",
        source: SOURCE,
        check: notified_write,
    },
    Rule { rule: "seccomp.syscalls[].args[].index is below 6", source: SOURCE, check: wrong_index },
];

/// Of the whole profile: an annotation may name the listener as well.
pub(super) const LISTENER_RULES: &[Rule<Profile>] = &[
    Rule {
        rule: "seccomp.listenerMetadata is only given with listenerPath",
        source: SOURCE,
        check: metadata_for_nobody,
    },
    Rule {
        rule: "SCMP_ACT_NOTIFY is only given with listenerPath",
        source: SOURCE,
        check: notify_for_nobody,
    },
];

/// The profile, with all names resolved; syscall names are the compiler's business.
pub(super) fn profile(given: &LinuxSeccomp) -> Result<Profile> {
    keep(RULES, given, "/linux/seccomp")?;
    if let Some(path) = given.listener_path() {
        no_nul_path(path, || "/linux/seccomp/listenerPath".into())?;
    }
    let rules = syscalls(given).map(|(index, entry)| rule(entry, index));
    Ok(Profile {
        default_action: action(given.default_action(), given.default_errno_ret()),
        architectures: given
            .architectures()
            .iter()
            .flatten()
            .filter_map(|arch| self::arch(*arch))
            .collect(),
        flags: flags(given.flags().as_deref()),
        rules: rules.collect::<Result<_>>()?,
        listener_path: given
            .listener_path()
            .as_ref()
            .map(|path| path.to_string_lossy().into_owned())
            .filter(|path| !path.is_empty()),
        listener_metadata: given.listener_metadata().clone().filter(|text| !text.is_empty()),
    })
}

fn syscalls(given: &LinuxSeccomp) -> impl Iterator<Item = (usize, &LinuxSyscall)> {
    given.syscalls().iter().flatten().enumerate()
}

fn notify_by_default(given: &LinuxSeccomp) -> Option<Fault> {
    let text = "SCMP_ACT_NOTIFY cannot be used as default action";
    Fault::when(given.default_action() == OciAction::ScmpActNotify, "/defaultAction", text)
}

fn no_names(given: &LinuxSeccomp) -> Option<Fault> {
    let (index, _) = syscalls(given).find(|(_, entry)| entry.names().is_empty())?;
    Some(Fault::new(format!("/syscalls/{index}/names"), "must name at least one syscall"))
}

fn wrong_errno(given: &LinuxSeccomp) -> Option<Fault> {
    let default =
        ("/defaultErrnoRet".to_owned(), given.default_action(), given.default_errno_ret());
    let each = syscalls(given).map(|(index, entry)| {
        (format!("/syscalls/{index}/errnoRet"), entry.action(), entry.errno_ret())
    });
    std::iter::once(default).chain(each).find_map(|(at, action, errno)| {
        let errno = errno?;
        if !matches!(action, OciAction::ScmpActErrno | OciAction::ScmpActTrace) {
            return Some(Fault::new(at, format!("{action} does not take an errno")));
        }
        (errno > u32::from(u16::MAX)).then(|| Fault::new(at, format!("{errno} is more than 65535")))
    })
}

/// The runtime itself reports the notification fd with it, behind the filter.
fn notified_write(given: &LinuxSeccomp) -> Option<Fault> {
    let has_write = |entry: &LinuxSyscall| entry.names().iter().any(|name| name == "write");
    let (index, _) = syscalls(given)
        .find(|(_, entry)| entry.action() == OciAction::ScmpActNotify && has_write(entry))?;
    let text = "SCMP_ACT_NOTIFY cannot be used for the write syscall";
    Some(Fault::new(format!("/syscalls/{index}/names"), text))
}

fn wrong_index(given: &LinuxSeccomp) -> Option<Fault> {
    syscalls(given).find_map(|(index, entry)| {
        let mut args = entry.args().iter().flatten().enumerate();
        let (position, arg) = args.find(|(_, arg)| arg.index() > 5)?;
        let text = format!("argument {} is not between 0 and 5", arg.index());
        Some(Fault::new(format!("/syscalls/{index}/args/{position}/index"), text))
    })
}

/// Somebody must listen if there is anything to hear.
pub(super) fn listener(plan: &Plan) -> Result<()> {
    let Some(profile) = &plan.seccomp else { return Ok(()) };
    keep(LISTENER_RULES, profile, "/linux/seccomp")?;
    let notifies = plan.seccomp_program.as_deref().is_some_and(seccomp::notifies);
    if notifies && profile.listener_path.is_none() {
        let text =
            "a filter that notifies needs listenerPath: without a listener the syscall would fail";
        return Err(Error::config("/linux/seccomp", text));
    }
    Ok(())
}

fn metadata_for_nobody(profile: &Profile) -> Option<Fault> {
    let text = "listenerMetadata must not be set without listenerPath";
    let wrong = profile.listener_metadata.is_some() && profile.listener_path.is_none();
    Fault::when(wrong, "/listenerMetadata", text)
}

fn notify_for_nobody(profile: &Profile) -> Option<Fault> {
    if profile.listener_path.is_some() {
        return None;
    }
    let index = profile.rules.iter().position(|rule| rule.action == Action::Notify)?;
    let text = "SCMP_ACT_NOTIFY needs listenerPath: without a listener the syscall would hang";
    Some(Fault::new(format!("/syscalls/{index}/action"), text))
}

fn rule(entry: &LinuxSyscall, index: usize) -> Result<seccomp::Rule> {
    for (position, name) in entry.names().iter().enumerate() {
        no_nul(name, || format!("/linux/seccomp/syscalls/{index}/names/{position}"))?;
    }
    Ok(seccomp::Rule {
        names: entry.names().clone(),
        action: action(entry.action(), entry.errno_ret()),
        args: entry.args().iter().flatten().filter_map(condition).collect(),
    })
}

fn condition(arg: &LinuxSeccompArg) -> Option<ArgCondition> {
    let index = u8::try_from(arg.index()).ok()?;
    let op = match arg.op() {
        OciOp::ScmpCmpNe => Op::NotEqual,
        OciOp::ScmpCmpLt => Op::Less,
        OciOp::ScmpCmpLe => Op::LessOrEqual,
        OciOp::ScmpCmpEq => Op::Equal,
        OciOp::ScmpCmpGe => Op::GreaterOrEqual,
        OciOp::ScmpCmpGt => Op::Greater,
        OciOp::ScmpCmpMaskedEq => Op::MaskedEqual,
    };
    Some(ArgCondition { index, op, value: arg.value(), value_two: arg.value_two().unwrap_or(0) })
}

fn action(given: OciAction, errno: Option<u32>) -> Action {
    let errno = errno.and_then(|errno| u16::try_from(errno).ok()).unwrap_or(EPERM);
    match given {
        OciAction::ScmpActKill | OciAction::ScmpActKillThread => Action::KillThread,
        OciAction::ScmpActKillProcess => Action::KillProcess,
        OciAction::ScmpActTrap => Action::Trap,
        OciAction::ScmpActErrno => Action::Errno(errno),
        OciAction::ScmpActNotify => Action::Notify,
        OciAction::ScmpActTrace => Action::Trace(errno),
        OciAction::ScmpActLog => Action::Log,
        OciAction::ScmpActAllow => Action::Allow,
    }
}

/// Without any word about flags, even an empty list, speculation is left as it is: seccomp's default of
/// switching its mitigations on costs much and protects only against the process itself.
fn flags(given: Option<&[OciFlag]>) -> Vec<Flag> {
    let Some(given) = given else {
        return vec![Flag::SpecAllow];
    };
    let flags = given.iter().map(|flag| match flag {
        OciFlag::SeccompFilterFlagLog => Flag::Log,
        OciFlag::SeccompFilterFlagTsync => Flag::Tsync,
        OciFlag::SeccompFilterFlagSpecAllow => Flag::SpecAllow,
        OciFlag::SeccompFilterFlagWaitKillableRecv => Flag::WaitKillableRecv,
    });
    flags.collect()
}

/// `None` for the native architecture, which every filter has.
fn arch(given: OciArch) -> Option<Arch> {
    Some(match given {
        OciArch::ScmpArchNative => return None,
        OciArch::ScmpArchX86 => Arch::X86,
        OciArch::ScmpArchX86_64 => Arch::X86_64,
        OciArch::ScmpArchX32 => Arch::X32,
        OciArch::ScmpArchArm => Arch::Arm,
        OciArch::ScmpArchAarch64 => Arch::Aarch64,
        OciArch::ScmpArchMips => Arch::Mips,
        OciArch::ScmpArchMips64 => Arch::Mips64,
        OciArch::ScmpArchMips64n32 => Arch::Mips64N32,
        OciArch::ScmpArchMipsel => Arch::Mipsel,
        OciArch::ScmpArchMipsel64 => Arch::Mipsel64,
        OciArch::ScmpArchMipsel64n32 => Arch::Mipsel64N32,
        OciArch::ScmpArchPpc => Arch::Ppc,
        OciArch::ScmpArchPpc64 => Arch::Ppc64,
        OciArch::ScmpArchPpc64le => Arch::Ppc64Le,
        OciArch::ScmpArchS390 => Arch::S390,
        OciArch::ScmpArchS390x => Arch::S390X,
        OciArch::ScmpArchParisc => Arch::Parisc,
        OciArch::ScmpArchParisc64 => Arch::Parisc64,
        OciArch::ScmpArchRiscv64 => Arch::Riscv64,
        OciArch::ScmpArchLoongarch64 => Arch::LoongArch64,
        OciArch::ScmpArchM68k => Arch::M68k,
        OciArch::ScmpArchSh => Arch::Sh,
        OciArch::ScmpArchSheb => Arch::Sheb,
    })
}
