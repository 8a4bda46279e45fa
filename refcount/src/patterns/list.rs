//! [`PATTERNS`]: every pattern by name.

/// A way to use pointers, or an interner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// How many threads work at once.
    pub threads: usize,
    pub(super) work: Work,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Same,
    Many,
    Beside,
    Foreign,
    New,
    HandOver { kept: usize },
    Intern { bytes: usize, threads: usize },
}

const fn pattern(name: &'static str, about: &'static str, threads: usize, work: Work) -> Pattern {
    Pattern { name, about, threads, work }
}

const fn intern(name: &'static str, bytes: usize, threads: usize) -> Pattern {
    let about = "one of 1,024 strings of so many bytes is found";
    pattern(name, about, threads, Work::Intern { bytes, threads })
}

/// Every pattern.
pub const PATTERNS: &[Pattern] = &[
    pattern("clone", "one object is cloned and the clone dropped, by the thread that made it", 1, Work::Same),
    pattern("clone-1024", "the same with 1,024 objects in turn", 1, Work::Many),
    pattern("clone-beside", "one object, while another thread does the same to it", 2, Work::Beside),
    pattern("clone-foreign", "two threads clone one object that a third one has made", 2, Work::Foreign),
    pattern("new", "an object is made and dropped", 1, Work::New),
    pattern(
        "hand-over",
        "objects are made by one thread and dropped by another",
        2,
        Work::HandOver { kept: 0 },
    ),
    pattern(
        "hand-over-kept",
        "the same, but the maker keeps a reference to each of the last 1,024",
        2,
        Work::HandOver { kept: 1024 },
    ),
    intern("intern-8", 8, 1),
    intern("intern-16", 16, 1),
    intern("intern-32", 32, 1),
    intern("intern-64", 64, 1),
    intern("intern-8-2", 8, 2),
    intern("intern-16-2", 16, 2),
    intern("intern-32-2", 32, 2),
    intern("intern-64-2", 64, 2),
];
