//! The memory of an object while there is no value in it.
#![allow(unsafe_code, reason = "objects are allocated and freed by raw pointer")]

use super::{DEFERRABLE, Object, ObjectHeader, ObjectPtr};
use crate::checked;
use crate::clone_value::CloneValue;
use allocator_api2::alloc::{AllocError, Allocator, handle_alloc_error};
use core::alloc::Layout;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

/// The allocated memory of an object without its value: not there yet, or dropped, or moved out. Freed on drop.
///
/// # Invariants
///
/// 1. `memory` was allocated with `layout` by `alloc`, or an allocator it can stand for, and is this value's to free.
/// 2. It starts with a header; when it is freed, that names no side header.
pub(crate) struct Storage<H: ObjectHeader, A: Allocator> {
    memory: NonNull<H>,
    layout: Layout,
    alloc: ManuallyDrop<A>,
}

impl<H: ObjectHeader, A: Allocator> Storage<H, A> {
    /// Memory for a value of this layout, with a header that counts one reference.
    #[inline]
    #[cfg_attr(feature = "checked", track_caller)]
    fn try_for_layout(value: Layout, meta: u32, alloc: A) -> Result<Storage<H, A>, AllocError> {
        H::prepare();
        let (layout, _) = Layout::new::<H>().extend(value).map_err(|_| AllocError)?;
        let layout = layout.pad_to_align();
        let memory = alloc.allocate(layout)?.cast::<H>();
        // SAFETY: freshly allocated, and the layout begins with a header.
        unsafe { memory.write(H::new(meta)) };
        checked::born(memory.as_ptr().cast_const().cast());
        Ok(Storage { memory, layout, alloc: ManuallyDrop::new(alloc) })
    }

    /// Memory for a `T`.
    #[inline]
    #[cfg_attr(feature = "checked", track_caller)]
    pub(crate) fn try_new<T>(meta: u32, alloc: A) -> Result<Storage<H, A>, AllocError> {
        Storage::try_for_layout(Layout::new::<T>(), meta, alloc)
    }

    /// Memory for a `T`.
    ///
    /// # Panics
    ///
    /// Through [`handle_alloc_error`] if there is no memory.
    #[inline]
    #[cfg_attr(feature = "checked", track_caller)]
    pub(crate) fn new<T>(meta: u32, alloc: A) -> Storage<H, A> {
        match Storage::try_new::<T>(meta, alloc) {
            Ok(storage) => storage,
            Err(AllocError) => handle_alloc_error(Layout::new::<Object<H, T>>()),
        }
    }

    /// Memory for `len` values of `T`.
    ///
    /// # Panics
    ///
    /// Through [`handle_alloc_error`] if there is no memory, and if so many values cannot be in memory.
    #[cfg_attr(feature = "checked", track_caller)]
    pub(crate) fn for_slice<T>(len: usize, meta: u32, alloc: A) -> Storage<H, A> {
        let value = Layout::array::<T>(len).expect("a slice in memory is smaller than the address space");
        match Storage::try_for_layout(value, meta, alloc) {
            Ok(storage) => storage,
            Err(AllocError) => handle_alloc_error(value),
        }
    }

    /// Memory for a value like this one.
    ///
    /// # Panics
    ///
    /// Through [`handle_alloc_error`] if there is no memory.
    #[cfg_attr(feature = "checked", track_caller)]
    pub(crate) fn for_value<T: ?Sized>(value: &T, meta: u32, alloc: A) -> Storage<H, A> {
        let layout = Layout::for_value(value);
        match Storage::try_for_layout(layout, meta, alloc) {
            Ok(storage) => storage,
            Err(AllocError) => handle_alloc_error(layout),
        }
    }

    #[inline]
    pub(crate) fn header(&self) -> &H {
        // SAFETY: invariant 2.
        unsafe { self.memory.as_ref() }
    }

    #[inline]
    pub(crate) fn alloc(&self) -> &A {
        &self.alloc
    }

