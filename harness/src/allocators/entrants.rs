//! The allocators that are compared: ours, those that come with this crate, and behind the feature `rivals` those
//! written in C and C++.
#![allow(unsafe_code, reason = "allocators hand out raw memory")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::mem;
use std::path::Path;
use std::ptr::{self, NonNull};

use bumpalo::Bump;
use cpymem_allocator::patterns::{Pattern, Players, Subject};
use cpymem_allocator::{Global, Heap};

#[cfg(feature = "rivals")]
use super::python::Python;
#[cfg(feature = "rivals")]
use super::rivals::{self, Jemalloc, Mimalloc, SnMalloc};

/// What an allocator is in the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The one that goals are about.
    Ours,
    /// Ours, but not what the goals are about.
    Beside,
    /// One to be faster than.
    Rival,
    /// One that does less: it cannot free single blocks.
    Baseline,
}

/// An allocator under its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entrant<'a> {
    /// The name in tables.
    pub(crate) name: &'static str,
    /// Its part.
    pub(crate) role: Role,
    subject: Subject<'a>,
    /// Asks it to give back whatever it can.
    pub(crate) purge: Option<fn()>,
    /// The same, or another of its kind, whose end is what is timed.
    dropping: Option<Subject<'a>>,
}

impl<'a> Entrant<'a> {
    /// What a pattern runs on; `None` if the allocator cannot play.
    pub(crate) fn subject_for(&self, pattern: &Pattern) -> Option<Subject<'a>> {
        let subject = if pattern.players == Players::Releasing { self.dropping } else { Some(self.subject) };
        subject.filter(|subject| pattern.plays(subject))
    }

    /// What a trace is replayed on; `None` if single frees do nothing.
    pub(crate) fn replays(&self) -> Option<Subject<'a>> {
        Some(self.subject).filter(Subject::frees)
    }
}

/// The allocators themselves.
pub(crate) struct Roster {
    heaps: [OnHeap; 2],
    bumps: [OnBump; 2],
    #[cfg(feature = "rivals")]
    python: Option<Python>,
}

impl Roster {
    /// Every allocator there is; pymalloc if a Python library is named.
    ///
    /// # Errors
    /// What is wrong with that library.
    pub(crate) fn new(libpython: Option<&Path>) -> Result<Roster, String> {
        #[cfg(not(feature = "rivals"))]
        if libpython.is_some() {
            return Err("pymalloc needs the feature `rivals`".to_owned());
        }
        Ok(Roster {
            heaps: [OnHeap::new(), OnHeap::new()],
            bumps: [OnBump::new(), OnBump::new()],
            #[cfg(feature = "rivals")]
            python: libpython.map(Python::load).transpose()?,
        })
    }

    /// The allocators by name, ours first.
    pub(crate) fn entrants(&self) -> Vec<Entrant<'_>> {
        let plain = |name, role, subject, purge| Entrant { name, role, subject, purge, dropping: None };
        // SAFETY: `restart` leaves an empty heap; a pattern promises that no block is used any more.
        let heap = unsafe { Subject::local(&self.heaps[1]).releasing(OnHeap::restart, true) };
        // SAFETY: as above.
        let bump_resets = unsafe { Subject::local(&self.bumps[0]).releasing(OnBump::reset, false) };
        // SAFETY: as above.
        let bump = unsafe { Subject::local(&self.bumps[1]).releasing(OnBump::restart, false) };
        #[allow(unused_mut, reason = "rivals are pushed behind a feature")]
        let mut all = vec![
            plain("cpymem", Role::Ours, Subject::shared(&Global), Some(purge_global)),
            Entrant {
                name: "cpymem-heap",
                role: Role::Beside,
                subject: Subject::local(&self.heaps[0]),
                purge: None,
                dropping: Some(heap),
            },
        ];
        #[cfg(feature = "rivals")]
        {
            all.push(plain(
                "mimalloc",
                Role::Rival,
                Subject::shared(&Mimalloc),
                Some(rivals::purge_mimalloc),
            ));
            all.push(plain(
                "jemalloc",
                Role::Rival,
                Subject::shared(&Jemalloc),
                Some(rivals::purge_jemalloc),
            ));
            all.push(plain("snmalloc", Role::Rival, Subject::shared(&SnMalloc), None));
            all.extend(
                self.python
                    .as_ref()
                    .map(|python| plain("pymalloc", Role::Rival, Subject::local(python), None)),
            );
        }
        all.push(plain("system", Role::Rival, Subject::shared(&System), Some(purge_system)));
        all.push(Entrant {
            name: "bumpalo",
            role: Role::Baseline,
            subject: bump_resets,
            purge: None,
            dropping: Some(bump),
        });
        all
    }
}

fn purge_global() {
    Global::purge();
}

fn purge_system() {
    // SAFETY: gives free pages back to the system, no more.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

fn or_null(block: Option<NonNull<u8>>) -> *mut u8 {
    block.map_or(ptr::null_mut(), NonNull::as_ptr)
}

/// A heap that can be dropped and begun anew in its place.
struct OnHeap(UnsafeCell<Heap>);

impl OnHeap {
    fn new() -> OnHeap {
        OnHeap(UnsafeCell::new(Heap::new()))
    }

    /// # Safety
    /// `this` points to an `OnHeap` of this thread, none of whose blocks is used any more.
    unsafe fn restart(this: *const ()) {
        // SAFETY: the caller's promise.
        let this = unsafe { &*this.cast::<OnHeap>() };
        // SAFETY: no reference to the heap outlives a call, and this thread makes no other now.
        drop(mem::replace(unsafe { &mut *this.0.get() }, Heap::new()));
    }

    fn heap(&self) -> &Heap {
        // SAFETY: the heap is only replaced in `restart`, during which nobody calls this.
        unsafe { &*self.0.get() }
    }
}

// SAFETY: the heap's own contract.
unsafe impl GlobalAlloc for OnHeap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        or_null(self.heap().alloc(layout))
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        or_null(self.heap().alloc_zeroed(layout))
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the caller's promise.
            unsafe { self.heap().dealloc(block, layout) }
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        or_null(NonNull::new(block).and_then(|block| unsafe { self.heap().realloc(block, layout, size) }))
    }
}

/// A bump arena: single frees do nothing.
struct OnBump(UnsafeCell<Bump>);

impl OnBump {
    fn new() -> OnBump {
        OnBump(UnsafeCell::new(Bump::new()))
    }

    /// # Safety
    /// As [`OnHeap::restart`].
    unsafe fn restart(this: *const ()) {
        // SAFETY: the caller's promise.
        let this = unsafe { &*this.cast::<OnBump>() };
        // SAFETY: no reference to the arena outlives a call, and this thread makes no other now.
        drop(mem::take(unsafe { &mut *this.0.get() }));
    }

    /// # Safety
    /// As [`OnHeap::restart`].
    unsafe fn reset(this: *const ()) {
        // SAFETY: the caller's promise.
        let this = unsafe { &*this.cast::<OnBump>() };
        // SAFETY: no reference to the arena outlives a call, and this thread makes no other now.
        unsafe { &mut *this.0.get() }.reset();
    }
}

// SAFETY: blocks are distinct and live until the arena is reset.
unsafe impl GlobalAlloc for OnBump {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the arena is only changed in `restart` and `reset`, during which nobody calls this.
        or_null(unsafe { &*self.0.get() }.try_alloc_layout(layout).ok())
    }

    #[inline]
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
