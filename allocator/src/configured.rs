//! [`Configured`]: `Global` with settings that hold before `main`.
#![allow(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::global::{Global, or_null};
use crate::mode::Mode;
use crate::protocol::budget::Exceeded;

/// [`Global`] with a mode and limits that are set before the program's first allocation, since an environment
/// variable or a call in `main` comes too late for what runs before it.
///
/// ```no_run
/// use cpymem_allocator::{Configured, Exceeded, Mode};
///
/// #[global_allocator]
/// static GLOBAL: Configured =
///     Configured::new().mode(Mode::Compact).hard_limit(2 << 30).soft_limit(1 << 30, shed);
///
/// fn shed(exceeded: Exceeded) {
///     eprintln!("{} bytes held", exceeded.held_bytes); // it may allocate
/// }
/// fn main() {}
/// ```
///
/// There is one `Global` in a process: the first `Configured` that allocates sets it up.
///
/// # Cost
/// As [`Global`]; the settings are looked at on the slow path only.
#[derive(Clone, Copy, Debug)]
pub struct Configured {
    mode: Mode,
    hard_limit: usize,
    soft_limit: Option<(usize, fn(Exceeded))>,
}

/// Whether some `Configured` was applied.
static APPLIED: AtomicBool = AtomicBool::new(false);

impl Configured {
    /// `Mode::Balanced`, without limits.
    pub const fn new() -> Configured {
        Configured { mode: Mode::Balanced, hard_limit: usize::MAX, soft_limit: None }
    }

    /// With this mode.
    #[must_use]
    pub const fn mode(self, mode: Mode) -> Configured {
        Configured { mode, ..self }
    }

    /// With at most `bytes` bytes for the process: see [`Global::budget`].
    #[must_use]
    pub const fn hard_limit(self, bytes: usize) -> Configured {
        Configured { hard_limit: bytes, ..self }
    }

    /// With a callback for when more than `bytes` bytes are held:
    /// see [`Budget::set_soft_limit`](crate::Budget::set_soft_limit).
    #[must_use]
    pub const fn soft_limit(self, bytes: usize, callback: fn(Exceeded)) -> Configured {
        Configured { soft_limit: Some((bytes, callback)), ..self }
    }

    fn apply(&self) {
        // Relaxed: one thread applies; what it sets may be seen a little later by others.
        if APPLIED.load(Ordering::Relaxed) || APPLIED.swap(true, Ordering::Relaxed) {
            return;
        }
        Global::set_mode(self.mode);
        Global::budget().set_hard_limit(self.hard_limit);
        if let Some((bytes, callback)) = self.soft_limit {
            Global::budget().set_soft_limit(bytes, callback);
        }
    }
}

impl Default for Configured {
    fn default() -> Configured {
        Configured::new()
    }
}

// SAFETY: as `Global`, which does the work.
unsafe impl GlobalAlloc for Configured {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        or_null(Global::allocate_block(layout, || self.apply()))
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { GlobalAlloc::dealloc(&Global, ptr, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        or_null(Global::allocate_zeroed_block(layout, || self.apply()))
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let Some(block) = NonNull::new(ptr) else { return ptr };
        // SAFETY: the caller's promise.
        or_null(unsafe { Global::change_size(block, layout, new_size, || self.apply()) })
    }
}
