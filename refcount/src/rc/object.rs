//! An object in memory: header, then value; and the memory while there is no value in it.
#![allow(unsafe_code, reason = "objects are allocated, reached and freed by raw pointer")]

use crate::raw::{Header, trashcan::Dispose};
use allocator_api2::alloc::{AllocError, Allocator, handle_alloc_error};
use core::alloc::Layout;
use core::mem::{self, ManuallyDrop};
use core::ptr::{self, NonNull};

/// Meta bit: the object's destruction may be queued, because everything in it is `'static`.
pub(super) const DEFERRABLE: u32 = 1 << 0;

/// ```text
///  byte  0          8
///        ┌──────────┬─────── ─ ─ ─┐      padding between them if the value is aligned to more than 8
///        │ header   │ value       │
///        └──────────┴─────── ─ ─ ─┘
/// ```
#[repr(C)]
pub(super) struct Object<T: ?Sized> {
    header: Header,
    value: T,
}

const _: () = assert!(size_of::<Object<u64>>() == 8 + 8 && size_of::<Object<()>>() == 8);
const _: () = assert!(size_of::<Object<[u8; 3]>>() == 16 && align_of::<Object<[u8; 3]>>() == 8);

/// Bytes from the object's start to a value of this alignment.
const fn value_offset(align: usize) -> usize {
    size_of::<Header>().next_multiple_of(align)
}

/// A pointer to an object that has or had a value.
///
/// # Invariants
///
/// 1. It is the address of memory that was allocated with [`Object::layout`]'s layout and holds a header at its front.
///    Whether it is still allocated, and has a value, is known to the owner of the pointer: an `Rc` has both.
pub(super) struct ObjectPtr<T: ?Sized>(NonNull<Object<T>>);

impl<T: ?Sized> Clone for ObjectPtr<T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for ObjectPtr<T> {}

impl<T: ?Sized> ObjectPtr<T> {
    /// # Safety
    ///
    /// The object is allocated, and not freed before the reference's last use.
    #[inline]
    pub(super) unsafe fn header<'a>(self) -> &'a Header {
        // SAFETY: allocated by the caller's promise; headers are only ever shared.
        unsafe { &(*self.0.as_ptr()).header }
    }

    /// The value's address, with the provenance of the whole object.
    ///
    /// # Safety
    ///
    /// The object is allocated.
    #[inline]
    pub(super) unsafe fn value(self) -> NonNull<T> {
        // SAFETY: in bounds of the object by the caller's promise; no reference is made.
        let value = unsafe { &raw mut (*self.0.as_ptr()).value };
        // SAFETY: it lies inside an object, so it is not null.
        unsafe { NonNull::new_unchecked(value) }
    }

    /// The inverse of [`ObjectPtr::value`].
    ///
    /// # Safety
    ///
    /// `value` came from [`ObjectPtr::value`] of an object that is alive, perhaps unsized or cast since, with its provenance.
    #[inline]
    pub(super) unsafe fn from_value(value: *const T) -> ObjectPtr<T> {
        // SAFETY: it points to the value of a live object.
        let align = align_of_val(unsafe { &*value });
        // SAFETY: the value lies this far behind the start of its object, which the provenance covers.
        let object = unsafe { value.byte_sub(value_offset(align)) };
        // SAFETY: the start of an object is not null.
        ObjectPtr(unsafe { NonNull::new_unchecked(object as *mut Object<T>) })
    }

    /// The address, for comparing.
    #[inline]
    pub(super) fn address(self) -> *const () {
        self.0.as_ptr().cast_const().cast()
    }

    /// The memory, for an object whose value is about to be dropped or moved out.
    ///
    /// # Safety
    ///
    /// The object is allocated with `alloc` or an allocator that it can stand for, has a value, and is the caller's to free.
    #[inline]
    pub(super) unsafe fn into_storage<A: Allocator>(self, alloc: A) -> Storage<A> {
        // SAFETY: the object has its value by the caller's promise.
        let layout = Layout::for_value(unsafe { self.0.as_ref() });
        Storage { memory: self.0.cast(), layout, alloc }
    }
}

impl<T> ObjectPtr<T> {
    /// Where no object is: for a `Weak` that never had one.
    pub(super) const fn dangling() -> ObjectPtr<T> {
        ObjectPtr(NonNull::dangling())
    }
}

/// The allocated memory of an object without its value: not there yet, or dropped, or moved out. Freed on drop, together with
/// the object's share of a side header.
///
/// # Invariants
///
/// 1. `memory` was allocated with `layout` by `alloc`, or an allocator it can stand for, and is this value's to free.
/// 2. It starts with a header, whose side header, if any, came from the same allocator.
pub(super) struct Storage<A: Allocator> {
    memory: NonNull<Header>,
    layout: Layout,
    alloc: A,
}

impl<A: Allocator> Storage<A> {
    /// Memory for a value of this layout, with a header that counts one reference.
    #[inline]
    fn try_for_layout(value: Layout, meta: u32, alloc: A) -> Result<Storage<A>, AllocError> {
        let (layout, _) = Layout::new::<Header>().extend(value).map_err(|_| AllocError)?;
        let layout = layout.pad_to_align();
        let memory = alloc.allocate(layout)?.cast::<Header>();
        // SAFETY: freshly allocated, and the layout begins with a header.
        unsafe { memory.write(Header::new(meta)) };
        Ok(Storage { memory, layout, alloc })
    }

