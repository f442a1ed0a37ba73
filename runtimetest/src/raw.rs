//! The only unsafe code here: system calls that have no safe wrapper at hand.
#![allow(unsafe_code)]

use std::io;

/// Asks for a terminal's size; the type of libc's constant differs between C libraries.
const TIOCGWINSZ: i64 = 0x5413;

/// Any system call with plain numbers. Callers pass no pointers but null or bad ones (the
/// point of most tests), or buffers that live through the call.
pub(crate) fn syscall(number: i64, args: [i64; 5]) -> Result<i64, i32> {
    let [a, b, c, d, e] = args;
    // SAFETY: see above; the kernel checks every address and gives EFAULT.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, 0_i64) };
    if result == -1 {
        return Err(io::Error::last_os_error().raw_os_error().unwrap_or(0));
    }
    Ok(result)
}

/// Soft and hard limit of a resource (setrlimit(2) numbers).
pub(crate) fn rlimit(resource: u32) -> Result<(u64, u64), i32> {
    let mut pair = [0_u64; 2];
    syscall(libc::SYS_prlimit64, [0, i64::from(resource), 0, pair.as_mut_ptr() as i64, 0])?;
    Ok((pair[0], pair[1]))
}

/// `struct sched_attr` of this process, first version (48 bytes).
pub(crate) struct SchedAttr {
    pub(crate) policy: u32,
    pub(crate) flags: u64,
    pub(crate) nice: i32,
    pub(crate) priority: u32,
    pub(crate) runtime: u64,
    pub(crate) deadline: u64,
    pub(crate) period: u64,
}

/// sched_getattr(2) of this process.
pub(crate) fn sched_attr() -> Result<SchedAttr, i32> {
    let mut words = [0_u64; 6];
    syscall(libc::SYS_sched_getattr, [0, words.as_mut_ptr() as i64, 48, 0, 0])?;
    let high = |w: u64| u32::try_from(w >> 32).unwrap_or(0);
    let low = |w: u64| u32::try_from(w & 0xffff_ffff).unwrap_or(0);
    Ok(SchedAttr {
        policy: high(words[0]),
        flags: words[1],
        nice: low(words[2]).cast_signed(),
        priority: high(words[2]),
        runtime: words[3],
        deadline: words[4],
        period: words[5],
    })
}

/// Mode with flags, and the first 64 nodes; get_mempolicy(2) of this process.
pub(crate) fn memory_policy() -> Result<(u32, u64), i32> {
    let (mut mode, mut nodes) = (0_u32, [0_u64; 16]);
    let mode_at = (&raw mut mode) as i64;
    syscall(libc::SYS_get_mempolicy, [mode_at, nodes.as_mut_ptr() as i64, 1025, 0, 0])?;
    Ok((mode, nodes[0]))
}

/// Security label of the session keyring: KEYCTL_GET_SECURITY of KEY_SPEC_SESSION_KEYRING.
pub(crate) fn keyring_label() -> Result<String, i32> {
    let mut label = [0_u8; 256];
    let at = label.as_mut_ptr() as i64;
    syscall(libc::SYS_keyctl, [17, -3, at, 256, 0])?;
    let end = label.iter().position(|byte| *byte == 0).unwrap_or(label.len());
    Ok(String::from_utf8_lossy(&label[..end]).into_owned())
}

/// Names of all BPF programs that the kernel holds; bpf(2), for root.
pub(crate) fn bpf_program_names() -> Result<Vec<String>, i32> {
    const NEXT_ID: i64 = 11;
    const FD_BY_ID: i64 = 13;
    const INFO_BY_FD: i64 = 15;
    let bpf = |command, attr: &mut [u64; 2]| {
        syscall(libc::SYS_bpf, [command, attr.as_mut_ptr() as i64, 16, 0, 0])
    };
    let low = |word: u64| word & 0xffff_ffff;
    let mut names = Vec::new();
    let mut id = 0;
    loop {
        // Two 32-bit numbers each, little-endian: the id to begin after and the one found; then flags.
        let mut attr = [id, 0];
        if bpf(NEXT_ID, &mut attr).is_err() {
            return Ok(names);
        }
        id = attr[0] >> 32;
        let Ok(fd) = bpf(FD_BY_ID, &mut [id, 0]) else { continue };
        // `struct bpf_prog_info` up to the name, which begins at byte 64.
        let mut info = [0_u64; 10];
        let length = 80_u64 << 32;
        let mut attr = [low(fd.cast_unsigned()) | length, info.as_mut_ptr() as u64];
        let told = bpf(INFO_BY_FD, &mut attr);
        syscall(libc::SYS_close, [fd, 0, 0, 0, 0])?;
        told?;
        let bytes: Vec<u8> = info[8..].iter().flat_map(|word| word.to_ne_bytes()).collect();
        let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        names.push(String::from_utf8_lossy(name).into_owned());
    }
}

