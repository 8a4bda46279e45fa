#![allow(unsafe_code, reason = "calls libc's allocator")]
//! libc's malloc as the raw domain uses it, with a count of the bytes it holds.

/// Blocks of libc's malloc.
///
/// `bytes` = sum over the live blocks of (usable size + one word), the word being what the common
/// allocators keep in front of a block.
#[derive(Debug, Default)]
pub(super) struct LibcHeap {
    bytes: usize,
}

impl LibcHeap {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A block of its own even for 0 bytes, as `PyMem_RawMalloc` promises.
    pub(super) fn malloc(&mut self, size: usize) -> *mut u8 {
        // SAFETY: malloc takes any size.
        let block = unsafe { libc::malloc(size.max(1)) };
        self.counted(block.cast())
    }

    pub(super) fn calloc(&mut self, size: usize) -> *mut u8 {
        // SAFETY: calloc takes any size.
        let block = unsafe { libc::calloc(1, size.max(1)) };
        self.counted(block.cast())
    }

    /// # Safety
    /// `block` came from here and is live.
    pub(super) unsafe fn realloc(&mut self, block: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        let before = unsafe { chunk_bytes(block) };
        // SAFETY: the caller's promise.
        let moved = unsafe { libc::realloc(block.cast(), size.max(1)) };
        if !moved.is_null() {
            self.bytes -= before;
        }
        self.counted(moved.cast())
    }

    /// # Safety
    /// `block` came from here and is live.
    pub(super) unsafe fn free(&mut self, block: *mut u8) {
        // SAFETY: the caller's promise.
        self.bytes -= unsafe { chunk_bytes(block) };
        // SAFETY: the caller's promise.
        unsafe { libc::free(block.cast()) };
    }

    fn counted(&mut self, block: *mut u8) -> *mut u8 {
        if !block.is_null() {
            // SAFETY: libc just returned it.
            self.bytes += unsafe { chunk_bytes(block) };
        }
        block
    }
}

/// # Safety
/// `block` is a live block of libc's malloc.
unsafe fn chunk_bytes(block: *mut u8) -> usize {
    // SAFETY: the caller's promise.
    #[cfg(target_vendor = "apple")]
    let usable = unsafe { libc::malloc_size(block.cast()) };
    // SAFETY: the caller's promise.
    #[cfg(not(target_vendor = "apple"))]
    let usable = unsafe { libc::malloc_usable_size(block.cast()) };
    usable + size_of::<usize>()
}
