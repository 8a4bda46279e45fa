//! The side header of an object that threads share.
#![allow(unsafe_code, reason = "a side header is reached through raw pointers and frees itself")]

use super::watch::{Lock, Watch, Watches};
use super::weak_count::WeakCount;
use crate::primitive::{AtomicU32, AtomicU64, Ordering, fence, wait};
use allocator_api2::alloc::{AllocError, Allocator};
use core::alloc::Layout;
use core::ptr::{self, NonNull};

/// The part of a shared object that its weak references share: the atomic twin of [`Side`](super::Side).
///
/// # The protocol
///
/// * *Upgrade against the last drop.* Both are one read-modify-write of `count`. An upgrade takes it from n > 0 to n + 1, never from
///   zero; the drop that takes it from 1 to 0 destroys the object. Whichever comes first in the order of modifications wins.
/// * *`get_mut` against downgrade and upgrade.* They meet at the lock of [`WeakCount`].
/// * *Saturation.* From 2^31 on a number stands still: whoever meets it there raises it by 2^30 and counts no more. Threads that had
///   looked before may still add or subtract; it would take 2^30 of them to leave the range.
///
/// # Invariants
///
/// 1. `weak` is the number of weak references, plus one share of the object until it dies or detaches; the memory is freed by
///    whoever takes it to zero. Once saturated it is never freed.
/// 2. The address is a multiple of 16.
/// 3. `rest` is the owner's meta; or, if the object is watched, [`WATCHED`] and the exposed address of a [`Record`] that this side header
///    owns, shifted by one. It does not change back.
#[repr(C, align(16))]
pub(crate) struct SharedSide {
    count: AtomicU32,
    weak: WeakCount,
    rest: AtomicU64,
}

/// What the side header of a watched object has besides.
struct Record {
    meta: AtomicU32,
    watches: Watches<Spin>,
}

const WATCHED: u64 = 1 << 63;
const _: () = assert!(align_of::<Record>() >= 2);

/// The lock of a list that threads share. It is held for a few loads and stores, so whoever waits spins.
pub(crate) struct Spin(AtomicU32);

impl Lock for Spin {
    fn new() -> Spin {
        Spin(AtomicU32::new(0))
    }

    fn lock(&self) {
        let mut turn = 0;
        // Acquire: pairs with the Release in `unlock`. Relaxed on failure: tries again.
        while self.0.compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            turn += 1;
            wait(turn);
        }
    }

    fn unlock(&self) {
        // Release: pairs with the Acquire in `lock`.
        self.0.store(0, Ordering::Release);
    }
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<SharedSide>() == 16 && align_of::<SharedSide>() == 16);

const FULL: u32 = 1 << 31;
const SATURATED: u32 = 3 << 30;

impl SharedSide {
    /// Allocates a side header with the object's share as its only one.
    pub(super) fn allocate<A: Allocator>(meta: u32, alloc: &A) -> Result<NonNull<SharedSide>, AllocError> {
        let side = alloc.allocate(Layout::new::<SharedSide>())?.cast::<SharedSide>();
        let first = SharedSide {
            count: AtomicU32::new(0),
            weak: WeakCount::new(),
            rest: AtomicU64::new(meta.into()),
        };
        // SAFETY: the allocator just returned memory for this layout, which nobody else knows.
        unsafe { side.write(first) };
        Ok(side)
    }

    /// The number of strong references; `u32::MAX` for an immortal object.
    pub(crate) fn count(&self) -> u32 {
        // Relaxed: a number that is old when it is returned, and orders nothing.
        let count = self.count.load(Ordering::Relaxed);
        if count >= FULL { u32::MAX } else { count }
    }

    /// Whether the object is alive, at the moment.
    pub(crate) fn is_alive(&self) -> bool {
        self.count() != 0
    }

    /// The number of weak references, not counting the object's own share; `u32::MAX` once it has saturated.
    pub(crate) fn weak_count(&self) -> u32 {
        self.weak.get()
    }

    /// Sets the count of an object that no other thread knows yet, or that is the caller's alone.
    ///
    /// Release: pairs with the Acquire of [`upgrade`](SharedSide::upgrade), for constructors that publish a weak reference
    /// before the value.
    pub(crate) fn set_count(&self, count: u32) {
        self.count.store(if count >= FULL { SATURATED } else { count }, Ordering::Release);
    }

    pub(super) fn meta(&self) -> u32 {
        // Relaxed, both: written only by the object's single owner, and read by that one or by its successors, who are ordered after
        // it by the counts.
        match self.record() {
            Some(record) => record.meta.load(Ordering::Relaxed),
            #[expect(clippy::cast_possible_truncation, reason = "30 bits of meta")]
            None => self.rest.load(Ordering::Relaxed) as u32,
        }
    }

