//! `process.terminal` and `consoleSize`.

use crate::config::Config;
use crate::raw;
use crate::report::Report;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

pub(crate) fn check(config: &Config, report: &mut Report) {
    let process = config.process();
    if process["terminal"] != true {
        return;
    }
    for fd in 0..3 {
        report.test(&format!("fd {fd} is a terminal"), raw::is_terminal(fd), || {
            "it is not".to_owned()
        });
    }
    let size = &process["consoleSize"];
    if let (Some(rows), Some(columns)) = (size["height"].as_u64(), size["width"].as_u64()) {
        match raw::window_size(0) {
            Ok((r, c)) => {
                report.equal("consoleSize", &(rows, columns), &(u64::from(r), u64::from(c)))
            }
            Err(errno) => report.fail("consoleSize", format!("TIOCGWINSZ: errno {errno}")),
        }
    }
    // A session leader with a controlling terminal can open /dev/tty.
    let tty = fs::File::open("/dev/tty");
    report.test("controlling terminal", tty.is_ok(), || format!("open /dev/tty: {:?}", tty.err()));
    if config.expect["process"].is_null() {
        match fs::metadata("/dev/console") {
            Ok(meta) => {
                report.test(
                    "/dev/console is a terminal",
                    meta.file_type().is_char_device() && meta.rdev() >> 8 == 136,
                    || format!("rdev {:#x}", meta.rdev()),
                );
            }
            Err(why) => report.fail("/dev/console is a terminal", why.to_string()),
        }
    }
}
