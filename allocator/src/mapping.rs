//! Blocks above 1 MiB of [`Global`](crate::Global): a mapping each, without a header. The layout that comes
//! with the free tells its size, so any thread can unmap it.
#![allow(unsafe_code, reason = "maps and unmaps memory")]

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::protocol::budget::Budget;
use crate::source::{ArenaSource, Os};

const PAGE: usize = 4096;

/// Mappings and their bytes now. Relaxed everywhere: they are statistics and order nothing.
static COUNT: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

/// Bytes of the mapping for a size; `None` if no machine has so many.
fn rounded(size: usize) -> Option<usize> {
    size.max(1).checked_next_multiple_of(PAGE).filter(|&bytes| bytes <= isize::MAX as usize)
}

/// A block that reads 0, charged to `budget`.
pub(crate) fn alloc(budget: &Budget, layout: Layout) -> Option<NonNull<u8>> {
    let bytes = rounded(layout.size())?;
    budget.charge(bytes)?;
    let Some(block) = Os.map(bytes, layout.align().max(PAGE)) else {
        budget.release(bytes);
        return None;
    };
    COUNT.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(bytes, Ordering::Relaxed);
    Some(block)
}

/// # Safety
/// `ptr` was allocated here with this budget and `layout` and is not used again.
pub(crate) unsafe fn dealloc(budget: &Budget, ptr: NonNull<u8>, layout: Layout) {
    // The size was rounded when the block was made.
    let bytes = rounded(layout.size()).unwrap_or(0);
    COUNT.fetch_sub(1, Ordering::Relaxed);
    BYTES.fetch_sub(bytes, Ordering::Relaxed);
    // SAFETY: the whole mapping, which the caller gives up.
    unsafe { Os.unmap(ptr, bytes, layout.align()) };
    budget.release(bytes);
}

/// Grows or shrinks a block, moving its pages and not its bytes.
///
/// # Safety
/// `ptr` was allocated here with this budget and `layout`; it is not used again if the result is `Some`. The new size takes
/// the way of mappings, too.
pub(crate) unsafe fn realloc(
    budget: &Budget,
    ptr: NonNull<u8>,
    layout: Layout,
    new_size: usize,
) -> Option<NonNull<u8>> {
    let (old, new) = (rounded(layout.size())?, rounded(new_size)?);
    if old == new {
        return Some(ptr);
    }
    budget.charge(new.saturating_sub(old))?;
    // A larger alignment than a page would be lost when the mapping moves.
    let may_move = if layout.align() <= PAGE { libc::MREMAP_MAYMOVE } else { 0 };
    // SAFETY: a whole mapping of ours of `old` bytes.
    let moved = unsafe { libc::mremap(ptr.as_ptr().cast(), old, new, may_move) };
    if moved == libc::MAP_FAILED {
        budget.release(new.saturating_sub(old));
        return None;
    }
    budget.release(old.saturating_sub(new));
    BYTES.fetch_add(new.wrapping_sub(old), Ordering::Relaxed);
    NonNull::new(moved.cast())
}

/// Mappings now, and their bytes.
pub(crate) fn held() -> (usize, usize) {
    (COUNT.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed))
}
