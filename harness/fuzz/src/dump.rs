//! Any bytes given as a heap dump: the reader says what is wrong with them, in one line, or reads them; and what it
//! reads can be explained.

#![no_main]

use cpymem_harness::explain::{decision, explain};
use cpymem_harness::heap::{Dump, Labels};
use cpymem_harness::input::Input;
use cpymem_harness::progress::Progress;
use cpymem_harness::report::{Report, Style};
use libfuzzer_sys::fuzz_target;

/// Memory that an input may cost.
const MEMORY: u64 = 64 << 20;

fuzz_target!(|bytes: &[u8]| {
    let Ok(input) = Input::from_bytes("fuzz", bytes.to_vec(), Some(MEMORY)) else {
        return;
    };
    match Dump::read(&input, Labels::Keep) {
        Ok(dump) => {
            everything(&dump);
            explained(input);
        }
        Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
    }
});

/// An empty dump, to compare with.
const EMPTY: &[u8] = b"{\"form\": \"PYHEAP 2\"}\n{\"end\": {\"objects\": 0, \"edges\": 0}}\n";

/// Explains a dump by itself and after an empty one: the terms sum, and nothing of the dump gets out as it is.
fn explained(input: Input) {
    let Ok(empty) = Input::from_bytes("empty", EMPTY, None) else { return };
    let inputs = [empty, input];
    for inputs in [&inputs[1..], &inputs] {
        match explain(inputs, None, &Progress::silent()) {
            Ok(record) => {
                assert!(record.checks.iter().all(|check| check.holds), "{:?}", record.checks);
                assert!((0.0..=1.0).contains(&record.verdict.confidence));
                let text = record.report(&Style::GRAPHIC);
                assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
                for (name, text) in decision::files(&record) {
                    assert!(text.ends_with('\n') && !name.is_empty());
                }
            }
            Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
        }
    }
}

/// Asks for everything that a dump can tell.
fn everything(dump: &Dump) {
    let mut bytes = 0_u64;
    for id in dump.ids() {
        bytes = bytes.wrapping_add(dump.size(id)).wrapping_add(dump.type_name(id).len() as u64);
        bytes = bytes.wrapping_add(dump.label(id).map_or(0, |label| label.len() as u64));
        assert!(dump.referents(id).iter().all(|&to| to < dump.len()));
        assert_eq!(dump.is_object(id), dump.type_of(id).is_some());
    }
    std::hint::black_box(bytes);
}
