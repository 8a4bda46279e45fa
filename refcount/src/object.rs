//! An object in memory: header, then value; and the memory while there is no value in it.
#![allow(unsafe_code, reason = "objects are allocated, reached and freed by raw pointer")]

use crate::checked;
use crate::clone_value::CloneValue;
use crate::raw::trashcan::{self, Dispose};
#[cfg(all(feature = "std", target_has_atomic = "64"))]
use crate::raw::{BiasedHeader, BiasedSide};
use crate::raw::{Header, Side, contain};
#[cfg(target_has_atomic = "64")]
use crate::raw::{SharedHeader, SharedSide};
use allocator_api2::alloc::{AllocError, Allocator, handle_alloc_error};
use core::alloc::Layout;
use core::mem::{self, ManuallyDrop};
use core::ptr::{self, NonNull};

/// Meta bit: the object's destruction may be queued, because everything in it is `'static`.
pub(crate) const DEFERRABLE: u32 = 1 << 0;

/// What stands in front of a value: the counts of one thread, or the atomic ones.
pub(crate) trait ObjectHeader {
    /// What a thread does before it makes an object.
    ///
    /// # Panics
    ///
    /// If that runs destructors, with the first panic of one.
    #[inline]
    fn prepare() {}

    /// A header with one reference.
    fn new(meta: u32) -> Self;

    /// The owner's bits.
    fn meta(&self) -> u32;

    /// Whether there is a side header, asked by the owner of a dead object.
    fn is_outlined(&self) -> bool;

    /// Gives back the object's share of the side header, if it has one.
    ///
    /// # Safety
    ///
    /// The object is dead; `alloc` can free the side header's memory.
    unsafe fn release_side<A: Allocator>(&self, alloc: &A);

    /// What a dead object owes to its weak references: calls their callbacks, and gives back its share of the side header.
    ///
    /// # Safety
    ///
    /// The object is dead; `alloc` can free the side header's memory.
    unsafe fn bury<A: Allocator>(&self, alloc: &A);
}

macro_rules! object_header {
    ($header:ident, $side:ident $(, $prepare:path)?) => {
        impl ObjectHeader for $header {
            $(
                #[inline]
                fn prepare() {
                    $prepare();
                }
            )?

            #[inline]
            fn new(meta: u32) -> Self {
                $header::new(meta)
            }

            #[inline]
            fn meta(&self) -> u32 {
                $header::meta(self)
            }

            #[inline]
            fn is_outlined(&self) -> bool {
                $header::is_outlined(self)
            }

            unsafe fn release_side<A: Allocator>(&self, alloc: &A) {
                // SAFETY: the caller's promise is the same.
                unsafe { $header::release_side(self, alloc) }
            }

            #[inline]
            unsafe fn bury<A: Allocator>(&self, alloc: &A) {
                let Some(side) = self.side() else { return };
                // SAFETY: the object has its share until the next line.
                unsafe { $side::call_watches(side) };
                // SAFETY: the caller's promise is the same.
                unsafe { $header::release_side(self, alloc) };
            }
        }
    };
}

object_header!(Header, Side);
#[cfg(target_has_atomic = "64")]
object_header!(SharedHeader, SharedSide);
#[cfg(all(feature = "std", target_has_atomic = "64"))]
object_header!(BiasedHeader, BiasedSide, crate::raw::biased::thread::prepare);

/// ```text
///  byte  0          8
///        ┌──────────┬─────── ─ ─ ─┐      padding between them if the value is aligned to more than 8
///        │ header   │ value       │
///        └──────────┴─────── ─ ─ ─┘
/// ```
#[repr(C)]
pub(crate) struct Object<H, T: ?Sized> {
    header: H,
    value: T,
}

#[cfg(all(target_has_atomic = "64", not(loom)))]
impl<T> Object<SharedHeader, T> {
    /// An object that needs no allocation and is never destroyed.
    pub(crate) const fn new_immortal(value: T) -> Self {
        Object { header: SharedHeader::new_immortal(0), value }
    }

