//! The memory of one object: a header, values that can be unset, and the order they were set in.
#![allow(unsafe_code, reason = "values of a number known at run time lie behind a header in one allocation")]

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ptr::NonNull;

use allocator_api2::alloc::{AllocError, Allocator, handle_alloc_error};

use super::id::Id;

/// Values whose presence the header notes; the others have bits behind the values.
const NEAR: usize = 16;

/// The first 8 bytes of an object.
///
/// ```text
///   bit 0                    32           48           64
///       | shape or shared keys | values, len | present 0-15 |
/// ```
#[repr(C)]
struct Header {
    shape: Id,
    len: u16,
    present: u16,
}

const _: () = assert!(size_of::<Header>() == 8);

/// An index, and its bit in the header if it has one there: one test tells whether a value is near and set.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    index: u16,
    /// # Invariant
    /// `1 << index` if that is one of the bits, else 0.
    near: u16,
}

impl Place {
    pub(super) fn of(index: u16) -> Place {
        Place { index, near: 1u16.checked_shl(index.into()).unwrap_or(0) }
    }

    /// As an inline cache keeps it.
    pub(super) fn bits(self) -> u32 {
        u32::from(self.near) << 16 | u32::from(self.index)
    }

    /// What [`Place::bits`] gave.
    #[inline(always)]
    pub(super) fn from_bits(bits: u32) -> Place {
        Place { index: bits as u16, near: (bits >> 16) as u16 }
    }

    #[inline]
    pub(super) fn index(self) -> usize {
        self.index.into()
    }
}

/// One allocation that holds up to `len` values.
///
/// ```text
///   header | value 0 | value 1 | ... | value len-1 | present 16.. | count, order
///   8        V                                       (len-16)/8     1 + len, if ORDERED
/// ```
///
/// # Invariants
/// 1. `header` points to an allocation from `alloc` of layout `Self::layout(len)`, which this block owns.
/// 2. Value i is initialised if and only if its presence bit is set.
/// 3. All bytes behind the values are initialised.
#[repr(C)]
pub(super) struct Block<V, A: Allocator, const ORDERED: bool> {
    header: NonNull<Header>,
    alloc: A,
    values: PhantomData<V>,
}

// SAFETY: a block owns its values and its allocator like a box.
unsafe impl<V: Send, A: Allocator + Send, const ORDERED: bool> Send for Block<V, A, ORDERED> {}
// SAFETY: a shared block lends nothing but shared values.
unsafe impl<V: Sync, A: Allocator + Sync, const ORDERED: bool> Sync for Block<V, A, ORDERED> {}

impl<V, A: Allocator, const ORDERED: bool> Block<V, A, ORDERED> {
    /// Where the values start: the same in blocks of every length.
    const VALUES: usize = size_of::<Header>().next_multiple_of(align_of::<V>());
    const ALIGN: usize =
        if align_of::<V>() > align_of::<Header>() { align_of::<V>() } else { align_of::<Header>() };

    /// A block without values. Ordered blocks have at most 255.
    pub(super) fn new(shape: Id, len: u16, alloc: A) -> Result<Self, AllocError> {
        let layout = Self::layout(len.into()).ok_or(AllocError)?;
        let header = alloc.allocate(layout)?.cast::<Header>();
        // SAFETY: the allocation holds the header and is aligned for it.
        unsafe { header.write(Header { shape, len, present: 0 }) };
        let block = Block { header, alloc, values: PhantomData };
        let (start, end) = (block.present_at(), layout.size());
        // SAFETY: the bytes between two offsets inside the allocation belong to it.
        unsafe { block.byte(start).write_bytes(0, end - start) };
        Ok(block)
    }

    /// As [`Block::new`], but aborts if there is no memory.
    ///
    /// # Panics
    /// If the block would be larger than the address space.
    pub(super) fn new_or_abort(shape: Id, len: u16, alloc: A) -> Self {
        let Ok(block) = Self::new(shape, len, alloc) else {
            handle_alloc_error(Self::layout(len.into()).expect("an object smaller than the address space"))
        };
        block
    }

    /// `None` if the block would be larger than the address space.
    fn layout(len: usize) -> Option<Layout> {
        let values = len.checked_mul(size_of::<V>())?.checked_add(Self::VALUES)?;
        let size = values.checked_add(Self::far_bytes(len) + if ORDERED { 1 + len } else { 0 })?;
        Layout::from_size_align(size, Self::ALIGN).ok()
    }

