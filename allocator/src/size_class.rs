//! Size classes: which block size serves a request.
//!
//! ```text
//!   request      step   classes   worst rounding
//!   1..=128        8       16     7 bytes
//!   129..=256     16        8     15 bytes
//!   257..=32768  1/4 of the doubling, 28 classes, 20 %
//! ```
//!
//! CPython has 32 classes in steps of 16 bytes up to 512 (`Include/internal/pycore_obmalloc.h`, `ALIGNMENT`,
//! `SMALL_REQUEST_THRESHOLD`). Rust tells an allocator the alignment it needs, so a request for 24, 40 or 56
//! bytes at alignment 8 can have a block of just that size; a C `malloc` must round it up.

use core::alloc::Layout;

/// Number of classes in the whole table.
pub(crate) const CLASSES: usize = 52;
/// Number of classes that walkable pools serve.
pub(crate) const WALKABLE_CLASSES: usize = 44;
/// Largest request in bytes that walkable pools serve.
pub(crate) const WALKABLE_MAX: usize = 8192;
/// Largest request in bytes that pools serve.
pub(crate) const POOLED_MAX: usize = 32768;
/// Largest block of a pool of one unit, and of four units; the rest is in pools of sixteen. At least sixteen
/// blocks fit, eight, and eight.
const UNITS_1_MAX: usize = 1024;
const UNITS_4_MAX: usize = 8192;

/// The block size in bytes of each class.
const SIZES: [u16; CLASSES] = {
    let mut sizes = [0; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        sizes[class] = if class < 16 {
            8 * (class as u16 + 1)
        } else if class < 24 {
            128 + 16 * (class as u16 - 15)
        } else {
            let doubling = (class as u16 - 24) / 4;
            let quarter = (class as u16 - 24) % 4 + 1;
            (256 << doubling) + quarter * (64 << doubling)
        };
        class += 1;
    }
    sizes
};

/// Requests to this many bytes find their class in a table: computing it takes branches that sizes in random
/// order mispredict.
const TABLE_MAX: usize = 1024;

/// The class of each multiple of 8 bytes to [`TABLE_MAX`]. As long as a byte can count, so that no index is out of
/// bounds.
const TABLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut words = 1;
    while words <= TABLE_MAX / 8 {
        table[words] = SizeClass::computed(words * 8).0;
        words += 1;
    }
    table
};

/// Index into the table of block sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SizeClass(u8);

impl SizeClass {
    /// The smallest class whose blocks hold `layout` at its alignment, or `None` above `max` bytes.
    ///
    /// A block of class `c` lies at a multiple of its size from an address aligned to the largest power of
    /// two that divides the size, so `c` serves an alignment exactly when the alignment divides the size.
    #[inline(always)]
    pub(crate) const fn of(layout: Layout, max: usize) -> Option<SizeClass> {
        let (size, align) = (layout.size(), layout.align());
        if align <= 16 {
            // Every class of at least 16 bytes that holds a multiple of 16 is a multiple of 16 itself.
            let size = if align == 16 { size.saturating_add(15) & !15 } else { size };
            let size = if align == 16 && size == 0 { 16 } else { size };
            if size > max { None } else { Some(Self::of_size(size)) }
        } else {
            Self::of_aligned(size, align, max)
        }
    }

    /// The class of a layout of 1 to 1024 bytes at an alignment to 16, and nothing for any other: the frequent
    /// case, with one comparison.
    #[inline(always)]
    pub(crate) const fn of_small(layout: Layout) -> Option<SizeClass> {
        let (size, align) = (layout.size(), layout.align());
        // Below 1024 if both are: 16 - 1 is the largest number that stays there when it is shifted so far.
        if (size.wrapping_sub(1) | (align - 1) << 6) >= TABLE_MAX {
            return None;
        }
        let size = (size + align - 1) & !(align - 1);
        Some(SizeClass(TABLE[size.div_ceil(8) as u8 as usize]))
    }

    /// Whether blocks of a layout certainly lie in pools of one unit: those of 1 to 1024 bytes at an alignment to
    /// 1024.
    #[inline(always)]
    pub(crate) const fn is_in_one_unit(layout: Layout) -> bool {
        (layout.size().wrapping_sub(1) | (layout.align() - 1)) < UNITS_1_MAX
    }

