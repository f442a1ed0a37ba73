//! Many at once: different containers, and the same name.

use integration_tests::{Bundle, differs, need_root};
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn many_runs_at_once() {
    need_root!();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for round in 0..4 {
                    let text = format!("{thread}-{round}");
                    let bundle = Bundle::new(&["echo", &text]);
                    assert_eq!(bundle.run().ok(), format!("{text}\n"));
                    bundle.assert_clean();
                }
            });
        }
    });
}

#[test]
fn one_of_many_creates_of_one_name_wins() {
    need_root!();
    differs!(Runc | Crun | Youki, "two may win");
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.write();
    let wins = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            let mut command = bundle.command(&["create", "--bundle", &bundle.path(), &bundle.id]);
            let wins = &wins;
            scope.spawn(move || {
                if integration_tests::run(&mut command).code == 0 {
                    wins.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(wins.load(Ordering::Relaxed), 1);
    assert_eq!(bundle.status(), "created");
    bundle.delete();
}

#[test]
fn list_and_state_while_others_come_and_go() {
    need_root!();
    differs!(Runc, "list of older ones fails when a container goes away meanwhile");
    let steady = Bundle::new(&["sleep", "100"]);
    steady.up();
    let root = steady.state_root();
    let call = |args: &[&str]| {
        let mut command = std::process::Command::new(integration_tests::runtime());
        integration_tests::run(command.arg("--root").arg(&root).args(args))
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..15 {
                let bundle = Bundle::new(&["true"]);
                bundle.write();
                call(&["run", "--bundle", &bundle.path(), &bundle.id]).ok();
            }
        });
        for _ in 0..25 {
            let output = call(&["list", "--format", "json"]);
            assert!(output.ok().contains(&steady.id), "{output}");
        }
    });
    steady.delete();
}

#[test]
fn delete_and_kill_at_once() {
    need_root!();
    for _ in 0..5 {
        let bundle = Bundle::new(&["sleep", "100"]);
        bundle.up();
        std::thread::scope(|scope| {
            for args in [["delete", "--force"], ["delete", "--force"]] {
                let mut command = bundle.command(&[args[0], args[1], &bundle.id]);
                scope.spawn(move || {
                    let output = integration_tests::run(&mut command);
                    assert!(!output.stderr.contains("panicked"), "{output}");
                });
            }
        });
        bundle.delete();
    }
}
