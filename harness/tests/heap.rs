//! Dumps: what is in a small one, and every fault with its message and line.

mod common;

use std::io::{self, Read};

use common::{Random, assert_error, assert_form, input};
use cpymem_harness::budget::Limits;
use cpymem_harness::error::{InputError, Place};
use cpymem_harness::heap::{Dump, Flags, Labels};
use cpymem_harness::text::Text;

const DUMP: &str = r#"{"form": "PYHEAP 2", "python": "3.12.1", "tracked": 2, "gc_threshold": [700, 10, 10], "new": {}}
{"process":{"smaps":[[4096,8192,4,4,"[heap]"]],"mallocstats":"arenas"}}
[0,1,64,3,2,139886664145616,[1,3]]
[1,0,5000000000,12,-1,0,[],"builtins.\u0065x"]
[2,-1,0,0,0,0,[]]
[3,1,40,0,1,139886664145700,[0,0,1],"a9"]
{"names":{"id":3,"keys":["x",null,"y"]}}
{"other": ["a kind of line that nobody knows yet"]}
{"type":{"id":0,"name":"builtins.type","basicsize":920,"itemsize":40,"gc":true,"has_dict":true,"weakref":true,"heap":false,"kind":"builtin","slots":[]}}
{"type":{"id":1,"name":"app.Node","basicsize":16,"itemsize":0,"gc":true,"has_dict":false,"weakref":false,"heap":true,"kind":"slots","slots":["a","b"]}}
{"attrs":{"type":1,"sampled":1,"names":[["a",1]]}}
{"end": {"objects": 4, "bytes": 5000000104, "edges": 5, "gc_collected_after": 1, "seconds": 0.1}}
"#;

fn read(text: &str) -> Result<Dump, InputError> {
    Dump::read(&input(text), Labels::Keep)
}

/// The dump with one text in place of another.
#[track_caller]
fn with(old: &str, new: &str) -> Result<Dump, InputError> {
    assert_eq!(DUMP.matches(old).count(), 1, "{old}");
    read(&DUMP.replace(old, new))
}

#[test]
fn everything_that_a_dump_says() {
    let dump = read(DUMP).unwrap();
    assert_eq!((dump.header.python.as_deref(), dump.header.tracked), (Some("3.12.1"), Some(2)));
    assert_eq!(dump.header.gc_threshold.as_deref(), Some(&[700, 10, 10][..]));
    assert_eq!((dump.len(), dump.edges().len(), dump.names_lines, dump.attrs_lines), (4, 5, 1, 1));
    assert_eq!((dump.size(0), dump.size(1), dump.size(3)), (64, 5_000_000_000, 40));
    assert!(dump.tracked(0) && !dump.tracked(3) && dump.flags(0).has(Flags::YOUNG));
    assert!(dump.immortal(1) && !dump.immortal(0) && dump.flags(1).has(Flags::TYPE));
    assert_eq!((dump.refcount(0), dump.refcount(1)), (Some(2), None));
    assert_eq!((dump.address(0), dump.address(1)), (Some(139_886_664_145_616), None));
    assert_eq!((dump.referents(0), dump.referents(3)), (&[1, 3][..], &[0, 0, 1][..]));
    assert!(!dump.is_object(2) && dump.type_id(2).is_none() && dump.type_name(2).is_empty());
    assert_eq!((dump.type_name(0), dump.type_name(1)), ("app.Node", "builtins.type"));
    assert_eq!(dump.type_of(3).unwrap().slots, ["a", "b"]);
    assert_eq!((dump.label(0), dump.label(1), dump.label(3)), (None, Some("builtins.ex"), Some("a9")));
    let process = dump.process.as_ref().unwrap();
    assert_eq!(process.smaps.as_ref().unwrap()[0].name, "[heap]");
    assert_eq!(process.mallocstats.as_deref(), Some("arenas"));
    assert_eq!((dump.end.gc_collected_after, dump.end.bytes), (Some(1), Some(5_000_000_104)));
}

#[test]
fn both_versions_and_other_ways_to_write_json() {
    assert_eq!(with("PYHEAP 2", "PYHEAP 1").unwrap().len(), 4);
    assert_eq!(read(&DUMP.replace(',', " , ").replace('\n', "\r\n")).unwrap().len(), 4);
    assert_eq!(read(DUMP.trim_end()).unwrap().len(), 4, "the last newline may be missing");
    let skipped = Dump::read(&input(DUMP), Labels::Skip).unwrap();
    assert_eq!((skipped.label(1), skipped.len()), (None, 4));
    let unasked = with("\"gc_collected_after\": 1", "\"gc_collected_after\": null").unwrap();
    assert_eq!(unasked.end.gc_collected_after, None);
}

