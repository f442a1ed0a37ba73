//! The v1 controller: a default and a set of exceptions, one write(2) each.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::policy::Policy;
use crate::cgroup::Cgroup;
use crate::error::{Error, Result};
use crate::files;
use crate::model::{Access, DeviceKind, DeviceRule};

/// What an exception is about: kind letter, major and minor number (`None` is all).
type Device = (char, Option<u32>, Option<u32>);
/// Exceptions, each device once. Their order means nothing to the kernel; they are kept in that of the rules,
/// because `devices.list` shows them so.
type Exceptions = Vec<(Device, Access)>;

/// A change: `true` for `devices.allow`, and the line to write.
type Change = (bool, String);

/// Written to one of the two files, it makes that the default and drops all exceptions.
const EVERYTHING: &str = "a";

/// Sets the policy with as few changes as possible, and so that no open sees anything between the old rules and the
/// new ones: what both allow is never refused.
///
/// As long as the default stays "deny", the order of the changes does it. A change of the default forgets all
/// exceptions at once, and they come back one by one: meanwhile the processes are frozen, where that can be done.
pub(super) fn apply(cgroup: &Cgroup, dir: &Path, policy: &Policy) -> Result<()> {
    let target = exceptions(policy)?;
    let current = parse_list(&files::read_path(&dir.join("devices.list"))?);
    let changes = changes(current.as_ref(), policy.default_allow, &target);
    let starts_anew = changes.iter().any(|(_, line)| line == EVERYTHING);
    let frozen = starts_anew && has_others(dir)? && freeze(cgroup)?;
    let written = write(dir, &changes);
    if frozen {
        cgroup.thaw()?;
    }
    written
}

/// Whether there are processes in the cgroup, none of which is this one.
fn has_others(dir: &Path) -> Result<bool> {
    let text = files::read_path(&dir.join("cgroup.procs"))?;
    let own = std::process::id().to_string();
    Ok(!text.is_empty() && text.lines().all(|pid| pid != own))
}

/// Whether it was this that froze the cgroup: it may be frozen already, or there may be no freezer for us.
fn freeze(cgroup: &Cgroup) -> Result<bool> {
    if cgroup.is_frozen()? {
        return Ok(false);
    }
    match cgroup.freeze() {
        Ok(()) => Ok(true),
        Err(Error::NoController { .. }) => Ok(false),
        Err(e) if e.is_permission() || e.is_gone() => Ok(false),
        Err(e) => Err(e),
    }
}

fn write(dir: &Path, changes: &[Change]) -> Result<()> {
    let mut open: [Option<(OwnedFd, PathBuf)>; 2] = [None, None];
    for (allow, line) in changes {
        let slot = &mut open[usize::from(*allow)];
        if slot.is_none() {
            let path = dir.join(if *allow { "devices.allow" } else { "devices.deny" });
            *slot = Some((files::open_file(&path, OFlag::O_WRONLY)?, path));
        }
        if let Some((fd, path)) = slot {
            files::write_fd(fd, path, line)?;
        }
    }
    Ok(())
}

/// The exceptions that say the same as the policy's rules.
fn exceptions(policy: &Policy) -> Result<Exceptions> {
    let mut found = Exceptions::new();
    for rule in &policy.rules {
        for kind in kinds(rule.kind) {
            let device = (kind, rule.major, rule.minor);
            if rule.allow == policy.default_allow {
                take_back(&mut found, device, rule.access)?;
            } else {
                add(&mut found, device, rule.access);
            }
        }
    }
    found.retain(|(_, access)| !access.is_empty());
    if !policy.default_allow {
        join_opens(&mut found);
    }
    Ok(found)
}