/// Rows and columns of the terminal at a descriptor.
pub(crate) fn window_size(fd: i32) -> Result<(u16, u16), i32> {
    let mut size = [0_u16; 4];
    syscall(libc::SYS_ioctl, [i64::from(fd), TIOCGWINSZ, size.as_mut_ptr() as i64, 0, 0])?;
    Ok((size[0], size[1]))
}

/// True when the descriptor is a terminal.
pub(crate) fn is_terminal(fd: i32) -> bool {
    window_size(fd).is_ok()
}

/// The file mode mask in force.
pub(crate) fn umask() -> u32 {
    let old = syscall(libc::SYS_umask, [0o077, 0, 0, 0, 0]).unwrap_or(0);
    // Put back what was there; umask(2) cannot fail.
    let _ = syscall(libc::SYS_umask, [old, 0, 0, 0, 0]);
    u32::try_from(old).unwrap_or(0)
}

/// A child process by fork(2); 0 in the child. This program has one thread only.
pub(crate) fn fork() -> Result<i32, i32> {
    // SAFETY: single-threaded, so the child may go on as the parent would.
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        return Err(io::Error::last_os_error().raw_os_error().unwrap_or(0));
    }
    Ok(pid)
}

/// Answers `EINVAL` to setns(2) when its second argument has more than one bit; goes on otherwise.
fn several_kinds_of_namespace() -> [libc::sock_filter; 8] {
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let setns = u32::try_from(libc::SYS_setns).unwrap_or(u32::MAX);
    [
        step(0x20, 0, 0, 0),     // the number
        step(0x15, 0, 6, setns), // another call: past the end
        step(0x20, 0, 0, 24),    // low half of the second argument, on little-endian machines
        step(0x07, 0, 0, 0),     // x = a
        step(0x14, 0, 0, 1),     // a = a - 1
        step(0x5c, 0, 0, 0),     // a = a & x: 0 for a single bit
        step(0x15, 1, 0, 0),
        step(0x06, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EINVAL.cast_unsigned()),
    ]
}

/// Has the system calls with these numbers fail with `ENOSYS` from now on, over execve(2) too, as
/// on a kernel that does not know them. With `old_setns` setns(2) fails with `EINVAL` for more than
/// one kind of namespace, as before Linux 5.8.
pub(crate) fn forget_syscalls(numbers: &[i64], old_setns: bool) -> Result<(), i32> {
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let step = |code, jt, k| libc::sock_filter { code, jt, jf: 0, k };
    let count = u8::try_from(numbers.len()).map_err(|_| libc::E2BIG)?;
    let mut program = Vec::new();
    if old_setns {
        program.extend(several_kinds_of_namespace());
    }
    program.push(step(LOAD_NUMBER, 0, 0));
    for (number, left) in numbers.iter().zip((0..count).rev()) {
        let number = u32::try_from(*number).map_err(|_| libc::EINVAL)?;
        program.push(step(JUMP_EQUAL, left + 1, number));
    }
    program.push(step(RETURN, 0, libc::SECCOMP_RET_ALLOW));
    program.push(step(RETURN, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned()));
    let length = u16::try_from(program.len()).map_err(|_| libc::E2BIG)?;
    let fprog = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: `fprog` describes `program`; both outlive the call.
    let ret = unsafe { libc::syscall(libc::SYS_seccomp, 1, 0, &raw const fprog) };
    if ret == 0 { Ok(()) } else { Err(io::Error::last_os_error().raw_os_error().unwrap_or(0)) }
}

/// Bytes of a page of memory: 4096, or more on some machines.
pub(crate) fn page_size() -> u64 {
    // SAFETY: sysconf(3) only gives a number.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(4096)
}