    fn far_bytes(len: usize) -> usize {
        len.saturating_sub(NEAR).div_ceil(8)
    }

    /// Where the presence bits of the values from 16 on start.
    #[inline]
    fn present_at(&self) -> usize {
        Self::VALUES + self.len() * size_of::<V>()
    }

    /// Where the order starts.
    #[inline]
    fn order_at(&self) -> usize {
        self.present_at() + Self::far_bytes(self.len())
    }

    fn own_layout(&self) -> Layout {
        Self::layout(self.len()).expect("the layout of a block that exists")
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: by invariant 1 the header is there; `&mut self` guards the only writes.
        unsafe { self.header.as_ref() }
    }

    #[inline]
    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: by invariant 1 the header is there and owned.
        unsafe { self.header.as_mut() }
    }

    #[inline]
    pub(super) fn shape(&self) -> Id {
        self.header().shape
    }

    /// How many values it has room for.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.header().len.into()
    }

    pub(super) fn alloc(&self) -> &A {
        &self.alloc
    }

    /// Bytes of the allocation.
    pub(super) fn bytes(&self) -> usize {
        self.own_layout().size()
    }

    /// The value at a place below `len`, if it is near and set.
    ///
    /// # Safety
    /// `place.index() < self.len()`.
    #[inline]
    pub(super) unsafe fn get_near(&self, place: Place) -> Option<&V> {
        if self.header().present & place.near == 0 {
            return None;
        }
        // SAFETY: the index is below `len`: the caller's promise.
        let value = unsafe { self.value(place.index()) };
        // SAFETY: the value is there: its bit is set (invariant 2).
        Some(unsafe { value.as_ref() })
    }

    /// Sets the value at a place below `len`; the one before.
    ///
    /// # Safety
    /// `place.index() < self.len()`.
    #[inline]
    pub(super) unsafe fn set_at(&mut self, place: Place, value: V) -> Option<V> {
        if self.header().present & place.near == 0 {
            return self.set(place.index(), value);
        }
        // SAFETY: the index is below `len`: the caller's promise.
        let old = unsafe { self.value(place.index()) };
        // SAFETY: the value is there (invariant 2) and `&mut self` makes it ours to replace.
        Some(unsafe { old.replace(value) })
    }

    /// The value at an index.
    pub(super) fn get(&self, index: usize) -> Option<&V> {
        if index >= self.len() || !self.is_present(index) {
            return None;
        }
        // SAFETY: just compared.
        let place = unsafe { self.value(index) };
        // SAFETY: the value is there: its bit is set (invariant 2).
        Some(unsafe { place.as_ref() })
    }

    /// The value at an index, to change it.
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut V> {
        if index >= self.len() || !self.is_present(index) {
            return None;
        }
        // SAFETY: just compared.
        let mut place = unsafe { self.value(index) };
        // SAFETY: the value is there (invariant 2) and borrowed as long as `&mut self`.
        Some(unsafe { place.as_mut() })
    }

    /// Sets the value at an index; the one before.
    ///
    /// # Panics
    /// If the index is not below `len`.
    pub(super) fn set(&mut self, index: usize, value: V) -> Option<V> {
        assert!(index < self.len(), "value {index} of {}", self.len());
        // SAFETY: just compared.
        let place = unsafe { self.value(index) };
        if self.is_present(index) {
            // SAFETY: the value is there (invariant 2) and `&mut self` makes it ours to replace.
            return Some(unsafe { place.replace(value) });
        }
        // SAFETY: the place is valid for a write and holds nothing that should be dropped (invariant 2).
        unsafe { place.write(value) };
        self.set_present(index, true);
        None
    }

    /// Calls `f` with every value that is set.
    #[cfg(feature = "cyclegc")]
    pub(super) fn each_mut(&mut self, f: &mut dyn FnMut(&mut V)) {
        for index in 0..self.len() {
            if let Some(value) = self.get_mut(index) {
                f(value);
            }
        }
    }

    /// Takes the value at an index out.
    pub(super) fn take(&mut self, index: usize) -> Option<V> {
        if index >= self.len() || !self.is_present(index) {
            return None;
        }
        self.set_present(index, false);
        // SAFETY: just compared.
        let place = unsafe { self.value(index) };
        // SAFETY: the value was there, and since its bit is cleared nobody reads it again.
        Some(unsafe { place.read() })
    }

    /// # Safety
    /// `index < self.len()`.
    #[inline]
    unsafe fn value(&self, index: usize) -> NonNull<V> {
        // SAFETY: the values start there, at the first offset aligned for them.
        let first = unsafe { self.header.byte_add(Self::VALUES) }.cast::<V>();
        // SAFETY: `len` values follow one another.
        unsafe { first.add(index) }
    }

    #[inline]
    fn is_present(&self, index: usize) -> bool {
        if index < NEAR {
            return self.header().present & (1 << index) != 0;
        }
        let (byte, bit) = far(index);
        self.far_present().get(byte).is_some_and(|bits| bits & bit != 0)
    }

    #[inline]
    fn set_present(&mut self, index: usize, present: bool) {
        if index < NEAR {
            let bits = &mut self.header_mut().present;
            *bits = if present { *bits | 1 << index } else { *bits & !(1 << index) };
            return;
        }
        let (byte, bit) = far(index);
        if let Some(bits) = self.far_present_mut().get_mut(byte) {
            *bits = if present { *bits | bit } else { *bits & !bit };
        }
    }

    /// The presence bits of the values from 16 on.
    fn far_present(&self) -> &[u8] {
        // SAFETY: these bytes are in the allocation and initialised: invariant 3.
        unsafe { core::slice::from_raw_parts(self.byte(self.present_at()), Self::far_bytes(self.len())) }
    }

    fn far_present_mut(&mut self) -> &mut [u8] {
        // SAFETY: these bytes are the last of the allocation and initialised (invariant 3); `&mut self` lends
        // them to nobody else.
        unsafe { core::slice::from_raw_parts_mut(self.byte(self.present_at()), Self::far_bytes(self.len())) }
    }

    /// The number of values that were set, then their indices in that order; nothing if not `ORDERED`.
    #[inline]
    pub(super) fn order(&self) -> &[u8] {
        let len = if ORDERED { 1 + self.len() } else { 0 };
        // SAFETY: these bytes are the last of the allocation and initialised: invariant 3.
        unsafe { core::slice::from_raw_parts(self.byte(self.order_at()), len) }
    }

    #[inline]
    pub(super) fn order_mut(&mut self) -> &mut [u8] {
        let len = if ORDERED { 1 + self.len() } else { 0 };
        // SAFETY: these bytes are the last of the allocation and initialised (invariant 3); `&mut self` lends
        // them to nobody else.
        unsafe { core::slice::from_raw_parts_mut(self.byte(self.order_at()), len) }
    }

    #[inline]
    fn byte(&self, offset: usize) -> *mut u8 {
        self.header.as_ptr().cast::<u8>().wrapping_add(offset)
    }

    /// Drops all values. If one panics, the others are still there.
    fn clear(&mut self) {
        while self.header().present != 0 {
            let index = self.header().present.trailing_zeros() as usize;
            drop(self.take(index));
        }
        if core::mem::needs_drop::<V>() {
            for index in NEAR..self.len() {
                drop(self.take(index));
            }
        }
    }
}

fn far(index: usize) -> (usize, u8) {
    ((index - NEAR) / 8, 1 << ((index - NEAR) % 8))
}

impl<V, A: Allocator, const ORDERED: bool> Drop for Block<V, A, ORDERED> {
    /// Drops every value once and frees the memory, whether or not a value panics. As with std's
    /// collections, a second panic aborts.
    fn drop(&mut self) {
        /// Does what is left to do, also when unwinding.
        struct Rest<'b, V, A: Allocator, const ORDERED: bool>(&'b mut Block<V, A, ORDERED>);

        impl<V, A: Allocator, const ORDERED: bool> Drop for Rest<'_, V, A, ORDERED> {
            fn drop(&mut self) {
                self.0.clear();
                let (start, layout) = (self.0.header.cast(), self.0.own_layout());
                // SAFETY: the allocation is of this layout (invariant 1), its values are gone, and the block
                // is not used again.
                unsafe { self.0.alloc.deallocate(start, layout) };
            }
        }

        let rest = Rest(self);
        rest.0.clear();
    }
}
