//! Inputs: files, bytes, gzip, and everything that can be wrong with them.

mod common;

use std::ffi::OsStr;
use std::path::PathBuf;

use common::{assert_error, assert_form, gzip, input};
use cpymem_harness::error::{InputError, Place};
use cpymem_harness::heap::{Dump, Labels};
use cpymem_harness::input::Input;
use cpymem_harness::trace::scan;

/// The whole text of an input.
fn text(input: &Input) -> Result<Vec<u8>, InputError> {
    let mut text = input.open()?;
    let mut all = Vec::new();
    loop {
        let chunk = text.fill()?;
        if chunk.is_empty() {
            return Ok(all);
        }
        let n = chunk.len().div_ceil(2);
        all.extend_from_slice(&chunk[..n]);
        text.consume(n);
        assert_eq!(text.offset(), all.len() as u64);
    }
}

fn from_arg(arg: impl AsRef<OsStr>) -> Result<Input, InputError> {
    Input::from_arg(arg.as_ref(), None)
}

/// A file of this test, gone when the value is.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("cpymem-input-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn files_are_read_any_number_of_times() {
    let lines: Vec<u8> = (0..50_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
    let two_members = [gzip(&lines[..1000]), gzip(&lines[1000..])].concat();
    for (name, stored) in [("plain", lines.clone()), ("gzip", gzip(&lines)), ("members", two_members)] {
        let file = TempFile::new(name, &stored);
        let input = from_arg(&file.0).unwrap();
        assert_eq!((text(&input).unwrap(), text(&input).unwrap()), (lines.clone(), lines.clone()), "{name}");
        assert_eq!(input.bytes(), stored.len() as u64);
    }
}

#[test]
fn the_hash_is_of_the_bytes_as_stored() {
    let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(input(*b"abc").sha256().unwrap(), known);
    let file = TempFile::new("abc", b"abc");
    let input = from_arg(&file.0).unwrap();
    assert_eq!((input.sha256().unwrap(), input.sha256().unwrap()), (known, known));
}

#[test]
fn one_byte_is_an_input_even_if_gzip_begins_with_it() {
    assert_eq!(text(&input([0x1f])).unwrap(), [0x1f]);
    assert_eq!(text(&input([0x1f, 0x8c, 1])).unwrap(), [0x1f, 0x8c, 1]);
}

#[test]
fn what_is_no_file() {
    assert_error(from_arg("/nowhere/at/all"), Place::Offset(0), "cannot open");
    assert_error(from_arg("."), Place::Offset(0), "is a directory");
    let empty = TempFile::new("empty", b"");
    assert_error(from_arg(&empty.0), Place::Offset(0), "is empty");
    assert_error(from_arg("/dev/null"), Place::Offset(0), "is empty");
    assert_error(Input::from_bytes("t", Vec::new(), None), Place::Offset(0), "is empty");
    let error = from_arg("a\nb").unwrap_err();
    assert_form(&error);
    assert_eq!(error.file, "a b", "an error is one line");
}

#[test]
fn an_endless_stream_ends_at_the_limit() {
    let endless = Input::from_arg(OsStr::new("/dev/zero"), Some(1 << 20));
    assert_error(endless, Place::Offset(1 << 20), "a stream of more than 1048576 bytes");
}

#[test]
fn a_file_that_goes_away() {
    let file = TempFile::new("gone", b"text");
    let input = from_arg(&file.0).unwrap();
    drop(file);
    assert_error(input.open().map(drop), Place::Offset(0), "cannot read");
    assert_error(input.sha256(), Place::Offset(0), "cannot read");
}

/// Cut anywhere, a gzip file is an error, at an offset inside what is left of it.
#[test]
fn gzip_that_is_cut() {
    let whole = gzip(&(0..3_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
    for cut in 2..whole.len() {
        let error = text(&input(&whole[..cut])).unwrap_err();
        assert_form(&error);
        assert_eq!(error.place, Place::Offset(cut as u64), "{error}");
        assert!(error.what.contains("ends too early"), "{error}");
    }
}

/// A flipped bit is an error, or leaves the text as it was (a few header bits mean nothing).
#[test]
fn gzip_that_is_damaged() {
    let lines: Vec<u8> = (0..400_u32).flat_map(u32::to_le_bytes).collect();
    let whole = gzip(&lines);
    let mut wrong = 0;
    for bit in 16..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        match text(&input(bytes)) {
            Ok(read) => assert_eq!(read, lines, "bit {bit}"),
            Err(error) => {
                assert_form(&error);
                wrong += 1;
            }
        }
    }
    assert!(wrong > whole.len() * 7);
    for (garbage, what) in [(&b"x"[..], "ends too early"), (b"no third member", "damaged")] {
        let error = text(&input([&whole, garbage].concat())).unwrap_err();
        assert!(error.what.contains(what), "{error}");
    }
}

/// 1000 to 1: the text ends at the limit, for text that would be a trace, a dump, or nothing.
#[test]
fn gzip_bombs() {
    let zeros = vec![b' '; 80 << 20];
    let heads: [&[u8]; 3] = [
        b"",
        b"PMTRACE 1\n{\"form\":\"PMTRACE 1\",\"events\":9,\"allocations\":9,\"addresses\":false}\n",
        b"{\"form\": \"PYHEAP 2\"}\n",
    ];
    for head in heads {
        let bomb = input(gzip(&[head, &zeros].concat()));
        assert!(bomb.bytes() < 100_000);
        assert_error(text(&bomb), Place::Offset(40 << 20), "more than 41943040 bytes of text");
        assert_form(&scan(&bomb).map(drop).unwrap_err());
        assert_form(&Dump::read(&bomb, Labels::Keep).map(drop).unwrap_err());
    }
    let bomb = Input::from_bytes("t", gzip(&zeros), Some(100 << 20)).unwrap();
    assert_eq!(text(&bomb).unwrap().len(), zeros.len(), "with more memory, more text");
}
