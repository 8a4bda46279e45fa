//! How an object loses its owner, and gets another.
#![allow(unsafe_code, reason = "a reference goes into the owner's queue by its link")]

use super::{BiasedHeader, Drop, LOCAL_FULL};
use crate::primitive::Ordering;
use crate::raw::biased::queue::{Departed, Link};
use crate::raw::biased::slot::Slot;
use crate::raw::biased::thread;
use crate::raw::biased::word::BiasedWord;
use core::ptr::NonNull;

/// What became of a reference that was to be left to the owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::raw::biased) enum Left {
    /// It is in the owner's queue.
    Queued,
    /// It was not the last one, and is gone.
    Gone,
    /// It was the last one: the caller must destroy the object.
    Last,
}

impl BiasedHeader {
    /// Leaves a reference, which [`decrement_slow`](BiasedHeader::decrement_slow) was unsure about, to the owner.
    ///
    /// # Safety
    ///
    /// The caller owns the reference and the link, whose address fits the queue and which stands for the reference. On `Queued` both
    /// are no longer the caller's.
    pub(in crate::raw::biased) unsafe fn leave(&self, link: NonNull<Link>) -> Left {
        // It may have become an ordinary drop meanwhile. Acquire and Release: the owner must be seen as it is, and see this.
        while self
            .change(Ordering::AcqRel, |word| (word.is_owned() && word.count() == 0).then(|| word.queued()))
            .is_none()
        {
            match self.decrement_shared() {
                Drop::Gone => return Left::Gone,
                Drop::Last => return Left::Last,
                Drop::Unsure => {}
            }
        }
        // Relaxed: if the owner has let the object go, that is seen, as the exchange above comes before or after its own: before, the owner
        // counts this reference when it merges; after, the exchange has found `merged`.
        let owner = Slot(self.owner.load(Ordering::Relaxed));
        let dead = if owner == Slot::NOBODY {
            self.end_queued()
        } else {
            // SAFETY: the caller's promise.
            match unsafe { thread::slots().queue(owner).push(owner.generation(), link) } {
                Ok(()) => return Left::Queued,
                Err(Departed) => self.merge(-1),
            }
        };
        if dead { Left::Last } else { Left::Gone }
    }

    /// A reference that is counted, of an object that the owner is letting go or has let go.
    fn end_queued(&self) -> bool {
        let ended = self.change(Ordering::AcqRel, |word| (!word.is_immortal()).then(|| word.plus(-1)));
        ended.is_some_and(BiasedWord::is_dead)
    }

    /// Adds the local count, and so many more, to the shared one, if nobody has done it before; the object has no owner from now on. `true`: it is
    /// dead, all that others did with it has happened before, and the caller must destroy it.
    ///
    /// For the owner, or for whoever acts for it; and `-more` references are the caller's.
    pub(in crate::raw::biased) fn merge(&self, more: i64) -> bool {
        // Relaxed, both: the local count does not change any more. Whoever finds no owner before the merging is done counts in the shared word
        // all the same.
        self.owner.store(Slot::NOBODY.0, Ordering::Relaxed);
        let local = i64::from(self.local.load(Ordering::Relaxed));
        // Release, Acquire: as for a drop.
        let merged = self.change(Ordering::AcqRel, |word| {
            let next = if word.is_merged() { word.plus(more) } else { word.merged_with(local + more) };
            (!word.is_immortal()).then_some(next)
        });
        merged.is_some_and(BiasedWord::is_dead)
    }

    /// Lets the object go, for the owner of a reference: whatever thread drops the last one now destroys it.
    pub(crate) fn disown(&self) {
        if self.is_mine() {
            let dead = self.merge(0);
            debug_assert!(!dead, "the caller's reference is counted");
        }
    }

    /// Makes this thread the owner, if the caller's reference is the only one, strong or weak. It must own that reference exclusively.
    pub(crate) fn adopt(&self) -> bool {
        if self.is_mine() || !self.is_unique() {
            return self.is_mine();
        }
        thread::tick();
        let (place, seen) = self.place();
        let slot = thread::mine();
        if slot != Slot::NONE {
            // Relaxed, all: the caller is the only one who knows the object.
            self.local.store(1, Ordering::Relaxed);
            place.store(BiasedWord::owned(seen.meta()).0, Ordering::Relaxed);
            self.owner.store(slot.0, Ordering::Relaxed);
        }
        slot != Slot::NONE
    }

    /// A reference that came from an upgrade is counted in the shared word. If it is the owner's, it belongs into the local count, or that would fall to
    /// zero while the owner still has references.
    #[inline]
    pub(crate) fn upgraded(&self) {
        if self.is_mine() {
            self.bring_home();
        }
    }

    #[inline(never)]
    fn bring_home(&self) {
        // First, so that the reference is counted all the time. Relaxed, both: as in `increment`.
        let local = self.local.load(Ordering::Relaxed);
        self.local.store(local + 1, Ordering::Relaxed);
        // Release: as every change that a probe must not miss.
        let moved = self.change(Ordering::Release, |word| {
            (!word.is_immortal() && (word.count() > 0 || word.is_queued())).then(|| word.plus(-1))
        });
        // Another thread has taken the shared count back to zero: its reference was counted locally, ours is now.
        if moved.is_none() {
            // Release: as in `decrement_fast`.
            self.local.store(local, Ordering::Release);
        } else if local + 1 >= LOCAL_FULL {
            self.saturate();
        }
    }

    /// Whether the thread that owns the object is gone. Then its local count does not change any more, and is seen.
    pub(super) fn has_departed(&self) -> bool {
        // Relaxed: an owner that has let the object go is told by the shared word.
        let owner = Slot(self.owner.load(Ordering::Relaxed));
        owner != Slot::NOBODY && !thread::slots().queue(owner).is_open(owner.generation())
    }
}