    pub(super) fn set_meta(&self, meta: u32) {
        // Relaxed, both: see `meta`. The single owner is the only one who could make the object a watched one meanwhile.
        match self.record() {
            Some(record) => record.meta.store(meta, Ordering::Relaxed),
            None => self.rest.store(meta.into(), Ordering::Relaxed),
        }
    }

    fn record(&self) -> Option<&Record> {
        // Acquire: pairs with the Release in `watches_or_insert`.
        let rest = self.rest.load(Ordering::Acquire);
        // SAFETY: invariant 3: not freed before the side header is.
        (rest & WATCHED != 0).then(|| unsafe { unpack(rest).as_ref() })
    }

    fn watches_or_insert<A: Allocator>(&self, alloc: &A) -> Result<&Watches<Spin>, AllocError> {
        if let Some(record) = self.record() {
            return Ok(&record.watches);
        }
        let new = alloc.allocate(Layout::new::<Record>())?.cast::<Record>();
        // SAFETY: just allocated with this layout.
        unsafe { new.write(Record { meta: AtomicU32::new(self.meta()), watches: Watches::new() }) };
        let packed = WATCHED | new.as_ptr().expose_provenance() as u64 >> 1;
        // Relaxed: a guess for the exchange.
        let before = self.rest.load(Ordering::Relaxed);
        // Release: publishes the record; pairs with the Acquire in `record`. Acquire on failure: another thread's record.
        if before & WATCHED == 0
            && self.rest.compare_exchange(before, packed, Ordering::Release, Ordering::Acquire).is_ok()
        {
            // SAFETY: just written, and now the side header's.
            return Ok(&unsafe { new.as_ref() }.watches);
        }
        // SAFETY: nobody else has seen it.
        unsafe { free_record(new, alloc) };
        // `meta` does not change while there is another owner, so it can only have become a record.
        Ok(&self.record().expect("another thread's record").watches)
    }

    /// Registers a callback for the death of the object: see [`Side::watch`](super::Side::watch).
    ///
    /// # Safety
    ///
    /// As there; and other threads may use and drop what the callback captures, if they may have the object.
    pub(crate) unsafe fn watch<A: Allocator + Clone, F: FnOnce()>(
        &self,
        callback: F,
        alloc: &A,
    ) -> Result<Watch, AllocError> {
        let watches = self.watches_or_insert(alloc)?;
        // SAFETY: the caller's promise. Whoever has the watch has a share of this side header, which owns the list.
        unsafe { watches.insert(callback, alloc.clone()) }
    }

    /// [`Side::is_waiting`](super::Side::is_waiting).
    ///
    /// # Safety
    ///
    /// As there.
    pub(crate) unsafe fn is_waiting(&self, watch: &Watch) -> bool {
        // SAFETY: the caller's promise.
        self.record().is_some_and(|record| unsafe { record.watches.is_waiting(watch) })
    }

    /// [`Side::cancel_watch`](super::Side::cancel_watch).
    ///
    /// # Safety
    ///
    /// As there.
    pub(crate) unsafe fn cancel_watch(&self, watch: Watch) {
        if let Some(record) = self.record() {
            // SAFETY: the caller's promise.
            unsafe { record.watches.cancel(watch) };
        }
    }

    /// [`Side::detach_watch`](super::Side::detach_watch).
    ///
    /// # Safety
    ///
    /// As there.
    pub(crate) unsafe fn detach_watch(&self, watch: Watch) {
        if let Some(record) = self.record() {
            // SAFETY: the caller's promise.
            unsafe { record.watches.detach(watch) };
        }
    }

    /// [`Side::call_watches`](super::Side::call_watches).
    ///
    /// # Safety
    ///
    /// As there.
    #[inline]
    pub(crate) unsafe fn call_watches(this: NonNull<SharedSide>) {
        // SAFETY: the caller's share keeps it.
        if let Some(record) = unsafe { this.as_ref() }.record() {
            call_taken(&record.watches);
        }
    }

    /// A count at which somebody has found `count`, 2^31 or more, is moved to where stragglers cannot bring it back. Stores once only.
    #[cold]
    fn saturate(&self, count: u32) {
        if count < SATURATED - (1 << 29) {
            self.immortalize();
        }
    }

    pub(super) fn immortalize(&self) {
        // Relaxed: nobody reads anything else because of it. Read-modify-write, so that a drop in flight comes before or after, and
        // cannot bring an older count back.
        self.count.fetch_or(SATURATED, Ordering::Relaxed);
    }

    /// One more strong reference; the caller owns one already.
    pub(super) fn increment(&self) {
        // Relaxed, both: the new reference is made from one that the caller owns, so it has seen all that it must.
        let mut count = self.count.load(Ordering::Relaxed);
        if count < FULL {
            count = self.count.fetch_add(1, Ordering::Relaxed);
        }
        if count >= FULL {
            self.saturate(count);
        }
    }