    /// Memory for a `T`.
    #[inline]
    pub(super) fn try_new<T>(meta: u32, alloc: A) -> Result<Storage<A>, AllocError> {
        Storage::try_for_layout(Layout::new::<T>(), meta, alloc)
    }

    /// Memory for a `T`.
    ///
    /// # Panics
    ///
    /// Through [`handle_alloc_error`] if there is no memory.
    #[inline]
    pub(super) fn new<T>(meta: u32, alloc: A) -> Storage<A> {
        match Storage::try_new::<T>(meta, alloc) {
            Ok(storage) => storage,
            Err(AllocError) => handle_alloc_error(Layout::new::<Object<T>>()),
        }
    }

    /// Memory for `len` values of `T`.
    ///
    /// # Panics
    ///
    /// Through [`handle_alloc_error`] if there is no memory, and if so many values cannot be in memory.
    pub(super) fn for_slice<T>(len: usize, meta: u32, alloc: A) -> Storage<A> {
        let value = Layout::array::<T>(len).expect("a slice in memory is smaller than the address space");
        match Storage::try_for_layout(value, meta, alloc) {
            Ok(storage) => storage,
            Err(AllocError) => handle_alloc_error(value),
        }
    }

    #[inline]
    pub(super) fn header(&self) -> &Header {
        // SAFETY: invariant 2.
        unsafe { self.memory.as_ref() }
    }

    #[inline]
    pub(super) fn alloc(&self) -> &A {
        &self.alloc
    }

    /// The object that this memory will be once its value is written; for weak references made before that.
    ///
    /// # Safety
    ///
    /// The memory was allocated for a `T`.
    #[inline]
    pub(super) unsafe fn object<T>(&self) -> ObjectPtr<T> {
        debug_assert!(self.layout == Layout::new::<Object<T>>());
        ObjectPtr(self.memory.cast())
    }

    /// Writes the value: the memory becomes an object.
    ///
    /// # Safety
    ///
    /// The memory was allocated for a `T`.
    #[inline]
    pub(super) unsafe fn init<T>(self, value: T) -> (ObjectPtr<T>, A) {
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
    pub(super) unsafe fn init_slice<T>(self, values: &[T]) -> (ObjectPtr<[T]>, A) {
        let slice = ptr::slice_from_raw_parts_mut(self.memory.as_ptr().cast::<T>(), values.len());
        let object = slice as *mut Object<[T]>;
        // SAFETY: the memory has room for this many values behind the header.
        let place = unsafe { &raw mut (*object).value };
        // SAFETY: as above; fresh memory cannot overlap a slice that exists.
        unsafe { ptr::copy_nonoverlapping(values.as_ptr(), place.cast::<T>(), values.len()) };
        // SAFETY: not null, as it is the memory's own address.
        let object = unsafe { NonNull::new_unchecked(object) };
        (ObjectPtr(object), self.into_alloc())
    }

    #[inline]
    fn into_alloc(self) -> A {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so the allocator is read once.
        unsafe { ptr::read(&this.alloc) }
    }
}

impl<A: Allocator> Drop for Storage<A> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: invariant 2.
        unsafe { self.header().release_side(&self.alloc) };
        // SAFETY: invariant 1; nothing refers to the header any more.
        unsafe { self.alloc.deallocate(self.memory.cast(), self.layout) };
    }
}

impl ObjectPtr<[u8]> {
    /// The same object as a `str`.
    ///
    /// # Safety
    ///
    /// The bytes are UTF-8.
    pub(super) unsafe fn into_str(self) -> ObjectPtr<str> {
        // SAFETY: only the type changes.
        ObjectPtr(unsafe { NonNull::new_unchecked(self.0.as_ptr() as *mut Object<str>) })
    }
}

/// An object without references, on its way through the trashcan.
pub(super) struct Dead<T: ?Sized, A: Allocator> {
    pub(super) object: ObjectPtr<T>,
    pub(super) alloc: A,
}

// SAFETY: the header says deferrable only if the value and the allocator are `'static` (invariant 3 of `Rc`).
unsafe impl<T: ?Sized, A: Allocator> Dispose for Dead<T, A> {
    #[inline]
    fn is_deferrable(&self) -> bool {
        // SAFETY: a dead object is still allocated.
        unsafe { self.object.header() }.meta() & DEFERRABLE != 0
    }

    #[inline]
    unsafe fn dispose(self) {
        // SAFETY: a dead object still has its value and belongs to this `Dead`.
        let storage = unsafe { self.object.into_storage(self.alloc) };
        if mem::needs_drop::<T>() {
            // SAFETY: the storage is freed below.
            let value = unsafe { self.object.value() };
            // SAFETY: the last reference is gone, so the value is dropped once; if it panics, `storage` is freed all the same.
            unsafe { value.drop_in_place() };
        }
        drop(storage);
    }
}