    pub(crate) const fn value(&self) -> &T {
        &self.value
    }
}

const _: () = assert!(size_of::<Object<Header, u64>>() == 8 + 8 && size_of::<Object<Header, ()>>() == 8);
const _: () =
    assert!(size_of::<Object<Header, [u8; 3]>>() == 16 && align_of::<Object<Header, [u8; 3]>>() == 8);

/// Bytes from the object's start to a value of this alignment.
const fn value_offset<H>(align: usize) -> usize {
    size_of::<H>().next_multiple_of(align)
}

/// A pointer to an object that has or had a value.
///
/// # Invariants
///
/// 1. It is the address of memory that was allocated with [`Object::layout`]'s layout and holds a header at its front.
///    Whether it is still allocated, and has a value, is known to the owner of the pointer: an `Rc` has both.
pub(crate) struct ObjectPtr<H, T: ?Sized>(NonNull<Object<H, T>>);

impl<H, T: ?Sized> Clone for ObjectPtr<H, T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<H, T: ?Sized> Copy for ObjectPtr<H, T> {}

impl<H: ObjectHeader, T: ?Sized> ObjectPtr<H, T> {
    /// # Safety
    ///
    /// The object is allocated, and not freed before the reference's last use.
    #[inline]
    pub(crate) unsafe fn header<'a>(self) -> &'a H {
        // SAFETY: allocated by the caller's promise; headers are only ever shared.
        unsafe { &(*self.0.as_ptr()).header }
    }

