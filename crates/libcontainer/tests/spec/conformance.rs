//! docs/spec-conformance.md: every field of config.json, what becomes of it, and which test shows it. Made here from the
//! schema and the table of fields; `make pages` writes it anew.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use libcontainer::plan::fields::{Fate, SECTIONS, Section};
use libcontainer::plan::mount_option_names;

use super::fields::is_foreign;
use super::schema;

/// Where the tests of most rows are.
const HERE: &str = "crates/libcontainer/tests/spec/fields.rs";
const IGNORED: (&str, &str) = (HERE, "fields_are_what_the_table_says");
const FOREIGN: (&str, &str) =
    ("integration_tests/tests/strict.rs", "each_is_refused_and_is_no_error_without");

/// The test of a place and of what is below it, unless a longer place has another. File without a folder: one of
/// integration_tests/tests.
#[rustfmt::skip]
const TESTS: &[(&str, &str, &str)] = &[
    ("/ociVersion", "crates/libcontainer/src/plan/oci_version.rs", "refuses_others"),
    ("/root", "rootfs.rs", "nothing_of_the_host_is_left_to_see"),
    ("/root/path", "rootfs.rs", "root_path_with_dots"),
    ("/root/readonly", "rootfs.rs", "read_only_root_cannot_be_written"),
    ("/mounts", "mount_targets.rs", "many_mounts"),
    ("/mounts/[]/destination", "mount_targets.rs", "destinations_are_made"),
    ("/mounts/[]/source", "mounts.rs", "relative_source_is_taken_from_the_bundle"),
    ("/mounts/[]/type", "conformance.rs", "many_configurations"),
    ("/mounts/[]/options", "mount_options.rs", "of_a_bind_mount"),
    ("/mounts/[]/uidMappings", "idmapped_mounts.rs", "owners_are_mapped"),
    ("/mounts/[]/gidMappings", "idmapped_mounts.rs", "owners_are_mapped"),
    ("/process", "process.rs", "arguments_arrive_unchanged"),
    ("/process/terminal", "terminal.rs", "console_socket_gets_a_master"),
    ("/process/consoleSize", "terminal.rs", "everything_is_seen_from_inside"),
    ("/process/cwd", "process.rs", "relative_program_is_taken_from_cwd"),
    ("/process/env", "process.rs", "environment_of_the_runtime_stays_outside"),
    ("/process/args", "process.rs", "arguments_arrive_unchanged"),
    ("/process/user", "conformance.rs", "many_configurations"),
    ("/process/rlimits", "conformance.rs", "many_configurations"),
    ("/process/capabilities", "conformance.rs", "many_configurations"),
    ("/process/noNewPrivileges", "security_process.rs", "exec_keeps_no_new_privileges_and_seccomp_of_the_configuration"),
    ("/process/apparmorProfile", "apparmor.rs", "the_process_is_confined"),
    ("/process/selinuxLabel", "security_modules.rs", "selinux_label_of_program_keyring_and_exec"),
    ("/process/oomScoreAdj", "conformance.rs", "many_configurations"),
    ("/process/scheduler", "scheduling.rs", "policies_that_share_time"),
    ("/process/scheduler/priority", "scheduling.rs", "real_time_policies"),
    ("/process/scheduler/runtime", "scheduling.rs", "deadline"),
    ("/process/scheduler/deadline", "scheduling.rs", "deadline"),
    ("/process/scheduler/period", "scheduling.rs", "deadline"),
    ("/process/ioPriority", "scheduling.rs", "every_class_of_io_priority"),
    ("/process/execCPUAffinity", "scheduling.rs", "cpu_affinity_of_exec"),
    ("/hostname", "rootfs.rs", "hostname_and_domainname"),
    ("/domainname", "rootfs.rs", "hostname_and_domainname"),
    ("/hooks", "hooks.rs", "order_of_all_kinds"),
    ("/hooks/prestart/[]/args", "hooks.rs", "arguments_are_the_given_ones"),
    ("/hooks/prestart/[]/env", "hooks.rs", "environment_is_only_the_given_one"),
    ("/hooks/prestart/[]/timeout", "integration_tests/tests/hooks/failures.rs", "timeout_kills_the_hook"),
    ("/annotations", "rootfs.rs", "annotations_of_any_kind_are_kept"),
    ("/linux", "conformance.rs", "many_configurations"),
    ("/linux/namespaces", "namespaces.rs", "every_pair_can_be_joined"),
    ("/linux/namespaces/[]/path", "namespaces.rs", "each_can_be_joined_alone"),
    ("/linux/uidMappings", "namespaces.rs", "files_in_a_user_namespace_belong_to_its_root"),
    ("/linux/gidMappings", "namespaces.rs", "files_in_a_user_namespace_belong_to_its_root"),
    ("/linux/timeOffsets", "namespaces.rs", "time_namespace_with_offsets"),
    ("/linux/devices", "conformance.rs", "many_configurations"),
    ("/linux/netDevices", "net_devices.rs", "all_that_was_set_goes_along"),
    ("/linux/netDevices/*/name", "net_devices.rs", "names_are_exchanged_and_filled_in"),
    ("/linux/intelRdt", "crates/libcontainer/src/rdt.rs", "order_of_what_is_written"),
    ("/linux/intelRdt/closID", "crates/libcontainer/src/rdt.rs", "whose_directories_they_are"),
    ("/linux/intelRdt/enableMonitoring", "crates/libcontainer/src/rdt.rs", "whose_directories_they_are"),
    ("/linux/memoryPolicy", "memory_policy.rs", "every_mode_and_flag_reaches_the_program"),
    ("/linux/mountLabel", "mount_label.rs", "is_that_of_new_file_systems_where_selinux_runs"),
    ("/linux/cgroupsPath", "cgroups.rs", "relative_path_and_none_at_all"),
    ("/linux/resources", "resources.rs", "nothing_is_left_out"),
    ("/linux/resources/devices", "devices.rs", "rules_are_taken_in_order"),
    ("/linux/resources/memory", "resources.rs", "memory"),
    ("/linux/resources/memory/useHierarchy", "crates/libcgroups/tests/limits.rs", "swappiness_and_oom_on_v1"),
    ("/linux/resources/memory/checkBeforeUpdate", "update.rs", "memory_below_the_use"),
    ("/linux/resources/cpu", "resources.rs", "cpu"),
    ("/linux/resources/blockIO", "resources.rs", "disks"),
    ("/linux/resources/blockIO/leafWeight", "bad_cgroups.rs", "leaf_weights_without_cfq"),
    ("/linux/resources/blockIO/weightDevice/[]/leafWeight", "bad_cgroups.rs", "leaf_weights_without_cfq"),
    ("/linux/resources/hugepageLimits", "resources.rs", "huge_pages"),
    ("/linux/resources/network", "resources.rs", "network_and_rdma"),
    ("/linux/resources/pids", "resources.rs", "pids"),
    ("/linux/resources/rdma", "resources.rs", "network_and_rdma"),
    ("/linux/resources/unified", "resources.rs", "unified"),
    ("/linux/sysctl", "rootfs.rs", "sysctl_is_set_inside_only"),
    ("/linux/seccomp", "seccomp.rs", "log_and_allow_let_through"),
    ("/linux/seccomp/defaultErrnoRet", "seccomp.rs", "default_errno"),
    ("/linux/seccomp/architectures", "crates/seccomp/tests/verdicts.rs", "every_architecture_compiles"),
    ("/linux/seccomp/flags", "seccomp.rs", "flags_are_taken"),
    ("/linux/seccomp/listenerPath", "seccomp_listener.rs", "create_sends_the_process_state"),
    ("/linux/seccomp/listenerMetadata", "seccomp_listener.rs", "create_sends_the_process_state"),
    ("/linux/seccomp/syscalls", "seccomp.rs", "kill_actions_end_the_process"),
    ("/linux/seccomp/syscalls/[]/names", "seccomp.rs", "unknown_system_calls_are_passed_over"),
    ("/linux/seccomp/syscalls/[]/errnoRet", "seccomp.rs", "errno_with_and_without_a_number"),
    ("/linux/seccomp/syscalls/[]/args", "seccomp.rs", "comparisons_of_arguments"),
    ("/linux/rootfsPropagation", "rootfs.rs", "shared_propagation"),
    ("/linux/maskedPaths", "paths.rs", "masked_things_cannot_be_read_or_listed"),
    ("/linux/readonlyPaths", "paths.rs", "read_only_path_keeps_its_content_and_flags"),
    ("/linux/personality", "process.rs", "personality_of_a_32_bit_machine"),
];

