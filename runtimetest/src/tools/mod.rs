//! Small tools under one name each, enough for tests to need no shell.

mod attack;
mod files;
mod info;
mod proc;
mod text;

/// A tool gets its own name and its arguments, and gives the exit status.
type Tool = fn(&[&str]) -> i32;

const TOOLS: &[(&str, Tool)] = &[
    ("true", |_| 0),
    ("false", |_| 1),
    ("exit", proc::exit),
    ("echo", text::echo),
    ("cat", text::cat),
    ("write", text::write),
    ("append", text::append),
    ("tee", text::tee),
    ("env", text::env),
    ("notify", text::notify),
    ("ls", files::ls),
    ("stat", files::stat),
    ("readlink", files::readlink),
    ("mkdir", files::mkdir),
    ("mknod", files::mknod),
    ("touch", files::touch),
    ("pwd", files::pwd),
    ("id", info::id),
    ("status", info::status),
    ("fds", info::fds),
    ("umask", info::umask),
    ("tty", info::tty),
    ("hostname", info::hostname),
    ("keyring", info::keyring),
    ("clock", info::clock),
    ("bpf-programs", info::bpf_programs),
    ("sleep", proc::sleep),
    ("signal-wait", proc::signal_wait),
    ("ignore-term", proc::ignore_term),
    ("spin", proc::spin),
    ("alloc", proc::alloc),
    ("hold", proc::hold),
    ("fork-sleep", proc::fork_sleep),
    ("forks", proc::forks),
    ("kill-self", proc::kill_self),
    ("all", proc::all),
    ("syscall", attack::syscall),
    ("open-write", attack::open_write),
    ("open-loop", attack::open_loop),
    ("race-exe", attack::race_exe),
    ("peek-others", attack::peek_others),
    ("without", attack::without),
];

/// True when a tool of this name exists.
pub(crate) fn is_tool(name: &str) -> bool {
    find(name).is_some()
}

/// All names.
pub(crate) fn names() -> Vec<&'static str> {
    TOOLS.iter().map(|(name, _)| *name).collect()
}

/// Runs the tool named by the first word.
pub(crate) fn run(args: &[&str]) -> i32 {
    match args.first().and_then(|name| find(name)) {
        Some(tool) => tool(args),
        None => 127,
    }
}

fn find(name: &str) -> Option<Tool> {
    TOOLS.iter().find(|(n, _)| *n == name).map(|(_, tool)| *tool)
}

/// Prints what went wrong and gives status 1.
fn complain(args: &[&str], what: &str, why: &dyn std::fmt::Display) -> i32 {
    eprintln!("{}: {what}: {why}", args.first().unwrap_or(&"runtimetest"));
    1
}

/// A number given in decimal, or 0.
fn number(text: Option<&&str>) -> u64 {
    text.and_then(|t| t.parse().ok()).unwrap_or(0)
}