    /// The object that this memory will be once its value is written; for weak references made before that.
    ///
    /// # Safety
    ///
    /// The memory was allocated for a `T`.
    #[inline]
    pub(crate) unsafe fn object<T>(&self) -> ObjectPtr<H, T> {
        debug_assert!(self.layout == Layout::new::<Object<H, T>>());
        ObjectPtr(self.memory.cast())
    }

    /// Writes the value: the memory becomes an object.
    ///
    /// # Safety
    ///
    /// The memory was allocated for a `T`.
    #[inline]
    pub(crate) unsafe fn init<T>(self, value: T) -> (ObjectPtr<H, T>, A) {
        // SAFETY: the caller's promise is the same.
        let object = unsafe { self.object::<T>() };
        // SAFETY: allocated for a `T`, so that one fits behind the header.
        let place = unsafe { &raw mut (*object.0.as_ptr()).value };
        // SAFETY: as above; there is no value yet that this would overwrite.
        unsafe { place.write(value) };
        (object, self.into_alloc())
    }

    /// Copies the values of a slice: the memory becomes an object that owns them.
    ///
    /// # Safety
    ///
    /// The memory is [`Storage::for_slice`] of `values.len()`, and the caller forgets the values.
    pub(crate) unsafe fn init_slice<T>(self, values: &[T]) -> (ObjectPtr<H, [T]>, A) {
        // SAFETY: the caller's promise is the same.
        unsafe { self.init_from(values) }
    }

    /// Copies a value, sized or not: the memory becomes an object that owns it.
    ///
    /// # Safety
    ///
    /// The memory is [`Storage::for_value`] of this value, or for one of the same layout; the caller forgets the value, unless it is one that
    /// may be copied.
    pub(crate) unsafe fn init_from<T: ?Sized>(self, value: &T) -> (ObjectPtr<H, T>, A) {
        // SAFETY: the caller's promise is the same.
        let (object, place) = unsafe { self.object_like(value) };
        // SAFETY: so many bytes are the value, and there is room for them; fresh memory cannot overlap a value that exists.
        unsafe { ptr::copy_nonoverlapping(ptr::from_ref(value).cast::<u8>(), place, size_of_val(value)) };
        (object, self.into_alloc())
    }

    /// Clones a value, sized or not: the memory becomes an object that owns the clone.
    ///
    /// # Safety
    ///
    /// The memory is [`Storage::for_value`] of this value.
    pub(crate) unsafe fn init_clone<T: CloneValue + ?Sized>(self, value: &T) -> (ObjectPtr<H, T>, A) {
        // SAFETY: the caller's promise is the same.
        let (object, place) = unsafe { self.object_like(value) };
        // If it panics, the memory is freed.
        // SAFETY: there is room for a value like this one.
        unsafe { value.clone_to(place) };
        (object, self.into_alloc())
    }

    /// The object that this memory will be once a value like this one is written; and the place for it.
    ///
    /// # Safety
    ///
    /// The memory is for a value of the layout of this one.
    unsafe fn object_like<T: ?Sized>(&self, value: &T) -> (ObjectPtr<H, T>, *mut u8) {
        let like = ptr::from_ref(value) as *mut Object<H, T>;
        // SAFETY: the memory is large enough for an object with this value.
        let object = unsafe { with_address_of(like, self.memory.cast()) };
        // SAFETY: it points to memory with room for the value behind the header; no reference is made.
        let place = unsafe { &raw mut (*object.as_ptr()).value };
        (ObjectPtr(object), place.cast::<u8>())
    }

    /// The memory becomes an object whose value needs no initialisation.
    ///
    /// # Safety
    ///
    /// The memory was allocated for a `T`, and any bytes are a valid one.
    pub(crate) unsafe fn assume_init<T>(self) -> (ObjectPtr<H, T>, A) {
        // SAFETY: the caller's promise is the same.
        let object = unsafe { self.object::<T>() };
        (object, self.into_alloc())
    }

