//! What types have said of their end, to be asked of each object of a full pass.

use crate::inquiry::Teardown;
use crate::vtable::Meta;

/// A cache of [`VTable::teardown`](crate::vtable::VTable) by type.
pub(crate) struct Teardowns([(u32, Teardown); Teardowns::LEN]);

impl Default for Teardowns {
    fn default() -> Teardowns {
        Teardowns([(Self::NO_TYPE, Teardown::Unknown); Self::LEN])
    }
}

impl Teardowns {
    const LEN: usize = 64;
    /// No [type word](Meta::type_word): it has flags.
    const NO_TYPE: u32 = u32::MAX;

    /// What the object's type says.
    #[inline(always)]
    pub(crate) fn of(&mut self, meta: Meta) -> Teardown {
        let word = meta.type_word();
        let place = (word.wrapping_mul(0x9e37_79b9) >> 26) as usize;
        if self.0[place].0 != word {
            self.0[place] = (word, Self::ask(meta));
        }
        self.0[place].1
    }

    #[cold]
    #[inline(never)]
    fn ask(meta: Meta) -> Teardown {
        (meta.vtable().teardown)()
    }

    /// True if the object's type says [`Teardown::Plain`] and no finalizer or callback is to run.
    #[inline(always)]
    pub(crate) fn is_plain(&mut self, meta: Meta) -> bool {
        !meta.is_eventful() && self.of(meta) == Teardown::Plain
    }
}
