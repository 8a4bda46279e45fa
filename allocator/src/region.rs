//! [`FixedRegion`]: arenas in memory that the caller has set aside.
#![allow(unsafe_code, reason = "hands out raw memory")]

use core::cell::Cell;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use crate::source::ArenaSource;

const PAGE: usize = 4096;

/// A piece of free memory; it says so in its own first bytes.
struct Extent {
    size: usize,
    /// The next one by address.
    next: Cell<Option<ExtentPtr>>,
}

/// A free extent of a region, by address.
///
/// # Invariants
/// 1. It points to an `Extent` at the start of `size` bytes of the region that nobody else uses, aligned to a
///    page.
#[derive(Clone, Copy)]
struct ExtentPtr(NonNull<Extent>);

impl ExtentPtr {
    /// Makes a range a free extent.
    ///
    /// # Safety
    /// The range belongs to the region alone, is aligned to a page and not empty.
    unsafe fn make(start: NonNull<u8>, size: usize, next: Option<ExtentPtr>) -> ExtentPtr {
        let extent = start.cast::<Extent>();
        // SAFETY: a page has room for it, and the range is the caller's.
        unsafe { extent.write(Extent { size, next: Cell::new(next) }) };
        ExtentPtr(extent)
    }

    fn get(&self) -> &Extent {
        // SAFETY: invariant 1.
        unsafe { self.0.as_ref() }
    }

    fn start(self) -> NonNull<u8> {
        self.0.cast()
    }

    fn end(self) -> usize {
        self.0.addr().get() + self.get().size
    }
}

/// A source of arenas in a piece of memory that it borrows, and never more than that.
///
/// Arenas are aligned to 2 MiB, so of memory at a random address up to 2 MiB are lost, and a heap needs at least
/// one arena. A range is zeroed when it is handed out. Free ranges are kept by address and joined.
///
/// ```
/// use core::alloc::Layout;
/// use core::mem::MaybeUninit;
/// use cpymem_allocator::{FixedRegion, Heap};
///
/// let mut memory: Vec<MaybeUninit<u8>> = Vec::with_capacity(8 << 20);
/// # // SAFETY: `MaybeUninit` needs no initialisation.
/// unsafe { memory.set_len(8 << 20) };
/// let heap = Heap::new_in(FixedRegion::new(&mut memory), usize::MAX);
/// let layout = Layout::from_size_align(100_000, 8).unwrap();
/// let blocks = std::iter::from_fn(|| heap.alloc(layout)).count();
/// assert!(blocks > 30 && blocks < 80, "{blocks}: no more than the region has");
/// ```
pub struct FixedRegion<'a> {
    free: Cell<Option<ExtentPtr>>,
    memory: PhantomData<&'a mut [MaybeUninit<u8>]>,
}

// SAFETY: the region is borrowed exclusively, and nothing in it is tied to a thread.
unsafe impl Send for FixedRegion<'_> {}

impl core::fmt::Debug for FixedRegion<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FixedRegion").field("free_bytes", &self.free_bytes()).finish()
    }
}

impl<'a> FixedRegion<'a> {
    /// A source of whatever whole pages `memory` has.
    pub fn new(memory: &'a mut [MaybeUninit<u8>]) -> FixedRegion<'a> {
        let (start, length) = (NonNull::from(&mut *memory).cast::<u8>(), memory.len());
        let skipped = start.addr().get().wrapping_neg() & (PAGE - 1);
        let size = length.saturating_sub(skipped) & !(PAGE - 1);
        let free = (size > 0).then(|| {
            // SAFETY: `skipped < length`, since a page is left.
            let first = unsafe { start.add(skipped) };
            // SAFETY: whole pages of the region, which is ours.
            unsafe { ExtentPtr::make(first, size, None) }
        });
        FixedRegion { free: Cell::new(free), memory: PhantomData }
    }

    /// Bytes that are not handed out.
    pub fn free_bytes(&self) -> usize {
        self.extents().map(|extent| extent.get().size).sum()
    }

    fn extents(&self) -> impl Iterator<Item = ExtentPtr> {
        core::iter::successors(self.free.get(), |extent| extent.get().next.get())
    }

    /// Makes `next` what comes after `before`, or the first.
    fn link(&self, before: Option<ExtentPtr>, next: Option<ExtentPtr>) {
        match before {
            Some(before) => before.get().next.set(next),
            None => self.free.set(next),
        }
    }
}

// SAFETY: ranges come out of extents, which are disjoint parts of the region, and are zeroed; moving the source
// moves no memory.
unsafe impl ArenaSource for FixedRegion<'_> {
    fn map(&self, size: usize, align: usize) -> Option<NonNull<u8>> {
        let mut before = None;
        for extent in self.extents() {
            let start = extent.start();
            let skipped = start.addr().get().wrapping_neg() & (align - 1);
            let whole = extent.get().size;
            if skipped.checked_add(size).is_none_or(|needed| needed > whole) {
                before = Some(extent);
                continue;
            }
            let mut rest = extent.get().next.get();
            // SAFETY: `skipped + size` bytes fit.
            let range = unsafe { start.add(skipped) };
            let behind = whole - skipped - size;
            if behind > 0 {
                // SAFETY: inside the extent.
                let end = unsafe { range.add(size) };
                // SAFETY: the end of the extent, whole pages that nobody else has.
                rest = Some(unsafe { ExtentPtr::make(end, behind, rest) });
            }
            if skipped > 0 {
                // SAFETY: the front of the extent, whole pages that nobody else has.
                rest = Some(unsafe { ExtentPtr::make(start, skipped, rest) });
            }
            self.link(before, rest);
            // SAFETY: `size` bytes that are in no extent any more.
            unsafe { range.write_bytes(0, size) };
            return Some(range);
        }
        None
    }

