//! That device rules leave no program, map or descriptor behind. Alone in its process, whose descriptors it counts.

mod common;

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use common::{Own, char_rule, skip};
use libcgroups::{Access, Mode, Resources};
use nix::errno::Errno;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("list").count()
}

#[test]
fn nothing_is_left_of_a_thousand_cgroups() {
    let Some(own) = Own::create() else { return };
    if own.cgroup.mode() != Mode::V2 {
        return skip("device rules are v1's here");
    }
    drop(own);
    let before = descriptors();
    let (mut programs, mut maps) = (Vec::new(), Vec::new());
    for n in 0..1000 {
        let own = Own::create().expect("cgroup");
        // Set once, replaced once.
        for minor in [n, n + 1] {
            let devices = vec![
                char_rule(false, None, Access::ALL),
                char_rule(true, Some((1, minor)), Access::ALL),
            ];
            own.cgroup.apply(&Resources { devices, ..Resources::default() }).expect("apply");
            let dir = std::fs::File::open(own.cgroup.v2().expect("v2").dir()).expect("open");
            let ids = sys::bpf::device_programs(dir.as_fd()).expect("query");
            assert_eq!(ids.len(), 1);
            let program = sys::bpf::program_by_id(ids[0]).expect("program");
            let tables = sys::bpf::program_maps(program.as_fd()).expect("maps");
            assert_eq!(tables.len(), 1);
            programs.extend(ids);
            maps.extend(tables);
        }
    }
    assert_eq!(descriptors(), before);
    programs.sort_unstable();
    programs.dedup();
    assert_eq!(programs.len(), 2000, "each update has a program of its own");
    // The kernel frees them when it has the time. Nothing but a cgroup or a descriptor can have kept them.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        programs.retain(|id| sys::bpf::program_by_id(*id).map(drop) != Err(Errno::ENOENT));
        maps.retain(|id| sys::bpf::map_by_id(*id).map(drop) != Err(Errno::ENOENT));
        if programs.is_empty() && maps.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "left: programs {programs:?}, maps {maps:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
