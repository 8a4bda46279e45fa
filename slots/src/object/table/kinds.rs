//! The kinds of tables: words of three widths in the index, entries with and without hashes.

use crate::object::entry::{Bare, Hashed};

/// Runs `$body` with the types of index words and entries that a table has.
macro_rules! with_types {
    ($table:expr, |$word:ident, $entry:ident| $body:expr) => {
        match ($table.header().mask(), $table.is_hashed()) {
            (..0x80, false) => {
                type $word = u8;
                type $entry<K, V> = $crate::object::entry::Bare<K, V>;
                $body
            }
            (..0x8000, false) => {
                type $word = u16;
                type $entry<K, V> = $crate::object::entry::Bare<K, V>;
                $body
            }
            (_, false) => {
                type $word = u32;
                type $entry<K, V> = $crate::object::entry::Bare<K, V>;
                $body
            }
            (..0x80, true) => {
                type $word = u8;
                type $entry<K, V> = $crate::object::entry::Hashed<K, V>;
                $body
            }
            (..0x8000, true) => {
                type $word = u16;
                type $entry<K, V> = $crate::object::entry::Hashed<K, V>;
                $body
            }
            (_, true) => {
                type $word = u32;
                type $entry<K, V> = $crate::object::entry::Hashed<K, V>;
                $body
            }
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
