//! The memory of an instance: its class, the cells of its slots, and inline values.
#![allow(unsafe_code, reason = "cells of a number known at run time lie behind a head in one allocation")]

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ptr::NonNull;

use allocator_api2::alloc::{AllocError, Allocator};

use super::compact_dict::CompactDict;
use super::name::Name;

/// The first words of an instance. The second word begins as CPython 3.13's `PyDictValues`
/// (`Include/internal/pycore_dict.h`).
#[repr(C)]
struct Head<C> {
    class: C,
    /// Room for inline values.
    capacity: u8,
    /// Inline values that are set.
    size: u8,
    /// Whether the class gives its instances a dict: there are inline values, and a table for what does not fit.
    embedded: bool,
    /// Whether inline values are in use; if not, the table is.
    valid: bool,
    slots: u16,
    /// Slots and inline values.
    cells: u16,
}

/// One allocation.
///
/// ```text
///   class | capacity size embedded valid, slots, cells | [table] | slots ... | inline values ... | [order ...]
///   8       8                                            8         8 each      8 each              capacity, in words
/// ```
///
/// Table, inline values and order are there if `embedded`. The order tells by their numbers in which order inline
/// values were set.
///
/// # Invariants
/// 1. `head` points to an allocation from `alloc` of `layout(cells, capacity, embedded)`, which this owns.
/// 2. All cells and order bytes are initialised, and the table if `embedded`.
/// 3. `cells`, `capacity`, `embedded` never change, and `cells` is `slots + capacity`.
pub(super) struct Cells<V, C, A: Allocator> {
    head: NonNull<Head<C>>,
    alloc: A,
    values: PhantomData<(V, CompactDict<Name, V, A>)>,
}

// SAFETY: cells own their class, values and allocator like a box.
unsafe impl<V: Send, C: Send, A: Allocator + Send> Send for Cells<V, C, A> {}
// SAFETY: shared cells lend nothing but shared values.
unsafe impl<V: Sync, C: Sync, A: Allocator + Sync> Sync for Cells<V, C, A> {}

/// Where the cells of an instance start: behind the head, or behind the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bare,
    Embedding,
}

impl<V, C, A: Allocator> Cells<V, C, A> {
    const ALIGN: usize = {
        let (value, table) = (align_of::<Option<V>>(), align_of::<CompactDict<Name, V, A>>());
        let head = align_of::<Head<C>>();
        let larger = if value > table { value } else { table };
        if larger > head { larger } else { head }
    };
    const TABLE: usize = size_of::<Head<C>>().next_multiple_of(align_of::<CompactDict<Name, V, A>>());

    /// Where the cells start.
    #[inline(always)]
    const fn first(embedded: bool) -> usize {
        let end =
            if embedded { Self::TABLE + size_of::<CompactDict<Name, V, A>>() } else { size_of::<Head<C>>() };
        end.next_multiple_of(align_of::<Option<V>>())
    }

    fn layout(cells: u16, capacity: u8, embedded: bool) -> Layout {
        let values = Self::first(embedded) + usize::from(cells) * size_of::<Option<V>>();
        let order = if embedded { usize::from(capacity).next_multiple_of(size_of::<usize>()) } else { 0 };
        Layout::from_size_align(values + order, Self::ALIGN)
            .expect("64 Ki values are smaller than the address space")
    }

    /// An instance of this class without values. `capacity` is that for inline values, if instances have a dict.
    pub(super) fn new(class: C, slots: u16, capacity: Option<u8>, alloc: A) -> Result<Self, AllocError>
    where
        A: Clone,
    {
        let (embedded, capacity) = (capacity.is_some(), capacity.unwrap_or(0));
        let cells = slots.checked_add(capacity.into()).ok_or(AllocError)?;
        let layout = Self::layout(cells, capacity, embedded);
        let table = embedded.then(|| CompactDict::new_in(alloc.clone()));
        let head = alloc.allocate(layout)?.cast::<Head<C>>();
        // From here on no code runs but this.
        let first = Head { class, capacity, size: 0, embedded, valid: embedded, slots, cells };
        // SAFETY: the allocation begins with a head and is aligned for it.
        unsafe { head.write(first) };
        let this = Cells { head, alloc, values: PhantomData };
        if let Some(table) = table {
            // SAFETY: the table's place is in the allocation, and aligned.
            unsafe { this.at::<CompactDict<Name, V, A>>(Self::TABLE).write(table) };
        }
        for index in 0..usize::from(cells) {
            // SAFETY: below `cells`.
            let cell = unsafe { this.place(index) };
            // SAFETY: a cell's place is in the allocation, and aligned.
            unsafe { cell.write(None) };
        }
        let order = this.at::<u8>(this.order_at());
        // SAFETY: the rest of the allocation.
        unsafe { order.write_bytes(0, layout.size() - this.order_at()) };
        Ok(this)
    }