    /// The class of a request of `size` bytes at alignment 8, or of a multiple of 16 at alignment 16. A request for no bytes gets the smallest block.
    #[inline(always)]
    const fn of_size(size: usize) -> SizeClass {
        if size <= TABLE_MAX { SizeClass(TABLE[size.div_ceil(8)]) } else { Self::computed(size) }
    }

    const fn computed(size: usize) -> SizeClass {
        if size <= 128 {
            SizeClass((size.saturating_sub(1) / 8) as u8)
        } else if size <= 256 {
            SizeClass((16 + (size - 129) / 16) as u8)
        } else {
            let last = size - 1;
            let log2 = last.ilog2() as usize;
            SizeClass((24 + (log2 - 8) * 4 + ((last >> (log2 - 2)) & 3)) as u8)
        }
    }

    #[inline]
    const fn of_aligned(size: usize, align: usize, max: usize) -> Option<SizeClass> {
        if size > max || align > max {
            return None;
        }
        // Both are at most `max`, so the sum cannot overflow.
        let size = if size == 0 { align } else { (size + align - 1) & !(align - 1) };
        if size > max {
            return None;
        }
        let mut class = Self::of_size(size);
        while class.size() % align != 0 {
            class = SizeClass(class.0 + 1); // a power of two follows within four classes
        }
        if class.size() > max { None } else { Some(class) }
    }

    /// The class with this index, which must be below [`CLASSES`].
    pub(crate) const fn from_index(index: usize) -> SizeClass {
        assert!(index < CLASSES);
        SizeClass(index as u8)
    }

    /// Position of the class in the table.
    #[inline(always)]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// Bytes of a block of this class.
    #[inline(always)]
    pub(crate) const fn size(self) -> usize {
        SIZES[self.0 as usize] as usize
    }

    /// Units of 16 KiB that a pool of this class takes.
    pub(crate) const fn units(self) -> usize {
        match self.size() {
            ..=UNITS_1_MAX => 1,
            size if size <= UNITS_4_MAX => 4,
            _ => 16,
        }
    }
}

const _: () = {
    assert!(SIZES[0] == 8 && SIZES[15] == 128 && SIZES[23] == 256);
    assert!(SIZES[WALKABLE_CLASSES - 1] as usize == WALKABLE_MAX);
    assert!(SIZES[CLASSES - 1] as usize == POOLED_MAX);
    let mut class = 1;
    while class < CLASSES {
        assert!(SIZES[class] > SIZES[class - 1] && SIZES[class].is_multiple_of(8));
        class += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The slow, obvious rule: the first class that is large enough and divisible by the alignment.
    fn first_fit(size: usize, align: usize, max: usize) -> Option<usize> {
        SIZES.iter().map(|&s| s as usize).find(|&s| s <= max && s >= size && s % align == 0)
    }

    #[test]
    fn every_request_gets_the_first_class_that_fits() {
        for max in [512, WALKABLE_MAX, POOLED_MAX] {
            for align in [1, 8, 16, 64, 256, 1024, 4096, 8192, 32768, 1 << 20] {
                for size in (0..=9000).chain((9000..=POOLED_MAX + 64).step_by(31)) {
                    let layout = Layout::from_size_align(size, align).unwrap();
                    let class = SizeClass::of(layout, max).map(SizeClass::size);
                    assert_eq!(class, first_fit(size, align, max), "size {size} align {align} max {max}");
                }
            }
        }
    }

    #[test]
    fn the_frequent_case_is_the_general_one() {
        for align in (0..=16).map(|log2| 1 << log2) {
            for size in 0..3000 {
                let layout = Layout::from_size_align(size, align).unwrap();
                let general = SizeClass::of(layout, POOLED_MAX);
                match SizeClass::of_small(layout) {
                    Some(class) => assert_eq!(Some(class), general),
                    None => assert!(size == 0 || size > 1024 || align > 16),
                }
                if SizeClass::is_in_one_unit(layout) {
                    assert_eq!(general.map(SizeClass::units), Some(1), "size {size} align {align}");
                } else {
                    assert!(size == 0 || size > 1024 || align > 1024);
                }
            }
        }
    }

    #[test]
    fn rounding_wastes_at_most_a_fifth_above_256_bytes() {
        for size in 257..=POOLED_MAX {
            let block = SizeClass::of_size(size).size();
            assert!((block - size) as f64 <= 0.2 * block as f64, "{size} -> {block}");
        }
    }
}
