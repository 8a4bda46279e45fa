//! CPython's memory allocator for Rust: arenas, pools and blocks.
//!
//! ```text
//!   arena   2 MiB from the operating system               the house
//!     pool  16 KiB (64, or 256)    of blocks of one size    a floor: all rooms alike
//!       block  8 bytes to 32 KiB                              a room
//!   bin     free blocks of one pool, ready to use         the front desk: the keys of one floor
//! ```
//!
//! * [`Global`] is the allocator of a whole program: a heap for each thread.
//! * [`Heap`] serves one thread at a time; dropping it frees everything at once.
//! * [`SharedHeap`] serves any thread, under a lock.
//! * [`pool::PoolHeap`] is for collectors: its blocks can be walked in address order.
//! * [`ArenaSource`] is where arenas come from: [`Os`], a [`FixedRegion`], or another allocator.
//! * [`Budget`] limits what heaps, or all of them together, may hold; [`Mode`] says how soon memory goes back, and
//!   [`Configured`] sets both before `main`.
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
//! An allocation takes the first block of its class's bin: the blocks of one pool, the class's current one. A free
//! puts the block on the list of its own pool and counts the pool down; Rust tells the layout, so no class has to be
//! looked up. What another thread has allocated goes home in bundles of one pool. Pools keep their metadata in the
//! arena's header, out of the way of the blocks. The crate's README has measured figures.
//!
//! # What it does not do
//! Purge an idle process by itself: the clock is looked at on slow paths. Where everything is freed at once and
//! nothing before, a bump allocator such as [bumpalo](https://docs.rs/bumpalo) does less work.

#![cfg_attr(feature = "nightly", feature(allocator_api))]

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(not(loom))]
mod allocator_impl;
#[cfg(not(loom))]
mod arena;
#[cfg(not(loom))]
mod arenas;
#[cfg(not(loom))]
mod block;
#[cfg(all(test, not(loom)))]
mod check;
#[cfg(not(loom))]
mod clock;
#[cfg(not(loom))]
mod configured;
#[cfg(all(feature = "allocator-api2-02", not(loom)))]
mod from_allocator;
#[cfg(not(loom))]
mod global;
#[cfg(not(loom))]
mod heap;
#[cfg(not(loom))]
mod inbox;
#[cfg(not(loom))]
mod lending;
#[cfg(not(loom))]
mod mapping;
#[cfg(not(loom))]
mod mode;
#[cfg(all(feature = "patterns", not(loom)))]
pub mod patterns;
#[cfg(not(loom))]
mod pin_map;
#[cfg(not(loom))]
pub mod pool;
#[cfg(not(loom))]
mod pool_meta;
/// What threads do with one another. Under loom it is all that is built, and public, to be driven.
#[cfg(loom)]
#[doc(hidden)]
pub mod protocol;
#[cfg(not(loom))]
mod protocol;
#[cfg(not(loom))]
mod region;
#[cfg(not(loom))]
mod relaxed;
#[cfg(not(loom))]
mod route;
#[cfg(not(loom))]
mod shared_heap;
#[cfg(not(loom))]
mod size_class;
#[cfg(not(loom))]
mod source;
#[cfg(not(loom))]
mod stats;
#[cfg(not(loom))]
mod thread_heap;

#[cfg(not(loom))]
pub use self::{
    configured::Configured,
    global::Global,
    heap::Heap,
    mode::Mode,
    pin_map::{ArenaFill, PoolFill},
    protocol::budget::{Budget, Exceeded},
    region::FixedRegion,
    shared_heap::SharedHeap,
    source::{ArenaSource, Os, Purged},
    stats::{ClassStats, Stats},
};

#[cfg(all(feature = "allocator-api2-02", not(loom)))]
pub use from_allocator::FromAllocator;