    /// The memory becomes an object whose values need no initialisation.
    ///
    /// # Safety
    ///
    /// The memory is [`Storage::for_slice`] of `len` `T`s, and any bytes are valid ones.
    pub(crate) unsafe fn assume_init_slice<T>(self, len: usize) -> (ObjectPtr<H, [T]>, A) {
        let slice = ptr::slice_from_raw_parts_mut(self.memory.as_ptr().cast::<T>(), len);
        // SAFETY: not null, as it is the memory's own address.
        let object = unsafe { NonNull::new_unchecked(slice as *mut Object<H, [T]>) };
        (ObjectPtr(object), self.into_alloc())
    }

    #[inline]
    fn into_alloc(self) -> A {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so the allocator is taken once.
        unsafe { ManuallyDrop::take(&mut this.alloc) }
    }
}

impl<H: ObjectHeader, A: Allocator> Drop for Storage<H, A> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: taken once, here.
        let alloc = unsafe { ManuallyDrop::take(&mut self.alloc) };
        let may_wait = cfg!(feature = "checked") && self.header().meta() & DEFERRABLE != 0;
        // SAFETY: invariant 1; nothing refers to the header any more.
        let free = move |memory, layout| unsafe { alloc.deallocate(memory, layout) };
        // SAFETY: an object that says it is deferrable has a `'static` allocator (invariant 3 of `Rc` and of `Arc`).
        unsafe { checked::retire(may_wait, self.memory.cast(), self.layout, free) };
    }
}

/// `pointer` with another address: its metadata, and the address and provenance of `memory`.
///
/// # Safety
///
/// The result is fit for what the caller does with it.
unsafe fn with_address_of<H, T: ?Sized>(
    mut pointer: *mut Object<H, T>,
    memory: NonNull<u8>,
) -> NonNull<Object<H, T>> {
    const {
        assert!(size_of::<*mut Object<H, T>>() >= size_of::<*mut u8>());
    }
    // Stable Rust has no name for this. Every pointer, thin or wide, begins with its address; the assertion below would tell of
    // a compiler that lays them out otherwise.
    // SAFETY: in bounds of the local variable, which holds a pointer there.
    unsafe { (&raw mut pointer).cast::<*mut u8>().write(memory.as_ptr()) };
    assert!(pointer.cast::<u8>() == memory.as_ptr(), "a pointer begins with its address");
    // SAFETY: `memory` is not null.
    unsafe { NonNull::new_unchecked(pointer) }
}

impl<H: ObjectHeader, T: ?Sized> ObjectPtr<H, T> {
    /// The memory, for an object whose value is about to be dropped or moved out.
    ///
    /// # Safety
    ///
    /// The object is allocated with `alloc` or an allocator that it can stand for, has a value, and is the caller's to free.
    #[inline]
    pub(crate) unsafe fn into_storage<A: Allocator>(self, alloc: A) -> Storage<H, A> {
        // SAFETY: the object has its value by the caller's promise.
        let layout = Layout::for_value(unsafe { self.0.as_ref() });
        Storage { memory: self.0.cast(), layout, alloc: ManuallyDrop::new(alloc) }
    }
}

/// Memory of an object that weak references know already, while its value is being made. If that panics, it is freed.
pub(crate) struct Unborn<H: ObjectHeader, A: Allocator>(ManuallyDrop<Storage<H, A>>);

impl<H: ObjectHeader, A: Allocator> Unborn<H, A> {
    pub(crate) fn new(storage: Storage<H, A>) -> Unborn<H, A> {
        Unborn(ManuallyDrop::new(storage))
    }

    pub(crate) fn storage(&self) -> &Storage<H, A> {
        &self.0
    }

    /// The value is made.
    pub(crate) fn into_storage(self) -> Storage<H, A> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so the storage is taken once.
        unsafe { ManuallyDrop::take(&mut this.0) }
    }
}

impl<H: ObjectHeader, A: Allocator> Drop for Unborn<H, A> {
    fn drop(&mut self) {
        // SAFETY: dropped once.
        let storage = unsafe { ManuallyDrop::take(&mut self.0) };
        // SAFETY: the object never lived; its side header came from the same allocator.
        unsafe { storage.header().release_side(storage.alloc()) };
    }
}
