//! What every reader reports: which input, where in it, and what is wrong there; and why nothing could be measured.

use std::error::Error;
use std::fmt;

/// Where in an input something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Bytes into the text after decompression; for damage to the compression itself, bytes into
    /// the file as it is stored.
    Offset(u64),
    /// Number of an event of a trace, counted from 0.
    Event(u64),
    /// Number of a line of a dump, counted from 1.
    Line(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offset(n) => write!(f, "offset {n}"),
            Self::Event(n) => write!(f, "event {n}"),
            Self::Line(n) => write!(f, "line {n}"),
        }
    }
}

/// An input that cannot be used. Displays as the one line that the program prints:
/// `cpymem: FILE: offset N: what`, with `event N` or `line N` where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// The input as the user named it.
    pub file: String,
    /// Where in the input.
    pub place: Place,
    /// What was expected and what was there.
    pub what: String,
}

impl InputError {
    /// An error at `place` of `file`.
    #[cold]
    pub fn new(file: impl Into<String>, place: Place, what: impl fmt::Display) -> Self {
        // The line must stay one line whatever a file name or a hostile header contains.
        let what = what.to_string().replace(['\n', '\r'], " ");
        Self { file: file.into().replace(['\n', '\r'], " "), place, what }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpymem: {}: {}: {}", self.file, self.place, self.what)
    }
}

impl Error for InputError {}

/// Why there is nothing to report of what was to be measured.
#[derive(Debug)]
pub enum Failure {
    /// A recording cannot be used.
    Input(InputError),
    /// An interpreter or a library cannot be used, or the command line asks for what there is not.
    Plan(String),
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Failure {
        Failure::Input(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Input(error) => error.fmt(f),
            Failure::Plan(what) => f.write_str(what),
        }
    }
}
