//! `Root` on a real directory tree full of links that lead astray.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat};
use sys::Root;

/// A directory that goes away with the test; `root` is the tree, beside it lies what must not be
/// reached.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let base = std::env::temp_dir().join(format!("onggi-root-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        fs::create_dir_all(base.join("root/etc")).expect("mkdir");
        fs::create_dir_all(base.join("outside")).expect("mkdir");
        fs::write(base.join("outside/secret"), "host").expect("write");
        fs::write(base.join("root/etc/passwd"), "container").expect("write");
        symlink("/etc", base.join("root/inside")).expect("symlink");
        symlink(base.join("outside"), base.join("root/absolute")).expect("symlink");
        symlink("../outside", base.join("root/up")).expect("symlink");
        symlink("../../../../../../../../etc", base.join("root/etc/far")).expect("symlink");
        symlink("loop", base.join("root/loop")).expect("symlink");
        symlink("/made/later", base.join("root/dangling")).expect("symlink");
        symlink("/proc/self/root", base.join("root/magic")).expect("symlink");
        Self(base)
    }

    fn root(&self) -> Root {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Root::new(open(&self.0.join("root"), flags, Mode::empty()).expect("open"))
    }

    /// Whether an open handle is the file at `path` below the root.
    fn is(&self, handle: &std::os::fd::OwnedFd, path: &str) -> bool {
        let there = fs::symlink_metadata(self.0.join("root").join(path)).expect("stat");
        fstat(handle).expect("fstat").st_ino == there.ino()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn links_stay_inside() {
    let tree = Tree::new("links");
    let root = tree.root();
    for path in
        ["/etc/passwd", "etc/passwd", "/inside/passwd", "/etc/far/passwd", "/../../etc/passwd"]
    {
        let handle = root.find(Path::new(path)).unwrap_or_else(|errno| panic!("{path}: {errno}"));
        assert!(tree.is(&handle, "etc/passwd"), "{path}");
    }
    for path in ["/absolute/secret", "/up/secret"] {
        assert_eq!(root.find(Path::new(path)).err(), Some(Errno::ENOENT), "{path}");
    }
    assert_eq!(root.find(Path::new("/loop")).err(), Some(Errno::ELOOP));
    assert!(root.find(Path::new("/magic/etc/passwd")).is_err());
}

#[test]
fn missing_directories_are_made_inside() {
    let tree = Tree::new("dirs");
    let root = tree.root();
    for (path, real) in [
        ("/a/b/c", "a/b/c"),
        ("/inside/x/y", "etc/x/y"),
        ("/dangling/z", "made/later/z"),
        ("/q/../r", "r"),
        ("/../../s", "s"),
    ] {
        let handle =
            root.make_dir(Path::new(path)).unwrap_or_else(|errno| panic!("{path}: {errno}"));
        assert!(tree.is(&handle, real), "{path}");
    }
    // What a link names on the host is made again inside; the host's own is left alone.
    root.make_dir(Path::new("/absolute/new")).expect("inside");
    root.make_dir(Path::new("/up/new")).expect("inside");
    let outside: Vec<_> = fs::read_dir(tree.0.join("outside")).expect("ls").collect();
    assert_eq!(outside.len(), 1, "something was made outside");
    assert_eq!(root.make_dir(Path::new("/etc/passwd/x")).err(), Some(Errno::ENOTDIR));
    assert_eq!(root.make_dir(Path::new("/loop/x")).err(), Some(Errno::ELOOP));
}

#[test]
fn files_are_made_inside() {
    let tree = Tree::new("files");
    let root = tree.root();
    let handle = root.make_file(Path::new("/inside/new/file")).expect("new file");
    assert!(tree.is(&handle, "etc/new/file"));
    // A dangling link at the end leads to a new file inside.
    let handle = root.make_file(Path::new("/dangling")).expect("through the link");
    assert!(tree.is(&handle, "made/later"));
    assert_eq!(root.make_file(Path::new("/etc")).err(), Some(Errno::EISDIR));
    let again = root.make_file(Path::new("/etc/passwd")).expect("what is there");
    assert!(tree.is(&again, "etc/passwd"));
    assert_eq!(fs::read(tree.0.join("root/etc/passwd")).expect("read"), b"container");
}

#[test]
fn links_are_made_inside_once() {
    let tree = Tree::new("names");
    let root = tree.root();
    let ptmx = || root.make_link(Path::new("pts/ptmx"), Path::new("/inside/ptmx"));
    assert_eq!((ptmx(), ptmx()), (Ok(true), Ok(false)));
    assert_eq!(
        root.make_link(Path::new("other"), Path::new("/inside/ptmx")).err(),
        Some(Errno::EEXIST)
    );
}

#[test]
fn a_link_at_the_end_is_left_where_it_is_not_to_be_followed() {
    let tree = Tree::new("unfollowed");
    let root = tree.root();
    for (path, real) in [("/inside", "inside"), ("/inside/far", "etc/far"), ("/loop", "loop")] {
        for directory in [false, true] {
            let path = Path::new(path);
            let found = [root.find_link(path), root.make_unfollowed(path, directory)];
            for handle in found {
                assert!(tree.is(&handle.expect("a link"), real), "{path:?}");
            }
        }
    }
    assert_eq!(root.find_link(Path::new("/no/such")).err(), Some(Errno::ENOENT));
    let outside = root.find_link(Path::new("/absolute/secret")).err();
    assert_eq!(outside, Some(Errno::ENOENT), "links before the last name stay inside");
    for (path, real, directory) in
        [("/inside/new", "etc/new", false), ("/dangling/dir", "made/later/dir", true)]
    {
        let handle = root.make_unfollowed(Path::new(path), directory).expect("made");
        assert!(tree.is(&handle, real), "{path}");
        assert_eq!(tree.0.join("root").join(real).is_dir(), directory, "{path}");
    }
}

#[test]
fn links_are_removed_inside_and_nothing_else() {
    let tree = Tree::new("removed");
    let root = tree.root();
    root.remove_link(Path::new("/inside/far")).expect("a link");
    assert!(fs::symlink_metadata(tree.0.join("root/etc/far")).is_err());
    for path in ["/etc", "/inside/passwd", "/"] {
        assert_eq!(root.remove_link(Path::new(path)), Err(Errno::EINVAL), "{path}");
    }
    assert!(tree.0.join("root/etc/passwd").exists());
    assert_eq!(root.remove_link(Path::new("/absolute/secret")), Err(Errno::ENOENT));
    assert!(tree.0.join("outside/secret").exists());
}