    unsafe fn unmap(&self, ptr: NonNull<u8>, size: usize, _align: usize) {
        let before = self.extents().take_while(|extent| extent.start() < ptr).last();
        let mut next = before.map_or(self.free.get(), |before| before.get().next.get());
        let (mut start, mut size) = (ptr, size);
        if let Some(behind) = next.filter(|next| next.start().addr().get() == ptr.addr().get() + size) {
            size += behind.get().size;
            next = behind.get().next.get();
        }
        let mut link = before;
        if let Some(front) = before.filter(|front| front.end() == ptr.addr().get()) {
            size += front.get().size;
            start = front.start();
            link = self.extents().take_while(|extent| extent.start() < start).last();
        }
        // SAFETY: the caller gives the range up; what it was joined with was free and is in no list any more.
        let joined = unsafe { ExtentPtr::make(start, size, next) };
        self.link(link, Some(joined));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory of `pages` pages, aligned to `align`.
    fn memory(bytes: usize) -> Vec<MaybeUninit<u8>> {
        let mut memory = Vec::with_capacity(bytes);
        // SAFETY: `MaybeUninit` needs no initialisation.
        unsafe { memory.set_len(bytes) };
        memory
    }

    #[test]
    fn ranges_are_disjoint_and_zeroed_and_join_again() {
        let mut memory = memory(200 * PAGE + 17);
        let bounds = memory.as_ptr_range();
        let region = FixedRegion::new(&mut memory);
        let all = region.free_bytes();
        assert!(all >= 199 * PAGE);
        let mut state = 1u64;
        let mut held: Vec<(NonNull<u8>, usize)> = Vec::new();
        for step in 0..20_000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let number = (state >> 33) as usize;
            if !number.is_multiple_of(5) && held.len() < 12 {
                let (size, align) = (PAGE * (1 + number % 20), PAGE << (number / 100 % 4));
                if let Some(range) = region.map(size, align) {
                    assert!(range.addr().get().is_multiple_of(align));
                    assert!(range.as_ptr() >= bounds.start as *mut u8);
                    assert!(range.addr().get() + size <= bounds.end.addr());
                    for &(other, length) in &held {
                        let apart = range.addr().get() >= other.addr().get() + length
                            || other.addr().get() >= range.addr().get() + size;
                        assert!(apart, "step {step}");
                    }
                    // SAFETY: handed out just now.
                    let bytes = unsafe { core::slice::from_raw_parts_mut(range.as_ptr(), size) };
                    assert!(bytes.iter().all(|&byte| byte == 0));
                    bytes.fill(0xee);
                    held.push((range, size));
                }
            } else if !held.is_empty() {
                let (range, size) = held.swap_remove(number % held.len());
                // SAFETY: mapped above, not used any more.
                unsafe { region.unmap(range, size, PAGE) };
            }
        }
        for (range, size) in held {
            // SAFETY: as above.
            unsafe { region.unmap(range, size, PAGE) };
        }
        assert_eq!(region.free_bytes(), all);
        assert_eq!(region.extents().count(), 1, "everything was joined");
    }

    #[test]
    fn too_little_memory_is_none() {
        assert_eq!(FixedRegion::new(&mut []).free_bytes(), 0);
        let mut memory = memory(100);
        let region = FixedRegion::new(&mut memory);
        assert!(region.map(PAGE, PAGE).is_none());
        assert!(region.map(usize::MAX & !(PAGE - 1), PAGE).is_none());
    }
}
