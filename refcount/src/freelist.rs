//! Free lists: a storage adaptor that keeps a few freed blocks of each size for the next object, as CPython does for its floats, tuples, lists
//! and dicts (`Objects/floatobject.c`, `Include/internal/pycore_freelist.h`).
//!
//! ```text
//!   free ──►  32 bytes:  ● ─► ● ─► ●        at most `limit` of each size; what is more goes back to the allocator
//!             40 bytes:  ●
//!             …          
//!             512 bytes: ● ─► ●             larger blocks, and those aligned to more than 16, are not kept
//! ```
//!
//! [`FreeLists`] is for one thread and used by reference; [`PerThread`] needs no room in a pointer, may cross threads, and has lists in every
//! thread. Both serve `Rc` and `Arc` and their side headers alike.
//!
//! ```
//! use allocator_api2::alloc::Global;
//! use cpymem_refcount::freelist::FreeLists;
//! use cpymem_refcount::rc::Rc;
//!
//! let lists = FreeLists::new(100, Global);
//! let first = Rc::new_borrowed_in(1_u64, &lists);
//! drop(first);
//! assert_eq!(lists.kept_blocks(), 1);
//! let second = Rc::new_borrowed_in(2_u64, &lists); // the same memory
//! assert_eq!(lists.kept_blocks(), 0);
//! ```
#![allow(unsafe_code, reason = "free blocks are linked through their own memory")]

use allocator_api2::alloc::{AllocError, Allocator, Global};
use core::alloc::Layout;
use core::cell::Cell;
use core::fmt;
use core::ptr::{self, NonNull};

/// Sizes are rounded up to multiples of this.
const GRAIN: usize = 8;
const LARGEST: usize = 512;
const CLASSES: usize = LARGEST / GRAIN;

/// The size class of a layout: blocks of class `c` have `(c + 1) * GRAIN` bytes, and every other one is aligned to 16.
#[inline]
fn class_of(layout: Layout) -> Option<usize> {
    let rounded = layout.size().max(1).next_multiple_of(layout.align().max(GRAIN));
    (layout.align() <= 2 * GRAIN && rounded <= LARGEST).then(|| rounded / GRAIN - 1)
}

#[inline]
fn layout_of(class: usize) -> Layout {
    let size = (class + 1) * GRAIN;
    let align = if size.is_multiple_of(2 * GRAIN) { 2 * GRAIN } else { GRAIN };
    // SAFETY: the alignment is a power of two, and the size small.
    unsafe { Layout::from_size_align_unchecked(size, align) }
}

/// The free blocks of one size.
///
/// # Invariants
///
/// 1. `first` is null or a free block of `length` blocks, each of which begins with the address of the next.
struct List {
    first: Cell<*mut u8>,
    length: Cell<u32>,
}

impl List {
    const fn new() -> List {
        List { first: Cell::new(ptr::null_mut()), length: Cell::new(0) }
    }

    #[inline]
    fn push(&self, block: NonNull<u8>) {
        // SAFETY: a free block of at least `GRAIN` bytes, aligned to that.
        unsafe { block.cast::<*mut u8>().write(self.first.replace(block.as_ptr())) };
        self.length.set(self.length.get() + 1);
    }

    #[inline]
    fn pop(&self) -> Option<NonNull<u8>> {
        let block = NonNull::new(self.first.get())?;
        // SAFETY: invariant 1.
        self.first.set(unsafe { block.cast::<*mut u8>().read() });
        self.length.set(self.length.get() - 1);
        Some(block)
    }
}

/// Free lists over an allocator, for one thread: `&FreeLists` is an allocator itself.
///
/// Allocating and freeing a block that a list has room for costs a few loads and stores. Dropping the lists frees what they keep.
///
/// ```compile_fail,E0277
/// fn shareable<T: Sync>(_: T) {}
/// shareable(cpymem_refcount::freelist::FreeLists::new(1, allocator_api2::alloc::Global));
/// ```
/// ```
/// fn shareable<T: Sync>(_: T) {}
/// shareable(cpymem_refcount::freelist::PerThread);
/// ```
///
/// # Invariants
///
/// 1. The blocks of `lists[c]` were allocated by `alloc` with `layout_of(c)`.
pub struct FreeLists<A: Allocator = Global> {
    lists: [List; CLASSES],
    limit: u32,
    alloc: A,
}

impl<A: Allocator> FreeLists<A> {
    /// Lists that keep at most `limit` blocks of each size. (CPython keeps 80 lists, 100 floats, 2000 tuples of each length.)
    pub const fn new(limit: u32, alloc: A) -> FreeLists<A> {
        FreeLists { lists: [const { List::new() }; CLASSES], limit, alloc }
    }

