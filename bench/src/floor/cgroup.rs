//! The container's control group: one directory in the v2 tree, or one in each v1 hierarchy.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::raw;

const ROOT: &str = "/sys/fs/cgroup";

/// Character devices, major and minor (None: all), that the default container may use.
/// Making one (mknod) is free for all.
const DEVICES: [(u32, Option<u32>); 9] = [
    (1, Some(3)),
    (1, Some(5)),
    (1, Some(7)),
    (1, Some(8)),
    (1, Some(9)),
    (5, Some(0)),
    (5, Some(2)),
    (136, None),
    (10, Some(200)),
];

/// A group that has been made.
pub(crate) struct Group {
    /// Directories to leave the container's process in, and to remove at the end.
    paths: Vec<PathBuf>,
    /// The v2 directory, for CLONE_INTO_CGROUP.
    v2: Option<OwnedFd>,
}

impl Group {
    /// Where the group `name` lies, whether or not it is there.
    pub(crate) fn at(name: &str) -> Group {
        let root = PathBuf::from(ROOT);
        if root.join("cgroup.controllers").exists() {
            return Group { paths: vec![root.join(name)], v2: None };
        }
        let hierarchies = fs::read_dir(root).into_iter().flatten().flatten();
        let paths =
            hierarchies.map(|entry| entry.path()).filter(|path| path.join("cgroup.procs").exists());
        Group { paths: paths.map(|path| path.join(name)).collect(), v2: None }
    }

    /// Makes the directories and sets the device rules.
    pub(crate) fn create(name: &str) -> Group {
        let mut group = Group::at(name);
        for path in &group.paths {
            fs::create_dir(path).unwrap_or_else(|error| fail_io("mkdir cgroup", &error));
            if path.join("devices.deny").exists() {
                write(path.join("devices.deny"), "a");
                write(path.join("devices.allow"), "c *:* m");
                write(path.join("devices.allow"), "b *:* m");
                for (major, minor) in DEVICES {
                    let minor = minor.map_or("*".into(), |minor| minor.to_string());
                    write(path.join("devices.allow"), &format!("c {major}:{minor} rwm"));
                }
            }
            // A v1 cpuset group has no CPUs of its own accord.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                let Some(parent) = path.parent() else { continue };
                if parent.ends_with("cpuset")
                    && let Ok(value) = fs::read_to_string(parent.join(file))
                {
                    write(path.join(file), value.trim());
                }
            }
        }
        group.open_v2();
        if let (Some(v2), true) = (&group.v2, group.paths.len() == 1) {
            raw::attach_device_filter(v2.as_fd(), &device_filter());
        }
        group
    }

    fn open_v2(&mut self) {
        let v2 = self.paths.iter().find(|path| path.join("cgroup.freeze").exists());
        self.v2 = v2.map(|path| {
            let mut options = fs::OpenOptions::new();
            options.read(true).custom_flags(libc::O_DIRECTORY | libc::O_CLOEXEC);
            options.open(path).unwrap_or_else(|error| fail_io("open cgroup", &error)).into()
        });
    }

    /// The group of a container that another call has made.
    pub(crate) fn existing(name: &str) -> Group {
        let mut group = Group::at(name);
        group.open_v2();
        group
    }

    /// The v2 directory, if there is one.
    pub(crate) fn v2(&self) -> Option<BorrowedFd<'_>> {
        self.v2.as_ref().map(AsFd::as_fd)
    }

    /// Moves a process into the v1 directories; clone3 has seen to the v2 one.
    pub(crate) fn add_v1(&self, pid: libc::pid_t) {
        for path in &self.paths {
            if !path.join("cgroup.freeze").exists() {
                write(path.join("cgroup.procs"), &pid.to_string());
            }
        }
    }

    /// Removes the directories; the last process may still be on its way out.
    pub(crate) fn remove(&self) {
        for path in &self.paths {
            for _ in 0..1000 {
                match fs::remove_dir(path) {
                    Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                        std::thread::sleep(std::time::Duration::from_micros(100));
                    }
                    _ => break,
                }
            }
        }
    }
}

fn write(path: PathBuf, value: &str) {
    let file = fs::OpenOptions::new().write(true).open(path);
    file.and_then(|mut file| std::io::Write::write_all(&mut file, value.as_bytes()))
        .unwrap_or_else(|error| fail_io("write cgroup file", &error));
}

fn fail_io(what: &str, error: &std::io::Error) -> ! {
    raw::fail(what, error.raw_os_error().unwrap_or(0))
}

/// The device rules as BPF: `r1` points at { access << 16 | type, major, minor }.
fn device_filter() -> Vec<[u8; 8]> {
    const LOAD: u8 = 0x61; // r_dst = *(u32 *)(r_src + offset)
    const AND: u8 = 0x54; // w_dst &= imm
    const NOT_EQUAL: u8 = 0x55; // if r_dst != imm goto
    const SET: u8 = 0xb7; // r_dst = imm
    const SHIFT_RIGHT: u8 = 0x74; // w_dst >>= imm
    const MOVE: u8 = 0xbf; // r_dst = r_src
    const EXIT: u8 = 0x95;

    let insn = |code: u8, dst: u8, src: u8, offset: i16, imm: u32| {
        let ([o0, o1], [i0, i1, i2, i3]) = (offset.to_le_bytes(), imm.to_le_bytes());
        [code, src << 4 | dst, o0, o1, i0, i1, i2, i3]
    };
    let mut program = vec![
        insn(LOAD, 2, 1, 0, 0),
        insn(MOVE, 3, 2, 0, 0),
        insn(AND, 2, 0, 0, 0xffff),     // r2: type, 1 block or 2 character
        insn(SHIFT_RIGHT, 3, 0, 0, 16), // r3: access, 1 mknod, 2 read, 4 write
        insn(LOAD, 4, 1, 4, 0),
        insn(LOAD, 5, 1, 8, 0),
        insn(NOT_EQUAL, 3, 0, 2, 1),
        insn(SET, 0, 0, 0, 1),
        insn(EXIT, 0, 0, 0, 0),
    ];
    for (major, minor) in DEVICES {
        let minor = minor.map(|minor| insn(NOT_EQUAL, 5, 0, 2, minor));
        program.push(insn(NOT_EQUAL, 2, 0, if minor.is_some() { 4 } else { 3 }, 2));
        program.push(insn(NOT_EQUAL, 4, 0, if minor.is_some() { 3 } else { 2 }, major));
        program.extend(minor);
        program.push(insn(SET, 0, 0, 0, 1));
        program.push(insn(EXIT, 0, 0, 0, 0));
    }
    program.push(insn(SET, 0, 0, 0, 0));
    program.push(insn(EXIT, 0, 0, 0, 0));
    program
}
