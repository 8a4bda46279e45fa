//! Where arenas come from.
#![allow(unsafe_code, reason = "a source hands out raw memory")]

use core::ptr::NonNull;

/// What became of a range that was handed to [`ArenaSource::purge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purged {
    /// The memory went back to where it came from; the range reads 0 and costs nothing until it is touched.
    Returned,
    /// The source keeps the memory; the content is as it was.
    Kept,
}

/// A source of memory for arenas: the operating system ([`Os`]), or a caller's own.
///
/// # Safety
/// [`map`](Self::map) returns a range of at least `size` readable and writable bytes that reads 0, is aligned
/// to `align`, overlaps no other range that is still mapped, and stays valid until
/// [`unmap`](Self::unmap) is called for it, also when the source value is moved.
pub unsafe trait ArenaSource {
    /// Maps `size` bytes aligned to `align`, a power of two; `None` if there is no memory. `size` is a
    /// multiple of 4096.
    fn map(&self, size: usize, align: usize) -> Option<NonNull<u8>>;

    /// Gives a whole range back.
    ///
    /// # Safety
    /// `ptr` is what one call of [`map`](Self::map) with this size and alignment returned, or
    /// [`remap`](Self::remap) made of it, and nobody uses the range any more.
    unsafe fn unmap(&self, ptr: NonNull<u8>, size: usize, align: usize);

    /// Gives the memory of a part of a range back while the addresses stay reserved. The default keeps it.
    ///
    /// # Safety
    /// The bytes lie inside one mapped range, both ends are multiples of 4096, and nobody needs the content.
    unsafe fn purge(&self, ptr: NonNull<u8>, size: usize) -> Purged {
        let _ = (ptr, size);
        Purged::Kept
    }

    /// Says that a range of 2 MiB, aligned to 2 MiB, is better backed by one huge page, or that it is not any more
    /// because parts of it will be purged. True if a first touch will make all of it resident. The default does
    /// nothing.
    ///
    /// # Safety
    /// The range is part of a mapped one.
    unsafe fn prefer_huge_page(&self, ptr: NonNull<u8>, size: usize, prefer: bool) -> bool {
        let _ = (ptr, size, prefer);
        false
    }

    /// Makes a range larger or smaller, at the same place or another one at the same alignment; the content
    /// moves with it, new bytes read 0. `None` leaves the range as it was. The default cannot.
    ///
    /// # Safety
    /// `ptr` and `old_size` are a whole mapped range at this alignment that nobody but the caller uses; after `Some` the old range
    /// is not used again. `new_size` is a multiple of 4096 and not 0.
    unsafe fn remap(
        &self,
        ptr: NonNull<u8>,
        old_size: usize,
        new_size: usize,
        align: usize,
    ) -> Option<NonNull<u8>> {
        let _ = (ptr, old_size, new_size, align);
        None
    }
}

/// The operating system: anonymous private mappings.
///
/// A mapping of 2 MiB costs one `mmap` and, if the kernel does not happen to align it, a second `mmap` and
/// two `munmap` of the ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Os;

impl Os {
    fn map_anywhere(size: usize, protection: libc::c_int) -> Option<NonNull<u8>> {
        // SAFETY: a new anonymous private mapping at an address of the kernel's choice touches no memory of
        // ours.
        let ptr = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                size,
                protection,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if ptr == libc::MAP_FAILED { None } else { NonNull::new(ptr.cast()) }
    }

    fn map_aligned(size: usize, align: usize, protection: libc::c_int) -> Option<NonNull<u8>> {
        let ptr = Self::map_anywhere(size, protection)?;
        if ptr.addr().get() & (align - 1) == 0 {
            return Some(ptr);
        }
        // SAFETY: the range was mapped above and never used.
        unsafe { Self::unmap_part(ptr, size) };
        let whole = size.checked_add(align)?;
        let ptr = Self::map_anywhere(whole, protection)?;
        let before = ptr.addr().get().wrapping_neg() & (align - 1);
        // SAFETY: `before < align`, so the aligned part starts in the mapping.
        let start = unsafe { ptr.add(before) };
        // SAFETY: and its `size` bytes end in the mapping.
        let end = unsafe { start.add(size) };
        // SAFETY: the bytes before the aligned part, never used.
        unsafe { Self::unmap_part(ptr, before) };
        // SAFETY: the bytes after the aligned part, never used.
        unsafe { Self::unmap_part(end, align - before) };
        Some(start)
    }

