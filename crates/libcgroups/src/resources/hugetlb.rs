//! hugetlb: huge pages, used and reserved.

use nix::errno::Errno;

use super::Knobs;
use crate::cgroup::Cgroup;
use crate::error::{Error, Result};
use crate::model::HugepageLimit;

pub(super) fn apply(cgroup: &Cgroup, limits: &[HugepageLimit]) -> Result<()> {
    if limits.is_empty() {
        return Ok(());
    }
    let knobs = Knobs::find(cgroup, "hugetlb", "hugetlb", "huge page limit")?;
    let suffix = if knobs.v2 { "max" } else { "limit_in_bytes" };
    for HugepageLimit { page_size, limit } in limits {
        if page_size.is_empty() || !page_size.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(Error::message(format!(
                "set huge page limit: bad page size {page_size:?}"
            )));
        }
        let limit = limit.to_string();
        knobs.set(&format!("hugetlb.{page_size}.{suffix}"), &limit)?;
        // A fault on a page that was never reserved is otherwise a SIGBUS; Linux before 5.7 has no such file.
        match knobs.set(&format!("hugetlb.{page_size}.rsvd.{suffix}"), &limit) {
            Err(e) if e.errno() == Some(Errno::ENOENT) => {}
            other => other?,
        }
    }
    Ok(())
}
