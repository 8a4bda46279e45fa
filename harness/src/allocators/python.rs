//! The real pymalloc, out of a Python library that the user names.
#![allow(unsafe_code, reason = "calls of a library that is loaded by name")]

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::path::Path;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

/// `PyObject_Malloc` and its family.
///
/// # Invariants
/// 1. The library is never unloaded, so the functions stay.
/// 2. The interpreter is initialised, and the thread that made this value holds its lock: the value stays on that
///    thread.
pub(super) struct Python {
    malloc: unsafe extern "C" fn(usize) -> *mut c_void,
    calloc: unsafe extern "C" fn(usize, usize) -> *mut c_void,
    realloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
    on_one_thread: PhantomData<*mut ()>,
}

impl Python {
    /// Loads the library and starts its interpreter, whose lock stays with this thread.
    pub(super) fn load(path: &Path) -> Result<Python, String> {
        let fail = |error: libloading::Error| format!("{}: {error}", path.display());
        // SAFETY: the user named a Python library; what its initialisers do is what loading it means.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }.map_err(fail)?;
        macro_rules! symbol {
            ($name:literal) => {
                // SAFETY: the signature is that of CPython's headers.
                *unsafe { library.get($name.as_bytes()) }.map_err(fail)?
            };
        }
        let initialize: unsafe extern "C" fn(c_int) = symbol!("Py_InitializeEx");
        let is_initialized: unsafe extern "C" fn() -> c_int = symbol!("Py_IsInitialized");
        let python = Python {
            malloc: symbol!("PyObject_Malloc"),
            calloc: symbol!("PyObject_Calloc"),
            realloc: symbol!("PyObject_Realloc"),
            free: symbol!("PyObject_Free"),
            on_one_thread: PhantomData,
        };
        std::mem::forget(library);
        // SAFETY: no interpreter runs in this process yet, or it does nothing; 0 leaves signal handlers alone. The
        // calling thread holds the lock afterwards.
        unsafe { initialize(0) };
        // SAFETY: may be called at any time.
        if unsafe { is_initialized() } == 0 {
            return Err(format!("{}: the interpreter did not start", path.display()));
        }
        Ok(python)
    }
}

// SAFETY: pymalloc's contract: blocks are aligned to 16 and valid until they are freed; patterns and traces ask for no
// more alignment. Invariant 2: the lock is held.
unsafe impl GlobalAlloc for Python {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: invariants 1 and 2.
        unsafe { (self.malloc)(layout.size()) }.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: invariants 1 and 2.
        unsafe { (self.calloc)(1, layout.size()) }.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: invariants 1 and 2, and the caller's promise.
        unsafe { (self.free)(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, _: Layout, size: usize) -> *mut u8 {
        // SAFETY: invariants 1 and 2, and the caller's promise.
        unsafe { (self.realloc)(block.cast(), size) }.cast()
    }
}
