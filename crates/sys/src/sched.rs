//! sched_setattr(2), ioprio_set(2), set_mempolicy(2) and the like for the calling process.

use nix::errno::Errno;
use nix::libc;

/// `struct sched_attr`, second version (Linux 5.3); an older kernel takes it while the rest is 0.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
pub struct SchedAttr {
    size: u32,
    /// `SCHED_*`
    pub policy: u32,
    /// `SCHED_FLAG_*`
    pub flags: u64,
    /// Nice value, -20 to 19.
    pub nice: i32,
    /// Static priority.
    pub priority: u32,
    /// Nanoseconds.
    pub runtime: u64,
    /// Nanoseconds.
    pub deadline: u64,
    /// Nanoseconds.
    pub period: u64,
    /// Utilisation clamps; the flags for them want the fields, for which config.json has no values.
    util: [u32; 2],
}

/// Sets the scheduling policy of the calling thread.
///
/// # Errors
/// Those of sched_setattr(2).
pub fn set_scheduler(mut attr: SchedAttr) -> nix::Result<()> {
    attr.size = u32::try_from(size_of::<SchedAttr>()).map_err(|_| Errno::E2BIG)?;
    // SAFETY: `attr` outlives the call and says its own size.
    let ret = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) };
    Errno::result(ret).map(drop)
}

/// Sets the I/O priority of the calling process: class in the top three bits of 16, level below.
///
/// # Errors
/// Those of ioprio_set(2).
pub fn set_io_priority(priority: u32) -> nix::Result<()> {
    const IOPRIO_WHO_PROCESS: i32 = 1;
    // SAFETY: integers only.
    let ret = unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, priority) };
    Errno::result(ret).map(drop)
}

/// Lets the calling thread run on every CPU that its cpuset allows.
///
/// # Errors
/// Those of sched_setaffinity(2).
pub fn reset_affinity() -> nix::Result<()> {
    // The kernel takes the intersection with the cpuset; 8192 CPUs is its largest build.
    set_affinity(&[u64::MAX; 128])
}

/// Lets the calling thread run on the CPUs of `mask`, CPU N in bit N % 64 of word N / 64, as far as
/// its cpuset allows.
///
/// # Errors
/// Those of sched_setaffinity(2): `EINVAL` when no CPU is left.
pub fn set_affinity(mask: &[u64]) -> nix::Result<()> {
    // SAFETY: pointer and length in bytes describe `mask`.
    let ret =
        unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, size_of_val(mask), mask.as_ptr()) };
    Errno::result(ret).map(drop)
}

/// The CPUs that the calling thread may run on, as in [`set_affinity`].
///
/// # Errors
/// Those of sched_getaffinity(2).
pub fn affinity() -> nix::Result<Vec<u64>> {
    let mut mask = vec![0_u64; 128];
    // SAFETY: pointer and length in bytes describe `mask`, which the kernel writes to.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_sched_getaffinity,
            0,
            size_of_val(mask.as_slice()),
            mask.as_mut_ptr(),
        )
    };
    let bytes = usize::try_from(Errno::result(ret)?).unwrap_or_default();
    mask.truncate(bytes.div_ceil(size_of::<u64>()));
    Ok(mask)
}

/// Sets the NUMA memory policy of the calling thread: `mode` is `MPOL_*` with `MPOL_F_*`; `nodes` has
/// memory node N in bit N % 64 of word N / 64.
///
/// # Errors
/// Those of set_mempolicy(2): `EINVAL` for nodes that the mode does not take, or none of which the
/// thread may use; `ENOSYS` without NUMA.
pub fn set_memory_policy(mode: u32, nodes: &[u64]) -> nix::Result<()> {
    // The kernel takes one bit less than it is told of.
    let bits = if nodes.is_empty() { 0 } else { nodes.len() * 64 + 1 };
    let mask = if nodes.is_empty() { std::ptr::null() } else { nodes.as_ptr() };
    // SAFETY: the kernel reads `bits - 1` bits of `nodes`, or nothing where there are none.
    let ret = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, bits) };
    Errno::result(ret).map(drop)
}

/// Soft and hard limit of `resource` of the calling process; `u64::MAX` is no limit.
///
/// # Errors
/// `EINVAL` for a resource that the kernel does not know.
pub fn rlimit(resource: u32) -> nix::Result<(u64, u64)> {
    let mut old = [0_u64; 2];
    // SAFETY: prlimit64 writes two 64-bit numbers.
    let ret = unsafe {
        libc::syscall(libc::SYS_prlimit64, 0, resource, std::ptr::null::<u64>(), old.as_mut_ptr())
    };
    Errno::result(ret).map(|_| (old[0], old[1]))
}

/// Sets the limits of process `pid`, 0 for the calling one.
///
/// # Errors
/// `EPERM` for a hard limit above the present one without CAP_SYS_RESOURCE; those of prlimit(2).
pub fn set_rlimit(pid: i32, resource: u32, soft: u64, hard: u64) -> nix::Result<()> {
    let new = [soft, hard];
    // SAFETY: prlimit64 reads two 64-bit numbers.
    let ret = unsafe {
        libc::syscall(libc::SYS_prlimit64, pid, resource, new.as_ptr(), std::ptr::null_mut::<u64>())
    };
    Errno::result(ret).map(drop)
}
