//! `onggi exec`

use clap::{Arg, ArgAction, ArgMatches, Command};
use libcontainer::lifecycle::options::ExecOptions;
use libcontainer::{Error, Result, lifecycle};

use super::shared::{path, path_of, switch, text, text_of, texts, texts_of};
use super::{Verb, shared};
use crate::argv::Flags;
use crate::globals::Session;

pub(super) const VERB: Verb = Verb {
    name: "exec",
    about: "execute another process inside a container",
    usage: "<container-id> <command> [arguments...]",
    details: "Flags end at the container id; what follows is the command with its arguments. Exits\n\
              with the status of the process, 128 plus the number of the signal that ended it, or 255\n\
              when it could not be run. With --process the command comes from a file.\n\
              \n\
              \x20   # onggi exec -t mycontainer sh -l",
    flags: Flags::BeforeWords,
    enters_container: true,
    arguments,
    run,
    prefix: "exec failed: ",
    failed: 255,
};

fn arguments(command: Command) -> Command {
    shared::with_id(command)
        .arg(Arg::new("command").num_args(0..).action(ArgAction::Append))
        .arg(shared::console_socket())
        .arg(path("pidfd-socket", "SOCKET", "send a pidfd of the process to this Unix socket"))
        .arg(text("cwd", "DIR", "working directory in the container"))
        .arg(texts("env", "NAME=VALUE", "set an environment variable; may be repeated").short('e'))
        .arg(switch("tty", "give the process a terminal").short('t'))
        .arg(text("user", "UID[:GID]", "run as this user and group").short('u'))
        .arg(texts("additional-gids", "GID", "one more group; may be repeated").short('g'))
        .arg(path("process", "FILE", "read the process from FILE (JSON)").short('p'))
        .arg(switch("detach", "do not wait for the end of the process").short('d'))
        .arg(path("pid-file", "FILE", "write the process id to FILE"))
        .arg(text("process-label", "LABEL", "SELinux label of the process"))
        .arg(text("apparmor", "PROFILE", "AppArmor profile of the process"))
        .arg(switch("no-new-privs", "bar the process from gaining privileges"))
        .arg(texts("cap", "CAP", "one more capability; may be repeated").short('c'))
        .arg(shared::preserve_fds())
        .arg(texts(
            "cgroup",
            "[CONTROLLER:]PATH",
            "run in this existing sub-cgroup; may be repeated",
        ))
        .arg(switch("ignore-paused", "allow it in a paused container"))
}

fn run(session: &Session, matches: &ArgMatches) -> Result<i32> {
    let options = options(matches)?;
    if options.process_file.is_none() && options.args.is_empty() {
        return Err(Error::message("exec args cannot be empty"));
    }
    lifecycle::exec(&session.runtime, &options)
}

fn options(matches: &ArgMatches) -> Result<ExecOptions> {
    Ok(ExecOptions {
        id: shared::checked_id(matches)?.to_owned(),
        process_file: shared::absolute(matches, "process")?,
        args: texts_of(matches, "command"),
        cwd: text_of(matches, "cwd"),
        env: texts_of(matches, "env"),
        tty: matches.get_flag("tty"),
        user: text_of(matches, "user"),
        detach: matches.get_flag("detach"),
        console_socket: path_of(matches, "console-socket"),
        pid_file: shared::absolute(matches, "pid-file")?,
        pidfd_socket: path_of(matches, "pidfd-socket"),
        process_label: text_of(matches, "process-label"),
        apparmor: text_of(matches, "apparmor"),
        no_new_privs: matches.get_flag("no-new-privs"),
        caps: texts_of(matches, "cap"),
        additional_gids: texts_of(matches, "additional-gids"),
        preserve_fds: shared::preserve_fds_of(matches),
        cgroup: texts_of(matches, "cgroup"),
        ignore_paused: matches.get_flag("ignore-paused"),
    })
}