#[test]
fn faults_of_rows() {
    let line = Place::Line;
    assert_error(with("[3,1,40", "[4,1,40"), line(6), "object 4 where object 3 comes next");
    assert_error(with("[1,3]]", "[1,4]]"), line(3), "referent 4 is out of range: the dump has 4 objects");
    assert_error(with("[1,3]]", "[1,4294967296]]"), line(3), "referent 4294967296 is out of range");
    assert_error(with("[1,3]]", "[1,-3]]"), line(3), "a negative number");
    assert_error(with("[0,1,64,3,2", "[0,1,64,3,-2"), line(3), "a negative number (column 11)");
    assert_error(with("[0,1,64,3,2", "[0,1,-64,3,2"), line(3), "a negative number (column 6)");
    assert_error(with("[0,1,64,3,2", "[0,1,64,3,4294967295"), line(3), "refcount 4294967295 is out of range");
    assert_error(with("[0,1,64,3,2", "[0,1,64,256,2"), line(3), "flags 256");
    assert_error(with("[0,1,64,3,2", "[0,1,18446744073709551616,3,2"), line(3), "more than 64 bits");
    assert_error(with("[0,1,64,3,2", "[0,4194304,64,3,2"), line(3), "type 4194304 is out of range");
    assert_error(with("[0,1,64,3,2", "[0,2,64,3,2"), line(3), "type 2 has no \"type\" line");
    assert_error(with("[0,1,64,3,2", "[0,1,64,3"), line(3), "bad row: no number");
    assert_error(with("[1,3]]", "[1,3]"), line(3), "bad row: no ']'");
    assert_error(with("[1,3]]", "[1,3]] x"), line(3), "bad row: no end of line");
    assert_error(with("\\u0065x", "\\qx"), line(4), "bad label: invalid escape");
    assert_error(with("\"a9\"]", "\"a9]"), line(6), "no end of the label");
}

#[test]
fn faults_of_other_lines() {
    let line = Place::Line;
    assert_error(
        with("PYHEAP 2", "PYHEAP 3"),
        line(1),
        "a dump of version \"3\"; this program reads 1 and 2",
    );
    assert_error(with("PYHEAP 2", "PMTRACE 1"), line(1), "not a dump");
    assert_error(read("PMTRACE 1\n{}\n"), line(1), "not a dump");
    assert_error(read("{}\n"), line(1), "missing field `form`");
    assert_error(read("{\"form\": 7}\n"), line(1), "bad header");
    assert_error(with("{\"other\"", "{other"), line(8), "bad line");
    assert_error(
        with("{\"other\": [\"a kind of line that nobody knows yet\"]}", ""),
        line(8),
        "bad line: EOF",
    );
    assert_error(with("{\"other\"", "{\"form\": 1, \"other\""), line(8), "a second header");
    assert_error(with("{\"type\":{\"id\":1", "{\"type\":{\"id\":0"), line(10), "type 0 for the second time");
    assert_error(with("{\"type\":{\"id\":1", "{\"type\":{\"id\":-1"), line(10), "bad line");
    assert_error(
        with("{\"type\":{\"id\":1", "{\"type\":{\"id\":4194304"),
        line(10),
        "type 4194304 is out of range",
    );
    assert_error(with("\"objects\": 4", "\"objects\": 5"), line(12), "counts 5 objects, the dump has 4");
    assert_error(with("\"edges\": 5", "\"edges\": 4"), line(12), "counts 4 edges, the dump has 5");
    assert_error(with("\"edges\": 5, ", ""), line(12), "missing field `edges`");
    assert_error(with("\"objects\": 4", "\"objects\": -4"), line(12), "bad line");
    assert_error(read(&[DUMP, "\n"].concat()), line(13), "data after the \"end\" line");
    assert_error(read(&[DUMP, DUMP].concat()), line(13), "data after the \"end\" line");
    let process = "{\"other\": [\"a kind of line that nobody knows yet\"]}";
    assert_error(with(process, "{\"process\":{}}"), line(8), "a second \"process\" line");
    assert_error(with(process, &"[".repeat(100_000)), line(8), "bad row");
    assert_error(with(process, &format!("{{\"x\":{}", "[".repeat(100_000))), line(8), "bad line");
}

/// Cut at any byte, a dump is an error that says in which line.
#[test]
fn a_dump_that_is_cut() {
    for cut in 1..DUMP.len() - 1 {
        let error = read(&DUMP[..cut]).expect_err("a cut dump");
        assert_form(&error);
        let lines = DUMP[..cut].matches('\n').count() as u64;
        assert!(matches!(error.place, Place::Line(n) if n <= lines + 2), "{cut}: {error}");
    }
    let all_but_the_end = &DUMP[..DUMP.find("{\"end\"").unwrap()];
    assert_error(read(all_but_the_end), Place::Line(12), "cut short");
}

/// Any bit flipped: an error, or another dump; never a panic.
#[test]
fn a_dump_that_is_damaged() {
    let mut random = Random(11);
    let mut wrong = 0;
    for round in 0..20_000_usize {
        let mut bytes = DUMP.as_bytes().to_vec();
        let flips = if round < bytes.len() * 8 { 1 } else { 1 + random.below(4) };
        for flip in 0..flips as usize {
            let bits = bytes.len() * 8;
            let bit =
                if flips == 1 { round % bits } else { (random.below(bits as u64) as usize + flip) % bits };
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        if let Err(error) = Dump::read(&input(bytes), Labels::Keep) {
            assert_form(&error);
            wrong += 1;
        }
    }
    assert!(wrong > 5_000, "{wrong}");
}

/// A header, then one line without an end.
struct Endless {
    head: &'static [u8],
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.head.is_empty() {
            return self.head.read(buffer);
        }
        buffer.fill(b' ');
        Ok(buffer.len())
    }
}

#[test]
fn a_line_of_more_than_64_mebibytes() {
    let read = |memory: u64| {
        let stored = Box::new(Endless { head: b"{\"form\": \"PYHEAP 2\"}\n[" });
        Dump::from_text(Text::new("t", stored, Limits::of_memory(memory)).unwrap(), Labels::Skip)
    };
    assert_error(read(1 << 30), Place::Line(2), "a line of more than 67108864 bytes");
    assert_error(read(10 << 20), Place::Line(2), "needs more than 10 MiB of memory");
}