/// What else is to be said of a field that is applied.
const NOTES: &[(&str, &str)] = &[
    (
        "/process/scheduler/policy",
        "`SCHED_ISO` is refused by every kernel, which has only a number for it",
    ),
    ("/linux/resources/memory/useHierarchy", "from Linux 5.11 on always so"),
    ("/linux/resources/blockIO/leafWeight", LEAF),
    ("/linux/resources/blockIO/weightDevice/[]/leafWeight", LEAF),
];

const LEAF: &str = "only Linux before 5.0 has it, with v1 cgroups; newer kernels, all that the tests run on, have no file for it";

/// Headings of members that are no object, where theirs is not that of the object they are in.
const SOURCES: &[(&str, &str)] = &[
    ("/solaris", "config-solaris.md"),
    ("/windows", "config-windows.md"),
    ("/vm", "config-vm.md"),
    ("/zos", "config-zos.md"),
    ("/freebsd", "config-freebsd.md"),
    ("/process/commandLine", "config.md#process"),
    ("/process/user/username", "config.md#windows-user"),
    ("/hostname", "config.md#hostname"),
    ("/domainname", "config.md#domainname"),
    ("/linux/cgroupsPath", "config-linux.md#cgroups-path"),
    ("/linux/rootfsPropagation", "config-linux.md#rootfs-mount-propagation"),
    ("/linux/maskedPaths", "config-linux.md#masked-paths"),
    ("/linux/readonlyPaths", "config-linux.md#readonly-paths"),
    ("/linux/mountLabel", "config-linux.md#mount-label"),
];

