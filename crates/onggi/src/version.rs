//! Who this is.

/// The version of onggi.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The newest version of the runtime-spec that is understood.
pub(crate) const SPEC: &str = "1.3.0";

/// What git calls the sources, if the build was told by `ONGGI_COMMIT`.
pub(crate) const COMMIT: Option<&str> = option_env!("ONGGI_COMMIT");

/// The answer to `--version`. Docker and go-runc look for ` version ` in the first line and for
/// `commit:` and `spec:` below.
pub(crate) fn text() -> String {
    let mut text = format!("onggi version {VERSION}\n");
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
