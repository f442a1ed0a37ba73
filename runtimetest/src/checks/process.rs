//! User, groups, umask, environment, arguments, working directory, no_new_privs, keyring.

use crate::config::{Config, list, strings};
use crate::raw;
use crate::report::Report;
use crate::status::Status;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

pub(crate) fn check(config: &Config, report: &mut Report) {
    let process = config.process();
    match Status::read() {
        Ok(status) => ids(process, &status, report),
        Err(why) => report.skip("user", &why),
    }
    if let Some(umask) = process["user"]["umask"].as_u64() {
        report.equal("umask", &umask, &u64::from(raw::umask()));
    }
    environment(process, report);
    arguments(process, report);

    let cwd = std::env::current_dir()
        .map(|p| p.to_string_lossy().into_owned())
        .unwrap_or_else(|e| e.to_string());
    let wanted = process["cwd"].as_str().unwrap_or("/");
    let wanted = if wanted == "/" { wanted } else { wanted.trim_end_matches('/') };
    report.equal("cwd", &wanted, &cwd.as_str());

    keyring(config, report);
}

fn ids(process: &Value, status: &Status, report: &mut Report) {
    let user = &process["user"];
    for (field, key) in [("Uid", "uid"), ("Gid", "gid")] {
        let wanted = user[key].as_u64().unwrap_or(0);
        report.equal(
            &format!("user {key} (real, effective, saved, fs)"),
            &vec![wanted; 4],
            &status.numbers(field),
        );
    }
    let mut wanted: Vec<u64> =
        list(&user["additionalGids"]).iter().filter_map(Value::as_u64).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut found = status.numbers("Groups");
    found.sort_unstable();
    report.equal("user groups", &wanted, &found);
    let nnp = if process["noNewPrivileges"] == true { "1" } else { "0" };
    report.equal("noNewPrivileges", &nnp, &status.text("NoNewPrivs"));
}

fn environment(process: &Value, report: &mut Report) {
    // The last of several definitions of one name is the one in force.
    let wanted: BTreeMap<&str, &str> =
        strings(&process["env"]).iter().filter_map(|e| e.split_once('=')).collect();
    let bytes = fs::read("/proc/self/environ").unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let found: Vec<(&str, &str)> = text.split('\0').filter_map(|e| e.split_once('=')).collect();
    for (name, value) in &wanted {
        let last = found.iter().rev().find(|(n, _)| n == name).map(|(_, v)| *v);
        // HOME may be filled in from the password file when given empty.
        if *name == "HOME" && value.is_empty() {
            continue;
        }
        report.equal(&format!("env {name}"), &Some(*value), &last);
    }
    let extra: Vec<_> =
        found.iter().map(|(n, _)| *n).filter(|n| !wanted.contains_key(n) && *n != "HOME").collect();
    report.test("env holds nothing else", extra.is_empty(), || format!("found {extra:?}"));
}

fn arguments(process: &Value, report: &mut Report) {
    let bytes = fs::read("/proc/self/cmdline").unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let found: Vec<&str> = text.trim_end_matches('\0').split('\0').collect();
    report.equal("args", &strings(&process["args"]), &found);
    let exe = fs::read_link("/proc/self/exe")
        .map(|p| p.to_string_lossy().into_owned())
        .unwrap_or_default();
    let name = exe.rsplit('/').next().unwrap_or_default();
    report.equal("executable", &"runtimetest", &name);
}

/// The session keyring must not be the caller's. -3 is KEY_SPEC_SESSION_KEYRING.
fn keyring(config: &Config, report: &mut Report) {
    let Some(host) = config.expect["hostKeyring"].as_i64() else {
        return;
    };
    match raw::syscall(libc::SYS_keyctl, [0, -3, 0, 0, 0]) {
        Ok(found) => report.test("session keyring is new", found != host, || {
            format!("found the caller's, {host}")
        }),
        Err(errno) => report.skip("session keyring is new", &format!("keyctl: errno {errno}")),
    }
}
