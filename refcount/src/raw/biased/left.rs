//! References that are left to the owner of their object.
#![allow(unsafe_code, reason = "blocks of erased types")]

use super::super::trashcan;
use super::header::{BiasedHeader, Left};
use super::queue::{Link, Queue};
use crate::checked::Origin;
use crate::object::Dead;
use alloc::alloc::{alloc, dealloc};
use allocator_api2::alloc::Allocator;
use core::alloc::Layout;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

/// A reference in the owner's queue.
#[repr(C)]
struct Block<T: ?Sized, A: Allocator> {
    link: Link,
    /// Not dead yet.
    reference: Dead<BiasedHeader, T, A>,
    origin: Origin,
}

/// Leaves a reference to the object's owner, whose [drop](BiasedHeader::decrement_slow) was unsure.
///
/// If there is no memory for that the reference stays counted: the object leaks, and [`trashcan::leaked`] counts it.
///
/// # Safety
///
/// The caller owns the reference and the allocator, which can free the object's memory.
#[cold]
#[inline(never)]
pub(crate) unsafe fn leave<T: ?Sized, A: Allocator>(reference: Dead<BiasedHeader, T, A>, origin: Origin) {
    // SAFETY: a block has a size.
    let block = NonNull::new(unsafe { alloc(Layout::new::<Block<T, A>>()) }.cast::<Block<T, A>>());
    let Some(block) = block.filter(|block| Queue::fits(block.cast())) else {
        let _leaked = ManuallyDrop::new(reference);
        return trashcan::leak();
    };
    let object = reference.object;
    let link = Link::new(merge::<T, A>, settle::<T, A>);
    // SAFETY: just allocated with this layout.
    unsafe { block.write(Block { link, reference, origin }) };
    // SAFETY: the reference keeps the object.
    let header = unsafe { object.header() };
    // SAFETY: the reference and the block are the caller's; `fits` has been asked.
    match unsafe { header.leave(block.cast()) } {
        Left::Queued => {}
        // SAFETY: the block is still ours; the reference is gone.
        Left::Gone => drop(unsafe { take(block) }.0.alloc),
        Left::Last => {
            // SAFETY: the block is still ours.
            let (dead, origin) = unsafe { take(block) };
            origin.died(dead.object.address());
            // SAFETY: the last reference is gone.
            unsafe { dead.destroy() }
        }
    }
}

/// What is in a block, which is freed.
///
/// # Safety
///
/// It is the caller's.
unsafe fn take<T: ?Sized, A: Allocator>(block: NonNull<Block<T, A>>) -> (Dead<BiasedHeader, T, A>, Origin) {
    // SAFETY: the caller's promise; the block is freed below and not used again.
    let Block { reference, origin, .. } = unsafe { block.read() };
    // SAFETY: allocated in `leave` with this layout.
    unsafe { dealloc(block.as_ptr().cast(), Layout::new::<Block<T, A>>()) };
    (reference, origin)
}

/// # Safety
///
/// That of [`queue::merge`](super::queue::merge), and the link is that of a `Block<T, A>`.
unsafe fn merge<T: ?Sized, A: Allocator>(link: NonNull<Link>) -> bool {
    let block = link.cast::<Block<T, A>>();
    // SAFETY: the caller's promise.
    let object = unsafe { block.as_ref() }.reference.object;
    // SAFETY: the queued reference keeps the object.
    let dead = unsafe { object.header() }.merge(-1);
    if !dead {
        // SAFETY: the reference is gone, and the block the caller's.
        drop(unsafe { take(block) }.0.alloc);
    }
    dead
}

/// # Safety
///
/// That of [`queue::settle`](super::queue::settle), and the link is that of a `Block<T, A>`.
unsafe fn settle<T: ?Sized, A: Allocator>(link: NonNull<Link>) {
    // SAFETY: the caller's promise.
    let (dead, origin) = unsafe { take(link.cast::<Block<T, A>>()) };
    origin.died(dead.object.address());
    // SAFETY: `merge` has found that the last reference is gone.
    unsafe { dead.destroy() }
}
