//! An object in memory: header, then value.
#![allow(unsafe_code, reason = "objects are allocated, reached and freed by raw pointer")]

mod dead;
mod storage;

pub(crate) use dead::{Dead, move_out};
pub(crate) use storage::{Storage, Unborn};

#[cfg(all(feature = "std", target_has_atomic = "64"))]
use crate::raw::{BiasedHeader, BiasedSide};
use crate::raw::{Header, Side};
#[cfg(target_has_atomic = "64")]
use crate::raw::{SharedHeader, SharedSide};
use allocator_api2::alloc::Allocator;
use core::ptr::NonNull;

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
object_header!(BiasedHeader, BiasedSide, crate::raw::biased::thread::tick);

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
