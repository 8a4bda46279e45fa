//! The Python interpreters of this machine.

use std::path::PathBuf;
use std::process::Command;

/// An interpreter.
pub(crate) struct Python {
    pub(crate) path: PathBuf,
    pub(crate) version: (u32, u32),
}

/// CPython 3.8 and newer, one of each version: `python3` and `python3.N` of the PATH, and those that pyenv manages.
/// None is there in a bare container; tests then pass with a message.
pub(crate) fn pythons() -> Vec<Python> {
    pythons_since((3, 8))
}

/// The same from this version on.
pub(crate) fn pythons_since(oldest: (u32, u32)) -> Vec<Python> {
    let names =
        (6..20).map(|minor| format!("python3.{minor}")).chain(["python3".to_owned(), "python2.7".to_owned()]);
    let mut paths: Vec<PathBuf> = names.map(PathBuf::from).collect();
    let home = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
    let managed = home.and_then(|home| std::fs::read_dir(home.join("versions")).ok());
    paths.extend(managed.into_iter().flatten().flatten().map(|entry| entry.path().join("bin/python")));
    let mut found: Vec<Python> = Vec::new();
    for path in paths {
        let code = "import platform as p, sys; assert p.python_implementation() == 'CPython'; print('%d %d' % sys.version_info[:2])";
        let Some(output) =
            Command::new(&path).args(["-c", code]).output().ok().filter(|o| o.status.success())
        else {
            continue;
        };
        let said = String::from_utf8_lossy(&output.stdout);
        let mut numbers = said.split_whitespace().filter_map(|number| number.parse().ok());
        let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else { continue };
        let version = (major, minor);
        if version >= oldest && found.iter().all(|python| python.version != version) {
            found.push(Python { path, version });
        }
    }
    found.sort_by_key(|python| python.version);
    if found.is_empty() {
        eprintln!("skipped: no CPython {}.{} or newer here", oldest.0, oldest.1);
    }
    found
}
