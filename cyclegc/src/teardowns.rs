//! What types have said of their end, to be asked of each object of a full pass.

use crate::inquiry::Teardown;
use crate::vtable::Meta;

/// A cache of [`VTable::teardown`](crate::vtable::VTable) by type.
pub(crate) struct Teardowns {
    /// By a hash of the [type word](Meta::type_word).
    known: [(u32, Teardown); Teardowns::LEN],
    /// The [word](Meta::type_and_events) of the plain object that was asked for last.
    plain: u32,
}

impl Default for Teardowns {
    fn default() -> Teardowns {
        Teardowns { known: [(Self::NO_TYPE, Teardown::Unknown); Self::LEN], plain: Self::NO_TYPE }
    }
}

impl Teardowns {
    const LEN: usize = 64;
    /// Neither word of any object: it has all flags.
    const NO_TYPE: u32 = u32::MAX;

    /// What the object's type says.
    #[inline(always)]
    pub(crate) fn of(&mut self, meta: Meta) -> Teardown {
        let word = meta.type_word();
        let place = (word.wrapping_mul(0x9e37_79b9) >> 26) as usize;
        if self.known[place].0 != word {
            self.known[place] = (word, Self::ask(meta));
        }
        self.known[place].1
    }

    #[cold]
    #[inline(never)]
    fn ask(meta: Meta) -> Teardown {
        (meta.vtable().teardown)()
    }

    /// True if the object's type says [`Teardown::Plain`] and no finalizer or callback is to run.
    #[inline(always)]
    pub(crate) fn is_plain(&mut self, meta: Meta) -> bool {
        let word = meta.type_and_events();
        if word == self.plain {
            return true;
        }
        let plain = !meta.is_eventful() && self.of(meta) == Teardown::Plain;
        if plain {
            self.plain = word;
        }
        plain
    }
}