    /// How many free blocks there are.
    pub fn kept_blocks(&self) -> usize {
        self.lists.iter().map(|list| list.length.get() as usize).sum()
    }

    /// How many bytes they have.
    pub fn kept_bytes(&self) -> usize {
        let bytes = |(class, list): (usize, &List)| list.length.get() as usize * layout_of(class).size();
        self.lists.iter().enumerate().map(bytes).sum()
    }

    /// Gives all free blocks back to the allocator, as a full collection does in CPython.
    pub fn clear(&self) {
        for (class, list) in self.lists.iter().enumerate() {
            while let Some(block) = list.pop() {
                // SAFETY: invariant 1; it is no longer in the list.
                unsafe { self.alloc.deallocate(block, layout_of(class)) };
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn allocate_anew(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.alloc.allocate(class_of(layout).map_or(layout, layout_of))
    }

    /// # Safety
    ///
    /// As for [`Allocator::deallocate`]; the block does not stay in a list.
    #[cold]
    #[inline(never)]
    unsafe fn free(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the layout that it was allocated with in `allocate_anew`.
        unsafe { self.alloc.deallocate(block, class_of(layout).map_or(layout, layout_of)) };
    }
}

impl<A: Allocator> Drop for FreeLists<A> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<A: Allocator> fmt::Debug for FreeLists<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FreeLists")
            .field("limit", &self.limit)
            .field("kept_blocks", &self.kept_blocks())
            .field("kept_bytes", &self.kept_bytes())
            .finish_non_exhaustive()
    }
}

// SAFETY: a block is handed out once, from a list of blocks that are large enough and aligned for the layout, or by `alloc`. What `&FreeLists` is
// cloned or moved to is the same lists.
unsafe impl<A: Allocator> Allocator for &FreeLists<A> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if let Some(class) = class_of(layout)
            && let Some(block) = self.lists[class].pop()
        {
            return Ok(NonNull::slice_from_raw_parts(block, layout_of(class).size()));
        }
        self.allocate_anew(layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        if let Some(class) = class_of(layout)
            && self.lists[class].length.get() < self.limit
        {
            return self.lists[class].push(block);
        }
        // SAFETY: the caller's promise.
        unsafe { self.free(block, layout) };
    }
}

/// The blocks of each size that [`PerThread`] keeps in every thread.
#[cfg(feature = "std")]
pub const PER_THREAD_LIMIT: u32 = 100;

#[cfg(feature = "std")]
std::thread_local! {
    static LISTS: FreeLists<Global> = const { FreeLists::new(PER_THREAD_LIMIT, Global) };
}

/// The free lists of whatever thread it is used on, over [`Global`]. It has no size, so a pointer with it is one word.
///
/// A block goes to the lists of the thread that frees it; they are freed when the thread ends. After that, in destructors of other
/// thread-locals, it is `Global` itself.
///
/// ```
/// use cpymem_refcount::freelist::PerThread;
/// use cpymem_refcount::sync::Arc;
///
/// let object: Arc<u64, PerThread> = Arc::new_in(1, PerThread);
/// assert_eq!(size_of::<PerThread>(), 0);
/// std::thread::spawn(move || drop(object)).join().unwrap();
/// ```
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug, Default)]
pub struct PerThread;

#[cfg(feature = "std")]
impl PerThread {
    /// How many free blocks this thread has.
    pub fn kept_blocks() -> usize {
        LISTS.try_with(FreeLists::kept_blocks).unwrap_or(0)
    }

    /// Gives the free blocks of this thread back.
    pub fn clear() {
        // At the end of the thread there is nothing to clear.
        let _gone = LISTS.try_with(FreeLists::clear);
    }
}

// SAFETY: `Global`'s blocks, with the layouts of their size classes; which thread's lists they pass through makes no difference.
#[cfg(feature = "std")]
unsafe impl Allocator for PerThread {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        LISTS
            .try_with(|lists| lists.allocate(layout))
            .unwrap_or_else(|_| Global.allocate(class_of(layout).map_or(layout, layout_of)))
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        if LISTS.try_with(|lists| unsafe { lists.deallocate(block, layout) }).is_err() {
            // SAFETY: the layout that it was allocated with.
            unsafe { Global.deallocate(block, class_of(layout).map_or(layout, layout_of)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_cover_their_layouts() {
        for size in 0..600 {
            for align in [1, 2, 4, 8, 16, 32] {
                let layout = Layout::from_size_align(size, align).unwrap();
                match class_of(layout) {
                    Some(class) => {
                        let block = layout_of(class);
                        assert!(block.size() >= size && block.align() >= align && block.size() <= LARGEST);
                        assert!(block.size() - size < 2 * GRAIN || size == 0);
                    }
                    None => assert!(align > 16 || size > LARGEST - 16),
                }
            }
        }
    }
}
