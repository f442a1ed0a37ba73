//! `echo`, `cat`, `write FILE TEXT`, `append FILE TEXT`, `tee FILE`, `env`, `notify TEXT`.

use super::complain;
use std::fs;
use std::io::{self, Write};

pub(super) fn echo(args: &[&str]) -> i32 {
    println!("{}", args[1..].join(" "));
    0
}

/// Without a file, copies stdin.
pub(super) fn cat(args: &[&str]) -> i32 {
    let mut out = io::stdout();
    let mut code = 0;
    if args.len() == 1 {
        return io::copy(&mut io::stdin(), &mut out)
            .map_or_else(|e| complain(args, "stdin", &e), |_| 0);
    }
    for path in &args[1..] {
        let done = fs::File::open(path).and_then(|mut f| io::copy(&mut f, &mut out));
        if let Err(why) = done {
            code = complain(args, path, &why);
        }
    }
    let _ = out.flush();
    code
}

pub(super) fn write(args: &[&str]) -> i32 {
    let [_, path, text @ ..] = args else { return 2 };
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .and_then(|mut f| f.write_all(text.join(" ").as_bytes()))
        .map_or_else(|e| complain(args, path, &e), |()| 0)
}

/// Opens for appending without making the file.
pub(super) fn append(args: &[&str]) -> i32 {
    let [_, path, text @ ..] = args else { return 2 };
    fs::OpenOptions::new()
        .append(true)
        .open(path)
        .and_then(|mut f| f.write_all(text.join(" ").as_bytes()))
        .map_or_else(|e| complain(args, path, &e), |()| 0)
}

/// `tee FILE`: copies stdin to the end of a file.
pub(super) fn tee(args: &[&str]) -> i32 {
    let [_, path] = args else { return 2 };
    let file = fs::OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut f| io::copy(&mut io::stdin(), &mut f))
        .map_or_else(|e| complain(args, path, &e), |_| 0)
}

/// `env [FILE]`: the environment on stdout, or into a new file.
pub(super) fn env(args: &[&str]) -> i32 {
    let row = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        format!("{}={}\n", name.to_string_lossy(), value.to_string_lossy())
    };
    let text: String = std::env::vars_os().map(row).collect();
    match args.get(1) {
        Some(path) => fs::write(path, text).map_or_else(|e| complain(args, path, &e), |()| 0),
        None => {
            print!("{text}");
            0
        }
    }
}

/// Sends each text as one message to the socket that `NOTIFY_SOCKET` names.
pub(super) fn notify(args: &[&str]) -> i32 {
    let address = std::env::var_os("NOTIFY_SOCKET").unwrap_or_default();
    let send = |text: &&str| {
        let socket = std::os::unix::net::UnixDatagram::unbound()?;
        socket.send_to(text.replace("\\n", "\n").as_bytes(), &address).map(drop)
    };
    args[1..].iter().try_for_each(send).map_or_else(|e| complain(args, "notify", &e), |()| 0)
}
