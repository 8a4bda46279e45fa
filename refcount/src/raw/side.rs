//! The side header: where the count of an object lives once there are weak references to it.
#![allow(unsafe_code, reason = "a side header is reached through raw pointers and frees itself")]

use super::count::{Count, CountWord};
use super::watch::{Unshared, Watch, Watches};
use allocator_api2::alloc::{AllocError, Allocator};
use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};

/// The part of an object that its weak references share.
///
/// An object gets one at its first weak reference and keeps it until it dies. From then on count and meta live here, so that
/// the last drop and [`upgrade`](Side::upgrade) meet at one word, and the object's own memory can be freed at its death
/// however many weak references remain. (Swift calls the same thing a side table.)
///
/// ```text
///  byte  0        4        8        12       16
///        ┌────────┬────────┬────────┬────────┐      weak = weak references + 1 while the object has its share
///        │ count  │ weak   │ meta   │ state  │
///        └────────┴────────┴────────┴────────┘
///
///            meta, 32 bits                 state, 32 bits
///          ┌─────────────────────────────┐ ┌───┬───┬───┬────────────────────────────┐
///          │ the embedder's              │ │ K │ R │ 0 │                            │     K: killed, R: released
///          ├─────────────────────────────┤ ├───┼───┼───┼────────────────────────────┤
///  watched │ record address, bits 3..35  │ │ K │ R │ 1 │ record address, 35..=63    │     meta is in the record
///          └─────────────────────────────┘ └───┴───┴───┴────────────────────────────┘
///           31                           0  31  30  29                             0
/// ```
///
/// An object with callbacks is *watched*: meta and the list of its callbacks are in a record of their own, which the others do not pay for.
///
/// # Invariants
///
/// 1. `count` is never outlined.
/// 2. `weak` is the number of weak references, plus one share that belongs to the object until
///    [`Header::release_side`](super::Header::release_side); the memory is freed by whoever takes it to zero.
/// 3. `weak == u32::MAX` is saturated: it stays there and the side header is never freed.
/// 4. The address is a multiple of 8.
/// 5. A watched side header holds the exposed address of a `Record` that it owns.
#[repr(C, align(8))]
pub struct Side {
    pub(super) count: Cell<CountWord>,
    weak: Cell<u32>,
    meta: Cell<u32>,
    state: Cell<u32>,
}

const KILLED: u32 = 1 << 31;
const RELEASED: u32 = 1 << 30;
const WATCHED: u32 = 1 << 29;
const RECORD_SHIFT: u32 = align_of::<Record>().ilog2();

/// What a watched side header has besides.
#[repr(align(8))]
struct Record {
    meta: Cell<u32>,
    watches: Watches<Unshared>,
}

const _: () = assert!(usize::BITS - RECORD_SHIFT <= WATCHED.ilog2() + u32::BITS);
const _: () = assert!(size_of::<Side>() == 16 && align_of::<Side>() == 8);

impl Side {
    /// Allocates a side header with the object's share as its only one.
    pub(super) fn allocate<A: Allocator>(
        count: CountWord,
        meta: u32,
        alloc: &A,
    ) -> Result<NonNull<Side>, AllocError> {
        debug_assert!(!count.is_outlined());
        let side = alloc.allocate(Layout::new::<Side>())?.cast::<Side>();
        let first =
            Side { count: Cell::new(count), weak: Cell::new(1), meta: Cell::new(meta), state: Cell::new(0) };
        // SAFETY: the allocator just returned memory for the layout of a `Side`, which nobody else knows.
        unsafe { side.write(first) };
        Ok(side)
    }

    #[inline]
    fn has(&self, bit: u32) -> bool {
        self.state.get() & bit != 0
    }

    #[inline]
    pub(super) fn meta_cell(&self) -> &Cell<u32> {
        match self.record() {
            None => &self.meta,
            // SAFETY: invariant 5.
            Some(record) => unsafe { &(*record.as_ptr()).meta },
        }
    }

    /// The number of strong references.
    pub fn count(&self) -> Count {
        self.count.get().observe()
    }