    /// The layout of an instance that could not be had.
    pub(super) fn layout_of(slots: u16, capacity: Option<u8>) -> Layout {
        let cells = slots.saturating_add(capacity.unwrap_or(0).into());
        Self::layout(cells, capacity.unwrap_or(0), capacity.is_some())
    }

    #[inline(always)]
    fn head(&self) -> &Head<C> {
        // SAFETY: invariant 1; `&mut self` guards the only writes.
        unsafe { self.head.as_ref() }
    }

    #[inline]
    fn head_mut(&mut self) -> &mut Head<C> {
        // SAFETY: invariant 1.
        unsafe { self.head.as_mut() }
    }

    #[inline(always)]
    fn at<T>(&self, offset: usize) -> NonNull<T> {
        // SAFETY: callers pass offsets inside the allocation, whose end is not address 0.
        unsafe { NonNull::new_unchecked(self.head.as_ptr().wrapping_byte_add(offset).cast()) }
    }

    /// # Safety
    /// `index` is below `cells`.
    #[inline(always)]
    unsafe fn place(&self, index: usize) -> NonNull<Option<V>> {
        let first = self.at::<Option<V>>(Self::first(self.head().embedded));
        // SAFETY: `cells` of them follow one another.
        unsafe { first.add(index) }
    }

    fn order_at(&self) -> usize {
        Self::first(self.head().embedded) + usize::from(self.head().cells) * size_of::<Option<V>>()
    }

    #[inline(always)]
    pub(super) fn class(&self) -> &C {
        &self.head().class
    }

    pub(super) fn class_mut(&mut self) -> &mut C {
        &mut self.head_mut().class
    }

    pub(super) fn alloc(&self) -> &A {
        &self.alloc
    }

    #[inline]
    pub(super) fn slots(&self) -> usize {
        self.head().slots.into()
    }

    /// Room for inline values; `None` if the class gives its instances no dict.
    pub(super) fn capacity(&self) -> Option<usize> {
        self.head().embedded.then_some(self.head().capacity.into())
    }

    /// Whether inline values are in use.
    #[inline]
    pub(super) fn is_inline(&self) -> bool {
        self.head().valid
    }

    /// Bytes of the allocation.
    pub(super) fn bytes(&self) -> usize {
        self.own_layout().size()
    }

    fn own_layout(&self) -> Layout {
        let head = self.head();
        Self::layout(head.cells, head.capacity, head.embedded)
    }

    /// The value of a cell, if the instance has cells of this kind, so many of them, and a value in this one.
    #[inline(always)]
    pub(super) fn get(&self, kind: Kind, index: usize) -> Option<&V> {
        let embedded = kind == Kind::Embedding;
        let head = self.head();
        if head.embedded != embedded || index >= usize::from(head.cells) {
            return None;
        }
        // SAFETY: cells start there in instances of this kind, and the index was just compared.
        let cell = unsafe { self.at::<Option<V>>(Self::first(embedded)).add(index) };
        // SAFETY: invariant 2.
        unsafe { cell.as_ref() }.as_ref()
    }

    /// A cell, to change it.
    #[inline(always)]
    pub(super) fn get_mut(&mut self, kind: Kind, index: usize) -> Option<&mut Option<V>> {
        let embedded = kind == Kind::Embedding;
        let head = self.head();
        if head.embedded != embedded || index >= usize::from(head.cells) {
            return None;
        }
        // SAFETY: cells start there in instances of this kind, and the index was just compared.
        let mut cell = unsafe { self.at::<Option<V>>(Self::first(embedded)).add(index) };
        // SAFETY: invariant 2, borrowed as long as `&mut self`.
        Some(unsafe { cell.as_mut() })
    }

    /// All cells.
    pub(super) fn cells(&self) -> &[Option<V>] {
        let first = self.at(Self::first(self.head().embedded));
        // SAFETY: invariants 2 and 3.
        unsafe { core::slice::from_raw_parts(first.as_ptr(), self.head().cells.into()) }
    }

