//! Documents made from the schema of config.json.

use serde_json::{Map, Value, json};

use super::random::Random;
use super::schema::free;

/// Words for strings: by the end of their place, the first that fits.
const WORDS: &[(&str, &[&str])] = &[
    ("/ociVersion", &["1.3.0", "1.0.0", "1.2.1", "2.0.0", ""]),
    ("/root/path", &["rootfs", "/r", ""]),
    ("/env/[]", &["A=b", "HOME=", "PATH=/bin", "A=c", "=", "x"]),
    ("/args/[]", &["sh", "-c", "", "\0"]),
    ("/mounts/[]/type", &["bind", "tmpfs", "proc", "cgroup", "sysfs", "none", "", "mqueue"]),
    (
        "/options/[]",
        &[
            "ro",
            "rbind",
            "bind",
            "nosuid",
            "size=1k,mode=700",
            "remount",
            "idmap",
            "ridmap",
            "idmap=uids=0-1-2#@3-0-1;gids=0-0-1",
            "ridmap=gids=",
            "copy-symlink",
            "src-nofollow",
            "silent",
            "rro",
            "tmpcopyup",
            "rshared",
            "uid=0",
            "a\\,b",
            "\"",
        ],
    ),
    ("/destination", &["/a", "/proc", "/proc/x", "/sys/fs/cgroup", "rel", "/", "../..", ""]),
    ("/hooks/prestart/[]/path", &["/bin/true", "true"]),
    ("/netDevices/*", &["eth0", ""]),
    ("/cpus", &["0-3,7", "x"]),
    ("/nodes", &["0", "0-1", "x"]),
    ("/final", &["0", "1-2, 4", "4-2"]),
    ("/initial", &["0", ""]),
    ("/pageSize", &["2MB", "64KB", "1GB"]),
    ("/type", &["c", "b", "p", "u", "a", "RLIMIT_CPU", "RLIMIT_NOFILE", ""]),
    ("/access", &["rwm", "r", "x", ""]),
    ("/names/[]", &["read", "write", "openat", "no_such_call"]),
    ("/closID", &["", "group", "a/b", ".."]),
    ("/schemata/[]", &["L3:0=f", "MB:0=10\n", ""]),
    ("/l3CacheSchema", &["L3:0=f", "\n"]),
    ("/memBwSchema", &["MB:0=10"]),
    ("Paths/[]", &["/proc/kcore", "rel", "/a"]),
    ("/capabilities/", &["CAP_CHOWN", "CAP_KILL", "CAP_ODD", "cap_kill"]),
    ("/path", &["/a", "/dev/x", "rel", "", "/proc/1/ns/net"]),
];

/// Free names: those that mean something, by the end of their place.
const NAMES: &[(&str, &[&str])] = &[
    ("/unified", &["memory.high", "pids.max", "x", "a/b", "../x.y"]),
    (
        "/sysctl",
        &[
            "net.ipv4.ip_forward",
            "kernel.hostname",
            "kernel/shmmax",
            "user.max_mnt_namespaces",
            "..",
            "x",
        ],
    ),
    ("/netDevices", &["eth0", "a/b", ""]),
    ("/annotations", &["a", "org.systemd.property.X", "", "run.oci.x"]),
    ("/rdma", &["mlx5_0", "", " "]),
];

fn words<'a>(table: &'a [(&str, &[&'a str])], at: &str) -> &'a [&'a str] {
    let fits = |end: &&str| at.ends_with(*end) || (end.ends_with('/') && at.contains(*end));
    let found = table.iter().find(|(end, _)| fits(end));
    found.map_or(&["", "a", "/", "/a/b", "\0", "é", "a\nb", "0", "-1"], |(_, words)| words)
}

/// A value that `schema` allows, at its place in config.json.
pub(crate) fn generate(schema: &Value, at: &str, random: &mut Random) -> Value {
    if let Some(list) = schema["enum"].as_array() {
        return random.pick(list).clone();
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts.iter().map(|part| generate(part, at, random));
        let maps =
            parts.filter_map(|part| if let Value::Object(map) = part { Some(map) } else { None });
        return Value::Object(maps.flatten().collect());
    }
    if let Some(parts) = schema["anyOf"].as_array() {
        return generate(random.pick(parts), at, random);
    }
    match schema["type"].as_str() {
        Some("object") => object(schema, at, random),
        Some("array") => {
            let least = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).expect("length");
            let count = least + random.below(3);
            (0..count).map(|_| generate(&schema["items"], &format!("{at}/[]"), random)).collect()
        }
        Some("boolean") => json!(random.once_in(2)),
        Some("integer") => integer(schema, random),
        _ => json!(*random.pick(words(WORDS, at))),
    }
}

fn object(schema: &Value, at: &str, random: &mut Random) -> Value {
    let mut map = Map::new();
    let required =
        |name: &str| schema["required"].as_array().into_iter().flatten().any(|n| n == name);
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        // Sparse, or no document would keep all rules; what everything depends on is nearly always there.
        let likely =
            required(name) || matches!(&*format!("{at}/{name}"), "/root" | "/linux/namespaces");
        if if likely { !random.once_in(40) } else { random.once_in(6) } {
            map.insert(name.clone(), generate(member, &format!("{at}/{name}"), random));
        }
    }
    if let Some(member) = free(schema) {
        for _ in 0..random.below(3) {
            let name = *random.pick(words(NAMES, at));
            map.insert(name.to_owned(), generate(member, &format!("{at}/*"), random));
        }
    }
    Value::Object(map)
}

fn integer(schema: &Value, random: &mut Random) -> Value {
    let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
    let most = schema["maximum"].as_u64().unwrap_or(u64::MAX);
    let small = [0, 1, 2, 5, 19, 100, 1000, 65_535, 4_096];
    let edges =
        [json!(least), json!(most), json!(-1), json!(-20), json!(u32::MAX), json!(i64::MAX)];
    let value = match random.below(8) {
        0 => random.pick(&edges).clone(),
        _ => json!(*random.pick(&small)),
    };
    let fits = match (value.as_i64(), value.as_u64()) {
        (Some(number), None) => number >= least,
        (_, Some(number)) => number <= most && (least < 0 || number >= least.unsigned_abs()),
        _ => false,
    };
    if fits { value } else { json!(least.max(0)) }
}
