//! What several tests need: inputs made of bytes, a small PMTRACE writer, checks of error lines.
#![allow(dead_code, reason = "each test crate uses its own part")]

pub(crate) mod folder;
pub(crate) mod python;
pub(crate) mod writer;

use std::io::Write;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::Command;

use cpymem_harness::error::{InputError, Place};
use cpymem_harness::input::Input;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The program under limits of the shell, such as `ulimit -t 10`: so many seconds of processor time, however busy the
/// machine is.
#[cfg(unix)]
pub(crate) fn limited(limits: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{limits} && exec \"$0\" \"$@\"")).arg(env!("CARGO_BIN_EXE_cpymem"));
    command
}

/// An input named `t` that holds `bytes`.
pub(crate) fn input(bytes: impl Into<Vec<u8>>) -> Input {
    Input::from_bytes("t", bytes.into(), None).expect("not empty")
}

/// The folder of the bundled samples.
pub(crate) fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

pub(crate) fn open(path: &Path) -> Input {
    Input::from_arg(path.as_os_str(), None).unwrap()
}

/// A bundled sample.
pub(crate) fn sample(name: &str, ending: &str) -> Input {
    open(&samples().join(format!("{name}.{ending}")))
}

/// The files of a folder with one ending, by name; none unless the variable names the folder.
pub(crate) fn recordings(variable: &str, ending: &str) -> Vec<PathBuf> {
    let Some(folder) = std::env::var_os(variable) else {
        eprintln!("{variable} names no folder: only the bundled samples are tested");
        return Vec::new();
    };
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    files.sort();
    assert!(!files.is_empty(), "{variable} names a folder without files *{ending}");
    files
}

/// `text` as one gzip member.
pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Checks the form of an error, its place, and that its text says `part`.
#[track_caller]
pub(crate) fn assert_error<T>(outcome: Result<T, InputError>, place: Place, part: &str) {
    let Err(error) = outcome else {
        panic!("no error, wanted: {place}: {part}");
    };
    assert_form(&error);
    assert_eq!(error.place, place, "{error}");
    assert!(error.what.contains(part), "{error}\nshould say: {part}");
}

/// Checks that an error prints as `cpymem: FILE: PLACE: what`, on one line.
#[track_caller]
pub(crate) fn assert_form(error: &InputError) {
    let line = error.to_string();
    let rest = line.strip_prefix("cpymem: ").and_then(|rest| rest.strip_prefix(&error.file));
    let rest = rest.and_then(|rest| rest.strip_prefix(": ")).unwrap_or_else(|| panic!("{line}"));
    let (place, what) = rest.split_once(": ").unwrap_or_else(|| panic!("{line}"));
    let (kind, number) = place.split_once(' ').unwrap_or_else(|| panic!("{line}"));
    assert!(["offset", "event", "line"].contains(&kind), "{line}");
    assert!(number.parse::<u64>().is_ok() && !what.is_empty() && !line.contains('\n'), "{line}");
}

/// Bytes that look random and are the same each time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