    /// The number of weak references; `u32::MAX` once that number has saturated.
    pub fn weak_count(&self) -> u32 {
        match self.weak.get() {
            u32::MAX => u32::MAX,
            weak => weak - u32::from(!self.has(RELEASED)),
        }
    }

    /// Counts one more weak reference. It must be matched by one [`Side::release`]; forgetting that leaks the side header.
    #[inline]
    pub fn retain(&self) {
        self.weak.set(self.weak.get().saturating_add(1));
    }

    /// Takes a strong reference if the object is alive: returns `true`, and the caller owns one more reference to it.
    /// Returns `false` once the count has reached zero or [`kill`](Side::kill) was called.
    #[inline]
    #[must_use = "on `true` the caller owns a reference"]
    pub fn upgrade(&self) -> bool {
        // A released side header has a count of zero.
        let word = self.count.get();
        if word.is_zero() || self.has(KILLED) {
            return false;
        }
        if !word.is_slow() {
            self.count.set(if word.up().is_slow() { CountWord::IMMORTAL } else { word.up() });
        }
        true
    }

    /// Makes every upgrade fail from now on, whatever the count says.
    ///
    /// A collector calls it on garbage before it clears it, so that no destructor can reach a half-cleared object through a
    /// weak reference (the order of CPython's `handle_weakrefs`).
    pub fn kill(&self) {
        self.state.set(self.state.get() | KILLED);
    }

    /// Takes [`kill`](Side::kill) back: for constructors that hand out weak references to an object which is not complete yet.
    pub fn revive(&self) {
        self.state.set(self.state.get() & !KILLED);
    }

    /// Whether upgrades fail because of [`kill`](Side::kill).
    pub fn is_killed(&self) -> bool {
        self.has(KILLED)
    }

    /// Gives back one weak reference, and frees the side header if it was the last share.
    ///
    /// # Safety
    ///
    /// The caller owns one share ([`Side::retain`]) and does not use `this` again on its behalf. `alloc` is the allocator that
    /// was passed to [`Header::side_or_insert`](super::Header::side_or_insert), or one that can free its memory.
    #[inline]
    pub unsafe fn release<A: Allocator>(this: NonNull<Side>, alloc: &A) {
        // SAFETY: the caller's share keeps the side header allocated (invariant 2).
        let weak = unsafe { &this.as_ref().weak };
        match weak.get() {
            u32::MAX => {}
            1 => {
                // SAFETY: this was the last share, so no pointer to the side header is used again.
                if let Some(record) = unsafe { this.as_ref() }.record() {
                    // SAFETY: invariant 5: allocated in `record_or_insert`; its callbacks are gone, as the object is.
                    unsafe { alloc.deallocate(record.cast(), Layout::new::<Record>()) };
                }
                // SAFETY: as above; allocated with exactly this layout in `allocate`, from an allocator that `alloc` can stand for.
                unsafe { alloc.deallocate(this.cast(), Layout::new::<Side>()) }
            }
            shares => weak.set(shares - 1),
        }
    }

    /// The object's share goes: upgrades fail for good.
    ///
    /// # Safety
    ///
    /// As for [`Side::release`]; the share is the object's own.
    pub(super) unsafe fn release_object<A: Allocator>(this: NonNull<Side>, alloc: &A) {
        // SAFETY: the object's share keeps the side header allocated (invariant 2).
        let side = unsafe { this.as_ref() };
        side.count.set(CountWord::ZERO);
        side.state.set(side.state.get() | RELEASED);
        if let Some(watches) = side.watches() {
            drop(watches.take());
        }
        // SAFETY: the caller owns the object's share and passes its allocator.
        unsafe { Side::release(this, alloc) };
    }

