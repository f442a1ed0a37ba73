//! What a list of device rules means.

use crate::model::{Access, DeviceKind, DeviceRule};

impl Access {
    /// Every access.
    pub const ALL: Self = Self { read: true, write: true, mknod: true };

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// What both have.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            read: self.read && other.read,
            write: self.write && other.write,
            mknod: self.mknod && other.mknod,
        }
    }

    /// What either has.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            read: self.read || other.read,
            write: self.write || other.write,
            mknod: self.mknod || other.mknod,
        }
    }

    /// What this has and `other` has not.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self {
            read: self.read && !other.read,
            write: self.write && !other.write,
            mknod: self.mknod && !other.mknod,
        }
    }
}

impl DeviceRule {
    /// Whether every device that `other` is about is one of this rule's.
    pub(super) fn covers(&self, other: &Self) -> bool {
        (self.kind == DeviceKind::All || self.kind == other.kind)
            && (self.major.is_none() || self.major == other.major)
            && (self.minor.is_none() || self.minor == other.minor)
    }

    /// Whether there can be a device that both are about.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let same = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
        (self.kind == DeviceKind::All || other.kind == DeviceKind::All || self.kind == other.kind)
            && same(self.major, other.major)
            && same(self.minor, other.minor)
    }

    fn is_about_everything(&self) -> bool {
        self.kind == DeviceKind::All
            && self.major.is_none()
            && self.minor.is_none()
            && self.access == Access::ALL
    }
}

/// Device rules in their shortest form: what holds for every access, then exceptions of which, for each access
/// of each device, the last one that is about it counts.
///
/// Two points where the kernel's v1 interface, taken literally, grants or hides more than was written: a rule of
/// kind `a` with numbers or with only some accesses is about those alone, not about everything; and a later denial
/// of a wider set takes back earlier, narrower permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What holds where no rule says otherwise.
    pub default_allow: bool,
    /// The exceptions, later ones win.
    pub rules: Vec<DeviceRule>,
}

impl Policy {
    /// The meaning of `rules`, which start from "nothing is allowed".
    pub fn new(rules: &[DeviceRule]) -> Self {
        let mut policy = Self { default_allow: false, rules: Vec::new() };
        for rule in rules {
            policy.add(rule);
        }
        policy
    }

    fn add(&mut self, rule: &DeviceRule) {
        if rule.access.is_empty() {
            return;
        }
        if rule.is_about_everything() {
            self.default_allow = rule.allow;
            self.rules.clear();
            return;
        }
        for earlier in self.rules.iter_mut().filter(|earlier| rule.covers(earlier)) {
            let rest = earlier.access.without(rule.access);
            // One that says more than the new rule, and nothing against it, stays as it was written.
            if earlier.allow != rule.allow || rest.is_empty() {
                earlier.access = rest;
            }
        }
        self.rules.retain(|earlier| !earlier.access.is_empty());
        let overrides = |earlier: &DeviceRule| {
            earlier.allow != rule.allow
                && earlier.overlaps(rule)
                && !earlier.access.and(rule.access).is_empty()
        };
        if rule.allow != self.default_allow || self.rules.iter().any(overrides) {
            self.rules.push(rule.clone());
        }
    }

    /// Whether nothing is forbidden.
    pub fn allows_everything(&self) -> bool {
        self.default_allow && self.rules.is_empty()
    }

    /// What is allowed to the devices of one kind (not [`DeviceKind::All`]) with these numbers. `None` stands for a
    /// number that no rule names.
    pub fn allowed(&self, kind: DeviceKind, major: Option<u32>, minor: Option<u32>) -> Access {
        let device = DeviceRule { allow: true, kind, major, minor, access: Access::ALL };
        let mut open = Access::ALL;
        let mut allowed = Access::default();
        for rule in self.rules.iter().rev().filter(|rule| rule.covers(&device)) {
            if rule.allow {
                allowed = allowed.or(rule.access.and(open));
            }
            open = open.without(rule.access);
        }
        if self.default_allow { allowed.or(open) } else { allowed }
    }
}

#[cfg(test)]
mod tests;
