//! Values of one word: a small integer or a text.
#![allow(unsafe_code, reason = "a pointer's lowest bit tells what it is")]

use core::num::NonZeroUsize;
use core::ptr::NonNull;

use crate::object::{self, Text};

/// A tagged word, as an interpreter has for its values.
///
/// ```text
///   text       address of a `Text`            0
///   integer    62 bits ...................... 1
/// ```
///
/// # Invariants
/// Unless the lowest bit is set, it came from `Text::into_raw`, and this word owns the text.
#[derive(Debug)]
pub struct Word(NonNull<()>);

impl Word {
    /// An integer; its highest bit is lost.
    #[inline]
    pub fn number(number: i64) -> Word {
        let bits = NonZeroUsize::MIN | (number as usize) << 1;
        Word(NonNull::without_provenance(bits))
    }

    /// A text.
    pub fn text(text: Text) -> Word {
        Word(text.into_raw())
    }

    #[inline]
    fn is_number(&self) -> bool {
        self.0.addr().get() & 1 != 0
    }

    /// The integer, or the length of the text.
    #[inline]
    pub fn weight(&self) -> u64 {
        if self.is_number() {
            return (self.0.addr().get() as i64 >> 1) as u64;
        }
        // SAFETY: the type's invariant; the text is borrowed, not owned twice.
        let text = core::mem::ManuallyDrop::new(unsafe { Text::from_raw(self.0) });
        text.len() as u64
    }

    /// Bytes of the text.
    pub fn text_bytes(&self) -> u64 {
        if self.is_number() {
            return 0;
        }
        // SAFETY: as in `weight`.
        let text = core::mem::ManuallyDrop::new(unsafe { Text::from_raw(self.0) });
        text.footprint().bytes as u64
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        if !self.is_number() {
            // SAFETY: the type's invariant; the word is not used again.
            drop(unsafe { Text::from_raw(self.0) });
        }
    }
}

impl Clone for Word {
    /// A copy of the text.
    fn clone(&self) -> Word {
        if self.is_number() {
            return Word(self.0);
        }
        // SAFETY: as in `weight`.
        let text = core::mem::ManuallyDrop::new(unsafe { Text::from_raw(self.0) });
        Word::text(Text::clone(&text))
    }
}

impl object::Attribute for Word {
    fn descriptor(&self) -> object::Descriptor {
        object::Descriptor::None
    }
}
