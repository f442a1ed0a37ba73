//! The table of limits, and what other runtimes are known to do with them.

mod cpu;
mod disks;
mod memory;
mod others;

pub(crate) use cpu::CPU;
pub(crate) use disks::DISKS;
pub(crate) use memory::MEMORY;
pub(crate) use others::{HUGE_PAGES, NETWORK, PIDS, UNIFIED};

/// One limit, or several that belong together.
pub(crate) struct Row {
    /// For messages.
    pub(crate) name: &'static str,
    /// The v1 and the v2 name of the controller; empty where there is none.
    pub(crate) controller: (&'static str, &'static str),
    /// `linux.resources`. MAJOR and MINOR are a disk's, SIZE and BYTES those of a huge page and of two, RDMA an adapter,
    /// SCARCE what the misc controller counts.
    pub(crate) resources: &'static str,
    /// What is in force before an update; with it there is only the update.
    pub(crate) base: &'static str,
    /// The same for `update`, if it has flags for it.
    pub(crate) flags: &'static [&'static str],
    /// Whether runc's `update` ignores it.
    pub(crate) not_in_update: bool,
    /// v1 files and what they hold then: the whole text or a line of it.
    pub(crate) v1: &'static [(&'static str, &'static str)],
    /// v2 files.
    pub(crate) v2: &'static [(&'static str, &'static str)],
    /// Peers that give other values, and why.
    pub(crate) differs: &'static [Differs],
}

/// A difference that is known and meant.
pub(crate) struct Differs {
    /// `runc` or `crun`
    pub(crate) peer: &'static str,
    /// What its files hold, or `error`; [`ANY`] for what depends on the host.
    pub(crate) values: &'static [&'static str],
    /// Why.
    #[allow(dead_code, reason = "for the reader")]
    pub(crate) why: &'static str,
}

/// Stands for every value.
pub(crate) const ANY: &str = "*";

const NONE: Row = Row {
    name: "",
    controller: ("", ""),
    resources: "",
    base: "{}",
    flags: &[],
    not_in_update: false,
    v1: &[],
    v2: &[],
    differs: &[],
};

const OLD_RUNC: &str = "1.1, which did not know it yet, or not its update";
const OLD_CRUN: &str = "versions up to 1.21, which did not know it yet, or not its flag";
const CRUN_SIZES: &str = "its update takes plain bytes only";
const CRUN_FORGETS: &str = "it sets both, with the default for the one that is not given";
const CRUN_NEGATIVE: &str =
    "its update does not take negative numbers, or takes them for none given";
const RUNC_HYBRID: &str = "it does not use the v2 tree of a hybrid host";
const ZERO_RATE: &str = "it writes 0 to io.max, which the kernel refuses";
/// Before runc 1.3.2 and crun 1.23.
const STRAIGHT_LINE: &str = "an older version, with the straight line from shares to weight";