    /// One strong reference less. `true`: it was the last one, and all that others did with theirs has happened before.
    pub(super) fn decrement(&self) -> bool {
        // Relaxed: immortality is final, and orders nothing.
        if self.count.load(Ordering::Relaxed) >= FULL {
            return false;
        }
        // Release: what this thread did with the object comes before what the last one does; pairs with the fence below.
        let before = self.count.fetch_sub(1, Ordering::Release);
        debug_assert!(before != 0, "a reference was dropped that had not been counted");
        if before != 1 {
            return false;
        }
        // Acquire: pairs with the Release of every earlier drop, here and (through the thread that outlined) in the header.
        fence(Ordering::Acquire);
        true
    }

    /// Takes a strong reference if the object is alive: returns `true`, and the caller owns one more reference to it.
    #[inline]
    #[must_use = "on `true` the caller owns a reference"]
    pub(crate) fn upgrade(&self) -> bool {
        // Relaxed: only a guess for the exchange.
        let mut count = self.count.load(Ordering::Relaxed);
        loop {
            if count == 0 {
                return false;
            }
            if count >= FULL {
                self.saturate(count);
                // Acquire: pairs with the Release in `set_count` and in the outlining exchange, for the value's contents.
                fence(Ordering::Acquire);
                return true;
            }
            // Acquire on success: pairs with the Release in `set_count`. Relaxed on failure: a better guess.
            match self.count.compare_exchange_weak(count, count + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => count = now,
            }
        }
    }

    /// Takes the count from one to zero, so that upgrades fail: `true` if the caller's reference was the only strong one.
    pub(super) fn seize(&self) -> bool {
        // Acquire: pairs with the Release of every earlier drop, whose use of the value is then over. Relaxed on failure: nothing
        // is done with the value.
        self.count.compare_exchange(1, 0, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Whether the caller's strong reference is the only reference at all.
    pub(super) fn is_unique(&self) -> bool {
        // Acquire: pairs with the Release in `decrement`, whose use of the value is then over.
        self.weak.locked(|| self.count.load(Ordering::Acquire) == 1)
    }

    /// Counts one more weak reference, for the owner of a weak one.
    #[inline]
    pub(crate) fn retain(&self) {
        self.weak.retain();
    }

    /// Counts one more weak reference, for the owner of a strong one.
    pub(crate) fn retain_locked(&self) {
        self.weak.retain_locked();
    }

    /// Gives back one share, and frees the side header if it was the last one.
    ///
    /// # Safety
    ///
    /// The caller owns one share and does not use `this` again on its behalf; `alloc` can free the side header's memory.
    #[inline]
    pub(crate) unsafe fn release<A: Allocator>(this: NonNull<SharedSide>, alloc: &A) {
        // SAFETY: the caller's share keeps the side header allocated (invariant 1) until it is subtracted. That another thread may
        // free it between the subtraction and this reference's end is allowed for what is inside `UnsafeCell`s.
        let weak = unsafe { &(*this.as_ptr()).weak };
        if !weak.give_back() {
            return;
        }
        // Relaxed: ordered by `give_back`.
        // SAFETY: the last share is gone, so nobody else reaches it.
        let rest = unsafe { this.as_ref() }.rest.load(Ordering::Relaxed);
        if rest & WATCHED != 0 {
            // SAFETY: invariant 3. Its callbacks are gone, as the object is.
            unsafe { free_record(unpack(rest), alloc) };
        }
        // SAFETY: as above.
        unsafe { ptr::drop_in_place(this.as_ptr()) };
        // SAFETY: it was allocated with this layout in `allocate`, from an allocator that `alloc` can stand for.
        unsafe { alloc.deallocate(this.cast(), Layout::new::<SharedSide>()) };
    }
}

/// `extern "C"` as in [`Side`](super::Side).
#[cold]
extern "C" fn call_taken(watches: &Watches<Spin>) {
    watches.take().run();
}

/// The record that a watched side header names.
fn unpack(rest: u64) -> NonNull<Record> {
    #[expect(clippy::cast_possible_truncation, reason = "it was a `usize` in `watches_or_insert`")]
    let record = ptr::with_exposed_provenance_mut((rest << 1) as usize);
    // SAFETY: the address of an allocation (invariant 3 of `SharedSide`), so not null.
    unsafe { NonNull::new_unchecked(record) }
}

/// # Safety
///
/// Nobody else has the record; `alloc` can free its memory.
unsafe fn free_record<A: Allocator>(record: NonNull<Record>, alloc: &A) {
    // SAFETY: the caller's promise. (Only loom's atomics need it.)
    unsafe { ptr::drop_in_place(record.as_ptr()) };
    // SAFETY: allocated in `watches_or_insert` with this layout.
    unsafe { alloc.deallocate(record.cast(), Layout::new::<Record>()) };
}