/// The table of "Linux mount options" of config.md.
#[rustfmt::skip]
const MOUNT_OPTIONS: &[(&str, &[&str])] = &[
    ("MUST", &[
        "async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "iversion", "lazytime", "loud",
        "noatime", "nodev", "nodiratime", "noexec", "noiversion", "nolazytime", "norelatime", "nostrictatime",
        "nosuid", "private", "rbind", "relatime", "remount", "ro", "rprivate", "rshared", "rslave", "runbindable",
        "rw", "shared", "silent", "slave", "strictatime", "suid", "sync", "unbindable",
    ]),
    ("SHOULD", &[
        "nosymfollow", "ratime", "rdev", "rdiratime", "rexec", "rnoatime", "rnodiratime", "rnoexec", "rnorelatime",
        "rnostrictatime", "rnosuid", "rnosymfollow", "rrelatime", "rro", "rrw", "rstrictatime", "rsuid",
        "rsymfollow", "symfollow", "idmap", "ridmap",
    ]),
    ("MAY", &["mand", "nomand", "tmpcopyup"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The file, from the root of the repository, and the function of the test of a field.
fn test(field: &str, fate: Fate) -> (String, &'static str) {
    let above = |place: &str| {
        field.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let longest =
        TESTS.iter().filter(|(place, ..)| above(place)).max_by_key(|(place, ..)| place.len());
    let (file, function) = match (fate, longest) {
        (Fate::Ignored(_), _) if is_foreign(&format!("{field}/")) => FOREIGN,
        (Fate::Ignored(_), _) => IGNORED,
        (Fate::Applied, Some((_, file, function))) => (*file, *function),
        (Fate::Applied, None) => panic!("{field} has no test"),
    };
    let folder = if file.contains('/') { "" } else { "integration_tests/tests/" };
    (format!("{folder}{file}"), function)
}

fn applied(field: &str) -> String {
    let note = NOTES.iter().find(|(place, _)| *place == field);
    note.map_or("applied".to_owned(), |(_, note)| format!("applied; {note}"))
}

fn source(field: &str) -> &'static str {
    let own = SOURCES.iter().find(|(place, _)| *place == field).map(|(_, source)| *source);
    let below = || ["", "/[]"].iter().find_map(|end| Section::find(&format!("{field}{end}")));
    let around = || field.rsplit_once('/').and_then(|(at, _)| Section::find(at));
    own.unwrap_or_else(|| below().or_else(around).expect(field).source)
}

fn page() -> String {
    let mut page = String::from(HEAD);
    let mut done = Vec::new();
    for section in SECTIONS {
        let places: Vec<String> = section
            .at
            .iter()
            .map(|at| format!("`{}`", if at.is_empty() { "/" } else { at }))
            .collect();
        let title = places.join(", ");
        write!(
            page,
            "\n## {title}\n\n| field | onggi | specification | test |\n|---|---|---|---|\n"
        )
        .expect("write");
        for (name, fate) in section.fields {
            // Objects that stand at several places are the same at each; the first stands for all.
            let field = format!("{}/{name}", section.at[0]);
            let what = match fate {
                Fate::Applied => applied(&field),
                Fate::Ignored(why) => format!("ignored: {why}"),
            };
            let (file, function) = test(&field, *fate);
            let link = link(source(&field));
            writeln!(page, "| `{name}` | {what} | {link} | `{file}::{function}` |").expect("write");
            done.extend(section.at.iter().map(|at| format!("{at}/{name}")));
        }
    }
    options(&mut page);
    rules(&mut page);
    foreign(&mut page, &mut done);
    let missing: Vec<String> = schema::fields(&schema::config())
        .into_iter()
        .filter(|field| !done.contains(field))
        .collect();
    assert_eq!(missing, Vec::<String>::new(), "fields without a row");
    page
}

const HEAD: &str = "\
# The runtime specification, field by field

Every field of config.json of runtime-spec 1.3.0, what onggi does with it, and a test that shows it. In places `[]`
stands for an index, `*` for a name that is free. Written by `make pages` from the JSON schema and from the table that
`--strict` and `features` read, which tests compare with what the planner does: without an applied field the plan is
another one, without an ignored one it is the same.

Ignored fields are passed over, those of Linux with a warning; with `--strict` they are errors, like all that the
specification does not know.
";

fn options(page: &mut String) {
    let known = mount_option_names();
    page.push_str("\n## Mount options\n\nOf the [table of config.md](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#linux-mount-options), each read back in\n`integration_tests/tests/mount_options.rs`, but for flags that no list of mounts shows: `loud`, `silent`, `iversion` and\n`noiversion` are in `mount_flags.rs`. `silent` keeps file systems on block devices from writing to the kernel\'s log, `iversion`\nhas it count the changes of each inode, for the NFS server and IMA: no call tells the number, so the test looks at the flag\nof mount(2). Words that are not listed there are those of runc and crun: `mount_links.rs` has those for links,\n`idmapped_mounts.rs` the mappings of `idmap=uids=…;gids=…` and `ridmap=…`.\n\n| requirement | applied |\n|---|---|\n");
    for (requirement, words) in MOUNT_OPTIONS {
        writeln!(page, "| {requirement} | {} |", code(words)).expect("write");
    }
    let listed = |word: &&str| !MOUNT_OPTIONS.iter().any(|(_, words)| words.contains(word));
    let others: Vec<&str> = known.into_iter().filter(listed).collect();
    writeln!(page, "| not listed | {} |", code(&others)).expect("write");
}

fn rules(page: &mut String) {
    page.push_str("\n## Rules\n\nWhat else the planner refuses. A document that breaks each is in `crates/libcontainer/tests/spec/rules.rs`, and\n`each_rule_is_kept` there compares the place that the error names.\n\n| rule | specification |\n|---|---|\n");
    for rule in super::rules::all() {
        writeln!(page, "| {} | {} |", rule.rule, link(rule.source)).expect("write");
    }
}

fn link(source: &str) -> String {
    format!("[{source}](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/{source})")
}

fn code(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ")
}

fn foreign(page: &mut String, done: &mut Vec<String>) {
    page.push_str("\n## Other platforms\n\nAccepted and ignored as a whole; with `--strict` an error. Their fields:\n\n| section | fields |\n|---|---|\n");
    let all: Vec<String> =
        schema::fields(&schema::config()).into_iter().filter(|field| is_foreign(field)).collect();
    for section in ["solaris", "windows", "vm", "zos", "freebsd"] {
        let prefix = format!("/{section}/");
        let fields: Vec<&str> =
            all.iter().filter_map(|field| field.strip_prefix(&prefix)).collect();
        writeln!(page, "| `{section}` | {} |", code(&fields)).expect("write");
    }
    done.extend(all);
}

#[test]
fn the_page_is_what_the_table_says() {
    let path = root().join("docs/spec-conformance.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).expect("write");
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == page,
        "docs/spec-conformance.md is out of date: make pages"
    );
}

#[test]
fn every_test_that_is_named_is_there() {
    let names = TESTS.iter().map(|(place, ..)| test(place, Fate::Applied));
    let fixed = [IGNORED, FOREIGN].map(|(file, function)| (file.to_owned(), function));
    let options = [
        ("mount_options.rs", "of_a_bind_mount"),
        ("mount_flags.rs", "silent_and_loud"),
        ("mount_flags.rs", "flags_reach_mount_2"),
        ("mount_links.rs", "a_source_that_is_a_link_is_copied"),
        ("idmapped_mounts.rs", "mappings_in_the_option"),
    ]
    .map(|(file, function)| (format!("integration_tests/tests/{file}"), function));
    for (file, function) in names.chain(fixed).chain(options) {
        let text = fs::read_to_string(root().join(&file))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let head = format!("fn {function}(");
        let is_test =
            lines.windows(2).any(|pair| pair[0] == "#[test]" && pair[1].starts_with(&head));
        assert!(is_test, "{file} has no test {function}");
    }
}

#[test]
fn every_place_of_a_test_is_in_the_table() {
    let notes = NOTES.iter().map(|(place, _)| place);
    for place in TESTS.iter().map(|(place, ..)| place).chain(notes) {
        let (at, name) = place.rsplit_once('/').expect(place);
        let member = Section::find(at).and_then(|section| section.member(name));
        assert!(member.is_some_and(|(known, _)| known == name), "{place} is no field");
    }
}

#[test]
fn every_mount_option_is_there() {
    let known = mount_option_names();
    let words = MOUNT_OPTIONS.iter().flat_map(|(_, words)| *words);
    let missing: Vec<&&str> = words.filter(|word| !known.contains(word)).collect();
    assert_eq!(missing, Vec::<&&str>::new());
}
