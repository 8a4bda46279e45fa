//! The program that makes heap dumps: Python, one file, carried here and printed by `cpymem dump --helper`.

use serde::Serialize;

/// The file `cpymem_dump.py`.
pub const HELPER: &str = include_str!("cpymem_dump.py");

/// Document `cpymem.dump/1`: the file in a document.
#[derive(Clone, Debug, Serialize)]
pub struct DumperRecord {
    /// `cpymem.dump/1`.
    pub schema: &'static str,
    /// Nothing is read.
    pub input: [(); 0],
    /// What to call the file.
    pub name: &'static str,
    /// The form that it writes.
    pub form: &'static str,
    /// The file.
    pub text: &'static str,
}

impl DumperRecord {
    /// The file that this program carries.
    pub const fn new() -> DumperRecord {
        DumperRecord {
            schema: "cpymem.dump/1",
            input: [],
            name: "cpymem_dump.py",
            form: "PYHEAP 2",
            text: HELPER,
        }
    }
}

impl Default for DumperRecord {
    fn default() -> DumperRecord {
        DumperRecord::new()
    }
}