    /// # Safety
    /// The range is a page-aligned part of a mapping made here, and nobody uses it any more.
    unsafe fn unmap_part(ptr: NonNull<u8>, size: usize) {
        if size > 0 {
            // SAFETY: the caller says so. The call can only fail for want of kernel memory when it splits a
            // mapping; then the range stays mapped, which is a leak and no more.
            unsafe { libc::munmap(ptr.as_ptr().cast(), size) };
        }
    }
}

// SAFETY: the kernel returns zeroed pages that overlap nothing, and keeps them until `munmap`.
unsafe impl ArenaSource for Os {
    fn map(&self, size: usize, align: usize) -> Option<NonNull<u8>> {
        Self::map_aligned(size, align, libc::PROT_READ | libc::PROT_WRITE)
    }

    unsafe fn unmap(&self, ptr: NonNull<u8>, size: usize, _align: usize) {
        // SAFETY: the caller's promise.
        unsafe { Self::unmap_part(ptr, size) }
    }

    unsafe fn purge(&self, ptr: NonNull<u8>, size: usize) -> Purged {
        // SAFETY: the caller promises that the content of this part of a mapping is not needed.
        let failed = unsafe { libc::madvise(ptr.as_ptr().cast(), size, libc::MADV_DONTNEED) };
        if failed == 0 { Purged::Returned } else { Purged::Kept }
    }

    unsafe fn prefer_huge_page(&self, ptr: NonNull<u8>, size: usize, prefer: bool) -> bool {
        let advice = if prefer { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE };
        // SAFETY: advice about a mapping of ours changes no content.
        let failed = unsafe { libc::madvise(ptr.as_ptr().cast(), size, advice) };
        failed == 0 && prefer
    }

    unsafe fn remap(
        &self,
        ptr: NonNull<u8>,
        old_size: usize,
        new_size: usize,
        align: usize,
    ) -> Option<NonNull<u8>> {
        // SAFETY: the caller's promise: a whole mapping that nobody else uses.
        let same = unsafe { libc::mremap(ptr.as_ptr().cast(), old_size, new_size, 0) };
        if same != libc::MAP_FAILED {
            return Some(ptr);
        }
        // An aligned place that nothing else can take, which the pages are then moved over.
        let place = Self::map_aligned(new_size, align, libc::PROT_NONE)?;
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        // SAFETY: as above; the place is a mapping of ours of `new_size` bytes that nobody uses.
        let moved = unsafe { libc::mremap(ptr.as_ptr().cast(), old_size, new_size, flags, place.as_ptr()) };
        if moved == libc::MAP_FAILED {
            // SAFETY: the place, unused.
            unsafe { Self::unmap_part(place, new_size) };
            return None;
        }
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_aligned_zeroed_and_purged_to_zero() {
        for align in [4096, 64 << 10, 2 << 20, 64 << 20] {
            let size = 2 << 20;
            let ptr = Os.map(size, align).expect("memory");
            assert_eq!(ptr.addr().get() % align, 0);
            // SAFETY: the mapping is ours and `size` bytes long.
            let bytes = unsafe { core::slice::from_raw_parts_mut(ptr.as_ptr(), size) };
            assert!(bytes.iter().all(|&b| b == 0));
            bytes.fill(7);
            // SAFETY: a page-aligned part of the mapping.
            let purged = unsafe { Os.purge(ptr, 4096) };
            assert_eq!(purged, Purged::Returned);
            // SAFETY: as above; the old reference is not used again.
            let bytes = unsafe { core::slice::from_raw_parts(ptr.as_ptr(), size) };
            assert!(bytes[..4096].iter().all(|&b| b == 0) && bytes[4096..].iter().all(|&b| b == 7));
            // SAFETY: mapped above with this size, not used again.
            unsafe { Os.unmap(ptr, size, align) };
        }
    }

    #[test]
    fn an_impossible_size_is_none() {
        assert!(Os.map(usize::MAX & !4095, 4096).is_none());
        assert!(Os.map(1 << 60, 2 << 20).is_none());
    }
}
