//! A folder for what a test writes.

use std::path::{Path, PathBuf};

use cpymem_harness::dumper::HELPER;

use super::python::Python;

/// A folder of one test's own, removed at its end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// An empty folder; the name must differ among the tests of one program.
    pub(crate) fn new(name: &str) -> Folder {
        let program = std::env::current_exe().unwrap();
        let program = program.file_stem().unwrap().to_str().unwrap();
        let path = std::env::temp_dir().join(format!("cpymem-{program}-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// One for an interpreter, with the dumper in it.
    pub(crate) fn with_dumper(name: &str, python: &Python) -> Folder {
        let (major, minor) = python.version;
        let folder = Folder::new(&format!("{name}-{major}.{minor}"));
        folder.file("cpymem_dump.py", HELPER);
        folder
    }

    /// The folder itself.
    pub(crate) fn as_path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it, which need not be there.
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file and gives its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.0.join(name), content).unwrap();
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
