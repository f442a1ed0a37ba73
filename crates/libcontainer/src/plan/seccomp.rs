//! `linux.seccomp`.

use oci_spec::runtime::{
    Arch as OciArch, LinuxSeccomp, LinuxSeccompAction as OciAction, LinuxSeccompArg,
    LinuxSeccompFilterFlag as OciFlag, LinuxSeccompOperator as OciOp, LinuxSyscall,
};
use seccomp::{Action, Arch, ArgCondition, Flag, Op, Profile, Rule};

use super::check::{no_nul, no_nul_path};
use crate::error::{Error, Result};

const EPERM: u16 = 1;

/// The profile, with all names resolved; syscall names are the compiler's business.
pub(super) fn profile(given: &LinuxSeccomp) -> Result<Profile> {
    let default_action = action(given.default_action(), given.default_errno_ret(), || {
        "/linux/seccomp/defaultErrnoRet".into()
    })?;
    if default_action == Action::Notify {
        let text = "SCMP_ACT_NOTIFY cannot be used as default action";
        return Err(Error::config("/linux/seccomp/defaultAction", text));
    }
    let syscalls = given.syscalls().as_deref().unwrap_or_default();
    let mut rules = Vec::with_capacity(syscalls.len());
    for (index, entry) in syscalls.iter().enumerate() {
        rules.push(rule(entry, index)?);
    }
    if let Some(path) = given.listener_path() {
        no_nul_path(path, || "/linux/seccomp/listenerPath".into())?;
    }
    Ok(Profile {
        default_action,
        architectures: given
            .architectures()
            .iter()
            .flatten()
            .filter_map(|arch| self::arch(*arch))
            .collect(),
        flags: flags(given.flags().as_deref()),
        listener_path: given
            .listener_path()
            .as_ref()
            .map(|path| path.to_string_lossy().into_owned())
            .filter(|path| !path.is_empty()),
        listener_metadata: given.listener_metadata().clone().filter(|text| !text.is_empty()),
        rules,
    })
}

/// Somebody must listen if there is anything to hear.
pub(super) fn listener(profile: &Profile) -> Result<()> {
    if profile.listener_path.is_some() {
        return Ok(());
    }
    if profile.listener_metadata.is_some() {
        let text = "listenerMetadata must not be set without listenerPath";
        return Err(Error::config("/linux/seccomp/listenerMetadata", text));
    }
    match profile.rules.iter().position(|rule| rule.action == Action::Notify) {
        Some(index) => {
            let text =
                "SCMP_ACT_NOTIFY needs listenerPath: without a listener the syscall would hang";
            Err(Error::config(format!("/linux/seccomp/syscalls/{index}/action"), text))
        }
        None => Ok(()),
    }
}

fn rule(entry: &LinuxSyscall, index: usize) -> Result<Rule> {
    let pointer = || format!("/linux/seccomp/syscalls/{index}");
    let names = entry.names();
    if names.is_empty() {
        return Err(Error::config(
            format!("{}/names", pointer()),
            "must name at least one syscall",
        ));
    }
    for (position, name) in names.iter().enumerate() {
        no_nul(name, || format!("{}/names/{position}", pointer()))?;
    }
    let action = action(entry.action(), entry.errno_ret(), || format!("{}/errnoRet", pointer()))?;
    // The runtime itself reports the notification fd with it, behind the filter.
    if action == Action::Notify && names.iter().any(|name| name == "write") {
        let text = "SCMP_ACT_NOTIFY cannot be used for the write syscall";
        return Err(Error::config(format!("{}/names", pointer()), text));
    }
    let given = entry.args().as_deref().unwrap_or_default();
    let mut args = Vec::with_capacity(given.len());
    for (position, arg) in given.iter().enumerate() {
        args.push(condition(arg).ok_or_else(|| {
            let text = format!("argument {} is not between 0 and 5", arg.index());
            Error::config(format!("{}/args/{position}/index", pointer()), text)
        })?);
    }
    Ok(Rule { names: names.clone(), action, args })
}

fn condition(arg: &LinuxSeccompArg) -> Option<ArgCondition> {
    let index = u8::try_from(arg.index()).ok().filter(|index| *index < 6)?;
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

fn action(
    given: OciAction,
    errno: Option<u32>,
    pointer: impl FnOnce() -> String,
) -> Result<Action> {
    let takes_errno = matches!(given, OciAction::ScmpActErrno | OciAction::ScmpActTrace);
    let errno = match errno {
        None => EPERM,
        Some(_) if !takes_errno => {
            return Err(Error::config(pointer(), format!("{given} does not take an errno")));
        }
        Some(errno) => u16::try_from(errno)
            .map_err(|_| Error::config(pointer(), format!("{errno} is more than 65535")))?,
    };
    Ok(match given {
        OciAction::ScmpActKill | OciAction::ScmpActKillThread => Action::KillThread,
        OciAction::ScmpActKillProcess => Action::KillProcess,
        OciAction::ScmpActTrap => Action::Trap,
        OciAction::ScmpActErrno => Action::Errno(errno),
        OciAction::ScmpActNotify => Action::Notify,
        OciAction::ScmpActTrace => Action::Trace(errno),
        OciAction::ScmpActLog => Action::Log,
        OciAction::ScmpActAllow => Action::Allow,
    })
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
