//! `onggi ps`

use std::process::Command as Process;

use clap::{Arg, ArgAction, Command};
use libcontainer::{Error, Result, lifecycle};

use super::{PLAIN, Verb, shared};
use crate::argv::Flags;
use crate::output;

pub(super) const VERB: Verb = Verb {
    name: "ps",
    about: "display the processes of a container",
    usage: "<container-id> [ps options]",
    details: "The table is that of the host's ps (default: ps -ef), with the lines of the container's\n\
              processes. Its options must leave a column PID.",
    flags: Flags::BeforeWords,
    arguments,
    run: |session, matches| {
        let pids = lifecycle::ps(&session.runtime, shared::checked_id(matches)?)?;
        let format = shared::text_of(matches, "format");
        let text = match format.as_deref() {
            None | Some("table") => {
                filter(&host_ps(&shared::texts_of(matches, "options"))?, &pids)?.into_bytes()
            }
            Some("json") => output::json_line(&pids)?,
            Some(_) => return Err(Error::message("invalid format option")),
        };
        output::write(&text)?;
        Ok(0)
    },
    ..PLAIN
};

fn arguments(command: Command) -> Command {
    shared::with_id(command)
        .arg(Arg::new("options").num_args(0..).action(ArgAction::Append))
        .arg(shared::format())
}

/// What the host's ps prints.
fn host_ps(options: &[String]) -> Result<String> {
    let mut process = Process::new("ps");
    if options.is_empty() {
        process.arg("-ef");
    } else {
        process.args(options);
    }
    let output = process.output().map_err(|error| Error::io("run", "ps", &error))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(Error::message(format!("ps: {}: {}", output.status, message.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The head of the table and the lines of `pids`.
fn filter(table: &str, pids: &[i32]) -> Result<String> {
    let mut lines = table.lines();
    let head = lines.next().unwrap_or_default();
    let column = head
        .split_whitespace()
        .position(|title| title == "PID")
        .ok_or_else(|| Error::message("couldn't find PID field in ps output"))?;
    let mut text = format!("{head}\n");
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let pid = line.split_whitespace().nth(column).unwrap_or_default();
        let pid: i32 = pid
            .parse()
            .map_err(|_| Error::message(format!("unable to parse pid {pid:?} in ps output")))?;
        if pids.contains(&pid) {
            text.push_str(line);
            text.push('\n');
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "UID          PID    PPID CMD\nroot           1       0 init\nroot          42       1 sh\n";

    #[test]
    fn only_the_lines_of_the_container() {
        let text = filter(TABLE, &[42, 43]).unwrap();
        assert_eq!(text, "UID          PID    PPID CMD\nroot          42       1 sh\n");
        assert_eq!(filter(TABLE, &[]).unwrap(), "UID          PID    PPID CMD\n");
    }

    #[test]
    fn table_without_pids() {
        assert!(filter("UID CMD\nroot sh\n", &[42]).is_err());
        assert!(filter("", &[42]).is_err());
        assert!(filter("PID\nx\n", &[42]).is_err());
    }
}