    /// The value's address, with the provenance of the whole object.
    ///
    /// # Safety
    ///
    /// The object is allocated.
    #[inline]
    pub(crate) unsafe fn value(self) -> NonNull<T> {
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
    pub(crate) unsafe fn from_value(value: *const T) -> ObjectPtr<H, T> {
        // SAFETY: it points to the value of a live object.
        let align = align_of_val(unsafe { &*value });
        // SAFETY: the value lies this far behind the start of its object, which the provenance covers.
        let object = unsafe { value.byte_sub(value_offset::<H>(align)) };
        // SAFETY: the start of an object is not null.
        ObjectPtr(unsafe { NonNull::new_unchecked(object as *mut Object<H, T>) })
    }

    /// The inverse of [`ObjectPtr::dangling_value`] and of [`ObjectPtr::VALUE_OFFSET`].
    ///
    /// # Safety
    ///
    /// `value` came from there, at most unsized since.
    pub(crate) unsafe fn from_dangling_value(value: *const T, value_offset: usize) -> ObjectPtr<H, T> {
        let object = value.wrapping_byte_sub(value_offset);
        // SAFETY: the address that an `ObjectPtr` had.
        ObjectPtr(unsafe { NonNull::new_unchecked(object as *mut Object<H, T>) })
    }

    /// The address, for comparing.
    #[inline]
    pub(crate) fn address(self) -> *const () {
        self.0.as_ptr().cast_const().cast()
    }

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

impl<H, T> ObjectPtr<H, T> {
    pub(crate) const VALUE_OFFSET: usize = value_offset::<H>(align_of::<T>());

    /// The value's address, whether or not there is an object.
    pub(crate) fn dangling_value(self) -> *const T {
        self.0.as_ptr().wrapping_byte_add(Self::VALUE_OFFSET).cast()
    }

    /// An object that was not allocated; its value is never written.
    #[cfg(all(target_has_atomic = "64", not(loom)))]
    pub(crate) const fn from_static(object: &'static Object<H, T>) -> ObjectPtr<H, T> {
        ObjectPtr(NonNull::from_ref(object))
    }

    /// Where no object is: for a `Weak` that never had one.
    pub(crate) const fn dangling() -> ObjectPtr<H, T> {
        ObjectPtr(NonNull::dangling())
    }
}

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

/// An object without references, on its way through the trashcan.
pub(crate) struct Dead<H: ObjectHeader, T: ?Sized, A: Allocator> {
    pub(crate) object: ObjectPtr<H, T>,
    pub(crate) alloc: A,
}

// SAFETY: the header says deferrable only if the value and the allocator are `'static` (invariant 3 of `Rc` and of `Arc`).
unsafe impl<H: ObjectHeader, T: ?Sized, A: Allocator> Dispose for Dead<H, T, A> {
    #[inline]
    fn is_deferrable(&self) -> bool {
        // SAFETY: a dead object is still allocated.
        unsafe { self.object.header() }.meta() & DEFERRABLE != 0
    }

    #[inline]
    unsafe fn dispose(self) {
        // SAFETY: a dead object is still allocated.
        if unsafe { self.object.header() }.is_outlined() {
            // SAFETY: the caller's promise is the same.
            return unsafe { self.dispose_outlined() };
        }
        // SAFETY: the caller's promise is the same.
        unsafe { self.dispose_value() }
    }
}

impl<H: ObjectHeader, T: ?Sized, A: Allocator> Dead<H, T, A> {
    /// An object that has or had weak references.
    ///
    /// # Safety
    ///
    /// That of [`Dispose::dispose`].
    #[cold]
    #[inline(never)]
    unsafe fn dispose_outlined(self) {
        // SAFETY: a dead object is still allocated.
        let header = unsafe { self.object.header() };
        // SAFETY: its side header came from the same allocator.
        unsafe { header.bury(&self.alloc) };
        // SAFETY: the caller's promise is the same.
        unsafe { self.dispose_value() }
    }

    /// # Safety
    ///
    /// That of [`Dispose::dispose`]; and there is no side header.
    #[inline]
    unsafe fn dispose_value(self) {
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

    /// Destroys the object, at bounded depth if it is deferrable.
    ///
    /// # Safety
    ///
    /// The last reference is gone, and the object and its allocator are the caller's to destroy.
    #[inline]
    pub(crate) unsafe fn destroy(self) {
        if mem::needs_drop::<T>() {
            // SAFETY: the caller's promise.
            return unsafe { trashcan::dispose(self) };
        }
        // SAFETY: a dead object is still allocated.
        if unsafe { self.object.header() }.is_outlined() {
            // SAFETY: the caller's promise.
            return unsafe { self.destroy_for_callbacks() };
        }
        // SAFETY: the caller's promise, and there is no side header.
        unsafe { self.dispose_value() }
    }

    /// An object without drop glue that has or had weak references: only their callbacks can run, and nest. Whatever panics there is
    /// theirs. `extern "C"`, because such a function cannot unwind: callers keep their values in registers across a drop.
    ///
    /// # Safety
    ///
    /// That of [`Dead::destroy`].
    #[cold]
    #[allow(improper_ctypes_definitions, reason = "called by Rust only")]
    unsafe extern "C" fn destroy_for_callbacks(self) {
        // SAFETY: the caller's promise.
        contain(|| unsafe { trashcan::dispose(self) });
    }
}

/// Moves the value out and frees the object.
///
/// # Safety
///
/// The object is dead, it has its value, and it is the caller's to free with `alloc`.
#[inline]
pub(crate) unsafe fn move_out<H: ObjectHeader, T, A: Allocator>(object: ObjectPtr<H, T>, alloc: A) -> T {
    // SAFETY: the caller's promise.
    let storage = unsafe { object.into_storage(alloc) };
    // SAFETY: the object is freed when `storage` goes.
    let value = unsafe { object.value() };
    // SAFETY: it has its value, which nobody reads again.
    let value = unsafe { value.read() };
    if storage.header().is_outlined() {
        // SAFETY: dead, and its side header came from the same allocator.
        unsafe { storage.header().bury(&*storage.alloc) };
    }
    value
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
        unsafe { storage.header().release_side(&*storage.alloc) };
    }
}