    #[inline]
    fn record(&self) -> Option<NonNull<Record>> {
        let state = self.state.get();
        if state & WATCHED == 0 {
            return None;
        }
        let packed = u64::from(state & (WATCHED - 1)) << 32 | u64::from(self.meta.get());
        #[expect(clippy::cast_possible_truncation, reason = "it was a `usize` in `record_or_insert`")]
        let record = ptr::with_exposed_provenance_mut((packed << RECORD_SHIFT) as usize);
        // SAFETY: invariant 5: the address of an allocation, so not null.
        Some(unsafe { NonNull::new_unchecked(record) })
    }

    fn watches(&self) -> Option<&Watches<Unshared>> {
        // SAFETY: invariant 5.
        self.record().map(|record| unsafe { &(*record.as_ptr()).watches })
    }

    fn watches_or_insert<A: Allocator>(&self, alloc: &A) -> Result<&Watches<Unshared>, AllocError> {
        if let Some(watches) = self.watches() {
            return Ok(watches);
        }
        let record = alloc.allocate(Layout::new::<Record>())?.cast::<Record>();
        // SAFETY: just allocated with this layout.
        unsafe { record.write(Record { meta: Cell::new(self.meta.get()), watches: Watches::new() }) };
        let packed = record.as_ptr().expose_provenance() as u64 >> RECORD_SHIFT;
        #[expect(clippy::cast_possible_truncation, reason = "the low half; the high half goes to the state")]
        self.meta.set(packed as u32);
        self.state.set(self.state.get() | WATCHED | (packed >> 32) as u32);
        // SAFETY: just written.
        Ok(unsafe { &(*record.as_ptr()).watches })
    }

    /// Registers a callback for the death of the object: see [`Side::call_watches`].
    ///
    /// # Errors
    ///
    /// `alloc` has no memory; the callback is dropped.
    ///
    /// # Safety
    ///
    /// `alloc` is as in [`Side::release`]. What the callback captures stays valid until it is called or dropped, which is at the latest
    /// when the object gives back its share.
    pub unsafe fn watch<A: Allocator + Clone, F: FnOnce()>(
        &self,
        callback: F,
        alloc: &A,
    ) -> Result<Watch, AllocError> {
        let watches = self.watches_or_insert(alloc)?;
        // SAFETY: the caller's promise. Whoever has the watch has a share of this side header, which owns the list.
        unsafe { watches.insert(callback, alloc.clone()) }
    }

    /// Whether a callback is still to be called.
    ///
    /// # Safety
    ///
    /// It was registered here.
    pub unsafe fn is_waiting(&self, watch: &Watch) -> bool {
        // SAFETY: the caller's promise.
        self.watches().is_some_and(|watches| unsafe { watches.is_waiting(watch) })
    }

    /// The callback is not called any more, unless its call is under way.
    ///
    /// # Safety
    ///
    /// It was registered here, and the caller owns a share of the side header.
    pub unsafe fn cancel_watch(&self, watch: Watch) {
        if let Some(watches) = self.watches() {
            // SAFETY: the caller's promise.
            unsafe { watches.cancel(watch) };
        }
    }

    /// The callback will be called, though nobody can cancel it any more.
    ///
    /// # Safety
    ///
    /// As for [`Side::cancel_watch`].
    pub unsafe fn detach_watch(&self, watch: Watch) {
        if let Some(watches) = self.watches() {
            // SAFETY: the caller's promise.
            unsafe { watches.detach(watch) };
        }
    }

    /// Calls the callbacks, the last registered first. Call it when upgrades fail and before the value is dropped; it does nothing more
    /// the second time.
    ///
    /// What a callback drops is called all the same. A panic goes to the [hook](super::set_unraisable_hook), and the next callback is called.
    ///
    /// # Safety
    ///
    /// The caller owns a share of the side header, which is the object's or one that it has retained for this.
    #[inline]
    pub unsafe fn call_watches(this: NonNull<Side>) {
        // SAFETY: the caller's share keeps it.
        if let Some(watches) = unsafe { this.as_ref() }.watches() {
            call_taken(watches);
        }
    }
}

/// `extern "C"`, because such a function cannot unwind: dropping an object without drop glue then cannot either.
#[cold]
extern "C" fn call_taken(watches: &Watches<Unshared>) {
    watches.take().run();
}