/// One open for reading and writing must find both in one exception, be they granted by two; making a node asks for
/// nothing else.
fn join_opens(found: &mut Exceptions) {
    // The devices that are in two sets of which neither holds the other.
    let crossings = found.iter().flat_map(|((kind, major, minor), _)| {
        let others = found.iter().filter(move |((other, ..), _)| other == kind);
        others.filter_map(move |((_, any, number), _)| match (major, minor, any, number) {
            (Some(_), None, None, Some(_)) => Some((*kind, *major, *number)),
            _ => None,
        })
    });
    let crossings: Vec<Device> = crossings.collect();
    let wide = found.clone();
    let granted = |device: &Device| {
        let sets = wide.iter().filter(|(other, _)| covers(other, device));
        sets.fold(Access::default(), |sum, (_, access)| sum.or(access.and(OPEN)))
    };
    for device in crossings {
        let all = granted(&device);
        let in_one = |(other, access): &(Device, Access)| {
            covers(other, &device) && all.without(*access).is_empty()
        };
        if !wide.iter().any(in_one) {
            add(found, device, all);
        }
    }
    for (device, access) in found.iter_mut().filter(|(_, access)| !access.and(OPEN).is_empty()) {
        *access = access.or(granted(device));
    }
}

/// What open(2) asks for.
const OPEN: Access = Access { read: true, write: true, mknod: false };

fn add(list: &mut Exceptions, device: Device, access: Access) {
    match list.iter_mut().find(|(known, _)| *known == device) {
        Some((_, have)) => *have = have.or(access),
        None => list.push((device, access)),
    }
}

fn take_back(found: &mut Exceptions, device: Device, access: Access) -> Result<()> {
    for (other, have) in found.iter_mut() {
        if covers(&device, other) {
            *have = have.without(access);
        } else if overlaps(&device, other) && !have.and(access).is_empty() {
            return Err(Error::message(format!(
                "set device rules: cgroup v1 cannot except {:?} from {:?}",
                line(device, access),
                line(*other, *have)
            )));
        }
    }
    Ok(())
}

fn kinds(kind: DeviceKind) -> impl Iterator<Item = char> {
    let (char, block) = match kind {
        DeviceKind::All => (true, true),
        DeviceKind::Char => (true, false),
        DeviceKind::Block => (false, true),
    };
    char.then_some('c').into_iter().chain(block.then_some('b'))
}

fn as_rule((kind, major, minor): Device) -> DeviceRule {
    let kind = if kind == 'b' { DeviceKind::Block } else { DeviceKind::Char };
    DeviceRule { allow: true, kind, major, minor, access: Access::ALL }
}

fn covers(wide: &Device, narrow: &Device) -> bool {
    as_rule(*wide).covers(&as_rule(*narrow))
}

fn overlaps(a: &Device, b: &Device) -> bool {
    as_rule(*a).overlaps(&as_rule(*b))
}

/// What to write to come from `current` (`None`: allowed is everything but exceptions that cannot be read) to the
/// target.
fn changes(current: Option<&Exceptions>, default_allow: bool, target: &Exceptions) -> Vec<Change> {
    let mut changes = Vec::new();
    let nothing = Exceptions::new();
    let current = match current {
        Some(current) if !default_allow => current,
        _ => {
            changes.push((default_allow, EVERYTHING.to_owned()));
            &nothing
        }
    };
    let of = |list: &Exceptions, device: &Device| {
        list.iter()
            .find(|(known, _)| known == device)
            .map(|(_, access)| *access)
            .unwrap_or_default()
    };
    // First what is gained: a device can lose the exception by which it was allowed and get another one.
    for (device, want) in target {
        let gained = want.without(of(current, device));
        if !gained.is_empty() {
            changes.push((!default_allow, line(*device, gained)));
        }
    }
    for (device, have) in current {
        let lost = have.without(of(target, device));
        if !lost.is_empty() {
            changes.push((default_allow, line(*device, lost)));
        }
    }
    changes
}

fn line((kind, major, minor): Device, access: Access) -> String {
    let number = |n: Option<u32>| n.map_or_else(|| "*".to_owned(), |n| n.to_string());
    let letters: String = [(access.read, 'r'), (access.write, 'w'), (access.mknod, 'm')]
        .iter()
        .filter_map(|(has, letter)| has.then_some(*letter))
        .collect();
    format!("{kind} {}:{} {letters}", number(major), number(minor))
}