    /// All cells, to change them.
    pub(super) fn cells_mut(&mut self) -> &mut [Option<V>] {
        let first = self.at(Self::first(self.head().embedded));
        // SAFETY: invariants 2 and 3; `&mut self` lends them to nobody else.
        unsafe { core::slice::from_raw_parts_mut(first.as_ptr(), self.head().cells.into()) }
    }

    /// The table for attributes that are not inline.
    pub(super) fn table(&self) -> Option<&CompactDict<Name, V, A>> {
        // SAFETY: invariant 2.
        self.head().embedded.then(|| unsafe { self.at(Self::TABLE).as_ref() })
    }

    /// The table for attributes that are not inline, to change it.
    pub(super) fn table_mut(&mut self) -> Option<&mut CompactDict<Name, V, A>> {
        // SAFETY: invariant 2; `&mut self` lends it to nobody else.
        self.head().embedded.then(|| unsafe { self.at(Self::TABLE).as_mut() })
    }

    /// The numbers of the inline values that are set, in the order in which that happened.
    pub(super) fn order(&self) -> &[u8] {
        let (first, head) = (self.at(self.order_at()), self.head());
        // SAFETY: `capacity` bytes, initialised: invariant 2; an instance without inline values has size 0.
        unsafe { core::slice::from_raw_parts(first.as_ptr(), head.size.min(head.capacity).into()) }
    }

    fn order_mut(&mut self) -> &mut [u8] {
        let (first, len) = (self.at(self.order_at()), usize::from(self.head().capacity));
        // SAFETY: `capacity` bytes, initialised: invariant 2; `&mut self` lends them to nobody else.
        unsafe { core::slice::from_raw_parts_mut(first.as_ptr(), len) }
    }

    /// Inline value `number` was set that was not there before.
    pub(super) fn note(&mut self, number: u8) {
        let size = usize::from(self.head().size);
        if let Some(last) = self.order_mut().get_mut(size) {
            *last = number;
            self.head_mut().size += 1;
        }
    }

    /// Inline value `number` was taken out.
    pub(super) fn forget(&mut self, number: u8) {
        let size = usize::from(self.head().size);
        let order = &mut self.order_mut()[..size];
        if let Some(place) = order.iter().position(|&it| it == number) {
            order[place..].rotate_left(1);
            self.head_mut().size -= 1;
        }
    }

    /// All inline values were taken out; `valid` tells whether others may come.
    pub(super) fn forget_all(&mut self, valid: bool) {
        let head = self.head_mut();
        head.size = 0;
        head.valid = valid && head.embedded;
    }
}

impl<V, C, A: Allocator> Drop for Cells<V, C, A> {
    /// Drops every value once, then the class, and frees the memory, whether or not a drop panics.
    fn drop(&mut self) {
        /// What is left to do, also when unwinding.
        struct Memory<'c, V, C, A: Allocator>(&'c mut Cells<V, C, A>);
        struct Class<'c, V, C, A: Allocator>(Memory<'c, V, C, A>);
        struct Rest<'c, V, C, A: Allocator>(Class<'c, V, C, A>);

        impl<V, C, A: Allocator> Drop for Memory<'_, V, C, A> {
            fn drop(&mut self) {
                let layout = self.0.own_layout();
                // SAFETY: invariant 1; the cells are not used again.
                unsafe { self.0.alloc.deallocate(self.0.head.cast(), layout) };
            }
        }
        impl<V, C, A: Allocator> Drop for Class<'_, V, C, A> {
            fn drop(&mut self) {
                let class: *mut C = self.0.0.class_mut();
                // SAFETY: the class is there and not used again; what follows reads numbers of the head.
                unsafe { core::ptr::drop_in_place(class) };
            }
        }
        impl<V, C, A: Allocator> Drop for Rest<'_, V, C, A> {
            fn drop(&mut self) {
                if let Some(table) = self.0.0.0.table_mut() {
                    let table: *mut CompactDict<Name, V, A> = table;
                    // SAFETY: the table is initialised and not used again.
                    unsafe { core::ptr::drop_in_place(table) };
                }
            }
        }

        let rest = Rest(Class(Memory(self)));
        let cells: *mut [Option<V>] = rest.0.0.0.cells_mut();
        // SAFETY: the cells are initialised and not used again. What one of them leaves undone by a panic, the drop
        // of the slice goes on with.
        unsafe { core::ptr::drop_in_place(cells) };
    }
}
