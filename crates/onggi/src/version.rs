//! Who this is.

use std::borrow::Cow;
use std::path::Path;

/// The version of onggi.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The newest version of the runtime-spec that is understood.
pub(crate) const SPEC: &str = "1.3.0";

/// What git calls the sources, if the build was told by `ONGGI_COMMIT`.
pub(crate) const COMMIT: Option<&str> = option_env!("ONGGI_COMMIT");

/// What this command calls itself: `runc` where it was put in the place of runc, under that name, for
/// who looks for the name in versions, help pages and messages.
pub(crate) fn name() -> &'static str {
    let called = std::env::args_os().next();
    match called.as_deref().map(Path::new).and_then(Path::file_name) {
        Some(name) if name == "runc" => "runc",
        _ => "onggi",
    }
}

/// A text that names this command, with the name that it was called by.
pub(crate) fn by_name(text: &str) -> Cow<'_, str> {
    match name() {
        "onggi" => Cow::Borrowed(text),
        name => Cow::Owned(text.replace("onggi ", &format!("{name} "))),
    }
}

/// The answer to `--version`. Docker and go-runc look for ` version ` in the first line and for
/// `commit:` and `spec:` below.
pub(crate) fn text() -> String {
    let mut text = match name() {
        "onggi" => format!("onggi version {VERSION}\n"),
        name => format!("{name} version {VERSION} (onggi)\n"),
    };
    if let Some(commit) = COMMIT.filter(|commit| !commit.is_empty()) {
        text.push_str(&format!("commit: {commit}\n"));
    }
    text.push_str(&format!("spec: {SPEC}\n"));
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn first_line_says_version() {
        let text = super::text();
        let first = text.lines().next().unwrap();
        assert_eq!(first.split(" version ").collect::<Vec<_>>(), ["onggi", super::VERSION]);
        assert!(text.ends_with("spec: 1.3.0\n"));
    }
}