/// `devices.list`; `None` when it says that everything is allowed, or something that we do not know.
fn parse_list(text: &str) -> Option<Exceptions> {
    let mut found = Exceptions::new();
    for entry in text.lines() {
        let mut words = entry.split([' ', ':']);
        let kind = match words.next()? {
            "c" => 'c',
            "b" => 'b',
            _ => return None,
        };
        let mut number = || match words.next()? {
            "*" => Some(None),
            digits => digits.parse().ok().map(Some),
        };
        let (major, minor) = (number()?, number()?);
        let letters = words.next()?;
        let access = Access {
            read: letters.contains('r'),
            write: letters.contains('w'),
            mknod: letters.contains('m'),
        };
        add(&mut found, (kind, major, minor), access);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{any_rule, naive, rule};
    use super::*;

    fn lines(rules: &[DeviceRule], list: &str) -> Vec<String> {
        let policy = Policy::new(rules);
        let target = exceptions(&policy).expect("expressible");
        changes(parse_list(list).as_ref(), policy.default_allow, &target)
            .into_iter()
            .map(|(allow, line)| format!("{}{line}", if allow { '+' } else { '-' }))
            .collect()
    }

    #[test]
    fn a_new_cgroup() {
        let rules = [
            rule(false, "a *:* rwm"),
            rule(true, "c 1:3 rw"),
            rule(true, "c 1:3 m"),
            rule(true, "a 7:* r"),
        ];
        assert_eq!(lines(&rules, "a *:* rwm\n"), ["-a", "+c 1:3 rwm", "+c 7:* r", "+b 7:* r"]);
    }

    #[test]
    fn everything() {
        assert_eq!(lines(&[rule(true, "a *:* rwm")], "a *:* rwm\n"), ["+a"]);
        assert_eq!(
            lines(&[rule(true, "a *:* rwm"), rule(false, "b 8:0 w")], "c 1:3 rwm\n"),
            ["+a", "-b 8:0 w"]
        );
    }

    #[test]
    fn an_update_changes_only_the_difference() {
        let rules = [rule(true, "c 1:3 rw"), rule(true, "c 1:9 r")];
        assert_eq!(lines(&rules, "c 1:3 rwm\nc 1:5 rwm\n"), ["+c 1:9 r", "-c 1:3 m", "-c 1:5 rwm"]);
        assert!(lines(&rules, "c 1:3 rw\nc 1:9 r\n").is_empty());
    }

    #[test]
    fn holes_are_refused() {
        let policy = Policy::new(&[rule(true, "c 1:* rwm"), rule(false, "c 1:1 w")]);
        let e = exceptions(&policy).expect_err("a hole");
        assert_eq!(
            e.to_string(),
            "set device rules: cgroup v1 cannot except \"c 1:1 w\" from \"c 1:* rwm\""
        );
    }

    #[test]
    fn one_exception_must_have_all_that_one_open_needs() {
        let rules = [rule(true, "c 1:* r"), rule(true, "c 1:3 w")];
        assert_eq!(lines(&rules, ""), ["+c 1:* r", "+c 1:3 rw"]);
    }

    #[test]
    fn so_must_one_for_a_device_in_two_sets() {
        let rules = [rule(true, "b 1:* rm"), rule(true, "b *:0 w")];
        assert_eq!(lines(&rules, ""), ["+b 1:* rm", "+b *:0 w", "+b 1:0 rw"]);
        let rules = [rule(true, "b 1:* rw"), rule(true, "b *:0 w")];
        assert_eq!(lines(&rules, ""), ["+b 1:* rw", "+b *:0 w"]);
    }

    /// As `devcgroup` of the kernel decides.
    fn kernel(policy: &Policy, found: &Exceptions, probe: Device, access: Access) -> bool {
        if policy.default_allow {
            !found.iter().any(|(d, a)| covers(d, &probe) && !a.and(access).is_empty())
        } else {
            found.iter().any(|(d, a)| covers(d, &probe) && access.without(*a).is_empty())
        }
    }

    proptest! {
        #[test]
        fn exceptions_mean_what_the_rules_mean(
            rules in prop::collection::vec(any_rule(), 0..10),
        ) {
            let policy = Policy::new(&rules);
            if let Ok(found) = exceptions(&policy) {
                for kind in ['c', 'b'] {
                    for (major, minor) in [(0, 0), (0, 1), (1, 0), (1, 1), (7, 7)] {
                        let device = (kind, Some(major), Some(minor));
                        for access in ["r", "w", "m", "rw"] {
                            let access = super::super::testing::access(access);
                            prop_assert_eq!(
                                kernel(&policy, &found, device, access),
                                naive(&rules, as_rule(device).kind, major, minor, access)
                            );
                        }
                    }
                }
            }
        }
    }
}
