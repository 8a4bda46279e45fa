//! CPython's memory allocator for Rust: arenas, pools and blocks.
//!
//! ```text
//!   arena   2 MiB from the operating system               the house
//!     pool  16 KiB (or 64, or 256) of blocks of one size    a floor: all rooms alike
//!       block  8 bytes to 32 KiB                              a room
//!   bin     free blocks of one class, ready to use        the front desk: keys handed in last go out first
//! ```
//!
//! * [`Global`] is the allocator of a whole program: a heap for each thread.
//! * [`Heap`] serves one thread at a time; dropping it frees everything at once.
//! * [`SharedHeap`] serves any thread, under a lock.
//! * [`pool::PoolHeap`] is for collectors: its blocks can be walked in address order.
//! * [`ArenaSource`] is where arenas come from: [`Os`], or memory of your own.
//! * [`Stats`] says where the bytes are, in the words of CPython's `sys._debugmallocstats()`.
//!
//! ```
//! use core::alloc::Layout;
//! use cpymem_allocator::Heap;
//!
//! let heap = Heap::with_limit(1 << 20);
//! let layout = Layout::new::<[u64; 6]>();
//! let block = heap.alloc(layout).expect("48 bytes");
//! // SAFETY: the block is of this heap and this layout, and nothing uses it any more.
//! unsafe { heap.dealloc(block, layout) };
//! println!("{}", heap.stats());
//! assert_eq!(heap.stats().blocks_in_use(), 0);
//! ```
//!
//! # What it costs
//! A block that is freed goes to the bin of its class without a look at its pool, since Rust tells the
//! deallocator the layout; the next allocation of the class takes it from there. So the common pair touches
//! the bin and the block and nothing else. Pools keep their metadata in the arena's header, out of the way
//! of the blocks. The crate's README has measured figures.
//!
//! # What it does not do
//! Yet: limits for [`Global`], purging by the clock. Where everything is freed at once and nothing before, a bump allocator such as
//! [bumpalo](https://docs.rs/bumpalo) does less work.

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod arena;
mod block;
mod budget;
#[cfg(test)]
mod check;
mod global;
#[cfg(not(loom))]
mod handover;
/// The protocol that loom drives.
#[cfg(loom)]
#[doc(hidden)]
pub mod handover;
mod heap;
mod inbox;
mod lock;
mod mapping;
#[cfg(all(feature = "patterns", not(loom)))]
pub mod patterns;
pub mod pool;
mod pool_meta;
mod relaxed;
mod shared_heap;
mod size_class;
mod source;
mod stats;
mod sync;
mod thread_heap;

pub use global::Global;
pub use heap::Heap;
pub use shared_heap::SharedHeap;
pub use source::{ArenaSource, Os, Purged};
pub use stats::{ClassStats, Stats};
