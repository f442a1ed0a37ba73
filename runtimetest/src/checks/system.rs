//! Host name, domain name, sysctl, personality, root file system's propagation and mode.

use crate::config::Config;
use crate::mountinfo;
use crate::raw;
use crate::report::Report;
use std::fs;

pub(crate) fn check(config: &Config, report: &mut Report) {
    if let (Some(wanted), Ok(name)) = (config.spec["hostname"].as_str(), nix::unistd::gethostname())
    {
        report.equal("hostname", &wanted, &name.to_string_lossy().as_ref());
    }
    if let Some(wanted) = config.spec["domainname"].as_str() {
        match fs::read_to_string("/proc/sys/kernel/domainname") {
            Ok(found) => report.equal("domainname", &wanted, &found.trim()),
            Err(why) => report.skip("domainname", &why.to_string()),
        }
    }
    for (key, value) in config.at("/linux/sysctl").as_object().into_iter().flatten() {
        // Both spellings are in use: net.ipv4.conf and net/ipv4/conf.
        let path = if key.contains('/') { key.clone() } else { key.replace('.', "/") };
        match fs::read_to_string(format!("/proc/sys/{path}")) {
            Ok(found) => {
                let words = |s: &str| s.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
                report.equal(
                    &format!("sysctl {key}"),
                    &words(value.as_str().unwrap_or_default()),
                    &words(&found),
                );
            }
            Err(why) => report.fail(&format!("sysctl {key}"), why.to_string()),
        }
    }
    if let Some(domain) = config.at("/linux/personality/domain").as_str() {
        let wanted = if domain == "LINUX32" { 8 } else { 0 };
        match raw::syscall(libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0]) {
            Ok(found) => report.equal("personality", &wanted, &found),
            Err(errno) => report.skip("personality", &format!("errno {errno}")),
        }
    }
    root(config, report);
}

fn root(config: &Config, report: &mut Report) {
    let mounts = match mountinfo::read() {
        Ok(mounts) => mounts,
        Err(why) => return report.skip("root", &why),
    };
    if config.spec["root"]["readonly"] == true {
        let error = fs::write("/.runtimetest-write", b"x").err().and_then(|e| e.raw_os_error());
        report.equal("root is read-only", &Some(libc::EROFS), &error);
    }
    let Some(root) = mounts.iter().rfind(|m| m.target == "/") else {
        return report.fail("root is a mount", "no line for / in mountinfo");
    };
    let found = &root.propagation;
    let (good, wanted) = match config.at("/linux/rootfsPropagation").as_str() {
        Some("shared" | "rshared") => (root.has_propagation("shared:"), "shared"),
        Some("unbindable" | "runbindable") => (root.has_propagation("unbindable"), "unbindable"),
        // A slave whose master has gone is private.
        Some("private" | "rprivate" | "slave" | "rslave") => {
            (!root.has_propagation("shared:"), "not shared")
        }
        _ => return,
    };
    report.test("rootfsPropagation", good, || format!("expected {wanted}, found {found:?}"));
}
