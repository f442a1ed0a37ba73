//! `onggi list`

use libcontainer::lifecycle::options::StateView;
use libcontainer::{Error, clock, lifecycle};

use super::{PLAIN, Verb, shared};
use crate::{log, output};

pub(super) const VERB: Verb = Verb {
    name: "list",
    about: "list the containers below the root directory",
    usage: "",
    details: "On a terminal the time of creation is told in a short form, unless a format is named.",
    arguments: |command| {
        command
            .arg(shared::format())
            .arg(shared::switch("quiet", "only the container ids").short('q'))
    },
    run: |session, matches| {
        let containers = lifecycle::list(&session.runtime)?;
        let format = shared::text_of(matches, "format");
        let text = match format.as_deref() {
            _ if matches.get_flag("quiet") => ids(&containers).into_bytes(),
            None if output::is_terminal() => table(&containers, for_people).into_bytes(),
            None | Some("table") => table(&containers, str::to_owned).into_bytes(),
            // Go writes an empty list as null, and so engines expect it.
            Some("json") if containers.is_empty() => b"null\n".to_vec(),
            Some("json") => output::json_line(&containers)?,
            Some(_) => return Err(Error::message("invalid format option")),
        };
        output::write(&text)?;
        Ok(0)
    },
    ..PLAIN
};

fn ids(containers: &[StateView]) -> String {
    containers.iter().flat_map(|container| [container.id.as_str(), "\n"]).collect()
}

/// A time in the short form.
fn for_people(time: &str) -> String {
    clock::ago(time).unwrap_or_else(|| time.to_owned())
}

/// Columns at least twelve wide with three spaces between, the last one open; `time` writes the times.
fn table(containers: &[StateView], time: fn(&str) -> String) -> String {
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(String::from);
    let mut rows = vec![head];
    rows.extend(containers.iter().map(|container| {
        [
            &container.id,
            &container.pid.to_string(),
            &container.status,
            &container.bundle,
            &time(&container.created),
            &container.owner,
        ]
        .map(|cell| log::escape(cell))
    }));
    let widths: Vec<usize> = (0..5)
        .map(|column| {
            let longest = rows.iter().map(|row| row[column].chars().count()).max();
            longest.unwrap_or_default().saturating_add(3).max(12)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(&format!("{cell:<width$}"));
        }
        text.push_str(&row[5]);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: &str, pid: i32, status: &str) -> StateView {
        StateView {
            oci_version: "1.3.0".into(),
            id: id.into(),
            pid,
            status: status.into(),
            bundle: "/tmp/bundles/b".into(),
            rootfs: "/tmp/bundles/b/rootfs".into(),
            created: "2026-11-23T18:55:10.067947144Z".into(),
            annotations: [("a.b".to_owned(), "1".to_owned())].into(),
            owner: "root".into(),
        }
    }

    #[test]
    fn columns_as_wide_as_runc_makes_them() {
        let containers = [
            container("a-rather-long-container-name", 27365, "created"),
            container("x", 0, "stopped"),
        ];
        assert_eq!(
            table(&containers, str::to_owned),
            "\
ID                             PID         STATUS      BUNDLE           CREATED                          OWNER
a-rather-long-container-name   27365       created     /tmp/bundles/b   2026-11-23T18:55:10.067947144Z   root
x                              0           stopped     /tmp/bundles/b   2026-11-23T18:55:10.067947144Z   root
"
        );
    }

    #[test]
    fn times_for_people() {
        assert_eq!(for_people("9999-01-01T00:00:00.5Z"), "0 seconds ago");
        assert_eq!(for_people("long ago"), "long ago");
        let text = table(&[container("x", 1, "running")], |_| "then".into());
        assert!(text.contains("/tmp/bundles/b   then        root\n"), "{text}");
    }

    #[test]
    fn cells_cannot_steer_a_terminal() {
        let mut odd = container("x", 1, "running");
        odd.bundle = "/a\n\x1b[2Jb".into();
        assert!(table(&[odd], str::to_owned).contains("/a\\n\\x1b[2Jb   "));
    }

    #[test]
    fn json_has_the_keys_of_runc_in_order() {
        let line = output::json_line(&[container("x", 42, "running")]).unwrap();
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "[{\"ociVersion\":\"1.3.0\",\"id\":\"x\",\"pid\":42,\"status\":\"running\",\
             \"bundle\":\"/tmp/bundles/b\",\"rootfs\":\"/tmp/bundles/b/rootfs\",\
             \"created\":\"2026-11-23T18:55:10.067947144Z\",\"annotations\":{\"a.b\":\"1\"},\
             \"owner\":\"root\"}]\n"
        );
        let text = output::json_pretty(&container("x", 42, "running"), "  ").unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.starts_with("{\n  \"ociVersion\": \"1.3.0\",\n  \"id\": \"x\",\n  \"pid\": 42,")
        );
        assert!(
            text.ends_with(
                "  \"annotations\": {\n    \"a.b\": \"1\"\n  },\n  \"owner\": \"root\"\n}"
            )
        );
    }
}
