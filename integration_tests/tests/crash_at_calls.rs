//! The runtime is killed, or made to wait, at single system calls: each place between two of them where something else
//! may come is tried, not only those that time happens to hit.

use integration_tests::{Bundle, differs, need_root, need_strace, strace, wait_until};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

macro_rules! need_calls {
    () => {
        need_root!();
        differs!(Runc | Crun | Youki, "leaves debris in other places");
        need_strace!();
    };
}

/// The calls that change what others see.
const CALLS: [&str; 7] = ["mkdir", "write", "rename", "unlink", "unlinkat", "rmdir", "clone3"];

fn quiet(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Kills the runtime at its `n`th call of that name; false when it came to its end before.
fn kill_at_call(bundle: &Bundle, words: &[&str], call: &str, n: u32) -> bool {
    let trace = format!("trace={call}");
    let inject = format!("inject={call}:signal=KILL:when={n}");
    let mut command =
        quiet(strace(bundle, &["-o", "/dev/null", "-e", &trace, "-e", &inject], words));
    // strace(1) ends as what it has traced.
    command.status().expect("start strace").signal() == Some(libc::SIGKILL)
}

/// Has `words` killed at each of those calls, and all deleted each time. `prepare` comes before, `look` between.
fn kill_at_each_call(
    bundle: &Bundle,
    words: &[&str],
    prepare: impl Fn(),
    look: impl Fn(&str),
) -> u32 {
    let mut kills = 0;
    for call in CALLS {
        for n in 1..200 {
            prepare();
            let killed = kill_at_call(bundle, words, call, n);
            let place = format!("{call} {n}");
            if killed {
                kills += 1;
                let list = bundle.call(&["list", "--quiet"]);
                assert!(list.code == 0 && list.stderr.is_empty(), "{place}: {list}");
                look(&place);
            }
            // A second time, since the first may have had a container to delete.
            bundle.call(&["delete", "--force", &bundle.id]).ok();
            bundle.call(&["delete", "--force", &bundle.id]).ok();
            let left: Vec<_> = fs::read_dir(bundle.state_root()).into_iter().flatten().collect();
            assert!(left.is_empty(), "{place}: {left:?}");
            bundle.assert_clean();
            if !killed {
                break;
            }
        }
    }
    kills
}

/// No verb trips over what is left, and the id can be had again at once, or there is a container by its name.
#[test]
fn create_killed_at_each_call() {
    need_calls!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.write();
    fs::create_dir(bundle.state_root()).expect("mkdir");
    let words = ["create", "--bundle", &bundle.path(), &bundle.id];
    let again = |place: &str| {
        let again = bundle.create();
        let recorded = fs::exists(bundle.state_root().join(&bundle.id).join("state.json"));
        assert!(recorded.is_ok_and(|is| is), "{place}: no state: {again}");
        if again.code != 0 {
            again.fails_with(&["container with given ID already exists"]);
        }
    };
    assert!(kill_at_each_call(&bundle, &words, || (), again) > 10);
}

#[test]
fn other_verbs_killed_at_each_call() {
    need_calls!();
    let bundle = Bundle::new(&["sleep", "100"]);
    let create = || {
        bundle.create().ok();
    };
    let nothing = |_: &str| ();
    assert!(kill_at_each_call(&bundle, &["start", &bundle.id], create, nothing) >= 2);
    let up = || {
        bundle.create().ok();
        bundle.start();
    };
    for (words, least) in [
        (&["exec", &bundle.id, "/runtimetest", "true"][..], 1),
        // Not every host has the limits.
        (&["update", "--memory", "67108864", "--pids-limit", "40", &bundle.id], 0),
        (&["pause", &bundle.id], 1),
        (&["delete", "--force", &bundle.id], 3),
    ] {
        assert!(kill_at_each_call(&bundle, words, up, nothing) >= least, "{words:?}");
    }
}

/// Two deletes at once, the second one so slow that the id is another container's by the time that it goes on.
#[test]
fn a_slow_delete_leaves_the_next_container_of_the_name() {
    need_calls!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.up();
    let inject = "inject=flock:delay_enter=2000000:when=1";
    let options = ["-o", "/dev/null", "-e", "trace=flock", "-e", inject];
    let mut slow = strace(&bundle, &options, &["delete", "--force", &bundle.id]);
    let mut slow = slow.spawn().expect("start strace");
    let dir = bundle.state_root().join(&bundle.id);
    let opened = || {
        let text = fs::read_to_string(format!("/proc/{0}/task/{0}/children", slow.id()));
        let children = text.unwrap_or_default();
        let fds =
            children.split_whitespace().flat_map(|pid| fs::read_dir(format!("/proc/{pid}/fd")));
        let mut links = fds.flatten().flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
        links.any(|link| link == dir)
    };
    wait_until("the slow one to have the directory open", opened);
    bundle.call(&["delete", "--force", &bundle.id]).ok();
    bundle.create().ok();
    let pid = bundle.pid();
    let status = slow.wait().expect("wait");
    assert!(status.success(), "{status}");
    assert_eq!((bundle.status().as_str(), bundle.pid()), ("created", pid));
    bundle.delete();
    bundle.assert_clean();
}

/// `create` comes to its end between the reading of its state and the look whether it is still at work.
#[test]
fn a_create_that_ends_while_it_is_deleted_leaves_nothing() {
    need_calls!();
    let bundle = Bundle::new(&["sleep", "100"]);
    bundle.write();
    let traced = |bundle: &Bundle, to: &str, more: &[&str], words: &[&str]| {
        let options = [&["-y", "-e", "trace=close,clone3", "-o", to], more].concat();
        quiet(strace(bundle, &options, words))
    };
    // Which call it is that ends the reading; up to there all deletes are alike.
    let other = Bundle::new(&["sleep", "100"]);
    other.up();
    let trace = other.dir().join("trace");
    let mut refused = traced(&other, &trace.to_string_lossy(), &[], &["delete", &other.id]);
    assert!(!refused.status().expect("start strace").success(), "deleted while it runs");
    let calls = fs::read_to_string(&trace).expect("trace");
    let at = calls.lines().position(|line| line.contains("/state.json>")).expect("state.json") + 1;
    other.delete();

    // It has no process yet, and will be done while the other one rests.
    let late = ["-e", "inject=clone3:delay_enter=2000000"];
    let create = ["create", "--bundle", &bundle.path(), &bundle.id];
    let mut create = traced(&bundle, "/dev/null", &late, &create).spawn().expect("start create");
    wait_until("create", || bundle.call(&["state", &bundle.id]).stdout.contains("\"creating\""));
    let inject = format!("inject=close:delay_exit=4000000:when={at}");
    let delete = ["delete", "--force", &bundle.id];
    let mut slow = traced(&bundle, "/dev/null", &["-e", &inject], &delete);
    let mut slow = slow.spawn().expect("start strace");
    let created = create.wait().expect("wait");
    let deleted = slow.wait().expect("wait");
    assert!(created.success() && deleted.success(), "{created} {deleted}");
    bundle.assert_clean();
}
