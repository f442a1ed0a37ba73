//! `linux.personality`.

use oci_spec::runtime::{LinuxPersonality, LinuxPersonalityDomain};

use super::check::warning;

/// The argument of personality(2).
pub(super) fn personality(
    personality: Option<&LinuxPersonality>,
    warnings: &mut Vec<String>,
) -> Option<u64> {
    let personality = personality?;
    if personality.flags().as_ref().is_some_and(|flags| !flags.is_empty()) {
        warnings
            .push(warning("/linux/personality/flags", "ignoring unsupported personality flags"));
    }
    Some(match personality.domain() {
        LinuxPersonalityDomain::PerLinux => 0,
        LinuxPersonalityDomain::PerLinux32 => 8,
    })
}
