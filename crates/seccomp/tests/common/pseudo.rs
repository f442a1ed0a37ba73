//! Evaluates libseccomp's "pseudo filter code", the text form of what it means a filter to do.
//!
//! The BPF that libseccomp (2.5.4 at least) makes of the same filter can be wrong: a comparison may find the other half
//! of the argument in the accumulator, or the architecture where the syscall number should be.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashMap;

use super::{ALLOW, Call, ERRNO, KILL_PROCESS, KILL_THREAD, LOG, NOTIFY, TRACE, TRAP};

/// A filter, parsed.
pub struct Pseudo {
    /// By libseccomp's name of the architecture.
    sections: HashMap<String, Section>,
    foreign: u32,
}

struct Section {
    /// The last list for a number counts.
    syscalls: HashMap<u32, Vec<Node>>,
    default: u32,
}

enum Node {
    Action(u32),
    If { condition: Condition, then: Vec<Node>, otherwise: Vec<Node> },
}

#[derive(Clone, Copy)]
struct Condition {
    arg: usize,
    high: bool,
    mask: u32,
    /// 0 equal, 1 greater or equal, 2 greater
    op: u8,
    value: u32,
}

/// Lines with their depth.
type Lines<'a> = std::iter::Peekable<std::vec::IntoIter<(usize, &'a str)>>;

impl Pseudo {
    pub fn parse(text: &str) -> Self {
        let mut pseudo = Self { sections: HashMap::new(), foreign: KILL_THREAD };
        let lines: Vec<_> = text
            .lines()
            .map(|line| ((line.len() - line.trim_start().len()) / 2, line.trim()))
            .filter(|(_, line)| !line.is_empty())
            .collect();
        let mut lines = lines.into_iter().peekable();
        let mut current = String::new();
        while let Some((depth, line)) = lines.next() {
            if let Some(rest) = line.strip_prefix("# filter for arch ") {
                current = rest.split(' ').next().unwrap().to_owned();
                let section = Section { syscalls: HashMap::new(), default: 0 };
                pseudo.sections.insert(current.clone(), section);
            } else if let Some(rest) = line.strip_prefix("if ($syscall == ") {
                let number = rest.trim_end_matches(')').parse().unwrap();
                let body = block(&mut lines, depth + 1);
                let section = pseudo.sections.get_mut(&current).unwrap();
                section.syscalls.insert(number, body);
            } else if line.starts_with("action") {
                match depth {
                    0 => pseudo.foreign = action(line),
                    _ => pseudo.sections.get_mut(&current).unwrap().default = action(line),
                }
            }
        }
        pseudo
    }

    /// `arch` is libseccomp's name for the caller's architecture.
    pub fn verdict(&self, arch: &str, call: &Call) -> u32 {
        let x86 = arch == "x86_64" || arch == "x32";
        let arch = match (x86, call.number & 0x4000_0000 != 0) {
            (false, _) => arch,
            // A tracer's way to skip a syscall is no x32 call.
            (true, true) if call.number == u32::MAX && !self.sections.contains_key("x32") => {
                "x86_64"
            }
            (true, true) => "x32",
            // Beyond both kinds of numbers, but libseccomp compares with the bit, it does not test it.
            (true, false) if call.number > 0x4000_0000 && !self.sections.contains_key("x32") => {
                "x32"
            }
            (true, false) => "x86_64",
        };
        let Some(section) = self.sections.get(arch) else {
            return self.foreign;
        };
        let body = section.syscalls.get(&call.number);
        body.and_then(|body| walk(body, call)).unwrap_or(section.default)
    }
}

fn walk(body: &[Node], call: &Call) -> Option<u32> {
    body.iter().find_map(|node| match node {
        Node::Action(action) => Some(*action),
        Node::If { condition, then, otherwise } => {
            let arg = call.args[condition.arg];
            let half = if condition.high { arg >> 32 } else { arg } as u32 & condition.mask;
            let holds = match condition.op {
                0 => half == condition.value,
                1 => half >= condition.value,
                _ => half > condition.value,
            };
            walk(if holds { then } else { otherwise }, call)
        }
    })
}

fn block(lines: &mut Lines<'_>, depth: usize) -> Vec<Node> {
    let mut nodes = Vec::new();
    while let Some((_, line)) = lines.next_if(|(at, line)| *at == depth && *line != "else") {
        if line.starts_with("action") {
            nodes.push(Node::Action(action(line)));
        } else if line.starts_with("if") {
            let then = block(lines, depth + 1);
            let otherwise = match lines.next_if(|(at, line)| *at == depth && *line == "else") {
                Some(_) => block(lines, depth + 1),
                None => Vec::new(),
            };
            let condition = condition(line);
            nodes.push(Node::If { condition, then, otherwise });
        } else {
            // A comment ends the syscall.
            break;
        }
    }
    nodes
}

/// `if ($a0.hi32 & 0x000000ff == 5)`
fn condition(line: &str) -> Condition {
    let words: Vec<&str> =
        line.trim_start_matches("if (").trim_end_matches(')').split(' ').collect();
    let arg = usize::from(words[0].as_bytes()[2] - b'0');
    let high = words[0].ends_with(".hi32");
    let (mask, op, value) = match words[1..] {
        ["&", mask, "==", value] => {
            let mask = u32::from_str_radix(mask.trim_start_matches("0x"), 16).unwrap();
            (mask, 0, value)
        }
        ["==", value] => (u32::MAX, 0, value),
        [">=", value] => (u32::MAX, 1, value),
        [">", value] => (u32::MAX, 2, value),
        _ => panic!("{line}"),
    };
    let value = value.parse().unwrap();
    Condition { arg, high, mask, op, value }
}

/// `action ERRNO(1);`
fn action(line: &str) -> u32 {
    let text = line.trim_start_matches("action ").trim_end_matches(';');
    let (name, data) = text.split_once('(').unwrap_or((text, "0)"));
    let data: u32 = data.trim_end_matches(')').parse().unwrap();
    match name {
        "KILL_PROCESS" => KILL_PROCESS,
        "KILL" => KILL_THREAD,
        "TRAP" => TRAP | data,
        "ERRNO" => ERRNO | data,
        "TRACE" => TRACE | data,
        "LOG" => LOG,
        "ALLOW" => ALLOW,
        "0x7fc00000" => NOTIFY,
        _ => panic!("{line}"),
    }
}
