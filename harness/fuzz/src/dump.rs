//! Any bytes given as a heap dump: the reader says what is wrong with them, in one line, or reads them.

#![no_main]

use cpymem_harness::heap::{Dump, Labels};
use cpymem_harness::input::Input;
use libfuzzer_sys::fuzz_target;

/// Memory that an input may cost.
const MEMORY: u64 = 64 << 20;

fuzz_target!(|bytes: &[u8]| {
    let Ok(input) = Input::from_bytes("fuzz", bytes.to_vec(), Some(MEMORY)) else {
        return;
    };
    match Dump::read(&input, Labels::Keep) {
        Ok(dump) => everything(&dump),
        Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
    }
});

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
