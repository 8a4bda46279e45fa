//! The kinds of tables: words of three widths in the index, entries with and without hashes.

use crate::object::entry::{Bare, Hashed};

/// Runs `$body` with the types of index words and entries that a table has.
macro_rules! with_types {
    (@ $Word:ty, $Entry:ident, $word:ident, $entry:ident, $body:expr) => {{
        type $word = $Word;
        type $entry<K, V> = $crate::object::entry::$Entry<K, V>;
        $body
    }};
    ($table:expr, |$word:ident, $entry:ident| $body:expr) => {
        match ($table.header().mask(), $table.is_hashed()) {
            (..0x80, false) => with_types!(@ u8, Bare, $word, $entry, $body),
            (..0x8000, false) => with_types!(@ u16, Bare, $word, $entry, $body),
            (_, false) => with_types!(@ u32, Bare, $word, $entry, $body),
            (..0x80, true) => with_types!(@ u8, Hashed, $word, $entry, $body),
            (..0x8000, true) => with_types!(@ u16, Hashed, $word, $entry, $body),
            (_, true) => with_types!(@ u32, Hashed, $word, $entry, $body),
        }
    };
}

pub(super) use with_types;

/// Entries of either kind, in order.
pub(in crate::object) enum Entries<'t, K, V> {
    Bare(&'t [Bare<K, V>]),
    Hashed(&'t [Hashed<K, V>]),
}

/// Entries of either kind, to change them.
pub(in crate::object) enum EntriesMut<'t, K, V> {
    Bare(&'t mut [Bare<K, V>]),
    Hashed(&'t mut [Hashed<K, V>]),
}
