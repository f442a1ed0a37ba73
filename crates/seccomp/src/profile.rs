//! `linux.seccomp` as plain data.

/// A whole seccomp profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// For every syscall that no rule matches.
    pub default_action: Action,
    /// Architectures besides the native one; empty stands for the native one alone.
    pub architectures: Vec<Arch>,
    /// Flags of seccomp(2).
    pub flags: Vec<Flag>,
    /// `listenerPath`: the socket that gets the notification fd.
    pub listener_path: Option<String>,
    /// `listenerMetadata`: passed along on that socket.
    pub listener_metadata: Option<String>,
    /// In the order of config.json.
    pub rules: Vec<Rule>,
}

/// What happens on a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// `SCMP_ACT_KILL_PROCESS`
    KillProcess,
    /// `SCMP_ACT_KILL_THREAD` and `SCMP_ACT_KILL`
    KillThread,
    /// `SCMP_ACT_TRAP`
    Trap,
    /// `SCMP_ACT_ERRNO`; the errno, EPERM (1) unless the profile says otherwise.
    Errno(u16),
    /// `SCMP_ACT_NOTIFY`
    Notify,
    /// `SCMP_ACT_TRACE`; the message for the tracer, EPERM (1) unless the profile says otherwise.
    Trace(u16),
    /// `SCMP_ACT_LOG`
    Log,
    /// `SCMP_ACT_ALLOW`
    Allow,
}

/// Flags of seccomp(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// `SECCOMP_FILTER_FLAG_TSYNC`
    Tsync,
    /// `SECCOMP_FILTER_FLAG_LOG`
    Log,
    /// `SECCOMP_FILTER_FLAG_SPEC_ALLOW`
    SpecAllow,
    /// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`
    WaitKillableRecv,
}

/// Architectures of the runtime-spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Arch {
    X86,
    X86_64,
    X32,
    Arm,
    Aarch64,
    Mips,
    Mips64,
    Mips64N32,
    Mipsel,
    Mipsel64,
    Mipsel64N32,
    Ppc,
    Ppc64,
    Ppc64Le,
    S390,
    S390X,
    Parisc,
    Parisc64,
    Riscv64,
    LoongArch64,
    M68k,
    Sh,
    Sheb,
}

/// Some syscalls and what happens to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Names of syscalls; one that an architecture lacks does nothing there.
    pub names: Vec<String>,
    /// What happens on a match.
    pub action: Action,
    /// Conditions; all must hold. Two on the same argument are alternatives, as libseccomp users write them.
    pub args: Vec<ArgCondition>,
}

/// A condition on one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArgCondition {
    /// 0 to 5
    pub index: u8,
    /// The comparison.
    pub op: Op,
    /// Compared with the argument, or the mask of `MaskedEqual`.
    pub value: u64,
    /// What the masked argument is compared with.
    pub value_two: u64,
}

/// Comparisons, all unsigned over 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `SCMP_CMP_NE`
    NotEqual,
    /// `SCMP_CMP_LT`
    Less,
    /// `SCMP_CMP_LE`
    LessOrEqual,
    /// `SCMP_CMP_EQ`
    Equal,
    /// `SCMP_CMP_GE`
    GreaterOrEqual,
    /// `SCMP_CMP_GT`
    Greater,
    /// `SCMP_CMP_MASKED_EQ`
    MaskedEqual,
}
