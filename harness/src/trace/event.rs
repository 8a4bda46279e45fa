//! One event of a trace.

use std::fmt;

/// What happened, to which allocator domain, on which thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub op: Op,
    /// The domain that was called. Marks (collections, phases) belong to none and carry
    /// [`Domain::Raw`].
    pub domain: Domain,
    /// The thread, numbered from 0 in the order in which threads first appear.
    pub thread: u32,
}

/// What happened in an [`Event`]. Sizes are in bytes, times in ns since the first mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A malloc, or a calloc if `zeroed`.
    Alloc {
        /// The new block: the number of allocations before it.
        id: u64,
        /// Bytes asked for; calloc's product.
        size: u64,
        /// Whether the memory had to be zero.
        zeroed: bool,
        /// Where the block was, if the trace has addresses.
        addr: Option<u64>,
    },
    /// A realloc of a block, which keeps its id.
    Realloc {
        /// The block.
        id: u64,
        /// Bytes asked for.
        size: u64,
        /// Where the block is now, if the trace has addresses.
        addr: Option<u64>,
    },
    /// A free.
    Free {
        /// The block.
        id: u64,
    },
    /// A free or realloc of a block older than the trace; there is nothing to do.
    Unknown,
    /// The cyclic collector begins.
    GcStart {
        /// Time.
        at_ns: u64,
        /// The oldest generation collected.
        generation: u8,
    },
    /// The cyclic collector is done.
    GcStop {
        /// Time.
        at_ns: u64,
        /// The oldest generation collected.
        generation: u8,
        /// Unreachable objects found and freed.
        collected: u64,
        /// Unreachable objects that could not be freed.
        uncollectable: u64,
    },
    /// The program entered a phase.
    Phase {
        /// Time.
        at_ns: u64,
        /// Index into the header's labels.
        label: u32,
        /// Anonymous resident memory in KiB; 0 where it was not measured.
        rss_kib: u64,
    },
}

/// The allocator that was called: the domains of CPython's `PyMem_SetAllocator`, and libc itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Domain {
    /// `PyMem_RawMalloc` and its family: libc, callable without the GIL.
    Raw = 0,
    /// `PyMem_Malloc` and its family: pymalloc, buffers.
    Mem = 1,
    /// `PyObject_Malloc` and its family: pymalloc, objects.
    Object = 2,
    /// libc's malloc called by native code.
    Native = 3,
}

impl Domain {
    /// All domains in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Raw, Self::Mem, Self::Object, Self::Native];

    /// The domain in bits 3 and 4 of a tag.
    #[inline]
    pub(super) const fn of_tag(tag: u8) -> Self {
        Self::ALL[(tag >> 3 & 3) as usize]
    }

    /// Whether requests of up to 512 bytes go to pymalloc.
    #[inline]
    pub const fn is_pymalloc(self) -> bool {
        matches!(self, Self::Mem | Self::Object)
    }

    /// The name that headers use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Mem => "mem",
            Self::Object => "object",
            Self::Native => "native",
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
